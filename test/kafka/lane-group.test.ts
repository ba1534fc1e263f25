import type { Cluster } from 'kafkajs'
import { pino } from 'pino'
import { describe, expect, test, vi } from 'vitest'
import { walkBatches } from '../../src/batch/record-batches.ts'
import type { FetchedRecords } from '../../src/kafka/fetch-response.ts'
import { FramePool } from '../../src/kafka/frame-pool.ts'
import type { Lane } from '../../src/kafka/lane.ts'
import { LaneGroup, type LaneGroupOptions } from '../../src/kafka/lane-group.ts'
import type { AssignedPartition, RecordBatches, SourceHandler } from '../../src/source/source.ts'
import { batchBytes } from '../support/batch-bytes.ts'

interface Log {
  earliest: number
  latest: number
  committed: number
  metadata?: string
}

/** A lane group between a pretended consumer and a handler that writes down what happens, in order. */
function bench(log: Log, options: Partial<LaneGroupOptions> = {}) {
  const events: string[] = []
  const failures: unknown[] = []
  const assignments: AssignedPartition[] = []
  let answer: ((batches: RecordBatches) => Promise<void> | undefined) | undefined
  const handler: SourceHandler = {
    assigned: (list) => {
      assignments.push(...list)
      events.push(`assigned ${list.map(({ partition, position }) => `${partition}@${position}`)}`)
    },
    revoked: (list) => void events.push(`revoked ${list.map(({ partition }) => partition)}`),
    batch: (batches) => {
      const bytes = Buffer.from(batches.bytes)
      const { spans } = walkBatches(bytes, batches.start, batches.end, [])
      events.push(`batch ${batches.partition}: ${spans[0]?.baseOffset}-${spans.at(-1)?.nextOffset}`)
      return answer?.(batches)
    },
    skipped: (_topic, partition, position) => void events.push(`skipped ${partition}@${position}`),
    corrupt: ({ partition }, position) => void events.push(`corrupt ${partition}@${position}`),
    endOffset: () => {},
    failed: (error) => void failures.push(error),
  }
  const list = (fromBeginning: boolean) => String(fromBeginning ? log.earliest : log.latest)
  const cluster = {
    findGroupCoordinator: async () => ({
      offsetFetch: async ({ topics }: { topics: { topic: string; partitions: { partition: number }[] }[] }) => ({
        responses: topics.map(({ topic, partitions }) => ({
          topic,
          partitions: partitions.map(({ partition }) => ({ partition, offset: String(log.committed), metadata: log.metadata })),
        })),
      }),
    }),
    fetchTopicsOffset: async (topics: { topic: string; partitions: { partition: number }[]; fromBeginning: boolean }[]) =>
      topics.map(({ topic, partitions, fromBeginning }) => ({
        topic,
        partitions: partitions.map(({ partition }) => ({ partition, offset: list(fromBeginning) })),
      })),
    refreshMetadata: async () => {},
  } as unknown as Cluster
  const group = new LaneGroup(
    { groupId: 'g', topics: ['t'], startFrom: 'committed', bounded: false, logger: pino({ level: 'silent' }), ...options },
    {
      handler,
      cluster: () => cluster,
      seek: (lane: Lane, offset) => void events.push(`seek ${lane.partition}@${offset}`),
      hold: (lane: Lane, held) => void events.push(`${held ? 'hold' : 'free'} ${lane.partition}`),
    },
    new Map([['t', 2]]),
  )
  const take = (partition: number, fetchedOffset: number, bytes: Buffer, frame?: FetchedRecords['frame'], generation = 0) => {
    const value: FetchedRecords = { bytes, walk: walkBatches(bytes, 0, bytes.length, []), frame, generation }
    return group.take({ topic: 't', partition, fetchedOffset: String(fetchedOffset), rawMessages: [{ value }] } as never)
  }
  const settle = () => new Promise((resolve) => setTimeout(resolve, 20))
  const since = () => events.splice(0)
  return { group, take, settle, since, failures, assignments, wait: (to: typeof answer) => (answer = to) }
}

const ten = (from: number, magic = 2) => batchBytes({ baseOffset: from, count: 10, magic })

