/** What becomes of a sample of a topic's records with a configuration: in numbers, in words, and whether it is as it should be. */
import type { EventsConfig } from '../config/events-section.ts'
import { FIELD_USER } from '../format/event-rules.ts'
import { REASON_TEXT, type Reason } from '../format/reasons.ts'
import { clip, formatCount, formatRatio } from '../text.ts'
import { faultPlace, placesOf, typeIn, type ValuePart } from './fault-place.ts'
import { pathText } from './fields-seen.ts'
import { MASK, type ShownSpan } from './json-spans.ts'
import type { RecordJudge } from './judge.ts'
import type { TopicSample } from './sample.ts'
import type { SampledRecord } from './sampled-record.ts'
import { BINARY_FORMATS, shownRecord } from './shown-record.ts'

const EXAMPLE_MAX = 160
const TYPES_SHOWN = 6
const NOWHERE = { at: -1, what: '' }

/** What became of the records of one topic. One of several events may be counted and invalid. */
export interface SampleOutcome {
  readonly topic: string
  readonly available: number
  readonly records: number
  /** Records of which an event is counted, or late. */
  readonly counted: number
  /** Of these, those that are invalid, too. */
  readonly partly: number
  /** Events of all records, as the ledger counts them, but for elements that are ignored; and those that are invalid. */
  readonly events: number
  readonly invalidEvents: number
  readonly impressions: number
  readonly clicks: number
  readonly empty: number
  /** Ignored, by their type. */
  readonly types: ReadonlyMap<string, number>
  readonly invalid: ReadonlyMap<
    Reason,
    { readonly count: number; readonly example: SampledRecord; readonly element: ValuePart | undefined }
  >
}

/** Judges the sample. */
export function outcomeOf({ topic, available, records }: TopicSample, judge: RecordJudge, events: EventsConfig): SampleOutcome {
  const types = new Map<string, number>()
  const invalid = new Map<Reason, { count: number; example: SampledRecord; element: ValuePart | undefined }>()
  const counts = { counted: 0, partly: 0, events: 0, invalidEvents: 0, impressions: 0, clicks: 0, empty: 0 }
  for (const record of records) {
    const verdict = judge.judge(record)
    if (verdict.kind === 'ignored') {
      const type = record.value === null ? undefined : typeIn(record.value, events)
      if (type === undefined) counts.empty++
      else types.set(type, (types.get(type) ?? 0) + 1)
    } else if (verdict.reason !== undefined) {
      const known = invalid.get(verdict.reason)
      if (known === undefined) invalid.set(verdict.reason, { count: 1, example: record, element: verdict.element })
      else known.count++
    }
    // Whether one is late depends on all that came before.
    const good = verdict.events.filter(({ kind }) => kind !== 'invalid')
    const bad = (verdict.badElements ?? 0) + verdict.events.length - good.length
    counts.invalidEvents += verdict.kind === 'invalid' ? Math.max(1, bad) : 0
    counts.events += Math.max(1, good.length + bad)
    for (const { click } of good) counts[click ? 'clicks' : 'impressions']++
    if (good.length === 0) continue
    counts.counted++
    if (verdict.kind === 'invalid') counts.partly++
  }
  return { topic, available, records: records.length, ...counts, types, invalid }
}

/** How records are shown whose values may not be seen. */
export interface SampleMasking {
  readonly hidesTypes: boolean
  /** The value of a record, and where its byte `at` is in that. */
  show(record: SampledRecord, at: number): ShownSpan
}

/** In lines for a terminal; what records hold is in them as it is. `format` is the topic's. */
export function describeOutcome(outcome: SampleOutcome, events: EventsConfig, format: string, masking?: SampleMasking): string[] {
  const { topic, available, records, counted, partly, impressions, clicks, empty, types, invalid } = outcome
  if (records === 0) return [`${topic}: there is no record in it`]
  const line = (name: string, count: number, more: string) => {
    return `  ${name.padEnd(16)} ${formatRatio(count / records).padStart(9)}  ${formatCount(count).padStart(8)}  ${more}`.trimEnd()
  }
  const ignored = [...types.values()].reduce((sum, count) => sum + count, empty)
  const named = [...types].toSorted(([, a], [, b]) => b - a).slice(0, TYPES_SHOWN)
  const why = [
    ...named.map(([type, count]) => `${masking?.hidesTypes === true ? MASK : JSON.stringify(type)} ${formatCount(count)}`),
    ...(empty > 0 ? [`no value ${formatCount(empty)}`] : []),
  ]
  const both = partly === 0 ? '' : `; ${formatCount(partly)} of these records have invalid events, too`
  const lines = [
    `${topic}: the last ${formatCount(records)} of ${formatCount(available)} records`,
    line(
      'counted or late',
      counted,
      `${formatCount(impressions)} impressions, ${formatCount(clicks)} clicks${both}; how many are late only a run can tell`,
    ),
    line('ignored', ignored, why.join(', ')),
  ]
  for (const [reason, { count, example, element }] of invalid) {
    const { partition, offset, value } = example
    const { at, what } = BINARY_FORMATS.has(format) ? NOWHERE : faultPlace(value ?? new Uint8Array(0), reason, events, element)
    lines.push(
      line(reason, count, REASON_TEXT[reason]),
      `    such as offset ${offset} of ${topic}/${partition}${what === '' ? '' : `: ${what}`}`,
    )
    if (value !== null && value.length > 0) lines.push(`    ${excerpt(example, at, events, format, masking)}`)
  }
  return lines
}

/** The value around its fault, without what may tell a person. */
function excerpt(record: SampledRecord, at: number, events: EventsConfig, format: string, masking: SampleMasking | undefined): string {
  const users = placesOf(events, FIELD_USER)
  const masked = (steps: readonly string[]) => users.includes(pathText(steps))
  const { text, at: place } = masking?.show(record, at) ?? shownRecord(record, at, { format, masked, open: false })
  const from = Math.max(0, place - EXAMPLE_MAX / 2)
  return `${from > 0 ? '…' : ''}${clip(text.slice(from), EXAMPLE_MAX)}`
}

/** What is wrong: nothing is counted, or of the events a larger share than `maxInvalid` is invalid, as at the end of a run. */
export function sampleFaults({ topic, records, counted, events, invalidEvents }: SampleOutcome, maxInvalid: number): string[] {
  if (records === 0) return []
  if (counted === 0) return [`nothing of ${topic} is counted: look at events, or let ctr init propose it`]
  if (invalidEvents <= maxInvalid * events) return []
  const what = events === records ? 'records' : 'events'
  const share = formatRatio(invalidEvents / events)
  const bad = `${formatCount(invalidEvents)} of ${formatCount(events)} ${what} of ${topic} are invalid (${share})`
  return [`${bad}, more than --max-invalid ${formatRatio(maxInvalid)}`]
}
