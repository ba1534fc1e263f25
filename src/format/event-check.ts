/** What the values of an event's fields make of it: the last part of every exact parser. */
import { type EventRules, FIELD_PRODUCT, FIELD_TIME, FIELD_TYPE, FIELD_USER } from './event-rules.ts'
import { eventTime, type TimeUnit, timeReason } from './event-time.ts'
import { OTHER_TYPE } from './event-types.ts'
import { hashProduct } from './hash.ts'
import type { FieldValue } from './json-values.ts'
import { REASON } from './reasons.ts'
import {
  type EventSlot,
  PRODUCT_MAX_BYTES,
  SLOT_CLICK,
  SLOT_CLICKED,
  SLOT_PRODUCT_END,
  SLOT_PRODUCT_HASH,
  SLOT_PRODUCT_START,
} from './slot.ts'

/** A value of a format in which types have a meaning. */
export interface TypedValue extends FieldValue {
  /** Of a number that is a time by its type. */
  readonly unit?: Exclude<TimeUnit, 'auto'>
  /** Its zone is that of the configuration. */
  readonly isLocal?: boolean
}

const encoder = new TextEncoder()
const encoded = new Uint8Array(PRODUCT_MAX_BYTES * 4)

/** Looks at one value after the other, as the rules have it. */
export class FieldChecks {
  readonly #rules: EventRules

  constructor(rules: EventRules) {
    this.#rules = rules
  }

  /** VALID with the event in the slot and its product in slot.product, IGNORED, or the first reason that it is none; `values` by field. */
  checkEvent(values: readonly (TypedValue | undefined)[], slot: EventSlot): number {
    for (let field = FIELD_TYPE; field <= FIELD_TIME; field++) {
      const reason = this.check(field, values[field], slot)
      if (reason !== REASON.VALID) return reason
    }
    return REASON.VALID
  }

  /** What is wrong with the value of a field, IGNORED, or VALID with what the slot has of it. */
  check(field: number, value: TypedValue | undefined, slot: EventSlot): number {
    switch (field) {
      case FIELD_TYPE:
        return this.#checkType(value, slot)
      case FIELD_PRODUCT:
        return this.#checkProduct(value, slot)
      case FIELD_USER:
        return this.#checkUser(value)
      case FIELD_TIME:
        return this.#checkTime(value, slot)
      default:
        return checkFlag(value, slot)
    }
  }

  #checkType(value: TypedValue | undefined, slot: EventSlot): number {
    const { click, types, otherType } = this.#rules
    slot.ints[SLOT_CLICK] = click
    if (click >= 0) return REASON.VALID
    if (value === undefined || value.text === '') return REASON.TYPE
    if (value.fault !== REASON.VALID) return value.fault
    const own = types.clickOf(value.text)
    slot.ints[SLOT_CLICK] = own
    return own === OTHER_TYPE ? otherType : REASON.VALID
  }

  #checkProduct(value: TypedValue | undefined, slot: EventSlot): number {
    const product = value === undefined ? undefined : this.#productOf(value)
    if (product === undefined || product === '' || product.length > PRODUCT_MAX_BYTES || !product.isWellFormed()) return REASON.PRODUCT
    if (value !== undefined && value.fault !== REASON.VALID) return value.fault
    const { written } = encoder.encodeInto(product, encoded)
    if (written > PRODUCT_MAX_BYTES) return REASON.PRODUCT
    slot.product.set(encoded.subarray(0, written))
    slot.ints[SLOT_PRODUCT_START] = 0
    slot.ints[SLOT_PRODUCT_END] = written
    slot.ints[SLOT_PRODUCT_HASH] = hashProduct(encoded, 0, written)
    return REASON.VALID
  }

  #productOf({ kind, text }: TypedValue): string | undefined {
    if (kind === 'text') return text
    return kind === 'number' && this.#rules.productNumbers && /^-?\d+$/.test(text) ? text : undefined
  }

  #checkUser(value: TypedValue | undefined): number {
    if (!this.#rules.userRequired || (value?.kind === 'text' && value.text !== '')) return REASON.VALID
    return REASON.USER
  }

  #checkTime(value: TypedValue | undefined, slot: EventSlot): number {
    const { timeOfRecord, time: reading } = this.#rules
    if (timeOfRecord) return REASON.VALID
    if (value === undefined || (value.kind !== 'text' && value.kind !== 'number')) return REASON.TIME
    const { unit, isLocal } = value
    let time = eventTime(value.text, unit === undefined ? reading : { unit, zone: reading.zone, formats: undefined })
    // The sign is looked at before the zone is: the digits of a number below zero are not all kept.
    if (isLocal === true && time > 0) time -= reading.zone.eastAt(time)
    if (!Number.isNaN(time)) slot.time[0] = time
    return timeReason(time)
  }
}

/** The flag of an impression: 1, 0, true or false, also in quotes; without one it is not clicked. */
function checkFlag(value: TypedValue | undefined, slot: EventSlot): number {
  slot.ints[SLOT_CLICKED] = 0
  if (slot.ints[SLOT_CLICK] === 1 || value === undefined) return REASON.VALID
  if (value.fault !== REASON.VALID) return value.fault
  const isTrue = /^(?:1(?:\.0+)?|true)$/i.test(value.text)
  if (!isTrue && !/^(?:0(?:\.0+)?|false)$/i.test(value.text)) return REASON.CLICK
  slot.ints[SLOT_CLICKED] = isTrue ? 1 : 0
  return REASON.VALID
}
