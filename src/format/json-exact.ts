/**
 * The parser that defines what an event is: decode UTF-8, JSON.parse, validate field by field. Slow and plain.
 * Every rejection comes from here; `scan` may only ever agree with it.
 */

import { hashProduct } from './hash.ts'
import { REASON } from './reasons.ts'
import {
  type EventSlot,
  PRODUCT_MAX_BYTES,
  SLOT_CLICK,
  SLOT_PRODUCT_END,
  SLOT_PRODUCT_HASH,
  SLOT_PRODUCT_START,
  TIME_MAX_MS,
  TIME_MIN_MS,
} from './slot.ts'

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const encoder = new TextEncoder()
const encoded = new Uint8Array(PRODUCT_MAX_BYTES * 4)

const CLICK_OF_TYPE = new Map([
  ['impression', 0],
  ['IMPRESSION', 0],
  ['view', 0],
  ['VIEW', 0],
  ['click', 1],
  ['CLICK', 1],
])

/** Parses bytes[start, end) into the slot (product bytes in slot.product); returns REASON.VALID or the first reason that fails. */
export function exact(bytes: Uint8Array, start: number, end: number, slot: EventSlot): number {
  if (end <= start) return REASON.EMPTY
  let text: string
  try {
    text = utf8.decode(bytes.subarray(start, end))
  } catch {
    return REASON.NOT_UTF8
  }
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return REASON.NOT_JSON
  }
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return REASON.NOT_OBJECT
  return validate(value as Record<string, unknown>, slot)
}

function validate(event: Record<string, unknown>, slot: EventSlot): number {
  const product = either(event, 'product_id', 'productId')
  if (typeof product !== 'string' || product === '' || product.length > PRODUCT_MAX_BYTES || !product.isWellFormed()) return REASON.PRODUCT
  const { written } = encoder.encodeInto(product, encoded)
  if (written > PRODUCT_MAX_BYTES) return REASON.PRODUCT
  const user = either(event, 'user_id', 'userId')
  if (typeof user !== 'string' || user === '') return REASON.USER
  const type = either(event, 'event_type', 'eventType')
  const click = typeof type === 'string' ? CLICK_OF_TYPE.get(type) : undefined
  if (click === undefined) return REASON.TYPE
  const time = timeOf(event.timestamp)
  if (time === undefined) return REASON.TIME
  slot.time[0] = time
  if (!(time > TIME_MIN_MS && time < TIME_MAX_MS)) return REASON.TIME_RANGE
  slot.product.set(encoded.subarray(0, written))
  slot.ints[SLOT_PRODUCT_START] = 0
  slot.ints[SLOT_PRODUCT_END] = written
  slot.ints[SLOT_PRODUCT_HASH] = hashProduct(encoded, 0, written)
  slot.ints[SLOT_CLICK] = click
  return REASON.VALID
}

/** snake_case wins when it is there at all, null included. */
function either(event: Record<string, unknown>, snake: string, camel: string): unknown {
  return event[snake] === undefined ? event[camel] : event[snake]
}

const DATE = /^(\d{4})-(\d\d)-(\d\d)([ T])(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)?$/

function timeOf(value: unknown): number | undefined {
  if (typeof value === 'number') return Number.isInteger(value) ? value : undefined
  if (typeof value !== 'string') return undefined
  if (/^[0-9]+$/.test(value)) return Number(value)
  const parts = DATE.exec(value)
  if (parts === null) return undefined
  const [, year, month, day, separator, hour, minute, second, fraction, zone] = parts as unknown as string[]
  if (separator === ' ' ? fraction !== undefined || zone !== undefined : zone === undefined) return undefined
  const date = new Date(0)
  date.setUTCFullYear(Number(year), Number(month) - 1, Number(day))
  if (date.getUTCMonth() !== Number(month) - 1 || date.getUTCDate() !== Number(day)) return undefined
  if (Number(hour) > 23 || Number(minute) > 59 || Number(second) > 59) return undefined
  const offsetMinutes = zoneMinutes(zone)
  if (offsetMinutes === undefined) return undefined
  const ms = fraction === undefined ? 0 : Number(fraction.padEnd(3, '0').slice(0, 3))
  return date.getTime() + ((Number(hour) * 60 + Number(minute) - offsetMinutes) * 60 + Number(second)) * 1000 + ms
}

function zoneMinutes(zone: string | undefined): number | undefined {
  if (zone === undefined || zone === 'Z') return 0
  const hours = Number(zone.slice(1, 3))
  const minutes = Number(zone.slice(4, 6))
  if (hours > 23 || minutes > 59) return undefined
  return (zone[0] === '-' ? -1 : 1) * (hours * 60 + minutes)
}
