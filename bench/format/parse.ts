/** The three ways an event's bytes are read, over values as the generator writes them and as other producers do. */

import { EVENTS_DEFAULT } from '../../src/config/events-section.ts'
import type { EventFormat } from '../../src/format/event-format.ts'
import { eventRules } from '../../src/format/event-rules.ts'
import { ExactJson } from '../../src/format/json-exact.ts'
import { JsonFormat } from '../../src/format/json-format.ts'
import { JsonReader } from '../../src/format/json-read.ts'
import { JsonRecords } from '../../src/format/json-records.ts'
import { PARSED_MAX, ParsedEvents, ROW_BITS, ROW_WORDS } from '../../src/format/parsed-events.ts'
import { IGNORED, REASON } from '../../src/format/reasons.ts'
import { RecordEvents } from '../../src/format/record-events.ts'
import { EventSlot, SLOT_CLICK } from '../../src/format/slot.ts'
import { PLAIN_EVENTS, readPlainEvent } from '../../src/selftest/plain-event.ts'
import { CLICKS } from '../../src/window/measures.ts'
import { eventsWith } from '../../workshop/plain-rules.ts'
import type { Stage, StageMaker } from '../stage.ts'
import { generateValues } from '../support/batches.ts'

type Parse = (start: number, end: number) => number

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

/** What other producers write, each with what the configuration says of it. */
const FORMS: readonly { readonly name: string; readonly events?: object; readonly write: (event: Event, i: number) => object }[] = [
  { name: 'as generated', write: (event) => event },
  {
    name: 'path of three keys',
    events: { fields: { product: 'payload.after.product_id', type: 'payload.after.event_type', time: 'payload.after.timestamp' } },
    write: ({ event_id, ...event }) => ({ schema: 'ads.v1', payload: { op: 'c', after: event, id: event_id } }),
  },
  { name: 'ids that are numbers', write: (event) => ({ ...event, product_id: 1_000_000 + Number(event.product_id.slice(2)) }) },
  { name: '30 % of another type', write: (event, i) => (i % 10 < 3 ? { ...event, event_type: 'add_to_cart' } : event) },
  { name: 'epoch seconds', write: (event) => ({ ...event, timestamp: Math.floor(event.timestamp / 1000) }) },
  { name: 'ISO with zone', write: (event) => ({ ...event, timestamp: new Date(event.timestamp).toISOString().replace('Z', '+00:00') }) },
]

/** Records of several events. */
const LISTS = [
  { name: 'lists of ten', elements: 10, events: { fields: { product: 'items[].item_id', type: 'event_name', time: 'at' } } },
  {
    name: 'click flag',
    elements: 1,
    events: { type: 'impression', fields: { product: 'item_id', time: 'at' }, click: { field: 'click' } },
  },
] as const

interface Event {
  readonly [key: string]: unknown
  readonly product_id: string
  readonly timestamp: number
}

export const parseStages: StageMaker = (quick) => {
  const count = quick ? 100 : 2_000
  return [
    ...FORMS.flatMap(({ name, events = {}, write }) => {
      let i = 0
      return stagesOf(name, count, (value) => JSON.stringify(write(JSON.parse(value) as Event, i++)), events)
    }),
    ...stagesOf('camelCase, 300 bytes', count, rewrite, {}),
    ...LISTS.flatMap((list) => recordStages(list, Math.ceil(count / list.elements))),
  ]
}

