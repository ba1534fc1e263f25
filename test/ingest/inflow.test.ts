import { describe, expect, test } from 'vitest'
import type { DecodedTask } from '../../src/checkpoint/task-object-reader.ts'
import { formatsOf } from '../../src/format/format.ts'
import { EventBlocks } from '../../src/ingest/event-blocks.ts'
import { createInflow, type InflowOptions } from '../../src/ingest/inflow.ts'
import { Ingest } from '../../src/ingest/ingest.ts'
import { putTick } from '../../src/ring/blocks.ts'
import { BLOCK, createRing } from '../../src/ring/layout.ts'
import { RingReader } from '../../src/ring/ring-reader.ts'
import { RingWriter } from '../../src/ring/ring-writer.ts'
import { Rings } from '../../src/ring/rings.ts'
import { encodeBatch, RULES } from '../../workshop/memory-run.ts'

const NOW = 1_700_000_000_000

function bench(bounded = false, begin: InflowOptions['begin'] = async () => new Map()) {
  const ring = createRing(4096)
  const writers = [new RingWriter(ring)]
  const rules = { ...RULES, idleTimeout: 100, maxDrift: 10_000 }
  const letters = { full: false, reject: () => {} }
  const time = { now: NOW }
  const asked: string[] = []
  const note = (kind: string) => (topicIndex: number) => void asked.push(`${kind} ${topicIndex}`)
  const { owned, broadcasts, deliveries, upkeep } = createInflow({
    rules,
    topics: ['a', 'b'],
    stateTtl: 1000,
    sweepsPerRound: 1,
    bounded,
    writers,
    ingest: new Ingest(rules, ['a', 'b'], formatsOf(['json', 'json']), new EventBlocks(writers), letters),
    lettersRoom: async () => {},
    ringRoom: (ring) => writers[ring]!.waitRoomAsync(1000),
    source: {
      pause: note('pause'),
      resume: note('resume'),
      refreshEndOffsets: async (partitions) => void asked.push(`ends of ${partitions.map(({ topicIndex }) => topicIndex)}`),
    },
    begin,
    clock: () => time.now,
    onFailed: () => {},
  })
  const reader = new RingReader(ring)
  const kinds = () => {
    const seen: string[] = []
    const names = Object.fromEntries(Object.entries(BLOCK).map(([name, number]) => [number, name]))
    while (reader.next()) seen.push(`${names[reader.kind]} ${reader.task}`)
    reader.release()
    return seen
  }
  const rings = new Rings(writers)
  const fill = () => {
    while (putTick(rings)) {}
  }
  const assign = (topicIndex: number, partition: number, endOffset?: number) =>
    deliveries.assigned([{ topicIndex, partition, position: 0, maxEventTime: undefined, endOffset }])
  const feed = (topicIndex: number, offset: number, at: number, partition = 0) => {
    const value = Buffer.from(`{"user_id":"u","product_id":"p","event_type":"click","timestamp":${at}}`)
    const bytes = new Uint8Array(encodeBatch([{ topic: 'a', partition, offset, recordTimestamp: at, value }]))
    return deliveries.batch({ topicIndex, partition, bytes, start: 0, end: bytes.length })
  }
  return { owned, broadcasts, deliveries, upkeep, time, asked, kinds, fill, assign, feed }
}

describe('a task that has left', () => {
  test('is dropped once in the workers, however many wait to tell them', async () => {
    const { deliveries, upkeep, kinds, fill, assign, feed } = bench()
    assign(0, 0)
    assign(0, 1)
    assign(0, 2)
    fill()
    deliveries.revoked([1, 2].map((partition) => ({ topicIndex: 0, partition })))
    const waiting = [upkeep.maintain(), feed(0, 0, NOW), feed(0, 1, NOW + 1)]
    await new Promise(setImmediate)
    kinds()
    await Promise.all(waiting)
    expect(kinds().filter((kind) => kind.startsWith('drop'))).toEqual(['drop 1', 'drop 2'])
  })

  test('and could not be told of before the run was stopped holds no delivery up', async () => {
    const { owned, broadcasts, deliveries, fill, assign, feed } = bench()
    assign(0, 0)
    assign(0, 1)
    fill()
    deliveries.revoked([{ topicIndex: 0, partition: 1 }])
    broadcasts.stop()
    await feed(0, 0, NOW)
    expect(owned.partitions[0]).toMatchObject({ read: 0 })
  })

  test('ends a bounded run when what is left has ended', async () => {
    const { deliveries } = bench(true)
    deliveries.assigned(
      [0, 1].map((partition) => ({ topicIndex: 0, partition, position: 0, maxEventTime: undefined, endOffset: partition })),
    )
    let ended = false
    void deliveries.ended.then(() => {
      ended = true
    })
    await new Promise(setImmediate)
    expect(ended).toBe(false)
    deliveries.revoked([{ topicIndex: 0, partition: 1 }])
    await new Promise(setImmediate)
    expect(ended).toBe(true)
  })
})