async function joined(log: Log, options: Partial<LaneGroupOptions> = {}) {
  const all = bench(log, options)
  all.group.joined({ t: [0] })
  await all.settle()
  all.since()
  return all
}

test('a new lane is held until its position is known, then seeked, handed over and freed', async () => {
  const { group, settle, since, assignments } = bench({ earliest: 0, latest: 50, committed: 20, metadata: '{"v":1,"maxEventTime":99}' })
  group.joined({ t: [0] })
  expect(since()).toEqual(['hold 0'])
  await settle()
  expect(since()).toEqual(['seek 0@20', 'assigned 0@20', 'free 0'])
  expect(assignments[0]?.maxEventTime).toBe(99)
})

test('a lane that stays over a rebalance is seeked back to where it is, not to what is committed', async () => {
  const { group, take, since } = await joined({ earliest: 0, latest: 50, committed: 0 })
  await take(0, 0, ten(0))
  group.joined({ t: [0] })
  expect(since()).toEqual(['batch 0: 0-10', 'seek 0@10', 'free 0'])
})

test('what was handed over already is left out, and a response that begins too far ahead is not taken', async () => {
  const { take, since } = await joined({ earliest: 0, latest: 50, committed: 0 })
  await take(0, 0, ten(0))
  await take(0, 0, Buffer.concat([ten(0), ten(10)]))
  await take(0, 30, ten(30))
  expect(since()).toEqual(['batch 0: 0-10', 'batch 0: 10-20', 'seek 0@20'])
})

test('a response whose memory has been given to another is not taken', async () => {
  const { take, since } = await joined({ earliest: 0, latest: 50, committed: 0 })
  const frame = new FramePool().take(100_000)!
  frame.release()
  await take(0, 0, ten(0), frame, 0)
  expect(since()).toEqual(['seek 0@0'])
})

test('the frame is kept until the handler is done with it', async () => {
  const { take, wait } = await joined({ earliest: 0, latest: 50, committed: 0 })
  const frame = new FramePool().take(100_000)!
  let open: () => void = () => {}
  let handed = false
  wait(() => {
    handed = true
    return new Promise((resolve) => (open = resolve))
  })
  const taking = take(0, 0, ten(0), frame, 0)
  frame.release()
  await vi.waitFor(() => expect(handed).toBe(true)) // it is handed over a turn later
  expect(frame.generation).toBe(0)
  open()
  await taking
  expect(frame.generation).toBe(1)
})

test('a handler that takes long lets kafkajs go, holds the lane, and frees it when it is done', async () => {
  const { take, wait, since, settle } = await joined({ earliest: 0, latest: 50, committed: 0 })
  let open: () => void = () => {}
  wait(() => new Promise((resolve) => (open = resolve)))
  const startedAt = performance.now()
  await take(0, 0, ten(0))
  expect(performance.now() - startedAt).toBeLessThan(3_000)
  expect(since()).toEqual(['batch 0: 0-10', 'hold 0'])
  open()
  await settle()
  expect(since()).toEqual(['free 0'])
})

test('a lane that leaves and returns waits for what it still has at the handler', async () => {
  const { group, take, wait, since, settle } = await joined({ earliest: 0, latest: 50, committed: 0 })
  let open: () => void = () => {}
  wait(() => new Promise((resolve) => (open = resolve)))
  await take(0, 0, ten(0))
  group.joined({})
  group.joined({ t: [0] })
  await settle()
  expect(since().filter((event) => !event.startsWith('hold'))).toEqual(['batch 0: 0-10', 'revoked 0', 'assigned '])
  open()
  await settle()
  expect(since()).toContain('assigned 0@0')
})

test('a bounded lane stops at its end, in the middle of a response too', async () => {
  const { take, since } = await joined({ earliest: 0, latest: 15, committed: 0 }, { bounded: true })
  await take(0, 0, Buffer.concat([ten(0), ten(10), ten(20)]))
  expect(since()).toEqual(['batch 0: 0-20', 'hold 0'])
})

