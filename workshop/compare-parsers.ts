/**
 * Sets the two parsers against each other over made-up events: whatever `scan` accepts must be what `exact` makes of it, to the byte.
 * Now and then the oracle is asked too, so that `exact` isn't its own judge.
 */

import { hashProduct } from '../src/format/hash.ts'
import { exact } from '../src/format/json-exact.ts'
import { scan } from '../src/format/json-scan.ts'
import { learnShape, type Shape } from '../src/format/json-shape.ts'
import { REASON, REASONS } from '../src/format/reasons.ts'
import { EventSlot, SLOT_CLICK, SLOT_PRODUCT_END, SLOT_PRODUCT_HASH, SLOT_PRODUCT_START } from '../src/format/slot.ts'
import { EventMutator, MUTATED_MAX_BYTES } from './mutate.ts'
import { judge } from './oracle.ts'
import { shapeOne } from './shape-one.ts'

export interface Comparison {
  readonly events: number
  /** Accepted by scan; valid by exact; looked at by the oracle. */
  accepted: number
  valid: number
  judged: number
  /** Counts by reason, in the order of REASONS. */
  readonly reasons: number[]
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
  readonly parsers?: { readonly scan: typeof scan; readonly exact: typeof exact }
}

const PROGRESS_EVERY = 500_000

/** Compares over `count` events of a seed; stops at the first difference. */
export function compareParsers(options: CompareOptions): Comparison {
  const parsers = options.parsers ?? { scan, exact }
  const mutator = new EventMutator(options.seed)
  const bytes = new Uint8Array(2 * MUTATED_MAX_BYTES)
  const fast = new EventSlot()
  const slow = new EventSlot()
  const comparison: Comparison = {
    events: options.count,
    accepted: 0,
    valid: 0,
    judged: 0,
    reasons: REASONS.map(() => 0),
    difference: undefined,
  }
  for (let index = 0; index < options.count; index++) {
    const start = index % 61
    const end = mutator.next(bytes, start)
    const accepted = parsers.scan(bytes, start, end, fast)
    const reason = parsers.exact(bytes, start, end, slow)
    comparison.reasons[reason]!++
    if (reason === REASON.VALID) comparison.valid++
    let difference = accepted ? differ(bytes, end, fast, reason, slow) : undefined
    if (accepted) comparison.accepted++
    if (difference === undefined && index % options.judgeEvery === 0) {
      comparison.judged++
      difference = differFromOracle(bytes.subarray(start, end), reason, slow)
    }
    if (difference !== undefined) {
      comparison.difference = `seed ${options.seed}, event ${index}: ${difference}\n${show(bytes.subarray(start, end))}`
      return comparison
    }
    if ((index + 1) % PROGRESS_EVERY === 0) options.onProgress?.(index + 1)
  }
  return comparison
}

/** What is wrong with an event that scan accepted; undefined when nothing is. */
function differ(bytes: Uint8Array, end: number, fast: EventSlot, reason: number, slow: EventSlot): string | undefined {
  if (reason !== REASON.VALID) return `scan accepts what exact calls ${REASONS[reason]}`
  const productStart = fast.ints[SLOT_PRODUCT_START]!
  const productEnd = fast.ints[SLOT_PRODUCT_END]!
  if (productEnd > end) return `scan's product ends at ${productEnd}, behind the event's end ${end}`
  const length = slow.ints[SLOT_PRODUCT_END]! - slow.ints[SLOT_PRODUCT_START]!
  if (productEnd - productStart !== length) return `the product has ${productEnd - productStart} bytes by scan and ${length} by exact`
  for (let at = 0; at < length; at++) {
    if (bytes[productStart + at] !== slow.product[slow.ints[SLOT_PRODUCT_START]! + at]) return `the products differ at byte ${at}`
  }
  if (fast.ints[SLOT_CLICK] !== slow.ints[SLOT_CLICK])
    return `click is ${fast.ints[SLOT_CLICK]} by scan and ${slow.ints[SLOT_CLICK]} by exact`
  if (!Object.is(fast.time[0], slow.time[0])) return `the time is ${fast.time[0]} by scan and ${slow.time[0]} by exact`
  const hash = hashProduct(bytes, productStart, productEnd)
  if (fast.ints[SLOT_PRODUCT_HASH] !== hash) return `the hash is ${fast.ints[SLOT_PRODUCT_HASH]} by scan and ${hash} by definition`
  if (slow.ints[SLOT_PRODUCT_HASH] !== hash) return `the hash is ${slow.ints[SLOT_PRODUCT_HASH]} by exact and ${hash} by definition`
  return undefined
}

function differFromOracle(value: Uint8Array, reason: number, slow: EventSlot): string | undefined {
  const verdict = judge(value, -1, 0)
  const expected = verdict.valid ? 'VALID' : verdict.reason
  if (REASONS[reason] !== expected) return `exact says ${REASONS[reason]} and the oracle ${expected}`
  if (!verdict.valid) return undefined
  const product = Buffer.from(slow.product.subarray(slow.ints[SLOT_PRODUCT_START], slow.ints[SLOT_PRODUCT_END])).toString()
  if (product !== verdict.product) return `the product is ${product} by exact and ${verdict.product} by the oracle`
  if ((slow.ints[SLOT_CLICK] === 1) !== verdict.click)
    return `click is ${slow.ints[SLOT_CLICK]} by exact and ${verdict.click} by the oracle`
  if (slow.time[0] !== verdict.time) return `the time is ${slow.time[0]} by exact and ${verdict.time} by the oracle`
  return undefined
}

function show(value: Uint8Array): string {
  const buffer = Buffer.from(value.subarray(0, 2000))
  const cut = value.length > 2000 ? ` … (${value.length} bytes)` : ''
  return `text: ${JSON.stringify(buffer.toString('latin1'))}\nhex:  ${buffer.toString('hex')}${cut}`
}

const SHAPES_MAX = 20

/** The scanner as the engine uses it: shapes learned from what it has accepted come first. `hits` counts what they accepted. */
export function shapedScan(): { scan: typeof scan; hits(): number } {
  const shapes: Shape[] = []
  let hits = 0
  const shaped: typeof scan = (bytes, start, end, slot) => {
    for (const shape of shapes) {
      if (!shapeOne(shape, bytes, start, end, slot)) continue
      hits++
      return true
    }
    if (!scan(bytes, start, end, slot)) return false
    // Code is compiled for each, so not from every event.
    if (shapes.length < SHAPES_MAX || bytes[start + 20] === 0x65) {
      const shape = learnShape(bytes, start, end)
      if (shape !== undefined) shapes.unshift(shape)
      if (shapes.length > SHAPES_MAX) shapes.pop()
    }
    return true
  }
  return { scan: shaped, hits: () => hits }
}
