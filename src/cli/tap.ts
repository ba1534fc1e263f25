/** `ctr tap`: records of the topics as they come, each with what the engine makes of it. */
import { once } from 'node:events'
import stringWidth from 'string-width'
import { eventsConfigOf } from '../config/events-section.ts'
import { loadConfig } from '../config/load.ts'
import type { Config } from '../config/schema.ts'
import { CtrError } from '../errors.ts'
import { FIELD_PRODUCT, FIELD_TYPE, FIELD_USER } from '../format/event-rules.ts'
import { TopicReader } from '../kafka/topic-reader.ts'
import { createLogger } from '../log.ts'
import { MASKED } from '../privacy/mask.ts'
import { type Privacy, privacyOf } from '../privacy/privacy.ts'
import { type FaultPlace, faultPlace, placesOf, typeIn } from '../probe/fault-place.ts'
import { pathText } from '../probe/fields-seen.ts'
import type { ShownSpan } from '../probe/json-spans.ts'
import { RecordJudge, type RecordVerdict } from '../probe/judge.ts'
import { follow, positionsFrom } from '../probe/sample.ts'
import type { SampledRecord } from '../probe/sampled-record.ts'
import { BINARY_FORMATS, shownRecord } from '../probe/shown-record.ts'
import { clientOptions } from '../run/clients.ts'
import { schemasOf } from '../run/schemas.ts'
import { formatCount, formatSpan, visible, visibleJson } from '../text.ts'
import type { TapOptions } from './options.ts'
import { type ShowValue, showsByPrivacy } from './shown-value.ts'
import { listenForStop } from './signals.ts'

const TEXT_MAX = 4096
const WIDTH_DEFAULT = 100
const NOTHING_OPEN =
  '--show-users: privacy.payload says that values of records are not shown; leave it out, or, if you may, add --set privacy={}'
const KINDS = ['counted', 'late', 'ignored', 'invalid'] as const

/** Runs the verb until its limit or a signal; gives the exit code. Throws CtrError CTR_USAGE for a topic that the configuration lacks. */
export async function tapVerb(options: TapOptions): Promise<number> {
  const config = loadConfig({ file: options.config, sets: options.set })
  const topics = topicsOf(config, options.topic)
  const privacy = privacyOf(config)
  if (privacy !== undefined && options.showUsers === true) throw new CtrError('CTR_USAGE', NOTHING_OPEN)
  const isTerminal = process.stdout.isTTY === true && options.json !== true
  const show = isTerminal ? terminalLines : jsonLine
  const log = createLogger({ ...config.log, level: 'silent' })
  const reader = new TopicReader(clientOptions(config, log), config.kafka.maxBatchBytes)
  const schemas = schemasOf(config, log)
  const stop = listenForStop()
  const wanted = wantedKinds(options)
  const judge = new RecordJudge(config, schemas)
  const seeing = { config, privacy, show: privacy && showsByPrivacy(config, privacy, schemas), open: options.showUsers === true }
  const seen = { counted: 0, late: 0, ignored: 0, invalid: 0 }
  let left = options.limit ?? Number.POSITIVE_INFINITY
  const tell = (record: SampledRecord): boolean => {
    const verdict = judge.judge(record)
    seen[verdict.kind]++
    if (!wanted.has(verdict.kind)) return left > 0
    process.stdout.write(`${show(tapped(seeing, record, verdict))}\n`)
    return --left > 0
  }
  const done = new AbortController()
  // Records are told in their order, so behind one whose schema is not here yet all wait.
  const fetched: SampledRecord[] = []
  const take = (record: SampledRecord): boolean => {
    if (schemas === undefined) return tell(record)
    fetched.push(record)
    return left > 0
  }
  const settle = async () => {
    for (const record of fetched.splice(0)) {
      if (left <= 0) break
      await judge.ready(record, stop.signal)
      if (!tell(record)) done.abort()
    }
    void (process.stdout.writableNeedDrain && (await once(process.stdout, 'drain', { signal: stop.signal }).catch(() => {})))
  }
  try {
    await reader.connect()
    const positions = await Promise.all(topics.map((topic) => positionsFrom(reader, topic, options.from ?? 'latest')))
    if (isTerminal) process.stderr.write(`ctr tap: ${topics.join(' and ')}, from ${fromText(options.from)}; Ctrl-C ends it\n`)
    await follow(reader, positions.flat(), {
      maxBatchBytes: config.kafka.maxBatchBytes,
      take,
      settle,
      signal: AbortSignal.any([stop.signal, done.signal]),
    })
    process.stderr.write(`ctr tap: ${KINDS.map((kind) => `${formatCount(seen[kind])} ${kind}`).join(', ')}\n`)
    return 0
  } finally {
    stop.dispose()
    await Promise.all([reader.close(), schemas?.close()])
  }
}

function topicsOf({ kafka }: Config, asked: readonly string[] | undefined): string[] {
  const names = kafka.topics.map(({ name }) => name)
  const unknown = (asked ?? []).filter((topic) => !names.includes(topic))
  if (unknown.length > 0) {
    throw new CtrError(
      'CTR_USAGE',
      `--topic ${unknown.join(', ')}: kafka.topics has only ${names.join(', ')}; add it there, with how its events are read`,
    )
  }
  return [...(asked ?? names)]
}

function wantedKinds({ invalid, late, ignored }: TapOptions): ReadonlySet<RecordVerdict['kind']> {
  const some = [invalid ? 'invalid' : [], late ? 'late' : [], ignored ? 'ignored' : []].flat() as RecordVerdict['kind'][]
  return new Set(some.length === 0 ? KINDS : some)
}

