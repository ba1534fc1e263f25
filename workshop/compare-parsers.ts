/**
 * Sets the parsers of JSON against each other over made-up events: whatever the fast reader is sure of must be what the exact parser says,
 * to the byte. Now and then the oracle is asked too, so that the exact one isn't its own judge.
 */

import { hashProduct } from '../src/format/hash.ts'
import { ExactJson } from '../src/format/json-exact.ts'
import { JsonReader } from '../src/format/json-read.ts'
import { learnIgnored, learnRefused, learnShape, type RefusedShape, type Shape } from '../src/format/json-shape.ts'
import { IGNORED, REASON, REASONS, UNSURE } from '../src/format/reasons.ts'
import { EventSlot, SLOT_CLICK, SLOT_PRODUCT_END, SLOT_PRODUCT_HASH, SLOT_PRODUCT_START } from '../src/format/slot.ts'
import { PLAIN_EVENTS, type PlainEventRules, readPlainEvent } from '../src/selftest/plain-event.ts'
import { EventMutator, MUTATED_MAX_BYTES } from './mutate.ts'
import { PLAIN_RULES } from './plain-rules.ts'
import { isRefusedByOne, shapeOne } from './shape-one.ts'

/** Says what bytes[start, end) is: VALID with the event in the slot, IGNORED, a reason, or UNSURE. */
export type Read = (bytes: Uint8Array, start: number, end: number, slot: EventSlot) => number

export interface Comparison {
  readonly events: number
  /** The fast reader was sure of; valid by exact, and of these the fast reader was sure of; looked at by the oracle. */
  sure: number
  valid: number
  accepted: number
  judged: number
  /** Counts by verdict of the exact parser, by name. */
  readonly verdicts: Map<string, number>
  /** The first difference found; the comparison ends there. */
  difference: string | undefined
}

export interface CompareOptions {
  readonly count: number
  readonly seed: number
  /** The oracle looks at one in so many events. */
  readonly judgeEvery: number
  readonly onProgress?: (done: number) => void
  /** Other parsers than the engine's, to test the comparison itself. */
  readonly parsers?: Partial<typeof PARSERS>
}

const PROGRESS_EVERY = 500_000

const reader = new JsonReader(PLAIN_RULES)
const exact = new ExactJson(PLAIN_RULES)

/** The engine's, by the rules of the defaults. */
export const PARSERS: { readonly read: Read; readonly exact: Read } = {
  read: (bytes, start, end, slot) => reader.read(bytes, start, end, slot),
  exact: (bytes, start, end, slot) => exact.parse(bytes, start, end, slot),
}

/** A verdict's name. */
export function nameOf(verdict: number): string {
  if (verdict === IGNORED) return 'IGNORED'
  return verdict === UNSURE ? 'UNSURE' : (REASONS[verdict] ?? String(verdict))
}

/** Compares over `count` events of a seed; stops at the first difference. */
export function compareParsers(options: CompareOptions): Comparison {
  const parsers = { ...PARSERS, ...options.parsers }
  const mutator = new EventMutator(options.seed)
  const bytes = new Uint8Array(2 * MUTATED_MAX_BYTES)
  const fast = new EventSlot()
  const slow = new EventSlot()
  const verdicts = new Map<string, number>()
  const comparison: Comparison = { events: options.count, sure: 0, valid: 0, accepted: 0, judged: 0, verdicts, difference: undefined }
  for (let index = 0; index < options.count; index++) {
    const start = index % 61
    const end = mutator.next(bytes, start)
    const sure = parsers.read(bytes, start, end, fast)
    const verdict = parsers.exact(bytes, start, end, slow)
    verdicts.set(nameOf(verdict), (verdicts.get(nameOf(verdict)) ?? 0) + 1)
    if (verdict === REASON.VALID) comparison.valid++
    if (sure !== UNSURE) comparison.sure++
    if (sure === REASON.VALID) comparison.accepted++
    let difference = sure === UNSURE ? undefined : differ(bytes, end, sure, fast, verdict, slow)
    if (difference === undefined && index % options.judgeEvery === 0) {
      comparison.judged++
      difference = differFromOracle(bytes.subarray(start, end), verdict, slow)
    }
    if (difference !== undefined) {
      comparison.difference = `seed ${options.seed}, event ${index}: ${difference}\n${show(bytes.subarray(start, end))}`
      return comparison
    }
    if ((index + 1) % PROGRESS_EVERY === 0) options.onProgress?.(index + 1)
  }
  return comparison
}

