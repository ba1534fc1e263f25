/** A topic's report in lines for people. */
import { formatCount, formatRatio, formatSpan } from '../text.ts'
import { type FieldSeen, pathText } from './fields-seen.ts'
import type { TopicReport } from './report.ts'
import type { Found } from './roles.ts'

const WORDS_SHOWN = 8

/** What was found, line by line; values of others among them are as they were, so whoever shows it must make them visible. */
export function describeTopic(report: TopicReport): string[] {
  const { topic, partitions, available, records, inferred, timing, warnings } = report
  const looked = `looked at the last ${formatCount(records)}`
  const head = `${topic}: ${formatCount(partitions)} partitions, ${formatCount(available)} records, ${looked}`
  const lines: [string, string][] = []
  const add = (name: string, text: string | undefined) => {
    if (text !== undefined && text !== '') lines.push([name, text])
  }
  const { encodings, envelope, empty, product, user, id, time, type, flag, types, fixedType, arrays } = inferred
  add('format', encodings.map(([encoding, count]) => share(encoding, count, records)).join(', '))
  add('keys', keysText(report))
  add('envelope', envelope === 'none' ? undefined : envelope)
  add(
    'product',
    placesOf(product, (field) => `${kindsOf(field)}, ${formatCount(field.distinct.size)} different`),
  )
  add('user', placesOf(user, kindsOf))
  add(
    'event id',
    placesOf(id, () => 'nothing reads it'),
  )
  add('time', placesOf(time, timeKind))
  if (type !== undefined && types !== undefined) add('type', typeText(type, types, records))
  if (flag !== undefined) add('click', `${pathText(flag.steps)}: ${wordsOf([...flag.distinct])}`)
  if (fixedType !== undefined) add('all are', `${fixedType}s${flag === undefined ? '' : ', and clicks beside them by the flag'}`)
  const inUse = [...arrays].filter(([path]) =>
    product.some(({ steps }) => steps.join('.').startsWith(`${path}.`) || steps.join('.') === path),
  )
  add('arrays', inUse.map(([path, most]) => `${path}: each element is an event, up to ${most} in a record`).join(', '))
  if (empty > 0) add('no value', share('records', empty, records))
  add('counted', outcome(report))
  add('rate', timing.rate === undefined ? undefined : `${rateText(timing.rate)}`)
  add('disorder', `${formatSpan(timing.disorderMaxMs)} at most${ageText(timing.ageMs)}`)
  const width = Math.max(...lines.map(([name]) => name.length))
  return [head, ...lines.map(([name, text]) => `  ${name.padEnd(width)}  ${text}`), ...warnings.map((warning) => `  !  ${warning}`)]
}

function keysText({ records, keyed, keyedByProduct }: TopicReport): string {
  if (records === 0) return ''
  if (keyed === 0) return 'none'
  return keyedByProduct === 0 ? share('of the records have one', keyed, records) : share("are the product's id", keyedByProduct, records)
}

/** How the records end with what is proposed. */
function outcome({ records, counted, ignored, invalid, impressions, clicks, products }: TopicReport): string {
  if (records === 0) return ''
  const refused = [...invalid.values()].reduce((sum, count) => sum + count, 0)
  const rest = [ignored > 0 ? share('ignored', ignored, records) : [], refused > 0 ? share('invalid', refused, records) : []].flat()
  const events = `${formatCount(impressions)} impressions and ${formatCount(clicks)} clicks of ${formatCount(products)} products`
  return [share('of the records', counted, records), events, ...rest].join(', ')
}

function share(what: string, count: number, all: number): string {
  return `${formatRatio(count / Math.max(1, all))} ${what}`
}

function placesOf(found: Found, describe: (field: FieldSeen) => string): string {
  return found.map((field) => `${pathText(field.steps)} (${describe(field)})`).join(', else ')
}

function kindsOf({ kinds }: FieldSeen): string {
  const names = Object.entries(kinds).flatMap(([kind, count]) => (count > 0 ? kind : []))
  return names.join(' or ')
}

/** In which unit numbers count, by their size, as the engine tells it. */
function timeKind({ kinds, distinct }: FieldSeen): string {
  if (kinds.text > 0 && kinds.integer + kinds.number === 0 && ![...distinct.keys()].every((text) => /^[\d.]+$/.test(text)))
    return 'date and time'
  const units = new Set(
    [...distinct.keys()].filter((text) => /^[\d.]+$/.test(text)).map((text) => unitText(text.replace(/\..*/, '').length)),
  )
  return [...units, ...(kinds.text > 0 ? ['text'] : [])].join(' or ')
}

function unitText(digits: number): string {
  if (digits <= 11) return 'seconds'
  if (digits <= 14) return 'milliseconds'
  return digits <= 17 ? 'microseconds' : 'nanoseconds'
}

function typeText(type: FieldSeen, types: NonNullable<TopicReport['inferred']['types']>, records: number): string {
  const of = (words: readonly string[]) => words.map((word) => `${JSON.stringify(word)} ${formatCount(countOf(type, word))}`).join(', ')
  const others = types.other.length === 0 ? '' : `; ignored: ${wordsOf(types.other)}`
  const kinds = [`impressions: ${of(types.impression) || 'none'}`, `clicks: ${of(types.click) || 'none'}`]
  const lacking = type.records.size < records ? `; not in ${formatCount(records - type.records.size)}` : ''
  return `${pathText(type.steps)} (${kinds.join('; ')}${others}${lacking})`
}

function countOf({ distinct }: FieldSeen, word: string): number {
  let sum = 0
  for (const [text, count] of distinct) if (text.toLowerCase() === word.toLowerCase()) sum += count
  return sum
}

function wordsOf(words: readonly (readonly [string, number])[]): string {
  const shown = words.slice(0, WORDS_SHOWN).map(([word, count]) => `${JSON.stringify(word)} ${formatCount(count)}`)
  return shown.join(', ') + (words.length > WORDS_SHOWN ? ` and ${formatCount(words.length - WORDS_SHOWN)} more` : '')
}

function rateText(rate: number): string {
  if (rate >= 1) return `${formatCount(rate)} records a second`
  return rate * 60 >= 1 ? `${formatCount(rate * 60)} records a minute` : `${formatCount(rate * 3600)} records an hour`
}

function ageText(ms: number | undefined): string {
  if (ms === undefined) return ''
  return `; events are ${ms < 0 ? `${formatSpan(-ms)} ahead` : `${formatSpan(ms)} old`} when they are produced`
}
