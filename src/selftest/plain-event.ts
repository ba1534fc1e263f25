/**
 * What an event is, worked out the plain way: by JSON.parse and with one value after the other. It judges whole runs and the engine's own
 * parsers, so it takes no code from them.
 */
import { type PlainObject, PlainScalar, type PlainValue, parsePlain } from './plain-json.ts'
import { ofZone, patternTime } from './plain-time.ts'

/** What the configuration says of events, as it is by default in PLAIN_EVENTS. */
export interface PlainEventRules {
  /** Keys from the outside in, with '[]' for each element of an array; of several places the first that is there and not null. */
  readonly product: readonly (readonly string[])[]
  readonly user: readonly (readonly string[])[]
  readonly type: readonly (readonly string[])[]
  readonly time: readonly (readonly string[])[]
  /** The flag of an impression that was clicked. */
  readonly click: readonly (readonly string[])[]
  readonly maxPerRecord: number
  /** Where a null makes a record one without a value. */
  readonly emptyAt: readonly (readonly string[])[]
  /** All events are of it. */
  readonly fixedType?: 'impression' | 'click'
  readonly impressions: readonly string[]
  readonly clicks: readonly string[]
  readonly caseSensitive: boolean
  readonly otherTypes: 'ignore' | 'invalid'
  readonly empty: 'ignore' | 'invalid'
  readonly numbers: boolean
  readonly userRequired: boolean
  readonly unit: 'auto' | 's' | 'ms' | 'us' | 'ns'
  /** UTC, an offset such as +02:00, or a zone of the IANA. */
  readonly zone: string
  /** Of strptime, tried in turn before all else. */
  readonly formats: readonly string[]
  /** The time is the Kafka record's. */
  readonly timeOfRecord: boolean
}

/** What holds without a word in the configuration. */
export const PLAIN_EVENTS: PlainEventRules = {
  product: [['product_id'], ['productId']],
  user: [['user_id'], ['userId']],
  type: [['event_type'], ['eventType']],
  time: [['timestamp']],
  click: [],
  maxPerRecord: 1000,
  emptyAt: [],
  impressions: ['impression', 'impressions', 'view', 'views'],
  clicks: ['click', 'clicks'],
  caseSensitive: false,
  otherTypes: 'ignore',
  empty: 'ignore',
  numbers: true,
  userRequired: false,
  unit: 'auto',
  zone: 'UTC',
  formats: [],
  timeOfRecord: false,
}

/** Instead of a reason. */
export const LEFT_OUT = 'IGNORED'

/** An event; its time in ms since the epoch. */
export interface PlainEvent {
  readonly product: string
  readonly kind: 'impressions' | 'clicks'
  readonly time: number
}

const VALUE_BYTES_MAX = 8 * 1024 ** 2
const PRODUCT_BYTES_MAX = 256
const YEAR_10000 = Date.UTC(10_000, 0, 1)

/** The event that a record is, LEFT_OUT, or the first reason why it is none, but for bounds of its time. `recordTime`: ms, -1 for none. */
export function readPlainEvent(value: Uint8Array | null, rules: PlainEventRules = PLAIN_EVENTS, recordTime = -1): PlainEvent | string {
  const read = readPlainRecord(value, rules, recordTime)
  const [element = LEFT_OUT] = typeof read === 'string' ? [read] : read
  return typeof element === 'string' ? element : (element[0] ?? LEFT_OUT)
}

/** What an element is: an event, two when its flag says so, or none for a reason. */
export type PlainElement = readonly PlainEvent[] | string

/** The elements of a record, of which there is one where nothing is said of arrays; or what the record as a whole is instead. */
export function readPlainRecord(value: Uint8Array | null, rules: PlainEventRules, recordTime: number): readonly PlainElement[] | string {
  const empty = rules.empty === 'ignore' ? LEFT_OUT : 'EMPTY'
  if (value === null || value.length === 0) return empty
  if (value.length > VALUE_BYTES_MAX) return 'TOO_LARGE'
  const parsed = parsePlain(value)
  if (parsed === undefined) return isUtf8(value) ? 'NOT_JSON' : 'NOT_UTF8'
  if (parsed === null || parsed instanceof PlainScalar || Array.isArray(parsed)) return 'NOT_OBJECT'
  const event = parsed as PlainObject
  if (rules.emptyAt.some((place) => at(event, place) === null)) return empty
  const ofElements = FIELDS.filter((field) => isOfElement(field, rules))
  const fault = faultOf(
    event,
    undefined,
    FIELDS.filter((field) => !ofElements.includes(field)),
    rules,
  )
  if (fault !== undefined) return fault
  const array = rules.product.find((place) => place.includes('[]'))
  if (array === undefined) return [eventsOf(event, undefined, rules, recordTime)]
  const elements = at(event, array.slice(0, array.indexOf('[]')))
  if (!Array.isArray(elements)) return 'PRODUCT'
  if (elements.length === 0) return LEFT_OUT
  if (elements.length > rules.maxPerRecord) return 'TOO_MANY'
  return elements.map((element: PlainValue) => faultOf(event, element, ofElements, rules) ?? eventsOf(event, element, rules, recordTime))
}

