/**
 * Sets shapes against the exact parser over events that mostly fit: the same keys, order and spelling, but values of every length and with
 * everything in them that a string or a number may hold or must not. Mutated events (compare-parsers.ts) fit a shape too seldom for that.
 */

import { exact } from '../src/format/json-exact.ts'
import { scan } from '../src/format/json-scan.ts'
import { learnShape, type Shape } from '../src/format/json-shape.ts'
import { REASON, REASONS } from '../src/format/reasons.ts'
import { EventSlot, SLOT_CLICK, SLOT_PRODUCT_END, SLOT_PRODUCT_HASH, SLOT_PRODUCT_START } from '../src/format/slot.ts'
import { Random } from '../src/load/random.ts'
import { shapeOne } from './shape-one.ts'

/** S: a string, P: a product, U: a user, T: a type, N: a time, A: any value. */
const FORMS: readonly string[] = [
  '{"event_id":S,"user_id":U,"product_id":P,"event_type":T,"timestamp":N,"session_id":S}',
  '{"timestamp":N,"user_id":U,"event_type":T,"product_id":P}',
  '{"eventType":T, "productId":P, "userId":U, "a":A, "timestamp":N}',
  ' { "x" : {"y":S,"timestamp":A,"z":{"product_id":S,"q":A}} , "productId":P,"userId":U ,"eventType":T,"timestamp":N } ',
  '{"product_id":P,"timestamp":N,"event_type":T,"user_id":U,"n":A,"m":{"k":S},"o":[1,{"p":S}]}',
]
const LETTERS = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:/@ #\x7f[]{},!~'
const ODD: readonly string[] = ['"', '\\', '\\"', '\\u00e9', '\\n', '\\x', '\n', '\x00', '\x1f', 'é', '€', '😀', '\ud800', '\\\\', '\\u12']
const LENGTHS: readonly number[] = [0, 1, 2, 3, 4, 5, 7, 8, 9, 12, 15, 16, 17, 20, 36, 64, 65, 255, 256, 257]
const TYPES: readonly string[] = ['impression', 'click', 'view', 'IMPRESSION', 'CLICK', 'VIEW', 'clic', 'clicks', 'Click', '', 'impressio"']
const TIMES: readonly string[] = ['1', '0', '999999999999', '1700000000000', '0700000000000', '17000000000000', '-1700000000000', '1.7e12']
const MORE_TIMES: readonly string[] = [
  '"1700000000001"',
  '1700000000000.5',
  '17000000x0000',
  '170000000000/',
  '170000000000.',
  '"2026-01-01 00:00:00"',
  '"2026-01-01T00:00:00.5Z"',
  'null',
]
const ANY: readonly string[] = [
  '1',
  '-0.5e3',
  'true',
  'false',
  'null',
  '{}',
  '[]',
  '[1,"a",{"b":[]}]',
  '"s"',
  '01',
  'tru',
  '[1',
  '{"a":}',
  '1 ',
]

export interface ShapeComparison {
  /** Events that a shape accepted. */
  fits: number
  /** The first difference found. */
  difference: string | undefined
}

/** Compares over `count` events of a seed; stops at the first difference. */
export function compareShapes(count: number, seed: number): ShapeComparison {
  const random = new Random(seed)
  const shapes = FORMS.map((): Shape[] => [])
  const fast = new EventSlot()
  const slow = new EventSlot()
  const result: ShapeComparison = { fits: 0, difference: undefined }
  for (let index = 0; index < count && result.difference === undefined; index++) {
    const form = random.below(FORMS.length)
    const bytes = new Uint8Array(Buffer.from(`xyz${event(FORMS[form]!, random)}"}`, random.chance(0.02) ? 'latin1' : 'utf8'))
    const end = bytes.length - 2
    const known = shapes[form]!
    const reason = exact(bytes, 3, end, slow)
    for (const shape of known) {
      if (!shapeOne(shape, bytes, 3, end, fast)) continue
      result.fits++
      const what = reason === REASON.VALID ? differ(bytes, fast, slow) : `exact calls it ${REASONS[reason]}`
      if (what !== undefined) result.difference = `seed ${seed}, event ${index}: ${what}\n${Buffer.from(bytes.subarray(3, end))}`
    }
    // Lengths are learned too, so that a form has several shapes at a time, and others later.
    if (known.length < 3 || random.chance(0.001)) {
      const shape = scan(bytes, 3, end, fast) ? learnShape(bytes, 3, end) : undefined
      if (shape !== undefined && known.unshift(shape) > 3) known.pop()
    }
  }
  return result
}

function differ(bytes: Uint8Array, fast: EventSlot, slow: EventSlot): string | undefined {
  const product = Buffer.from(bytes.subarray(fast.ints[SLOT_PRODUCT_START], fast.ints[SLOT_PRODUCT_END]))
  const wanted = Buffer.from(slow.product.subarray(slow.ints[SLOT_PRODUCT_START], slow.ints[SLOT_PRODUCT_END]))
  if (!product.equals(wanted)) return `the product is ${product} by the shape and ${wanted} by exact`
  if (fast.ints[SLOT_PRODUCT_HASH] !== slow.ints[SLOT_PRODUCT_HASH]) return 'the hashes differ'
  if (fast.ints[SLOT_CLICK] !== slow.ints[SLOT_CLICK]) return `click is ${fast.ints[SLOT_CLICK]} by the shape`
  if (fast.time[0] !== slow.time[0]) return `the time is ${fast.time[0]} by the shape and ${slow.time[0]} by exact`
  return undefined
}

function event(form: string, random: Random): string {
  // One value in an event is odd, if any: an event with many odd ones fits nothing.
  const values = form.match(/(?<=[:,[ ])[SPUTNA](?=[ ,}\]])/g)?.length ?? 0
  const odd = random.chance(0.5) ? random.below(values) : -1
  let number = 0
  return form.replace(/(?<=[:,[ ])[SPUTNA](?=[ ,}\]])/g, (kind) => value(kind, number++ === odd, random))
}

function value(kind: string, odd: boolean, random: Random): string {
  if (kind === 'T') return `"${TYPES[random.below(odd ? TYPES.length : 2)]}"`
  if (kind === 'A') return ANY[random.below(odd ? ANY.length : 9)]!
  if (kind === 'N') {
    const times = [...TIMES, ...MORE_TIMES]
    return odd ? times[random.below(times.length)]! : String(1_700_000_000_000 + random.below(1_000_000_000) * 100)
  }
  const length = odd ? LENGTHS[random.below(LENGTHS.length)]! : [6, 8, 36, 16][random.below(4)]!
  let text = ''
  while (text.length < length) text += LETTERS[random.below(odd ? LETTERS.length : 64)]!
  if (!odd || random.chance(0.3)) return `"${text}"`
  const at = random.below(text.length + 1)
  return `"${text.slice(0, at)}${ODD[random.below(ODD.length)]}${text.slice(at)}"`
}
