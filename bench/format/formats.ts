/** The same events in each of the formats, by their fast parsers and by their exact ones; and Avro by avsc, as objects. */
import avsc from 'avsc'
import { EVENTS_DEFAULT } from '../../src/config/events-section.ts'
import type { EventFormat } from '../../src/format/event-format.ts'
import { formatsOf } from '../../src/format/format.ts'
import { REASON } from '../../src/format/reasons.ts'
import { EventSlot, SLOT_CLICK } from '../../src/format/slot.ts'
import { encodeEvent, LOAD_SCHEMAS, type LoadFormat } from '../../src/load/event-formats.ts'
import type { Stage, StageMaker } from '../stage.ts'
import { generateValues } from '../support/batches.ts'
import { parseRecords } from './parse.ts'

const FORMATS: readonly LoadFormat[] = ['json-schema', 'avro', 'protobuf']
const FRAME_BYTES = 5

export const formatStages: StageMaker = (quick) => {
  const count = quick ? 100 : 2_000
  const { values } = generateValues(count)
  let expected = 0
  for (const value of values) {
    const { timestamp, event_type } = JSON.parse(value) as { timestamp: number; event_type: string }
    expected += timestamp + (event_type === 'click' ? 1 : 0)
  }
  const plain = Buffer.from(values.join('')).length / count
  const stage = (name: string, bytes: number, run: () => number): Stage => {
    return { name: `${name}, ${bytes.toFixed(0)} bytes`, unit: 'event', units: count, expected, run }
  }
  const [json] = formatsOf([{ format: 'json', events: EVENTS_DEFAULT }]) as [EventFormat]
  return [
    stage('fast: json without a frame', plain, parseRecords(values, json)),
    ...FORMATS.flatMap((name) => {
      const framed = values.map((value) => encodeEvent(name, 17, Buffer.from(value)))
      const [fast, exact] = [formatOf(name), formatOf(name)]
      const bytes = framed.reduce((sum, value) => sum + value.length, 0) / count
      return [
        stage(`fast: ${name}`, bytes, parseRecords(framed, fast)),
        stage(`exact: ${name}`, bytes, () => sumOf(exact, framed)),
        ...(name === 'avro' ? [stage('avsc', bytes, () => sumOfAvsc(framed))] : []),
      ]
    }),
  ]
}

function formatOf(format: LoadFormat): EventFormat {
  const schemas = { find: () => ({ type: format, text: LOAD_SCHEMAS[format], references: [] }), unfit: () => {} }
  return formatsOf([{ format, events: EVENTS_DEFAULT }], schemas)[0] as EventFormat
}

const slot = new EventSlot()

function sumOf(format: EventFormat, values: readonly Buffer[]): number {
  let sum = 0
  for (const value of values) {
    if (format.exact(value, 0, value.length, slot) !== REASON.VALID) return Number.NaN
    sum += slot.time[0]! + slot.ints[SLOT_CLICK]!
  }
  return sum
}

const EVENT = avsc.Type.forSchema(JSON.parse(LOAD_SCHEMAS.avro) as avsc.Schema)

function sumOfAvsc(values: readonly Buffer[]): number {
  let sum = 0
  for (const value of values) {
    const { timestamp, event_type } = EVENT.fromBuffer(value.subarray(FRAME_BYTES)) as { timestamp: number; event_type: string }
    sum += timestamp + (event_type === 'click' ? 1 : 0)
  }
  return sum
}
