/** One value by both parsers of a format: what each says, as plain data. */
import type { EventFormat } from '../src/format/event-format.ts'
import { hashProduct } from '../src/format/hash.ts'
import { KEY_BYTES, LENGTH_SHIFT, ParsedEvents, ROW_BITS, ROW_HASH, ROW_KEY, ROW_START } from '../src/format/parsed-events.ts'
import { IGNORED, REASON, REASONS, WAITING_SCHEMA } from '../src/format/reasons.ts'
import { EventSlot, SLOT_CLICK, SLOT_PRODUCT_END, SLOT_PRODUCT_HASH, SLOT_PRODUCT_START } from '../src/format/slot.ts'
import { CLICKS } from '../src/window/measures.ts'

/** What an event is to a parser. */
export interface Said {
  readonly verdict: string
  readonly product?: string
  readonly click?: boolean
  readonly time?: number
}

/** Headers of a record, in their order. */
export type Headers = readonly (readonly [string, Uint8Array])[]

const parsed = new ParsedEvents()
const slot = new EventSlot()

/** What the exact parser says, in whose words, and what the fast one says; undefined when that isn't sure. */
export function bothParsers(format: EventFormat, value: Uint8Array, headers: Headers = []): { exact: Said; fast: Said | undefined } {
  const record = recordOf(value, headers)
  // Behind it lies another one, that a parser must not be led by.
  const records = Buffer.concat([record.bytes, record.bytes])
  const view = new DataView(records.buffer, records.byteOffset, records.length)
  const sure = format.parse({ records, view, recordAt: 0, recordsEnd: records.length }, parsed, 1)
  if (sure !== parsed.next > 0) throw new Error(`parse says ${sure} and has read ${parsed.next} bytes`)
  const fast = sure ? fastSaid(records) : undefined
  if (sure && parsed.next !== record.bytes.length) throw new Error(`a record of ${record.bytes.length} bytes ends at ${parsed.next}`)
  const verdict = format.exact(records, record.start, record.start + value.length, slot, record.bytes.length)
  const exact = exactSaid(verdict)
  // Other records come in the same memory.
  records.fill(0xa5)
  return { exact, fast }
}

function exactSaid(verdict: number): Said {
  if (verdict === IGNORED) return { verdict: 'IGNORED' }
  if (verdict === WAITING_SCHEMA) return { verdict: 'WAITING_SCHEMA' }
  if (verdict !== REASON.VALID) return { verdict: REASONS[verdict]! }
  const [start, end] = [slot.ints[SLOT_PRODUCT_START]!, slot.ints[SLOT_PRODUCT_END]!]
  if (slot.ints[SLOT_PRODUCT_HASH] !== hashProduct(slot.product, start, end)) throw new Error('the exact hash is another one')
  const product = Buffer.from(slot.product.subarray(start, end)).toString()
  return { verdict: 'VALID', product, click: slot.ints[SLOT_CLICK] === 1, time: slot.time[0]! }
}

function fastSaid(records: Uint8Array): Said {
  const { refusals, count, ignored } = parsed
  if (ignored + count + refusals.count !== 1) throw new Error(`${count} events, ${ignored} ignored and ${refusals.count} refused`)
  if (refusals.count > 0) return { verdict: REASONS[refusals.reasons[0]!]! }
  if (ignored > 0) return { verdict: 'IGNORED' }
  const { rows, made, times } = parsed
  const place = rows[ROW_START]!
  const length = rows[ROW_BITS]! >> LENGTH_SHIFT
  const [bytes, start] = place < 0 ? [made, ~place] : [records, place]
  if (rows[ROW_HASH] !== hashProduct(bytes, start, start + length)) throw new Error('the fast hash is another one')
  const key = new Uint8Array(rows.buffer, ROW_KEY * 4, KEY_BYTES)
  const wanted = [...bytes.subarray(start, start + Math.min(length, KEY_BYTES))]
  if (length <= KEY_BYTES && [...key].some((byte, i) => byte !== (wanted[i] ?? 0))) throw new Error(`the key is ${[...key].join(' ')}`)
  const product = Buffer.from(bytes.subarray(start, start + length)).toString()
  return { verdict: 'VALID', product, click: (rows[ROW_BITS]! & CLICKS) !== 0, time: times[0]! }
}

/** A Kafka record; `start` is where its value begins. */
export function recordOf(value: Uint8Array, headers: Headers = []): { readonly bytes: Uint8Array; readonly start: number } {
  const before = Uint8Array.from([0, 0, 0, 1, ...varintOf(value.length)])
  const behind = headers.flatMap(([name, bytes]) => [...varintOf(name.length), ...Buffer.from(name), ...varintOf(bytes.length), ...bytes])
  const end = Uint8Array.from([...varintOf(headers.length), ...behind])
  const length = Uint8Array.from(varintOf(before.length + value.length + end.length))
  return { bytes: Buffer.concat([length, before, value, end]), start: length.length + before.length }
}

/** A zigzag varint of a number that is not negative. */
function varintOf(value: number): number[] {
  const bytes: number[] = []
  let rest = value * 2
  for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128)
  return [...bytes, rest]
}