/** In the order in which they are looked at. */
const FIELDS = ['type', 'product', 'user', 'time', 'click'] as const
type Field = (typeof FIELDS)[number]

function isOfElement(field: Field, rules: PlainEventRules): boolean {
  return rules[field].some((place) => place.includes('[]')) || (field === 'click' && isOfElement('type', rules))
}

/** What is wrong with some of an event's fields, or LEFT_OUT. */
function faultOf(
  event: PlainObject,
  element: PlainValue | undefined,
  fields: readonly Field[],
  rules: PlainEventRules,
): string | undefined {
  const isClick = () => kindOf(first(event, rules.type, element), rules) === 'clicks'
  return fields.map((field) => fieldFault(field, first(event, rules[field], element), rules, isClick)).find((fault) => fault !== undefined)
}

function fieldFault(field: Field, value: PlainValue | undefined, rules: PlainEventRules, isClick: () => boolean): string | undefined {
  if (field === 'product') return productFault(value, rules)
  if (field === 'time') return rules.timeOfRecord ? undefined : timeFault(timeOf(value, rules))
  if (field === 'user')
    return rules.userRequired && !(value instanceof PlainScalar && value.kind === 'text' && value.text !== '') ? 'USER' : undefined
  if (field === 'type') {
    const kind = kindOf(value, rules)
    return kind === 'impressions' || kind === 'clicks' ? undefined : kind
  }
  const clicked = flagOf(value)
  return typeof clicked === 'boolean' || isClick() ? undefined : clicked
}

/** Of what has no fault but perhaps the time of its record. */
function eventsOf(event: PlainObject, element: PlainValue | undefined, rules: PlainEventRules, recordTime: number): PlainElement {
  const valueAt = (field: Field) => first(event, rules[field], element)
  const { text: product } = valueAt('product') as PlainScalar
  const time = rules.timeOfRecord ? recordTime : (timeOf(valueAt('time'), rules) ?? 0)
  const fault = timeFault(time)
  if (fault !== undefined) return fault
  const kind = kindOf(valueAt('type'), rules) as PlainEvent['kind']
  const isClicked = kind === 'impressions' && flagOf(valueAt('click')) === true
  return isClicked
    ? [
        { product, kind, time },
        { product, kind: 'clicks', time },
      ]
    : [{ product, kind, time }]
}

function timeFault(time: number | undefined): string | undefined {
  if (time === undefined) return 'TIME'
  return time > 0 && time < YEAR_10000 ? undefined : 'TIME_RANGE'
}

function productFault(product: PlainValue | undefined, rules: PlainEventRules): string | undefined {
  if (!(product instanceof PlainScalar) || !isProduct(product, rules)) return 'PRODUCT'
  if (!product.isUtf8) return 'NOT_UTF8'
  return product.hasControls ? 'NOT_JSON' : undefined
}

/** Whether an impression was clicked, or why that is not known. */
function flagOf(value: PlainValue | undefined): boolean | string {
  if (value === undefined) return false
  if (!(value instanceof PlainScalar)) return 'CLICK'
  if (!value.isUtf8) return 'NOT_UTF8'
  if (value.hasControls) return 'NOT_JSON'
  const word = value.text.toLowerCase().replace(/^([01])\.0+$/, '$1')
  return word === '1' || word === 'true' || (word === '0' || word === 'false' ? false : 'CLICK')
}

/** undefined when something on the way is no object, or has no such key. */
function at(event: PlainObject, place: readonly string[], element?: PlainValue): PlainValue | undefined {
  const each = place.indexOf('[]')
  let value: PlainValue | undefined = each < 0 ? event : element
  for (const key of place.slice(each + 1)) {
    if (value === null || value === undefined || value instanceof PlainScalar || Array.isArray(value)) return undefined
    value = Object.hasOwn(value, key) ? (value as PlainObject)[key] : undefined
  }
  return value
}