function fromText(from: TapOptions['from'] = 'latest'): string {
  if (typeof from === 'string') return from === 'latest' ? 'now' : 'the first record'
  return 'last' in from ? `the last ${formatCount(from.last)} records` : new Date(from.time).toISOString()
}

/** What is looked at, and how much of it may be seen. */
interface Seeing {
  readonly config: Config
  readonly privacy: Privacy | undefined
  /** Comes with privacy. */
  readonly show: ShowValue | undefined
  /** Nothing is masked; never with privacy. */
  readonly open: boolean
}

/** A record with all that can be said of it. */
interface Tapped {
  readonly record: SampledRecord
  readonly verdict: RecordVerdict
  readonly fault: FaultPlace | undefined
  readonly type: string | undefined
  /** The value as it may be seen, and where the byte at fault is in that; -1 for nowhere. */
  readonly shown: ShownSpan
}

function tapped({ config, privacy, show, open }: Seeing, record: SampledRecord, verdict: RecordVerdict): Tapped {
  const topic = config.kafka.topics.find(({ name }) => name === record.topic)
  const events = eventsConfigOf(config.events, topic?.events)
  const format = topic?.format ?? 'json'
  const { value } = record
  const hasPlaces = value !== null && !BINARY_FORMATS.has(format)
  const users = placesOf(events, FIELD_USER)
  const fault = !hasPlaces || verdict.reason === undefined ? undefined : faultPlace(value, verdict.reason, events, verdict.element)
  const type = !hasPlaces || verdict.kind !== 'ignored' ? undefined : typeIn(value, events)
  const at = fault?.at ?? -1
  if (privacy === undefined || show === undefined) {
    const masked = (steps: readonly string[]) => users.includes(pathText(steps))
    return { record, verdict, fault, type, shown: shownRecord(record, at, { format, masked, open }) }
  }
  return {
    record,
    verdict: toldVerdict(verdict, record.topic, privacy),
    fault,
    type: type === undefined || privacy.keeps(FIELD_TYPE, record.topic) ? type : MASKED,
    shown: show(record, at),
  }
}

function toldVerdict(verdict: RecordVerdict, topic: string, privacy: Privacy): RecordVerdict {
  const { events, reason, text } = verdict
  return {
    ...verdict,
    ...(reason === undefined || text === undefined ? {} : { text: privacy.message(reason, text) }),
    events: privacy.keeps(FIELD_PRODUCT, topic) ? events : events.map((event) => ({ ...event, product: MASKED })),
  }
}

/** One JSON object. */
function jsonLine({ record, verdict, fault, type, shown }: Tapped): string {
  const { topic, partition, offset, timestamp, value } = record
  const { kind, reason, text, events, lateMs } = verdict
  const isShown = kind === 'invalid' && value !== null
  const raw = isShown ? shown.text.slice(0, TEXT_MAX) : undefined
  const line = {
    topic,
    partition,
    offset,
    recordTime: instant(timestamp),
    verdict: kind,
    reason,
    message: text,
    fault: fault?.what === '' ? undefined : fault?.what,
    faultAt: fault === undefined || fault.at < 0 ? undefined : fault.at,
    type,
    lateMs,
    events: events.map((event) => ({
      product: event.product,
      type: event.click ? 'click' : 'impression',
      time: instant(event.time),
      verdict: event.kind === kind ? undefined : event.kind,
    })),
    value: raw,
  }
  return visibleJson(JSON.stringify(line))
}

/** ISO-8601; null where there is none. */
function instant(ms: number): string | null {
  return ms < 0 || ms > 8.64e15 ? null : new Date(ms).toISOString()
}

/** A line, and of an invalid record its bytes with the one at fault marked. */
function terminalLines({ record, verdict, fault, type, shown }: Tapped): string {
  const { topic, partition, offset, timestamp, value } = record
  const time = instant(timestamp)?.slice(11, 23) ?? '-'
  const headOf = (kind: string) => `${topic}/${partition}@${offset}  ${time}  ${kind.padEnd(7)}`
  const head = headOf(verdict.kind)
  if (verdict.kind === 'ignored')
    return visible(`${head}  ${value === null ? 'no value' : type === undefined ? 'no type' : `type ${JSON.stringify(type)}`}`)
  if (verdict.kind !== 'invalid') {
    const behind = verdict.lateMs === undefined ? '' : `  ${formatSpan(verdict.lateMs)} behind`
    return visible(
      verdict.events
        .map(({ product, click, kind }) => `${headOf(kind)}  ${(click ? 'click' : 'impression').padEnd(10)}  ${product}${behind}`)
        .join('\n'),
    )
  }
  const lines = [visible(`${head}  ${verdict.reason}: ${verdict.text}`)]
  if (value !== null && value.length > 0) lines.push(...marked(shown, fault?.what ?? ''))
  return lines.join('\n')
}

/** What is around the place, on one line, and a mark below it. */
function marked({ text, at }: { readonly text: string; readonly at: number }, what: string): string[] {
  const width = (process.stdout.columns ?? WIDTH_DEFAULT) - 6
  const from = at < 0 ? 0 : Math.max(0, at - Math.floor(width * 0.6))
  const before = onOneLine(text.slice(from, Math.max(from, at)))
  const behind = onOneLine(text.slice(Math.max(from, at), from + width))
  const cut = from > 0 ? '…' : ' '
  const line = `   ${cut}${before}${behind}${text.length > from + width ? '…' : ''}`
  return [line, at < 0 ? `    ${visible(what)}` : `    ${' '.repeat(stringWidth(before))}^ ${visible(what)}`]
}

function onOneLine(text: string): string {
  return visible(text).replaceAll('\n', '\\n').replaceAll('\t', '\\t')
}
