/** Refusals that lie in a group of events are settled as if every record were read by itself, by the exact parser. */
import { expect, test } from 'vitest'
import type { Format } from '../../src/format/format.ts'
import type { LateEvents } from '../../src/ingest/late.ts'
import { DONE, LETTERS_FULL, RING_FULL } from '../../src/ingest/status.ts'
import { Random } from '../../src/load/random.ts'
import { encodeBatch } from '../../workshop/memory-run.ts'
import { ingestBench, NOW } from '../support/ingest-bench.ts'

/** Reads nothing fast. */
function exactly(format: Format): Format {
  if (format.several) throw new Error('records are one event')
  return {
    several: false,
    timeOfRecord: format.timeOfRecord,
    parse: ({ recordAt }, parsed) => {
      parsed.begin(recordAt)
      return false
    },
    exact: (bytes, start, end, slot, recordEnd) => format.exact(bytes, start, end, slot, recordEnd),
  }
}

/** Mostly valid; the others are refused by the parser or the counter, ignored, late, or of which no fast reader is sure. */
function recordValue(n: number, random: Random): Buffer | null {
  const [product, type] = [`"p-${random.below(9)}"`, random.chance(0.3) ? '"click"' : '"view"']
  const time = NOW + n * 40 - random.below(400)
  const event = (p: string, t: string, at: string | number) => `{"user_id":"u","product_id":${p},"event_type":${t},"timestamp":${at}}`
  const valid = event(product, type, time)
  if (random.chance(0.6)) return Buffer.from(valid)
  const others = [
    event('null', type, time),
    event(product, 'null', time),
    event(product, '"cart"', time),
    event(product, type, 'null'),
    event(product, type, 0),
    event(product, type, 17_000_000),
    event(product, type, time + 30 * 86_400_000),
    event(product, type, time - 60_000),
    event(product, type, NOW + n * 40 + 1_500),
    event('"\\u0070"', type, time),
    event('"\xff"', type, time),
    `[${valid}]`,
    valid.slice(0, random.below(valid.length)),
  ]
  return random.chance(0.05) ? null : Buffer.from(others[random.below(others.length)]!, 'latin1')
}

/** Outputs with room for so many records at a time; what has happened at each stop. */
function readAll(batches: readonly Uint8Array[], readBy: ((format: Format) => Format) | undefined, room: number, ringBytes: number) {
  const rules = { futureTolerance: 60_000, oldest: 946_684_800_000, windowSize: 1000, outOfOrderness: 200, allowedLateness: 1000 }
  const bench = ingestBench(rules, ringBytes, {}, readBy)
  const { partition, letters, rejected, counted, cursor, drain } = bench
  const handedOn: unknown[] = []
  let [lettersRoom, lateRoom] = [room, room]
  Object.defineProperty(letters, 'full', { get: () => rejected.length >= lettersRoom })
  const late: LateEvents = {
    get full() {
      return handedOn.length >= lateRoom
    },
    take: ({ offset, time, lateMs }) => void handedOn.push({ offset, time, lateMs }),
  }
  const ingest = bench.withLate(late)
  const reading = cursor(...batches)
  const stops: { readonly status: number; readonly [fact: string]: unknown }[] = []
  for (;;) {
    const status = ingest.run(reading)
    const windows = [...partition.windows].map(([end, { offset, maxEventTime, totals, events }]) => [
      end,
      offset,
      maxEventTime,
      totals,
      events,
    ])
    stops.push(structuredClone({ status, position: partition.position, totals: partition.totals(), mark: partition.lowWater(), windows }))
    if (status === RING_FULL || status === DONE) drain()
    if (status === LETTERS_FULL) {
      lettersRoom = rejected.length + room
      lateRoom = handedOn.length + room
    } else if (status === DONE) return { stops, rejected, handedOn, counted, invalid: [...ingest.invalid], ignored: ingest.ignored }
    if (stops.length > 100_000) throw new Error(`it stops again and again for ${status}`)
  }
}

test.each([
  [1, 1, 64 * 1024],
  [2, 3, 64 * 1024],
  [3, 40, 64 * 1024],
  [5, 100_000, 4096],
  [4, 100_000, 64 * 1024],
])(
  'seed %i: letters, late events, ledger and marks are the same, with room for %i letters and a ring of %i bytes',
  (seed, room, ringBytes) => {
    const random = new Random(seed)
    const batches: Uint8Array[] = []
    for (let offset = 0; offset < 2500; ) {
      const records = Array.from({ length: 1 + random.below(600) }, () => {
        const record = {
          topic: 'impressions',
          partition: 3,
          offset,
          recordTimestamp: NOW + offset * 40,
          value: recordValue(offset, random),
        }
        // Compaction leaves gaps.
        offset += random.chance(0.02) ? 2 : 1
        return record
      })
      batches.push(encodeBatch(records))
    }
    const fast = readAll(batches, undefined, room, ringBytes)
    const slow = readAll(batches, exactly, room, ringBytes)
    expect(fast.rejected.length).toBeGreaterThan(500)
    expect(fast.handedOn.length).toBeGreaterThan(10)
    const stopsFor = (status: number) => fast.stops.filter((stop) => stop.status === status).length
    expect(stopsFor(LETTERS_FULL)).toBeGreaterThanOrEqual(room < 100 ? 10 : 0)
    expect(stopsFor(RING_FULL)).toBeGreaterThanOrEqual(ringBytes < 10_000 ? 4 : 0)
    expect(fast).toEqual(slow)
  },
)
