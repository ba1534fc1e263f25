/** The three ways an event's bytes are read, over values as the generator writes them and as others do. */
import { CLICK, EventSlot, REASON } from '../../src/decode/event.ts'
import { exact } from '../../src/decode/exact.ts'
import { scan } from '../../src/decode/scan.ts'
import { learnShape } from '../../src/decode/shape.ts'
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
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const slot = new EventSlot()
  const shape = learnShape(bytes, 0, starts[1]!)
  if (shape === undefined) throw new Error(`no shape in ${values[0]}`)
  let expected = 0
  for (const value of values) {
    const event = JSON.parse(value) as Record<string, unknown>
    expected += Number(event.timestamp) + ((event.event_type ?? event.eventType) === 'click' ? 1 : 0)
  }
  const ways: [string, Parse][] = [
    ['shape', (start, end) => shape(bytes, view, start, end, slot)],
    ['scan', (start, end) => scan(bytes, start, end, slot)],
    ['exact', (start, end) => exact(bytes, start, end, slot) === REASON.VALID],
  ]
  return ways.map(([name, parse]) => {
    return { name: `${name}: ${form}`, unit: 'event', units: count, expected, run: () => sumOf(parse, starts, count, slot) }
  })
}

/** The sum of times and clicks; NaN when one was not parsed. */
function sumOf(parse: Parse, starts: Int32Array, count: number, slot: EventSlot): number {
  let sum = 0
  for (let i = 0; i < count; i++) {
    if (!parse(starts[i]!, starts[i + 1]!)) return Number.NaN
    sum += slot.time[0]! + slot.ints[CLICK]!
  }
  return sum
}
