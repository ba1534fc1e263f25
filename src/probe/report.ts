/** What is to be said of a topic that was looked at, and what is proposed for it: a pure function of its sample. */
import { isDeepStrictEqual } from 'node:util'
import { KEYS } from '../config/catalog.ts'
import { type Config, configSchema } from '../config/schema.ts'
import { formatDuration, MINUTE, SECOND } from '../config/units.ts'
import { REASON_TEXT, type Reason } from '../format/reasons.ts'
import { formatCount, formatRatio, formatSpan } from '../text.ts'
import { pathText } from './fields-seen.ts'
import { type Encoding, encodingRemedy } from './frames.ts'
import { type EventsMapping, type Inferred, infer } from './infer.ts'
import { RecordJudge, type RecordVerdict } from './judge.ts'
import type { TopicSample } from './sample.ts'
import { type Timing, timingOf } from './timing.ts'
import type { FramedReading } from './written-values.ts'

/** One topic, as it was found. */
export interface TopicReport {
  readonly topic: string
  readonly partitions: number
  readonly available: number
  readonly records: number
  readonly inferred: Inferred
  /** As `kafka.topics[].format` has it. */
  readonly format: 'json' | FramedReading['format']
  readonly timing: Timing
  /** What the engine makes of the sample with `mapping`, by records. */
  readonly counted: number
  readonly ignored: number
  readonly invalid: ReadonlyMap<Reason, number>
  /** By events. */
  readonly impressions: number
  readonly clicks: number
  readonly products: number
  /** Records that have a key, and those whose key is the product's id. */
  readonly keyed: number
  readonly keyedByProduct: number
  /** undefined when the engine takes the records as they are. */
  readonly mapping: EventsMapping | undefined
  /** How far events may be ahead of their records, ms, where that is more than by default. */
  readonly futureTolerance: number | undefined
  /** Whether it looks like events at all: most of what has a value can be counted, or is of other types. */
  readonly looksCountable: boolean
  /** What somebody should know before it runs. */
  readonly warnings: readonly string[]
}

/** What `kafka.topics[].format` may be. */
const FORMATS = KEYS.find(({ path }) => path === 'kafka.topics[].format')?.field?.choices ?? []

const FUTURE_TOLERANCE_MS = MINUTE
const FUTURE_TOLERANCE_MAX_MS = 24 * 60 * MINUTE

/** Looks at a sample; `reading` is of values behind frames. */
export function reportOn({ topic, partitions, available, records }: TopicSample, reading?: FramedReading): TopicReport {
  const inferred = infer(topic, records, reading)
  const format: TopicReport['format'] = reading?.format ?? 'json'
  const verdictsWith: Verdicts = (events, futureTolerance) =>
    verdictsOf(configOf({ name: topic, format, events }, futureTolerance), records, reading)
  const ahead = aheadOf(inferred, records, verdictsWith)
  const verdicts = verdictsWith(inferred.mapping, ahead)
  const asTheyAre = verdictsWith({}, ahead)
  const mapping = records.length === 0 || isDeepStrictEqual(verdicts, asTheyAre) ? undefined : inferred.mapping
  const events = verdicts.flatMap((verdict) => verdict.events.filter(({ kind }) => kind !== 'invalid'))
  const timing = timingOf(records.map((record, i) => ({ record, time: verdicts[i]?.events[0]?.time })))
  const invalid = new Map<Reason, number>()
  for (const { reason } of verdicts) if (reason !== undefined) invalid.set(reason, (invalid.get(reason) ?? 0) + 1)
  const counted = verdicts.filter(isUsed).length
  const refused = [...invalid.values()].reduce((sum, count) => sum + count, 0)
  const facts = {
    topic,
    partitions,
    available,
    records: records.length,
    inferred,
    format,
    timing,
    counted,
    ignored: verdicts.filter(({ kind }) => kind === 'ignored').length,
    invalid,
    impressions: events.filter(({ click }) => !click).length,
    clicks: events.filter(({ click }) => click).length,
    products: new Set(events.map(({ product }) => product)).size,
    keyed: records.filter(({ key }) => key !== null).length,
    keyedByProduct: records.filter(({ key }, i) => key !== null && Buffer.from(key).toString() === verdicts[i]?.events[0]?.product).length,
    mapping,
    futureTolerance: ahead > FUTURE_TOLERANCE_MS ? ahead : undefined,
    looksCountable: counted > 0 && counted >= refused && !inferred.isTypeGuessed && !isLetters(inferred),
  }
  return { ...facts, warnings: warningsOf(facts) }
}

/** Late is of the sample only: it begins in the middle. */
function isUsed({ events }: RecordVerdict): boolean {
  return events.some(({ kind }) => kind !== 'invalid')
}

interface Topic {
  readonly name: string
  readonly format: TopicReport['format']
  readonly events: EventsMapping
}

function configOf(topic: Topic, futureTolerance: number): Config {
  const time = { futureTolerance: formatDuration(futureTolerance) }
  return configSchema.parse({ kafka: { topics: [topic] }, time })
}

/** What becomes of the sample with a mapping, and with a bound of clocks that are ahead, ms. */
type Verdicts = (events: EventsMapping, futureTolerance: number) => RecordVerdict[]

function verdictsOf(config: Config, records: TopicSample['records'], reading: FramedReading | undefined): RecordVerdict[] {
  const judge = new RecordJudge(config, reading?.schemas)
  return records.map((record) => judge.judge(record))
}