describe('a task that was kept', () => {
  const totals = { first: 0, read: 3, counted: 3, late: 0, invalid: {} }
  const end = NOW + 10_000
  const bytes = Buffer.from('pq')
  const facts = {
    task: 0,
    published: NOW,
    partitions: [
      {
        topic: 'a',
        partition: 0,
        position: 3,
        maxEventTime: NOW,
        totals,
        windows: [{ end, offset: 1, maxEventTime: NOW - 1, events: 2, totals }],
      },
    ],
  }
  const pane = { start: NOW, end, dirty: true, emitted: false }
  const keptWith = (products: Uint32Array) => {
    const panes = [
      { ...pane, products, impressions: Float64Array.of(1, 1), clicks: Float64Array.of(0, 0) },
      { ...pane, start: NOW - 10_000, end: NOW, products, impressions: Float64Array.of(1, 1), clicks: Float64Array.of(0, 0) },
    ]
    const state = { facts, products: { count: 2, bytes, starts: Uint32Array.of(0, 1, 2) }, panes } as unknown as DecodedTask
    return bench(false, async () => new Map([[0, { incarnation: 0, kept: { facts, state } }]]))
  }
  const offer = { topicIndex: 0, partition: 0, position: 0, maxEventTime: undefined, endOffset: undefined }
  const offered = [{ ...offer, earliest: 0, latest: 9, origin: 'none' as const }]

  test('is back in the rings, its products before the cells of the panes that are open, before its partition is assigned', async () => {
    const { deliveries, owned, kinds } = keptWith(Uint32Array.of(0, 1))
    const assigned = await deliveries.restore(offered)
    expect(kinds()).toEqual(['product 0', 'product 0', 'restore 0', 'watermark 0'])
    expect(assigned).toMatchObject([{ position: 3, maxEventTime: NOW, totals }])
    deliveries.assigned(assigned)
    expect(owned.lowWaterMarks()).toMatchObject([{ topicIndex: 0, partition: 0, offset: 1, maxEventTime: NOW - 1, incarnation: 0 }])
  })

  test('and leaves before it is assigned is dropped', async () => {
    const { deliveries, upkeep, kinds } = keptWith(Uint32Array.of(0, 1))
    await deliveries.restore(offered)
    deliveries.revoked([{ topicIndex: 0, partition: 0 }])
    await upkeep.maintain()
    expect(kinds().at(-1)).toBe('drop 0')
  })

  test('with a cell of a product that it does not have is a bug', async () => {
    const { deliveries } = keptWith(Uint32Array.of(0, 2))
    await expect(deliveries.restore(offered)).rejects.toThrow('a kept cell counts a product that is kept with it')
  })
})

test('a position that goes back is a bug', async () => {
  const { owned, assign, feed } = bench()
  assign(0, 0)
  const partition = owned.partitions[0]!
  let position = 0
  Object.defineProperty(partition, 'position', { get: () => position--, set: () => {} })
  expect(() => feed(0, 0, NOW)).toThrow("a partition's position never goes back")
})

describe('an idle partition', () => {
  const idle = async () => {
    const made = bench()
    made.deliveries.assigned(
      [0, 1].map((topicIndex) => ({ topicIndex, partition: 0, position: 0, maxEventTime: undefined, endOffset: undefined })),
    )
    made.time.now += 200
    made.deliveries.endOffset(0, 0, 0)
    await made.feed(1, 0, NOW)
    await made.upkeep.maintain()
    expect(made.owned.partitions.map((partition) => partition.idle)).toEqual([true, false])
    return made
  }

  test('awakes when the broker says that there is more', async () => {
    const { deliveries, owned } = await idle()
    deliveries.endOffset(0, 0, 1)
    expect(owned.partitions[0]).toMatchObject({ idle: false })
  })

  test('awakes when it is paused, because nothing can be heard from it then', async () => {
    const { owned, feed, asked } = await idle()
    owned.partitions[0]!.maxEventTime = NOW + 50_000
    await feed(1, 1, NOW + 1)
    expect(asked).toContain('pause 0')
    expect(owned.partitions[0]).toMatchObject({ paused: true, idle: false })
  })

  test('is asked about again and again, and is not idle any more when nobody answers', async () => {
    const { owned, upkeep, time, asked } = await idle()
    time.now += 2000
    await upkeep.maintain()
    expect(asked.some((one) => one.startsWith('ends of 0'))).toBe(true)
    time.now += 20_000
    await upkeep.maintain()
    expect(owned.partitions[0]).toMatchObject({ idle: false })
  })
})

test('after the process stood still, nobody is idle by what was heard before', async () => {
  const { deliveries, upkeep, owned, time, assign } = bench()
  assign(0, 0)
  await upkeep.maintain()
  time.now += 60_000
  deliveries.endOffset(0, 0, 0) // a response that had waited in the socket
  await upkeep.maintain()
  expect(owned.partitions[0]!.idle).toBe(false)
  time.now += 150
  deliveries.endOffset(0, 0, 0)
  await upkeep.maintain()
  expect(owned.partitions[0]!.idle).toBe(true)
})