/** Where the fast reader, being sure, does not say what the exact parser says; undefined when it does. */
export function differ(
  bytes: Uint8Array,
  end: number,
  sure: number,
  fast: EventSlot,
  verdict: number,
  slow: EventSlot,
): string | undefined {
  if (sure !== verdict) return `the fast reader says ${nameOf(sure)} and exact ${nameOf(verdict)}`
  const timed = sure === REASON.VALID || sure === REASON.TIME_RANGE
  if (timed && !Object.is(fast.time[0], slow.time[0])) return `the time is ${fast.time[0]} by the fast reader and ${slow.time[0]} by exact`
  if (sure !== REASON.VALID) return undefined
  const productStart = fast.ints[SLOT_PRODUCT_START]!
  const productEnd = fast.ints[SLOT_PRODUCT_END]!
  if (productEnd > end) return `the fast reader's product ends at ${productEnd}, behind the event's end ${end}`
  const product = Buffer.from(bytes.subarray(productStart, productEnd))
  const wanted = Buffer.from(slow.product.subarray(slow.ints[SLOT_PRODUCT_START], slow.ints[SLOT_PRODUCT_END]))
  if (!product.equals(wanted)) return `the product is ${product} by the fast reader and ${wanted} by exact`
  if (fast.ints[SLOT_CLICK] !== slow.ints[SLOT_CLICK])
    return `click is ${fast.ints[SLOT_CLICK]} by the fast reader and ${slow.ints[SLOT_CLICK]} by exact`
  const hash = hashProduct(bytes, productStart, productEnd)
  if (fast.ints[SLOT_PRODUCT_HASH] !== hash)
    return `the hash is ${fast.ints[SLOT_PRODUCT_HASH]} by the fast reader and ${hash} by definition`
  if (slow.ints[SLOT_PRODUCT_HASH] !== hash) return `the hash is ${slow.ints[SLOT_PRODUCT_HASH]} by exact and ${hash} by definition`
  return undefined
}

/** Where the exact parser does not say what the oracle says; undefined when it does. */
export function differFromOracle(
  value: Uint8Array,
  verdict: number,
  slow: EventSlot,
  rules: PlainEventRules = PLAIN_EVENTS,
): string | undefined {
  const event = readPlainEvent(value, rules)
  const expected = typeof event === 'string' ? event : 'VALID'
  if (nameOf(verdict) !== expected) return `exact says ${nameOf(verdict)} and the oracle ${expected}`
  if (typeof event === 'string') return undefined
  const product = Buffer.from(slow.product.subarray(slow.ints[SLOT_PRODUCT_START], slow.ints[SLOT_PRODUCT_END])).toString()
  if (product !== event.product) return `the product is ${product} by exact and ${event.product} by the oracle`
  const kind = slow.ints[SLOT_CLICK] === 1 ? 'clicks' : 'impressions'
  if (kind !== event.kind) return `it is of ${kind} by exact and of ${event.kind} by the oracle`
  if (slow.time[0] !== event.time) return `the time is ${slow.time[0]} by exact and ${event.time} by the oracle`
  return undefined
}

function show(value: Uint8Array): string {
  const buffer = Buffer.from(value.subarray(0, 2000))
  const cut = value.length > 2000 ? ` … (${value.length} bytes)` : ''
  return `text: ${JSON.stringify(buffer.toString('latin1'))}\nhex:  ${buffer.toString('hex')}${cut}`
}

const SHAPES_MAX = 20

/** The fast reader as the engine uses it: shapes learned from what it was sure of come first. `hits` counts what they were sure of. */
export function shapedReader(): { readonly read: Read; hits(): { readonly valid: number; readonly refused: number } } {
  const shapes: Shape[] = []
  const refusing: { readonly fits: RefusedShape; readonly reason: number; readonly time: number }[] = []
  const hits = { valid: 0, refused: 0 }
  const keep = <T>(list: T[], one: T | undefined) => {
    if (one !== undefined && list.unshift(one) > SHAPES_MAX) list.pop()
  }
  const read: Read = (bytes, start, end, slot) => {
    for (const shape of shapes) {
      const verdict = shapeOne(shape, bytes, start, end, slot)
      if (verdict === UNSURE) continue
      hits.valid++
      return verdict
    }
    const known = refusing.find(({ fits }) => isRefusedByOne(fits, bytes, start, end))
    if (known !== undefined) {
      hits.refused++
      slot.time[0] = known.time
      return known.reason
    }
    const verdict = reader.read(bytes, start, end, slot)
    // Code is compiled for each, so not from every event.
    if (verdict === UNSURE || end === start || (shapes.length >= SHAPES_MAX && bytes[start + 20] !== 0x65)) return verdict
    const event = { bytes, start, end, reader, rules: PLAIN_RULES }
    if (verdict === REASON.VALID) keep(shapes, learnShape(event))
    else if (verdict === IGNORED) {
      const isWhole = reader.readRest(bytes, new EventSlot()) === REASON.VALID
      keep(shapes, isWhole ? learnShape(event) : learnIgnored(event))
    } else {
      const fits = learnRefused(event, verdict)
      keep(refusing, fits && { fits, reason: verdict, time: slot.time[0]! })
    }
    return verdict
  }
  return { read, hits: () => hits }
}
