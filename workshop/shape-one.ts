/** A shape reads records; this lets it read one value, as a parser does, with whatever lies behind the value left behind it. */

import type { RefusedShape, Shape } from '../src/format/json-shape.ts'
import {
  KEY_BYTES,
  LENGTH_SHIFT,
  OLDER_BIT,
  ParsedEvents,
  ROW_BITS,
  ROW_HASH,
  ROW_KEY,
  ROW_RECORD,
  ROW_START,
} from '../src/format/parsed-events.ts'
import { IGNORED, REASON, UNSURE } from '../src/format/reasons.ts'
import { type EventSlot, SLOT_CLICK, SLOT_PRODUCT_END, SLOT_PRODUCT_HASH, SLOT_PRODUCT_START } from '../src/format/slot.ts'
import { CLICKS } from '../src/window/measures.ts'

const BEHIND_BYTES = 64
const parsed = new ParsedEvents()
let scratch = new Uint8Array(1 << 16)

/**
 * VALID when bytes[start, end) fits, with the slot as the reader fills it, IGNORED when it is left out, UNSURE when it does not fit. Throws
 * when the row says more than one thing.
 */
export function shapeOne(shape: Shape, bytes: Uint8Array, start: number, end: number, slot: EventSlot): number {
  const { whole, view, value, record, older } = recordOf(bytes, start, end)
  parsed.begin(record)
  shape(whole, view, value + end - start + 1, parsed, 1)
  if (parsed.count + parsed.ignored === 0) {
    if (parsed.next !== record) throw new Error('a shape that did not fit has moved on')
    return UNSURE
  }
  if (parsed.ignored > 0) {
    if (parsed.count > 0 || parsed.next !== value + end - start + 1) throw new Error('an ignored record is elsewhere')
    return IGNORED
  }
  const { rows, times } = parsed
  const productLength = rows[ROW_BITS]! >> LENGTH_SHIFT
  const productAt = rows[ROW_START]!
  if (parsed.next !== value + end - start + 1 || rows[ROW_RECORD] !== record) throw new Error('the record is elsewhere')
  if (((rows[ROW_BITS]! & OLDER_BIT) !== 0) !== older) throw new Error(`older is not ${older}`)
  for (let i = 0; i < KEY_BYTES && productLength <= KEY_BYTES; i++) {
    const wanted = i < productLength ? whole[productAt + i] : 0
    if (((rows[ROW_KEY + (i >> 2)]! >> ((i & 3) * 8)) & 255) !== wanted) throw new Error(`byte ${i} of the key is not ${wanted}`)
  }
  slot.ints[SLOT_PRODUCT_START] = productAt - value + start
  slot.ints[SLOT_PRODUCT_END] = productAt - value + start + productLength
  slot.ints[SLOT_PRODUCT_HASH] = rows[ROW_HASH]!
  slot.ints[SLOT_CLICK] = (rows[ROW_BITS]! & CLICKS) === 0 ? 0 : 1
  slot.time[0] = times[0]!
  return REASON.VALID
}

/** Whether bytes[start, end) fits; throws when the shape does more than to say so. */
export function isRefusedByOne(shape: RefusedShape, bytes: Uint8Array, start: number, end: number): boolean {
  const { whole, view, value, record } = recordOf(bytes, start, end)
  parsed.begin(record)
  const fits = shape(whole, view, value + end - start + 1, parsed, 1)
  if (parsed.count + parsed.ignored !== 0 || parsed.next !== record) throw new Error('a shape of invalid events has moved on')
  return fits
}

/** A record with that value, which begins at `value` of `whole`. */
function recordOf(bytes: Uint8Array, start: number, end: number) {
  const behind = Math.min(bytes.length, end + BEHIND_BYTES)
  const key = (end + start) % 7
  const older = (end & 1) === 1
  const body = [0, older ? 3 : 2, 0, ...(key === 0 ? [1] : [key * 2, ...Array(key).fill(0x22)]), ...varint(end - start)]
  const length = varint(body.length + end - start + 1)
  const head = [...Array(start % 5).fill(0x22), ...length, ...body]
  if (scratch.length < head.length + behind - start) scratch = new Uint8Array(2 * (head.length + behind - start))
  const whole = scratch.subarray(0, head.length + behind - start)
  whole.set(head)
  whole.set(bytes.subarray(start, behind), head.length)
  const view = new DataView(whole.buffer, whole.byteOffset, whole.byteLength)
  return { whole, view, value: head.length, record: start % 5, older }
}

function varint(value: number): number[] {
  let rest = value * 2
  const bytes: number[] = []
  for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest & 127) | 128)
  return [...bytes, rest]
}
