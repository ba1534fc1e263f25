/**
 * What may leave of what records hold, as `privacy` has it. It is asked where something leaves: by outputs, logs, samples of the page and
 * the verbs that show records. Where `privacy.payload` is full there is none, and nothing is asked.
 */
import { eventsConfigOf } from '../config/events-section.ts'
import { type MaskKey, maskKeys } from '../config/mask-keys.ts'
import type { Config } from '../config/schema.ts'
import { FIELD_PRODUCT } from '../format/event-rules.ts'
import { type MaskedValue, maskJson } from './json-mask.ts'
import { type KnownPlace, type KnownPlaces, knownPlaces } from './known-places.ts'
import { maskOf } from './mask.ts'
import { toldMessage } from './told-details.ts'

/** What bytes are: a record's value, an element of one that is an event of its own, a batch of records, or a row as JSON. */
export type Whole = 'record' | 'element' | 'batch' | 'row'

/** What else there is to know. */
interface Looking {
  /** A byte whose place in the text is wanted. */
  readonly mark?: number
  /** Gives the value of another format as JSON. */
  readonly asJson?: (() => string | undefined) | undefined
}

/** How the values of a topic are told. */
interface TopicPrivacy {
  readonly places: KnownPlaces
  readonly format: string
}

const NOT_JSON: ReadonlySet<string> = new Set(['avro', 'protobuf'])
/** Of the frames that may stand before JSON. */
const FRAMES_BYTES = [5, 9, 18]
const BRACES = '{['
/** Of a row; beside them it has the product. */
const ROW_COLUMNS = ['tenant', 'window_start', 'window_end', 'task', 'impressions', 'clicks', 'ctr', 'version', 'emitted_at']

/** undefined when all may leave. Throws CTR_CONFIG when a key can't be had. */
export function privacyOf(config: Config): Privacy | undefined {
  const { payload } = config.privacy
  return payload === 'full' ? undefined : new Privacy(config, payload, maskKeys(config)[0])
}

export class Privacy {
  readonly payload: 'masked' | 'none'
  readonly #key: MaskKey | undefined
  readonly #topics: ReadonlyMap<string, TopicPrivacy>
  /** Of a topic that the configuration does not name. */
  readonly #other: TopicPrivacy
  readonly #row: KnownPlace

  constructor({ privacy, kafka, events }: Config, payload: 'masked' | 'none', key: MaskKey | undefined) {
    const { keep = [], names = [] } = privacy
    this.payload = payload
    this.#key = key
    this.#other = { places: knownPlaces(events, keep, names), format: 'json' }
    this.#topics = new Map(
      kafka.topics.map(({ name, format, events: own }) => {
        return [name, { places: knownPlaces(eventsConfigOf(events, own), keep, names), format }]
      }),
    )
    const inside = new Map(ROW_COLUMNS.map((name) => [name, { inside: new Map(), keeps: true }]))
    // Its product may be of any topic.
    const keepsProduct = [...this.#topics.keys()].every((topic) => this.keeps(FIELD_PRODUCT, topic))
    this.#row = { inside: inside.set('product_id', { inside: new Map(), keeps: keepsProduct }), keeps: false }
  }

  /** Whether the values of a field of events, as event-rules.ts numbers them, may leave as they are. */
  keeps(field: number, topic: string): boolean {
    return this.payload === 'masked' && this.#of(topic).places.keeps[field] === true
  }

  /** Bytes as they may leave; undefined when nothing of them may. */
  value(bytes: Uint8Array, topic: string, whole: Whole, { mark = -1, asJson }: Looking = {}): MaskedValue | undefined {
    if (this.payload === 'none') return undefined
    const { places, format } = this.#of(topic)
    if (whole === 'row') return maskJson(bytes, this.#row, this.#key)
    if (bytes.length === 0) return { text: '', faultAt: undefined, markAt: -1 }
    const json = whole === 'record' ? asJson?.() : undefined
    if (json !== undefined) return { ...maskJson(Buffer.from(json), places.record, this.#key), faultAt: undefined }
    if (whole === 'batch' || NOT_JSON.has(format)) return { text: maskOf('bytes', bytes, this.#key), faultAt: undefined, markAt: -1 }
    const lead = format === 'json-schema' ? frameBytes(bytes) : 0
    const masked = maskJson(bytes.subarray(lead), places[whole], this.#key, mark < lead ? -1 : mark - lead)
    return { ...masked, faultAt: masked.faultAt === undefined ? undefined : masked.faultAt + lead }
  }

  /** Why something is refused, without what may quote it. */
  message(reason: string, message: string): string {
    return toldMessage(reason, message)
  }

  #of(topic: string): TopicPrivacy {
    return this.#topics.get(topic) ?? this.#other
  }
}

/** What bytes of a letter are, by its reason or errorCode and whether it is of an element. */
export function wholeOf(reason: string, element: number | undefined): Whole {
  if (reason === 'ROW_REFUSED') return 'row'
  if (reason === 'CORRUPT_BATCH' || reason === 'BATCH_TOO_LARGE') return 'batch'
  return element === undefined ? 'record' : 'element'
}

/** What stands before JSON and names its schema. */
function frameBytes(bytes: Uint8Array): number {
  return FRAMES_BYTES.find((size) => bytes[0] !== undefined && bytes[0] <= 3 && BRACES.includes(String.fromCharCode(bytes[size] ?? 0))) ?? 0
}
