/**
 * The parser that defines what an event is, and why it is none: reads the whole value, then looks at field after field. Slow and plain. The
 * fast readers may only ever agree with it.
 */
import { isUtf8 } from 'node:buffer'
import { LIMITS } from '../config/limits.ts'
import { FieldChecks } from './event-check.ts'
import type { EventRules } from './event-rules.ts'
import { fieldTree } from './field-tree.ts'
import { JsonValues } from './json-values.ts'
import { REASON } from './reasons.ts'
import { type EventSlot, SLOT_TOLERATED } from './slot.ts'

/** A record is one event. */
export class ExactJson {
  readonly #rules: EventRules
  readonly #json: JsonValues
  readonly #fields: FieldChecks

  constructor(rules: EventRules) {
    this.#rules = rules
    this.#json = new JsonValues(fieldTree(rules.places, rules.emptyAt))
    this.#fields = new FieldChecks(rules)
  }

  /**
   * The event that bytes[start, end) is, put into the slot with its product in slot.product, and VALID; else IGNORED, or the first reason
   * that it is none. What was tolerated is in the slot, too.
   */
  parse(bytes: Uint8Array, start: number, end: number, slot: EventSlot): number {
    const verdict = readExactly(this.#json, this.#rules, bytes, start, end, slot)
    if (verdict !== REASON.VALID) return verdict
    const reason = this.#fields.checkEvent(this.#json.values, slot)
    if (reason > REASON.VALID) slot.ints[SLOT_TOLERATED] = 0
    return reason
  }
}

/** Reads a record's object, and what was tolerated in it into the slot: VALID, IGNORED, or why it is none. */
export function readExactly(json: JsonValues, rules: EventRules, bytes: Uint8Array, start: number, end: number, slot: EventSlot): number {
  slot.ints[SLOT_TOLERATED] = 0
  if (end <= start) return rules.empty
  if (end - start > LIMITS.eventMaxBytes) return REASON.TOO_LARGE
  if (!json.read(bytes, start, end)) return isUtf8(bytes.subarray(start, end)) ? REASON.NOT_JSON : REASON.NOT_UTF8
  if (!json.isObject) return REASON.NOT_OBJECT
  const verdict = json.isEmpty ? rules.empty : REASON.VALID
  if (verdict <= 0) slot.ints[SLOT_TOLERATED] = json.tolerated
  return verdict
}
