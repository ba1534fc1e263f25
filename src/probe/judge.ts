/**
 * What the engine makes of single records with a configuration, without counting them: the format's exact parser, the bounds of time, and
 * whether an event would be late among those of its partition that were judged before it.
 */

import { sleep } from '../clock.ts'
import { eventsConfigOf } from '../config/events-section.ts'
import type { Config } from '../config/schema.ts'
import type { EventFormat } from '../format/event-format.ts'
import { timeReason } from '../format/event-time.ts'
import { type Format, formatsOf } from '../format/format.ts'
import type { JsonRecords } from '../format/json-records.ts'
import { LENGTH_SHIFT, ROW_BITS, ROW_START, ROW_WORDS } from '../format/parsed-events.ts'
import { IGNORED, REASON, REASON_TEXT, REASONS, type Reason, WAITING_SCHEMA } from '../format/reasons.ts'
import { RecordEvents } from '../format/record-events.ts'
import type { SchemaKey, Schemas, SchemaTrouble } from '../format/schemas.ts'
import { EventSlot, SLOT_CLICK, SLOT_PRODUCT_END, SLOT_PRODUCT_START } from '../format/slot.ts'
import { Candidates } from '../window/believed.ts'
import { CLICKS } from '../window/measures.ts'
import { type Windows, windowRules, windowsOf } from '../window/windows.ts'
import type { ValuePart } from './fault-place.ts'
import type { SampledRecord } from './sampled-record.ts'

/** One event of a record, and what becomes of it. */
export interface JudgedEvent {
  readonly product: string
  readonly click: boolean
  /** ms since the epoch. */
  readonly time: number
  readonly kind: 'counted' | 'late' | 'invalid'
}

/**
 * What becomes of a record. `late` is of the events judged before it: a run that has read more may know better. A record of several events
 * is invalid when one of them is; the others count all the same.
 */
export interface RecordVerdict {
  readonly kind: 'counted' | 'late' | 'ignored' | 'invalid'
  /** Of an invalid one, or of its first element that is. */
  readonly reason?: Reason
  /** What the reason means. */
  readonly text?: string
  /** Where that element lies in the value. */
  readonly element?: ValuePart
  /** None of one that is ignored or can't be read. */
  readonly events: readonly JudgedEvent[]
  /** Elements that are no events and so not in `events`; undefined where all are. */
  readonly badElements?: number
  /** Of a late one: how far behind the watermark, ms. */
  readonly lateMs?: number
}

/** As event-counter.ts has it: times of records before it are none, or in seconds. */
const PLAUSIBLE_FROM_MS = 978_307_200_000

/** For so long a schema is waited for that is not here, once; between looks whether it is. */
const SCHEMA_MAX_MS = 15_000
const SCHEMA_LOOK_MS = 200
/** What passes by waiting, as with every server that is away. */
const AWAY = 'CTR_REGISTRY_UNREACHABLE'
const NOTHING = new Uint8Array(0)

/** Schemas that come by themselves once they were asked for. */
export interface ComingSchemas extends Schemas {
  /** Resolves when something of it has come. */
  arrival(key: SchemaKey): Promise<void>
  troubleOf(key: SchemaKey): SchemaTrouble | undefined
}

/** An element of a record that is no event. */
interface BadElement {
  readonly reason: number
  readonly element: ValuePart
}

/** The time of a partition, as far as it is believed. */
interface Clock {
  believed: number
  events: number
  readonly candidates: Candidates
}

/** Judges records one after the other, those of a partition in their order. */
export class RecordJudge {
  readonly #config: Config
  readonly #formats: ReadonlyMap<string, Format>
  readonly #windows: Windows
  readonly #schemas: ComingSchemas | undefined
  readonly #slot = new EventSlot()
  readonly #clocks = new Map<string, Clock>()
  /** Schemas that were waited for and did not come. */
  readonly #missed = new Set<SchemaKey>()

  /** `schemas`: where schemas come from that records name; without them such records are invalid. */
  constructor(config: Config, schemas?: ComingSchemas) {
    this.#config = config
    this.#schemas = schemas
    const { topics } = config.kafka
    const formats = formatsOf(
      topics.map((topic) => ({ ...topic, events: eventsConfigOf(config.events, topic.events) })),
      schemas,
    )
    this.#formats = new Map(topics.map(({ name }, i) => [name, formats[i] as Format]))
    this.#windows = windowsOf(windowRules(config))
  }

