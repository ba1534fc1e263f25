import { crc32 } from 'node:zlib'
import { describe, expect, test, vi } from 'vitest'
import { FramePool } from '../../src/kafka/frame-pool.ts'

import { bench, joined, type Log, ten } from '../support/lane-bench.ts'

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

test('what the handler gives back is fetched again from there, and nothing of the response goes on; its memory is free', async () => {
  const { group, take, wait, since, settle } = await joined({ earliest: 0, latest: 50, committed: 0 })
  const frame = new FramePool().take(100_000)!
  let open: () => void = () => {}
  wait(() => new Promise((resolve) => (open = resolve)))
  await take(0, 0, Buffer.concat([ten(0), ten(10)]), frame, 0)
  frame.release()
  group.setPaused(0, 0, true)
  group.rewind(0, 0, 4)
  expect(frame.generation).toBe(0)
  open()
  await settle()
  expect(frame.generation).toBe(1)
  expect(since()).toEqual(['batch 0: 0-20', 'hold 0', 'seek 0@4'])
  wait(undefined)
  // What was on its way is not taken; a response from there on is, whole batches as brokers give them.
  await take(0, 20, ten(20))
  expect(since()).toEqual(['seek 0@4'])
  group.setPaused(0, 0, false)
  await take(0, 4, Buffer.concat([ten(0), ten(10)]))
  expect(since()).toEqual(['free 0', 'batch 0: 0-20'])
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

  test.each(['stop', 'skip'] as const)(
    'of a format before 0.11 that can not be unpacked ends the source with what it is and what to do, also with %s',
    async (onCorruptBatch) => {
      const { take, since, failures } = await joined({ earliest: 0, latest: 50, committed: 0 }, { onCorruptBatch })
      // | offset | length | CRC | magic 1, attributes 0, a timestamp, no key, no value
      const body = Buffer.alloc(18)
      body[0] = 1
      body.fill(255, 10)
      const message = Buffer.concat([Buffer.from([0, 0, 0, 0, 0, 0, 0, 7]), Buffer.from([0, 0, 0, 4 + body.length]), Buffer.alloc(4), body])
      message.writeUInt32BE(crc32(body), 12)
      await take(0, 0, message)
      expect(failures).toMatchObject([
        {
          code: 'CTR_KAFKA_OLD_FORMAT',
          message: expect.stringMatching(/topic t, partition 0, offset 7: messages of format 1, .*copy the topic/),
        },
      ])
      expect(since().filter((event) => event.startsWith('corrupt'))).toEqual([])
    },
  )

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

describe('a topic that was made again', () => {
  const ids = { old: 'vPeOCWypqUOSepEvx0cbog', made: 'AAAAAAAAAAAAAAAAAAAAAQ' }
  const told = ['hold 0', `read t by ${ids.made}`, `replaced 0@0 ${ids.made} 1`, 'seek 0@0', 'free 0']

  test('a fetch by the old id is refused: the lane goes on at the beginning of the new one, and its task stays', async () => {
    const log: Log = { earliest: 0, latest: 50, committed: 40, topicId: ids.old }
    const { group, since, settle } = await joined(log)
    Object.assign(log, { topicId: ids.made, latest: 70 })
    group.otherTopic('t', 0)
    await settle()
    expect(since()).toEqual(told)
  })

  test('records of the old one that are still on their way are not taken for those of the new one', async () => {
    const log: Log = { earliest: 0, latest: 50, committed: 0, topicId: ids.old }
    const { group, since, settle, take, ends } = await joined(log)
    Object.assign(log, { topicId: ids.made })
    group.otherTopic('t', 0)
    await settle()
    since()
    await take(0, 0, ten(0), undefined, 0, ids.old)
    expect(since().filter((event) => event.startsWith('batch'))).toEqual([])
    group.endOffset('t', 0, 900, 900, ids.old)
    expect(ends.at(-1)).toBe(50)
    await settle()
    await take(0, 0, ten(0), undefined, 0, ids.made)
    expect(since().filter((event) => event.startsWith('batch'))).toEqual(['batch 0: 0-10'])
  })

  test('and it is found out where fetches do not tell', async () => {
    const log: Log = { earliest: 0, latest: 50, committed: 40, topicId: ids.old }
    const { group, since, settle } = await joined(log)
    await group.checkTopics()
    expect(since()).toEqual([])
    log.topicId = ids.made
    await group.checkTopics()
    await settle()
    expect(since()).toEqual(told)
  })

  test('a mark of the old one does not count for it', async () => {
    const metadata = `{"v":1,"maxEventTime":99,"facts":{"topicId":"${ids.old}"}}`
    const { group, settle, assignments } = bench({ earliest: 3, latest: 50, committed: 20, metadata, topicId: ids.made })
    group.joined({ t: [0] })
    await settle()
    expect(assignments).toMatchObject([{ position: 3, topicId: ids.made, remade: 1, loss: expect.stringContaining('made again') }])
    expect(assignments[0]?.maxEventTime).toBeUndefined()
  })

  test('a refused fetch of the same topic is tried again: not every broker has heard of it', async () => {
    const { group, since, settle } = await joined({ earliest: 0, latest: 50, committed: 40, topicId: ids.old })
    group.otherTopic('t', 0)
    await new Promise((resolve) => setTimeout(resolve, 300))
    await settle()
    expect(since()).toEqual(['hold 0', `read t by ${ids.old}`, 'seek 0@40', 'free 0'])
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

describe('without a committed offset, startFrom: latest', () => {
  test('holds where it was first looked up, until something is committed', async () => {
    const log: Log = { earliest: 0, latest: 50, committed: -1 }
    const { group, settle, assignments } = bench(log, { startFrom: 'latest' })
    const again = async () => {
      group.joined({})
      group.joined({ t: [0] })
      await settle()
      return assignments.at(-1)?.position
    }
    expect(await again()).toBe(50)
    log.latest = 70
    expect(await again()).toBe(50)
    log.committed = 60
    expect(await again()).toBe(60)
  })

  test('is not for a partition that has come since the group began with the topic', async () => {
    const log: Log = { earliest: 0, latest: 50, committed: (partition) => (partition === 0 ? 40 : -1) }
    const { group, settle, assignments } = bench(log, { startFrom: 'latest' })
    group.joined({ t: [1] })
    await settle()
    expect(assignments[0]?.position).toBe(0)
  })
})

test('a reset counts for the first lanes only; later ones go on from what is committed', async () => {
  const { group, settle, assignments } = bench({ earliest: 3, latest: 50, committed: 20 }, { reset: 'earliest' })
  group.joined({ t: [0] })
  await settle()
  group.joined({ t: [0, 1] })
  await settle()
  expect(assignments.map(({ partition, position }) => [partition, position])).toEqual([
    [0, 3],
    [1, 20],
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