describe('a batch that cannot be framed', () => {
  test('fails the source with topic, partition, offset and remedy', async () => {
    const { take, since, failures } = await joined({ earliest: 0, latest: 50, committed: 0 })
    await take(0, 0, ten(0, 7))
    expect(failures).toMatchObject([
      { code: 'CTR_KAFKA_CORRUPT_BATCH', message: expect.stringContaining('topic t, partition 0, offset 0') },
    ])
    expect(String(failures[0])).toContain('kafka.onCorruptBatch: skip')
    expect(since()).toEqual(['hold 0'])
  })

  test('is handed over as corrupt when asked for: up to the batch behind it, or by one offset when there is none', async () => {
    const { take, since, failures } = await joined({ earliest: 0, latest: 50, committed: 0 }, { onCorruptBatch: 'skip' })
    await take(0, 0, Buffer.concat([ten(0, 7), ten(10)]))
    expect(since()).toEqual(['seek 0@10', 'corrupt 0@10'])
    await take(0, 10, ten(10, 7))
    expect(since()).toEqual(['seek 0@11', 'corrupt 0@11'])
    expect(failures).toEqual([])
  })
})

describe('an offset out of range', () => {
  test('because of retention: the gap is passed over', async () => {
    const log = { earliest: 0, latest: 50, committed: 5 }
    const { group, since, settle } = await joined(log)
    log.earliest = 30
    group.outOfRange('t', 0)
    await settle()
    expect(since()).toEqual(['hold 0', 'skipped 0@30', 'seek 0@30', 'free 0'])
  })

  test('because the topic is another one: the lane is handed over anew from its beginning', async () => {
    const log = { earliest: 0, latest: 50, committed: 40 }
    const { group, since, settle } = await joined(log)
    log.latest = 3
    group.outOfRange('t', 0)
    await settle()
    expect(since()).toEqual(['hold 0', 'revoked 0', 'hold 0', 'seek 0@0', 'assigned 0@0', 'free 0'])
  })
})

test('a partition that came after the start is read whole, whatever startFrom says', async () => {
  const { group, settle, assignments } = bench({ earliest: 3, latest: 50, committed: -1 }, { startFrom: 'latest' })
  group.joined({ t: [1, 2] })
  await settle()
  expect(assignments.map(({ partition, position }) => [partition, position])).toEqual([
    [1, 50],
    [2, 3],
  ])
})

describe('a task is one thing', () => {
  const log = { earliest: 0, latest: 50, committed: 10, metadata: '{"v":1}' }
  const both = async () => {
    const all = bench(log, { topics: ['t', 'u'] })
    all.group.joined({ t: [0, 1], u: [0, 1] })
    await all.settle()
    all.since()
    return all
  }

  test('one partition that goes takes the others of its number with it; they come again', async () => {
    const { group, settle, since } = await both()
    group.joined({ t: [0, 1], u: [1] })
    expect(since().filter((line) => line.startsWith('revoked'))).toEqual(['revoked 0,0'])
    await settle()
    expect(since().filter((line) => line.startsWith('assigned'))).toEqual(['assigned 0@10'])
  })

  test('one that comes makes the others begin again with it', async () => {
    const { group, settle, since } = await both()
    group.joined({ t: [0, 1], u: [1] })
    await settle()
    since()
    group.joined({ t: [0, 1], u: [0, 1] })
    await settle()
    const said = since()
    expect(said.filter((line) => /^(revoked|assigned)/.test(line))).toEqual(['revoked 0', 'assigned 0@10,0@10'])
  })

  test('an offset out of range takes the whole task back', async () => {
    const { group, settle, since } = await both()
    const before = log.latest
    log.latest = 3
    group.outOfRange('u', 0)
    await settle()
    log.latest = before
    expect(since().filter((line) => /^(revoked|assigned)/.test(line))).toEqual(['revoked 0,0', 'assigned 0@0,0@0'])
  })

  test('lanes that leave while they are being restored are let go of before they are restored again', async () => {
    const { group, settle, since } = bench(log)
    group.joined({ t: [0] })
    group.joined({})
    group.joined({ t: [0] })
    await settle()
    expect(since().filter((line) => /^(revoked|assigned 0)/.test(line))).toEqual(['assigned 0@10'])
  })
})