/** Clocks that are ahead of the brokers' by minutes are no reason to refuse everything. */
function aheadOf(inferred: Inferred, records: TopicSample['records'], verdictsWith: Verdicts): number {
  const verdicts = verdictsWith(inferred.mapping, FUTURE_TOLERANCE_MAX_MS)
  const { aheadMs } = timingOf(records.map((record, i) => ({ record, time: verdicts[i]?.events[0]?.time })))
  if (aheadMs <= FUTURE_TOLERANCE_MS) return FUTURE_TOLERANCE_MS
  return LADDER_MS.find((step) => step >= aheadMs * 1.5 && step <= FUTURE_TOLERANCE_MAX_MS) ?? FUTURE_TOLERANCE_MS
}

/** The engine's own dead letters. */
function isLetters({ fields }: Inferred): boolean {
  return ['rawTopic', 'errorCode', 'rawData'].every((key) => fields.some(({ steps }) => steps.length === 1 && steps[0] === key))
}

const LADDER_MS = [1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21_600, 43_200, 86_400].map((seconds) => seconds * SECOND)
const OUT_OF_ORDERNESS_MS = 5 * SECOND
const OUT_OF_ORDERNESS_MAX_MS = 3600 * SECOND

/** `time.outOfOrderness` for the disorder that was seen, with room; the default where that is enough. */
export function proposedDisorder(reports: readonly TopicReport[]): number {
  const seen = Math.max(0, ...reports.map(({ timing }) => timing.disorderMaxMs))
  const most = Math.max(0, ...reports.map(({ timing }) => timing.disorderMostMs))
  const wanted = seen * 1.25 <= OUT_OF_ORDERNESS_MAX_MS ? seen * 1.25 : most * 1.5
  return LADDER_MS.find((step) => step >= Math.max(wanted, OUT_OF_ORDERNESS_MS)) ?? OUT_OF_ORDERNESS_MAX_MS
}

/** `window.size` in which there is something to see at this rate. */
export function proposedWindow(reports: readonly TopicReport[]): number {
  const rate = reports.reduce((sum, { timing }) => sum + (timing.rate ?? 0), 0)
  if (rate >= 50) return 10 * SECOND
  if (rate === 0 || rate >= 1) return MINUTE
  return rate >= 1 / 60 ? 5 * MINUTE : 60 * MINUTE
}

const READABLE: ReadonlySet<Encoding> = new Set(['json', 'avro', 'protobuf', 'json-schema'])

function warningsOf(report: Omit<TopicReport, 'warnings'>): string[] {
  const { records, inferred, clicks, impressions, counted, invalid, timing, partitions, keyedByProduct } = report
  const { encodings, types, flag, isTypeGuessed, isTimeOfRecord, nested, product, fixedType, zone } = inferred
  if (records === 0) return ['there is no record in it yet: what is proposed is what the engine takes by default']
  const found: string[] = []
  for (const [encoding, count] of encodings) found.push(...encodingWarning(encoding, count, inferred))
  const readable = encodings.some(([encoding]) => READABLE.has(encoding))
  if (!readable) return found
  if (product.length === 0)
    found.push(`no field looks like a product's id; name it in events.fields.product (there are ${someFields(inferred)})`)
  if (isTypeGuessed) {
    found.push('nothing says what is an impression and what a click; name the field in events.fields.type, or the kind in events.type')
  }
  if (types?.isWeak) found.push('the types found are of pages, carts or searches rather than of products; look at events.types')
  if (types !== undefined && fixedType === undefined && flag === undefined && counted > 0) {
    if (clicks === 0) found.push('there is no click in the sample: what clicks are called is a guess in events.types.click')
    if (impressions === 0) found.push('there is no impression in the sample: rates mean nothing until events.types.impression fits')
  }
  if (partitions > 1 && counted > 0 && keyedByProduct < counted * 0.9) {
    found.push('records are not keyed by product: one product can be in several partitions, and so in several rows, which the views add up')
  }
  if (isTimeOfRecord) found.push("no field holds a time: the time of Kafka's record is taken, which is when it was produced")
  if (zone !== 'UTC') {
    const remedy = "write the IANA name in events.time.zone, such as Europe/Berlin, if the producer's clock does"
    found.push(`times name no zone, and are of ${zone} now: an offset does not follow summer time; ${remedy}`)
  }
  if (nested.length > 0) found.push(`${nested.join(', ')} holds JSON as a text, which is not looked into; let the producer write an object`)
  for (const [reason, count] of invalid) found.push(`${formatCount(count)} records are invalid, ${reason}: ${REASON_TEXT[reason]}`)
  if (timing.disorderMaxMs > OUT_OF_ORDERNESS_MAX_MS) {
    found.push(`some events come ${formatSpan(timing.disorderMaxMs)} behind newer ones: they will be late, see time.outOfOrderness`)
  }
  return found
}

function encodingWarning(encoding: Encoding, count: number, { schemaIds, records, empty }: Inferred): string[] {
  const remedy = encodingRemedy(encoding, FORMATS, schemaIds)
  if (remedy === undefined) return []
  return [`${formatRatio(count / (records - empty))} of the values are no JSON objects: ${remedy}`]
}

/** The first fields, for somebody who has to name one. */
function someFields({ fields }: Inferred): string {
  const names = fields.slice(0, 12).map(({ steps }) => pathText(steps))
  return `${names.join(', ')}${fields.length > names.length ? ', …' : ''}`
}
