import { describe, expect, test } from 'vitest'
import { factsOf } from '../../src/checkpoint/facts.ts'
import type { DecodedTask } from '../../src/checkpoint/task-object-reader.ts'
import { inflowBench as bench, NOW } from '../support/inflow-bench.ts'

describe('a topic that was made again', () => {
  const made = { topicIndex: 0, partition: 0, position: 0, maxEventTime: undefined, endOffset: undefined, topicId: 'B', remade: 1 }
  const events = (windows: readonly { end: number; events: number }[]) =>
    Object.fromEntries(windows.map(({ end, events }) => [end - NOW, events]))

  test('begins anew in its task: position, event time and ledger; what was counted stays in its windows', async () => {
    const { owned, deliveries, upkeep, degradations, assign, feed } = bench()
    assign(0, 0)
    assign(1, 0)
    feed(0, 0, NOW + 1_000)
    feed(0, 1, NOW + 2_000)
    feed(1, 0, NOW + 1_500)
    deliveries.replaced(made)
    const partition = owned.find(0, 0)!
    expect([partition.position, partition.maxEventTime, partition.read]).toEqual([0, Number.NEGATIVE_INFINITY, 0])
    feed(0, 0, NOW + 500)
    const task = owned.tasks.get(0)!.time
    expect(events(task.openWindows())).toEqual({ 10000: 4 })
    expect(task.orphansUntil).toBe(NOW + 10_000)
    // Marks are of the new topic alone, and say that there are windows which no offset gives again.
    expect(owned.lowWaterMarks()).toMatchObject([
      { topicIndex: 0, offset: 0, facts: { topicId: 'B', remade: 1, orphansUntil: NOW + 10_000 } },
      { topicIndex: 1, offset: 0, facts: { orphansUntil: NOW + 10_000 } },
    ])
    await upkeep.maintain()
    expect(degradations.reasons).toMatchObject([{ code: 'topicRemade', subject: 'task 0' }])
    // Once the window is closed for good, all that was counted into it is in the ledger, and nothing is told any more.
    for (const topic of [0, 1]) feed(topic, 1, NOW + 60_000)
    await upkeep.maintain()
    expect(events(task.takeClosed())).toEqual({ 10000: 4 })
    expect(task.orphansUntil).toBeUndefined()
    expect(degradations.reasons).toEqual([])
    expect(owned.lowWaterMarks()[1]?.facts).toBeUndefined()
  })

  test('ends a bounded run at the end of the new one', async () => {
    const { deliveries, assign, feed } = bench(true)
    assign(0, 0, 5)
    deliveries.replaced({ ...made, endOffset: 1 })
    feed(0, 0, NOW)
    await deliveries.ended
  })
})

test('records that were gone before they were read are counted and told', async () => {
  const { owned, deliveries, upkeep, degradations, time, assign } = bench()
  assign(0, 0)
  deliveries.skipped(0, 0, 5)
  deliveries.skipped(0, 0, 12, 'records 5 to 11 are gone')
  expect(owned.find(0, 0)).toMatchObject({ position: 12, missing: 7 })
  await upkeep.maintain()
  expect(degradations.reasons).toMatchObject([{ code: 'recordsLost', subject: 'a/0', message: 'a/0: records 5 to 11 are gone' }])
  time.now += 3_600_001
  await upkeep.maintain()
  expect(degradations.reasons).toEqual([])
})