  /**
   * Waits for the schema that the record names, if it is not here yet, but once and not for ever, nor when it is known why it does not
   * come: what has not come then is told as missing, until it has.
   */
  async ready(record: SampledRecord, signal?: AbortSignal): Promise<void> {
    const format = this.#formats.get(record.topic)
    const schemas = this.#schemas
    if (format === undefined || format.several || schemas === undefined) return
    for (const until = Date.now() + SCHEMA_MAX_MS; signal?.aborted !== true; ) {
      if (this.#exact(format, record) !== WAITING_SCHEMA) return
      const key = format.waitsFor ?? ''
      if (this.#missed.has(key) || (schemas.troubleOf(key)?.code ?? AWAY) !== AWAY) return
      if (Date.now() >= until) return void this.#missed.add(key)
      await Promise.race([schemas.arrival(key), sleep(SCHEMA_LOOK_MS)])
    }
  }

  #exact(format: EventFormat, { value, headerBytes }: SampledRecord): number {
    const size = value?.length ?? 0
    const bytes = Buffer.concat([value ?? NOTHING, headerBytes ?? NOTHING])
    return format.exact(bytes, 0, size, this.#slot, bytes.length)
  }

  /** What becomes of the record; `now` for the wall-clock guard. */
  judge(record: SampledRecord, now = Date.now()): RecordVerdict {
    const { value, topic } = record
    const format = this.#formats.get(topic)
    if (format === undefined) throw new Error(`the topic ${topic} is none of kafka.topics`)
    const bytes = value ?? new Uint8Array(0)
    if (format.several) return this.#judgeSeveral(format, record, bytes, now)
    const status = this.#exact(format, record)
    if (status === IGNORED) return { kind: 'ignored', events: [] }
    if (status === WAITING_SCHEMA) return invalid(REASON.SCHEMA_UNKNOWN, [], this.#schemas?.troubleOf(format.waitsFor ?? '')?.message)
    if (status !== REASON.VALID) return invalid(status, [], format.detail)
    const { ints, time, product } = this.#slot
    const text = Buffer.from(product.subarray(ints[SLOT_PRODUCT_START], ints[SLOT_PRODUCT_END])).toString()
    const event = { product: text, click: ints[SLOT_CLICK] === 1, time: format.timeOfRecord ? record.timestamp : (time[0] ?? 0) }
    return this.#place(record, [event], [], now)
  }

  #judgeSeveral(format: JsonRecords, record: SampledRecord, bytes: Uint8Array, now: number): RecordVerdict {
    const events = new RecordEvents(format.elementsMax)
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    const status = format.read({ bytes, view, record: 0, start: 0, end: bytes.length, older: false }, events, this.#slot)
    if (status === IGNORED) return { kind: 'ignored', events: [] }
    if (status !== REASON.VALID) return invalid(status, [])
    const source = events.isExact ? events.products : bytes
    const found = Array.from({ length: events.count }, (_, i) => {
      const start = events.rows[i * ROW_WORDS + ROW_START] ?? 0
      const bits = events.rows[i * ROW_WORDS + ROW_BITS] ?? 0
      const product = Buffer.from(source.subarray(start, start + (bits >> LENGTH_SHIFT))).toString()
      return { product, click: (bits & CLICKS) !== 0, time: format.timeOfRecord ? record.timestamp : (events.times[i] ?? 0) }
    })
    const bad = Array.from({ length: events.bad }, (_, i) => {
      const element = { start: events.badStarts[i] ?? 0, end: events.badEnds[i] ?? 0 }
      return { reason: events.badReasons[i] ?? 0, element }
    })
    return this.#place(record, found, bad, now)
  }

  #timeReason(time: number, timestamp: number, now: number): number {
    const { oldest, futureTolerance, wallClockGuard } = this.#config.time
    if (timeReason(time) !== REASON.VALID) return REASON.TIME_RANGE
    if (time < oldest) return REASON.TOO_OLD
    if (timestamp >= PLAUSIBLE_FROM_MS && time > timestamp + futureTolerance) return REASON.FUTURE
    return time > now + wallClockGuard ? REASON.FUTURE : REASON.VALID
  }

  /** All events are judged by what their partition was before the record. */
  #place(record: SampledRecord, found: readonly Omit<JudgedEvent, 'kind'>[], bad: readonly BadElement[], now: number): RecordVerdict {
    const clock = this.#clockOf(`${record.topic}/${record.partition}`)
    const windows = this.#windows
    const before = clock.believed
    let refused: number = REASON.VALID
    const events = found.map((event): JudgedEvent => {
      const reason = this.#timeReason(event.time, record.timestamp, now)
      if (reason !== REASON.VALID) {
        refused = reason
        return { ...event, kind: 'invalid' }
      }
      return { ...event, kind: before >= windows.lateAt(windows.sliceEnd(windows.sliceStart(event.time))) ? 'late' : 'counted' }
    })
    for (const { time, kind } of events) if (kind !== 'invalid') this.#moveTime(clock, time, record.offset)
    const [first] = bad
    if (first !== undefined) return { ...invalid(first.reason, events), element: first.element, badElements: bad.length }
    if (refused !== REASON.VALID) return invalid(refused, events)
    if (events.length === 0) return { kind: 'ignored', events }
    if (events.some(({ kind }) => kind === 'counted')) return { kind: 'counted', events }
    return { kind: 'late', events, lateMs: before - this.#config.time.outOfOrderness - Math.min(...events.map(({ time }) => time)) }
  }

  #moveTime(clock: Clock, time: number, offset: number): void {
    clock.events++
    if (!(time > clock.believed + this.#config.time.maxJump)) clock.believed = Math.max(clock.believed, time)
    else clock.believed = clock.candidates.consider(time, clock.events, offset, clock.believed)
  }

  #clockOf(name: string): Clock {
    const { maxJump } = this.#config.time
    const clock = this.#clocks.get(name) ?? {
      believed: Number.NEGATIVE_INFINITY,
      events: 0,
      candidates: new Candidates(maxJump, undefined),
    }
    this.#clocks.set(name, clock)
    return clock
  }
}

function invalid(number: number, events: readonly JudgedEvent[], detail?: string): RecordVerdict {
  const reason = REASONS[number] ?? 'CORRUPT_BATCH'
  const text = detail === undefined ? REASON_TEXT[reason] : `${REASON_TEXT[reason]}: ${detail}`
  return { kind: 'invalid', reason, text, events }
}