function stagesOf(form: string, count: number, write: (value: string) => string, events: object): Stage[] {
  const { bytes, starts, values } = generateValues(count, write)
  const slot = new EventSlot()
  const rules = eventRules({ ...EVENTS_DEFAULT, ...eventsWith(events) })
  const [type, product, , time] = rules.places.map((places) => places.map((place) => place ?? []))
  const plain = { type: type!, product: product!, time: time! }
  let expected = 0
  for (const value of values) {
    const event = readPlainEvent(Buffer.from(value), { ...PLAIN_EVENTS, ...plain })
    if (typeof event !== 'string') expected += event.time + (event.kind === 'clicks' ? 1 : 0)
  }
  const [reader, exact] = [new JsonReader(rules), new ExactJson(rules)]
  const ways: [string, Parse][] = [
    ['reader', (start, end) => reader.read(bytes, start, end, slot)],
    ['exact', (start, end) => exact.parse(bytes, start, end, slot)],
  ]
  const per = bytes.length / count
  const shaped: Stage = {
    name: `shape, framing: ${form}, ${per.toFixed(0)} bytes`,
    unit: 'event',
    units: count,
    expected,
    run: parseRecords(values, new JsonFormat(rules)),
  }
  return [
    shaped,
    ...ways.map(([name, parse]): Stage => {
      return { name: `${name}: ${form}`, unit: 'event', units: count, expected, run: () => sumOf(parse, starts, count, slot) }
    }),
  ]
}

function recordStages({ name, elements, events }: (typeof LISTS)[number], count: number): Stage[] {
  const at = 1_732_800_000_000
  const element = (i: number) => ({ item_id: `SKU-${i % 1000}`, index: i % elements })
  const user = (i: number) => `${i}.${i % 7}`
  const values = Array.from({ length: count }, (_, i) => {
    const items = Array.from({ length: elements }, (__, n) => element(i * elements + n))
    const one = { ...element(i), position: i % 9, click: i % 10 === 0 ? 1 : 0, user_id: user(i), at: at + i }
    return Buffer.from(JSON.stringify(elements === 1 ? one : { event_name: 'view', at: at + i, user_pseudo_id: user(i), items }))
  })
  const format = new JsonRecords(eventRules(eventsWith(events)))
  const [found, slot] = [new RecordEvents(format.elementsMax), new EventSlot()]
  const records = values.map((value) => {
    const bytes = new Uint8Array(value)
    return { bytes, view: new DataView(bytes.buffer), record: 0, start: 0, end: bytes.length, older: false }
  })
  const per = values.reduce((sum, { length }) => sum + length, 0) / (count * elements)
  const clicks = elements === 1 ? Math.ceil(count / 10) : 0
  const stage = (way: 'read' | 'readFast' | 'readExact'): Stage => ({
    name: `${{ read: 'shape', readFast: 'reader', readExact: 'exact' }[way]}: ${name}, ${per.toFixed(0)} bytes an event`,
    unit: 'event',
    units: count * elements,
    expected: count * elements + clicks,
    run: () => records.reduce((sum, record) => sum + (format[way](record, found, slot) === REASON.VALID ? found.count : Number.NaN), 0),
  })
  return [stage('read'), stage('readFast'), stage('readExact')]
}

/** By the fast parser of a format, as records of a batch without a key. */
export function parseRecords(values: readonly (string | Uint8Array)[], format: EventFormat): () => number {
  const records = Buffer.concat(
    values.map((value) => {
      const body = Buffer.concat([Buffer.from([0, 2, 2, 1]), varint(value.length), Buffer.from(value as string), Buffer.from([0])])
      return Buffer.concat([varint(body.length), body])
    }),
  )
  const view = new DataView(records.buffer, records.byteOffset, records.byteLength)
  const parsed = new ParsedEvents()
  return () => {
    const cursor = { records, view, recordAt: 0, recordsEnd: records.length }
    let sum = 0
    while (cursor.recordAt < cursor.recordsEnd) {
      if (!format.parse(cursor, parsed, PARSED_MAX) && parsed.next === cursor.recordAt) return Number.NaN
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
    const verdict = parse(starts[i]!, starts[i + 1]!)
    if (verdict === IGNORED) continue
    if (verdict !== REASON.VALID) return Number.NaN
    sum += slot.time[0]! + slot.ints[SLOT_CLICK]!
  }
  return sum
}
