/** Which byte of a record is at fault: where it stops being JSON, or where the value begins that is not what it should be. */
import type { EventsConfig } from '../config/events-section.ts'
import { LIMITS } from '../config/limits.ts'
import { eventRules, FIELD_ARRAY, FIELD_PRODUCT, FIELD_TIME, FIELD_TYPE, FIELD_USER } from '../format/event-rules.ts'
import type { Reason } from '../format/reasons.ts'
import { EACH, pathText } from './fields-seen.ts'
import { jsonSpans, type Leaf } from './json-spans.ts'

/** The field that each reason is about. */
const FIELD_OF: { readonly [reason in Reason]?: number } = {
  PRODUCT: FIELD_PRODUCT,
  USER: FIELD_USER,
  TYPE: FIELD_TYPE,
  TIME: FIELD_TIME,
  TIME_RANGE: FIELD_TIME,
  TOO_OLD: FIELD_TIME,
  FUTURE: FIELD_TIME,
}

/** A place in a record, and what is there in words. */
export interface FaultPlace {
  /** Byte offset within the value; -1 when something is missing. */
  readonly at: number
  readonly what: string
}

/** Bytes of a value, [start, end). */
export interface ValuePart {
  readonly start: number
  readonly end: number
}

/** Where `reason` lies in the value, or in an element of it, as this configuration reads it. */
export function faultPlace(value: Uint8Array, reason: Reason, events: EventsConfig, element?: ValuePart): FaultPlace {
  if (reason === 'TOO_LARGE') return { at: LIMITS.eventMaxBytes, what: `byte ${LIMITS.eventMaxBytes} is the last that is allowed` }
  if (reason === 'NOT_UTF8') return at(firstIllFormed(value), 'is not UTF-8')
  if (reason === 'NOT_OBJECT') return at(0, 'is not the { of an object')
  const { leaves, fault } = jsonSpans(value)
  if (reason === 'NOT_JSON')
    return fault >= value.length ? at(value.length, 'is the end: something is missing there') : at(fault, 'does not fit')
  const field = FIELD_OF[reason]
  if (field === undefined) return { at: -1, what: '' }
  const places = placesOf(events, field)
  const { start, end } = element ?? { start: 0, end: value.length }
  const within = leaves.filter((one) => !pathText(one.steps).includes(EACH) || (one.start >= start && one.end <= end))
  const leaf = places.map((place) => within.find(({ steps }) => pathText(steps) === place)).find((found) => found !== undefined)
  if (leaf !== undefined) return at(leaf.start, `begins ${places.find((place) => place === pathText(leaf.steps))}`)
  const lacking = `there is no ${places.join(' and no ')}`
  return { at: element === undefined ? -1 : start, what: lacking }
}

/** The text of the record's type, where it has one. */
export function typeIn(value: Uint8Array, events: EventsConfig): string | undefined {
  const literal = literalOf(value, events, FIELD_TYPE)
  try {
    return literal === undefined ? undefined : String(JSON.parse(literal))
  } catch {
    return literal
  }
}

function literalOf(value: Uint8Array, events: EventsConfig, field: number): string | undefined {
  const { leaves } = jsonSpans(value)
  const places = placesOf(events, field)
  const leaf: Leaf | undefined = places
    .map((place) => leaves.find(({ steps }) => pathText(steps) === place))
    .find((one) => one !== undefined)
  return leaf && Buffer.from(value.subarray(leaf.start, leaf.end)).toString()
}

/** The places of a field, as the configuration writes them. */
export function placesOf(events: EventsConfig, field: number): string[] {
  const { places, elementPlaces } = eventRules({ ...events, user: { required: true } })
  const array = pathText(places[FIELD_ARRAY]?.[0] ?? []) + EACH
  return (places[field] ?? []).map((steps, i) => {
    const within = elementPlaces?.[field]?.[i] ?? []
    return steps === undefined ? [array, ...(within.length === 0 ? [] : [pathText(within)])].join('.') : pathText(steps)
  })
}

function at(place: number, what: string): FaultPlace {
  return { at: place, what: `byte ${place} ${what}` }
}

/** The first byte that can't be UTF-8. */
function firstIllFormed(bytes: Uint8Array): number {
  const decoder = new TextDecoder('utf-8', { fatal: true })
  for (let i = 0; i < bytes.length; i++) {
    try {
      decoder.decode(bytes.subarray(i, i + 1), { stream: true })
    } catch {
      return i
    }
  }
  return bytes.length
}