function first(event: PlainObject, places: readonly (readonly string[])[], element?: PlainValue): PlainValue | undefined {
  return places.map((place) => at(event, place, element)).find((value) => value !== undefined && value !== null)
}

function kindOf(type: PlainValue | undefined, rules: PlainEventRules): string {
  if (rules.fixedType !== undefined) return `${rules.fixedType}s`
  if (!(type instanceof PlainScalar) || type.text === '') return 'TYPE'
  if (!type.isUtf8) return 'NOT_UTF8'
  if (type.hasControls) return 'NOT_JSON'
  const fold = (text: string) => (rules.caseSensitive ? text : text.toLowerCase())
  if (rules.clicks.some((word) => fold(word) === fold(type.text))) return 'clicks'
  if (rules.impressions.some((word) => fold(word) === fold(type.text))) return 'impressions'
  return rules.otherTypes === 'ignore' ? LEFT_OUT : 'TYPE'
}

function isProduct({ kind, text, isUtf8 }: PlainScalar, { numbers }: PlainEventRules): boolean {
  if (kind === 'number') return numbers && /^-?[0-9]+$/.test(text) && text.length <= PRODUCT_BYTES_MAX
  if (kind !== 'text' || text === '' || !text.isWellFormed()) return false
  // What is not UTF-8 has another fault, unless it is too long in any reading.
  return isUtf8 ? new TextEncoder().encode(text).length <= PRODUCT_BYTES_MAX : text.length <= PRODUCT_BYTES_MAX
}

/** ms, of whatever range. */
function timeOf(value: PlainValue | undefined, { unit, zone, formats }: PlainEventRules): number | undefined {
  if (!(value instanceof PlainScalar) || (value.kind !== 'text' && value.kind !== 'number') || value.text.length > 64) return undefined
  const { text } = value
  for (const format of formats) {
    const time = patternTime(text, format, zone)
    if (time !== undefined) return time
  }
  if (/^-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?$/.test(text)) return numberTime(text, unit)
  return dateTime(text, zone)
}

const UNIT_MS = { s: 1_000_000_000n, ms: 1_000_000n, us: 1_000n, ns: 1n } as const

function numberTime(text: string, unit: PlainEventRules['unit']): number | undefined {
  const size = Number(text)
  if (!Number.isFinite(size)) return undefined
  if (size <= 0) return 0
  const [mantissa = '', exponent = '0'] = text.toLowerCase().split('e')
  const [whole = '', fraction = ''] = mantissa.split('.')
  const power = Number(exponent) - fraction.length
  if (power < -400) return 0
  // As a fraction of whole numbers.
  const above = BigInt(whole + fraction) * (power > 0 ? 10n ** BigInt(power) : 1n)
  const below = power < 0 ? 10n ** BigInt(-power) : 1n
  const bySize = above < below * 10n ** 11n ? 's' : above < below * 10n ** 14n ? 'ms' : above < below * 10n ** 17n ? 'us' : 'ns'
  return Number((above * UNIT_MS[unit === 'auto' ? bySize : unit]) / (below * 1_000_000n))
}

function dateTime(text: string, ownZone: string): number | undefined {
  const form = /^(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d)(:\d\d)?(?:(?<=:\d\d:\d\d)[.,](\d{1,9}))?( ?UTC|[Zz]| ?([+-])(\d\d)(?::?(\d\d))?)?$/.exec(
    text,
  )
  if (form === null) return undefined
  const [, date = '', clock = '', seconds = ':00', fraction = '', zone, sign, hours = '00', minutes = '00'] = form
  if (Number(hours) > 23 || Number(minutes) > 59) return undefined
  const local = `${date}T${clock}${seconds}`
  const utc = Date.parse(`${local}Z`)
  // What doesn't exist (a 30th of February, a 24th hour) becomes another time, or none.
  if (Number.isNaN(utc) || new Date(utc).toISOString().slice(0, local.length) !== local) return undefined
  const offset = sign === undefined ? 0 : (Number(hours) * 60 + Number(minutes)) * (sign === '-' ? -1 : 1)
  const wall = utc + Number(fraction.padEnd(3, '0').slice(0, 3))
  return zone === undefined ? ofZone(wall, ownZone) : wall - offset * 60_000
}

function isUtf8(bytes: Uint8Array): boolean {
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytes)
    return true
  } catch {
    return false
  }
}
