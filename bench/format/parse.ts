/** The three ways an event's bytes are read, over values as the generator writes them and as others do. */

import { exact } from '../../src/format/json-exact.ts'
import { JsonFormat } from '../../src/format/json-format.ts'
import { scan } from '../../src/format/json-scan.ts'
import { PARSED_MAX, ParsedEvents, ROW_BITS, ROW_WORDS } from '../../src/format/parsed-events.ts'
import { REASON } from '../../src/format/reasons.ts'
import { EventSlot, SLOT_CLICK } from '../../src/format/slot.ts'
import { CLICKS } from '../../src/window/measures.ts'
import type { Stage, StageMaker } from '../stage.ts'
import { generateValues } from '../support/batches.ts'

type Parse = (start: number, end: number) => boolean

/** The other spelling, another order, white space, and fields nobody asked for: about twice as long. */
function rewrite(value: string): string {
  const { event_id, user_id, product_id, event_type, timestamp, session_id } = JSON.parse(value) as Record<string, unknown>
  const context = { referrer: 'https://example.com/search?q=shoes', position: 7, tags: ['a', 'b'], device: { kind: 'phone', os: 'x' } }
  const fields = {
    timestamp,
    eventType: event_type,
    context,
    productId: product_id,
    userId: user_id,
    sessionId: session_id,
    eventId: event_id,
  }
  return JSON.stringify(fields).replaceAll(',"', ', "')
}

export const parseStages: StageMaker = (quick) => {
  const count = quick ? 100 : 2_000
  return [...stagesOf('as generated', count, (value) => value), ...stagesOf('camelCase, 300 bytes', count, rewrite)]
}

function stagesOf(form: string, count: number, write: (value: string) => string): Stage[] {
  const { bytes, starts, values } = generateValues(count, write)
  const slot = new EventSlot()
  let expected = 0
  for (const value of values) {
    const event = JSON.parse(value) as Record<string, unknown>
    expected += Number(event.timestamp) + ((event.event_type ?? event.eventType) === 'click' ? 1 : 0)
  }
  const ways: [string, Parse][] = [
    ['scan', (start, end) => scan(bytes, start, end, slot)],
    ['exact', (start, end) => exact(bytes, start, end, slot) === REASON.VALID],
  ]
  const shaped: Stage = { name: `shape, framing: ${form}`, unit: 'event', units: count, expected, run: parseRecords(values) }
  return [
    shaped,
    ...ways.map(([name, parse]): Stage => {
      return { name: `${name}: ${form}`, unit: 'event', units: count, expected, run: () => sumOf(parse, starts, count, slot) }
    }),
  ]
}

/** By shapes, as records of a batch without a key. */
function parseRecords(values: readonly string[]): () => number {
  const records = Buffer.concat(
    values.map((text) => {
      const body = Buffer.concat([Buffer.from([0, 2, 2, 1]), varint(text.length), Buffer.from(text), Buffer.from([0])])
      return Buffer.concat([varint(body.length), body])
    }),
  )
  const view = new DataView(records.buffer, records.byteOffset, records.byteLength)
  const format = new JsonFormat()
  const parsed = new ParsedEvents()
  return () => {
    const cursor = { records, view, recordAt: 0, recordsEnd: records.length }
    let sum = 0
    while (cursor.recordAt < cursor.recordsEnd) {
      if (!format.parse(cursor, parsed, PARSED_MAX) && parsed.count === 0) return Number.NaN
      for (let i = 0; i < parsed.count; i++) sum += parsed.times[i]! + (parsed.rows[i * ROW_WORDS + ROW_BITS]! & CLICKS)
      cursor.recordAt = parsed.next
    }
    return sum
  }
}

function varint(value: number): Buffer {
  const raw = value * 2
  return Buffer.from(raw < 128 ? [raw] : [(raw & 127) | 128, raw >> 7])
}

/** The sum of times and clicks; NaN when one was not parsed. */
function sumOf(parse: Parse, starts: Int32Array, count: number, slot: EventSlot): number {
  let sum = 0
  for (let i = 0; i < count; i++) {
    if (!parse(starts[i]!, starts[i + 1]!)) return Number.NaN
    sum += slot.time[0]! + slot.ints[SLOT_CLICK]!
  }
  return sum
}
