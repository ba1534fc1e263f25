import { describe, expect, test } from 'vitest'
import { EventBlocks } from '../../src/ingest/event-blocks.ts'
import { Ingest } from '../../src/ingest/ingest.ts'
import { Intake } from '../../src/ingest/intake.ts'
import { BLOCK, createRing } from '../../src/ring/layout.ts'
import { RingReader } from '../../src/ring/ring-reader.ts'
import { RingWriter } from '../../src/ring/ring-writer.ts'
import type { Source } from '../../src/source/source.ts'
import { encodeBatch, RULES } from '../../workshop/memory-run.ts'

const NOW = 1_700_000_000_000

function bench(bounded = false) {
  const ring = createRing(4096)
  const writers = [new RingWriter(ring)]
  const rules = { ...RULES, idleTimeout: 100, maxDrift: 10_000 }
  const letters = { full: false, reject: () => {} }
  const time = { now: NOW }
  const asked: string[] = []
  const intake = new Intake({
    rules,
    topics: ['a', 'b'],
    stateTtl: 1000,
    sweepsPerRound: 1,
    bounded,
    writers,
    ingest: new Ingest(rules, ['a', 'b'], new EventBlocks(writers), letters),
    lettersRoom: async () => {},
    ringRoom: (worker) => writers[worker]!.waitRoomAsync(1000),
    begin: async () => new Map(),
    clock: () => time.now,
    onFailed: () => {},
  })
  const note = (kind: string) => (topicIndex: number) => void asked.push(`${kind} ${topicIndex}`)
  intake.bind({
    pause: note('pause'),
    resume: note('resume'),
    refreshEndOffsets: async (partitions) => void asked.push(`ends of ${partitions.map(({ topicIndex }) => topicIndex)}`),
  } as Partial<Source> as Source)
  const reader = new RingReader(ring)
  const kinds = () => {
    const seen: string[] = []
    const names = Object.fromEntries(Object.entries(BLOCK).map(([name, number]) => [number, name]))
    while (reader.next()) seen.push(`${names[reader.kind]} ${reader.task}`)
    reader.release()
    return seen
  }
  const assign = (topicIndex: number, partition: number, endOffset?: number) =>
    intake.assigned([{ topicIndex, partition, position: 0, maxEventTime: undefined, endOffset }])
  const feed = (topicIndex: number, offset: number, at: number, partition = 0) => {
    const value = Buffer.from(`{"user_id":"u","product_id":"p","event_type":"click","timestamp":${at}}`)
    const bytes = new Uint8Array(encodeBatch([{ topic: 'a', partition, offset, recordTimestamp: at, value }]))
    return intake.batch({ topicIndex, partition, bytes, start: 0, end: bytes.length })
  }
  return { intake, writers, time, asked, kinds, assign, feed }
}

describe('a task that has left', () => {
  test('is dropped once in the workers, however many wait to tell them', async () => {
    const { intake, writers, kinds, assign, feed } = bench()
    assign(0, 0)
    assign(0, 1)
    assign(0, 2)
    while (writers[0]!.tryPut(BLOCK.tick, 9)) {}
    intake.revoked([1, 2].map((partition) => ({ topicIndex: 0, partition })))
    const waiting = [intake.maintain(), feed(0, 0, NOW), feed(0, 1, NOW + 1)]
    await new Promise(setImmediate)
    kinds()
    await Promise.all(waiting)
    expect(kinds().filter((kind) => kind.startsWith('drop'))).toEqual(['drop 1', 'drop 2'])
  })

  test('and could not be told of before the run was stopped holds no delivery up', async () => {
    const { intake, writers, assign, feed } = bench()
    assign(0, 0)
    assign(0, 1)
    while (writers[0]!.tryPut(BLOCK.tick, 9)) {}
    intake.revoked([{ topicIndex: 0, partition: 1 }])
    intake.stop()
    await feed(0, 0, NOW)
    expect(intake.partitions[0]).toMatchObject({ read: 0 })
  })

  test('ends a bounded run when what is left has ended', async () => {
    const { intake } = bench(true)
    intake.assigned([0, 1].map((partition) => ({ topicIndex: 0, partition, position: 0, maxEventTime: undefined, endOffset: partition })))
    let ended = false
    void intake.ended.then(() => {
      ended = true
    })
    await new Promise(setImmediate)
    expect(ended).toBe(false)
    intake.revoked([{ topicIndex: 0, partition: 1 }])
    await new Promise(setImmediate)
    expect(ended).toBe(true)
  })
})

describe('an idle partition', () => {
  const idle = async () => {
    const made = bench()
    made.intake.assigned(
      [0, 1].map((topicIndex) => ({ topicIndex, partition: 0, position: 0, maxEventTime: undefined, endOffset: undefined })),
    )
    made.time.now += 200
    made.intake.endOffset(0, 0, 0)
    await made.feed(1, 0, NOW)
    await made.intake.maintain()
    expect(made.intake.partitions.map((partition) => partition.idle)).toEqual([true, false])
    return made
  }

  test('awakes when the broker says that there is more', async () => {
    const { intake } = await idle()
    intake.endOffset(0, 0, 1)
    expect(intake.partitions[0]).toMatchObject({ idle: false })
  })

  test('awakes when it is paused, because nothing can be heard from it then', async () => {
    const { intake, feed, asked } = await idle()
    intake.partitions[0]!.maxEventTime = NOW + 50_000
    await feed(1, 1, NOW + 1)
    expect(asked).toContain('pause 0')
    expect(intake.partitions[0]).toMatchObject({ paused: true, idle: false })
  })

  test('is asked about again and again, and is not idle any more when nobody answers', async () => {
    const { intake, time, asked } = await idle()
    time.now += 2000
    await intake.maintain()
    expect(asked.some((one) => one.startsWith('ends of 0'))).toBe(true)
    time.now += 20_000
    await intake.maintain()
    expect(intake.partitions[0]).toMatchObject({ idle: false })
  })
})

test('after the process stood still, nobody is idle by what was heard before', async () => {
  const { intake, time, assign } = bench()
  assign(0, 0)
  await intake.maintain()
  time.now += 60_000
  intake.endOffset(0, 0, 0) // a response that had waited in the socket
  await intake.maintain()
  expect(intake.partitions[0]!.idle).toBe(false)
  time.now += 150
  intake.endOffset(0, 0, 0)
  await intake.maintain()
  expect(intake.partitions[0]!.idle).toBe(true)
})