describe('a task that has left', () => {
  test('is dropped once in the workers, however many wait to tell them, also of those that leave meanwhile', async () => {
    const { deliveries, upkeep, kinds, fill, assign, feed } = bench()
    for (const partition of [0, 1, 2, 3]) assign(0, partition)
    fill()
    deliveries.revoked([1, 2].map((partition) => ({ topicIndex: 0, partition })))
    const waiting = [upkeep.maintain(), feed(0, 0, NOW), feed(0, 1, NOW + 1), feed(0, 0, NOW, 3)]
    await new Promise(setImmediate)
    deliveries.revoked([{ topicIndex: 0, partition: 3 }])
    kinds()
    await Promise.all(waiting)
    expect(kinds().filter((kind) => kind.startsWith('drop'))).toEqual(['drop 1', 'drop 2', 'drop 3'])
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

describe('an open transaction', () => {
  const opened = async () => {
    const made = bench()
    made.assign(0, 0)
    made.assign(1, 0)
    made.deliveries.endOffset(0, 0, 0, 3)
    return made
  }
  const after = async ({ time, deliveries, upkeep }: ReturnType<typeof bench>, ms: number, end = 0, written = 3) => {
    time.now += ms
    deliveries.endOffset(0, 0, end, written)
    deliveries.endOffset(1, 0, 0, 0)
    await upkeep.maintain()
  }

  test('holds its partition: the others are idle, and it is told, for less than the hold', async () => {
    const made = await opened()
    await after(made, 4_999)
    expect(made.owned.partitions.map(({ idle }) => idle)).toEqual([false, true])
    expect(made.degradations.reasons).toEqual([])
  })

  test('that hangs does not hold it for ever, and that is told until it ends', async () => {
    const made = await opened()
    await after(made, 4_999)
    await after(made, 1)
    expect(made.owned.partitions.map(({ idle }) => idle)).toEqual([true, true])
    const message = `a/0: a transaction is open since ${new Date(NOW).toISOString()} at least, at offset 0, 3 records wait for its end`
    expect(made.degradations.reasons).toMatchObject([
      { code: 'hangingTransaction', subject: 'a/0', message: expect.stringContaining(message) },
    ])
    await after(made, 10, 3)
    expect(made.owned.partitions[0]?.idle).toBe(false)
    expect(made.degradations.reasons).toEqual([])
  })

  test('wakes a partition that was idle', async () => {
    const made = bench()
    made.assign(0, 0)
    await after(made, 1_000, 0, 0)
    expect(made.owned.partitions[0]?.idle).toBe(true)
    made.deliveries.endOffset(0, 0, 0, 1)
    expect(made.owned.partitions[0]?.idle).toBe(false)
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

test('a pause for alignment that lasts is a reason to be degraded, and names who is waited for', async () => {
  const { deliveries, upkeep, degradations, time, assign, feed } = bench()
  assign(0, 0)
  assign(1, 0)
  await feed(1, 0, NOW)
  await feed(0, 0, NOW + 60_000)
  time.now += 9_000
  await upkeep.maintain()
  expect(degradations.reasons).toEqual([])
  time.now += 1_000
  await upkeep.maintain()
  const message =
    'a/0 is paused at 2023-11-14T22:14:20.000Z, more than time.maxDrift (10s) ahead of b/0, which stands at 2023-11-14T22:13:20.000Z, ' +
    'until that comes up or counts as idle'
  expect(degradations.reasons).toEqual([{ code: 'alignment', subject: 'a/0', message, since: time.now }])
  deliveries.revoked([{ topicIndex: 0, partition: 0 }])
  await upkeep.maintain()
  expect(degradations.reasons).toEqual([])
})

test('records that are not valid end no idleness: they hold their partition only until they are read', async () => {
  const { deliveries, upkeep, owned, time, assign, feed } = bench()
  assign(0, 0)
  await feed(0, 0, NOW)
  time.now += 100
  for (const end of [2, 3, 4]) {
    deliveries.endOffset(0, 0, end)
    await upkeep.maintain()
    expect(owned.partitions[0]!.idle).toBe(false)
    await feed(0, end - 1, 1) // before time.oldest
    await upkeep.maintain()
    expect(owned.partitions[0]!.idle).toBe(true)
  }
})

describe('what is known of idleness', () => {
  const start = { topicIndex: 0, partition: 0, position: 7, maxEventTime: NOW, endOffset: undefined }
  const idleAt = async (known: object, heard: number, written?: number) => {
    const { deliveries, upkeep, owned, time } = bench()
    time.now = NOW + 1_000
    deliveries.assigned([{ ...start, ...known }])
    deliveries.endOffset(0, 0, heard, written)
    await upkeep.maintain()
    return owned.partitions[0]!.idle
  }
  const mark = (offset: number, idleSince: number) => ({ carried: { offset, facts: { idleSince } } })
  test.each<[string, object, number, number | undefined, boolean]>([
    ['by a checkpoint', { idleSince: NOW + 900 }, 7, 7, true],
    ['by a checkpoint, a moment less than the timeout', { idleSince: NOW + 901 }, 7, 7, false],
    ['by a mark', mark(7, NOW + 900), 7, 7, true],
    ['by a mark, and there is more by now', mark(7, NOW + 900), 8, 8, false],
    ['by a mark, and a transaction is open by now', mark(7, NOW + 900), 7, 9, false],
    ['by a mark, and nobody has told yet whether a transaction is open', mark(7, NOW + 900), 7, undefined, false],
    ['by a clock that was ahead', mark(7, NOW + 9_000), 7, 7, false],
  ])('is %s: a partition whose end was heard at once is idle', async (_, known, heard, written, idle) => {
    expect(await idleAt(known, heard, written)).toBe(idle)
  })

  test('goes into marks and checkpoints once its end is known, and as long as it is at that end', () => {
    const { deliveries, owned, time } = bench()
    deliveries.assigned([start])
    const facts = () => owned.lowWaterMarks()[0]?.facts
    expect(facts()).toBeUndefined()
    deliveries.endOffset(0, 0, 7)
    time.now += 50
    expect(facts()).toEqual({ idleSince: NOW })
    expect(factsOf(owned.tasks.get(0)!.time, ['a']).partitions).toMatchObject([{ idleSince: NOW }])
    deliveries.endOffset(0, 0, 8)
    expect(facts()).toBeUndefined()
  })
})
