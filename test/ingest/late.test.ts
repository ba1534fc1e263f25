import { describe, expect, test } from 'vitest'
import { RecordBatchWriter } from '../../src/batch/record-batch-writer.ts'
import { formatsOf, PLAIN_JSON } from '../../src/format/format.ts'
import { REASONS } from '../../src/format/reasons.ts'
import { Cursor } from '../../src/ingest/cursor.ts'
import { EventBlocks } from '../../src/ingest/event-blocks.ts'
import { Ingest } from '../../src/ingest/ingest.ts'
import { type LateEvent, type LateEvents, LateReport } from '../../src/ingest/late.ts'
import { OwnedTasks } from '../../src/ingest/owned-tasks.ts'
import { DONE, LETTERS_FULL } from '../../src/ingest/status.ts'
import { Dictionary } from '../../src/products/dictionary.ts'
import { ProductBudget } from '../../src/products/product-budget.ts'
import { createRing } from '../../src/ring/layout.ts'
import { RingWriter } from '../../src/ring/ring-writer.ts'
import { namesIn } from '../../src/source/source.ts'
import { Partition } from '../../src/window/partition.ts'
import { Task } from '../../src/window/task.ts'
import { RULES } from '../../workshop/memory-run.ts'

const NOW = 1_700_000_000_000
const event = (time: number, product = 'p') => `{"product_id":"${product}","user_id":"u","event_type":"click","timestamp":${time}}`

/** Reads one batch of events with these times; `late` may be full. */
function setup(times: readonly number[], late: LateEvents | undefined) {
  const writer = new RecordBatchWriter(1 << 16)
  writer.begin(40)
  for (const [i, time] of times.entries()) writer.append(NOW, null, Buffer.from(event(time, `p${i}`)))
  const batch = new Uint8Array(writer.bytes.subarray(0, writer.finish()))
  const blocks = new EventBlocks([new RingWriter(createRing(64 * 1024))])
  const letters = { full: false, reject: () => expect.fail('nothing is invalid') }
  const ingest = new Ingest(RULES, ['clicks'], formatsOf([PLAIN_JSON]), blocks, { letters, late })
  const partition = new Partition(0, 3, { position: 0, maxEventTime: undefined }, REASONS, 0)
  const task = { time: new Task(3, RULES), dictionary: new Dictionary(1) }
  task.time.partitions.push(partition)
  return { ingest, partition, cursor: new Cursor(task, partition, batch, 0, batch.length) }
}

const { outOfOrderness, allowedLateness, windowSize } = RULES
const FAR = outOfOrderness + allowedLateness + 3 * windowSize
const TIMES = [NOW, NOW - FAR, NOW - 1, NOW - FAR - 5]

describe('a late event', () => {
  test('is handed on with its bytes, its place and how far it is behind the watermark', () => {
    const taken: unknown[] = []
    const take = ({ cursor, offset, start, end, time, lateMs }: LateEvent) =>
      void taken.push({ offset, time, lateMs, text: Buffer.from(cursor.records.subarray(start, end)).toString() })
    const { ingest, partition, cursor } = setup(TIMES, { full: false, take })
    expect(ingest.run(cursor)).toBe(DONE)
    expect(taken).toEqual([
      { offset: 41, time: NOW - FAR, lateMs: FAR - outOfOrderness, text: event(NOW - FAR, 'p1') },
      { offset: 43, time: NOW - FAR - 5, lateMs: FAR + 5 - outOfOrderness, text: event(NOW - FAR - 5, 'p3') },
    ])
    expect([partition.read, partition.counted, partition.late, ingest.late]).toEqual([4, 2, 2, 2])
  })

  test('that finds its output full is not read, and the next run goes on with it', () => {
    let [full, taken] = [true, 0]
    const late = {
      get full() {
        return full
      },
      take: () => void taken++,
    }
    const { ingest, partition, cursor } = setup(TIMES, late)
    expect(ingest.run(cursor)).toBe(LETTERS_FULL)
    expect([partition.position, partition.read, partition.late, taken]).toEqual([41, 1, 0, 0])
    full = false
    expect(ingest.run(cursor)).toBe(DONE)
    expect([partition.position, partition.read, partition.late, taken]).toEqual([44, 4, 2, 2])
  })

  test('without an output is counted', () => {
    const { ingest, partition, cursor } = setup(TIMES, undefined)
    expect(ingest.run(cursor)).toBe(DONE)
    expect([partition.read, partition.counted, partition.late]).toEqual([4, 2, 2])
    expect(partition.lateMaxMs).toBe(FAR + 5 - outOfOrderness)
  })
})

test('the log tells once a minute of each partition what was late since, and by how much at most', () => {
  let now = 0
  const lines: string[] = []
  const log = { warn: (_: unknown, message: string) => void lines.push(message.split(';')[0] ?? '') }
  const report = new LateReport(namesIn(['impressions', 'clicks']), log, () => now)
  const partitions = [0, 1].map((topic) => new Partition(topic, 2, { position: 0, maxEventTime: undefined }, REASONS, 0))
  const late = (index: number, events: number, maxMs: number) => Object.assign(partitions[index]!, { late: events, lateMaxMs: maxMs })
  const linesAt = (at: number, atOnce = false) => {
    now = at
    report.tell(partitions, atOnce)
    return lines.splice(0)
  }
  late(1, 3, 1_500)
  expect(linesAt(59_999)).toEqual([])
  expect(linesAt(60_000)).toEqual(['3 late events in clicks/2, up to 1.5 s behind the watermark'])
  expect(linesAt(120_000)).toEqual([])
  late(0, 1, 60_000)
  late(1, 5, 10)
  expect(linesAt(130_000, true)).toEqual([
    '1 late event in impressions/2, up to 1 min 0 s behind the watermark',
    '2 late events in clicks/2, up to 10 ms behind the watermark',
  ])
  expect(linesAt(131_000, true)).toEqual([])
})

test('what was late stays counted of a topic that was made again, and of a partition that has left', () => {
  const owned = new OwnedTasks(RULES, 1, new ProductBudget())
  const late = (count: number) => Object.assign(new Partition(0, 3, { position: 0, maxEventTime: undefined }, REASONS, 0), { late: count })
  const [old, made] = [late(2), late(3)]
  const task = owned.create(3)
  owned.add(task, old)
  owned.replace(task, old, made)
  expect(owned.lateBefore).toEqual([2])
  owned.remove(made)
  expect(owned.lateBefore).toEqual([5])
})
