import { describe, expect, test } from 'vitest'
import { kafkaSource } from '../../src/kafka/kafka-source.ts'
import {
  createTopics,
  fresh,
  plainClient,
  produce,
  recordingLogger,
  sourceOptions,
  Taker,
  until,
  withSource,
} from '../../workshop/kafka-harness.ts'
import { sharedBrokers } from '../support/shared-broker.ts'

const brokers = await sharedBrokers()

const numbered = (from: number, count: number, text = '') => Array.from({ length: count }, (_, at) => `${from + at}${text}`)

async function twoTopics(partitions: number): Promise<[string, string]> {
  const topics: [string, string] = [fresh('impressions'), fresh('clicks')]
  await createTopics(brokers, topics, partitions)
  return topics
}

async function oneTopic(partitions = 1, config: Record<string, string> = {}): Promise<string> {
  const topic = fresh('topic')
  await createTopics(brokers, [topic], partitions, config)
  return topic
}

test('every record of every partition arrives once and in order', async () => {
  const topics = await twoTopics(2)
  for (let round = 0; round < 5; round++) {
    for (const topic of topics) for (const partition of [0, 1]) await produce(brokers, topic, partition, numbered(round * 100, 100))
  }
  await withSource(sourceOptions(brokers, topics), async (taker) => {
    await until('2,000 records', () => taker.count >= 2_000)
    for (const key of ['0/0', '0/1', '1/0', '1/1']) expect(taker.values(key)).toEqual(numbered(0, 500))
    expect(taker.overlaps).toBe(0)
    expect(taker.assignments.map(({ position }) => position)).toEqual([0, 0, 0, 0])
  })
})

test('records that come later arrive too, and the end offset is heard', async () => {
  const topic = await oneTopic()
  await withSource(sourceOptions(brokers, [topic]), async (taker) => {
    await until('assigned', () => taker.assignedNow.size === 1)
    await until('an end offset', () => taker.ends.get('0/0') === 0)
    await produce(brokers, topic, 0, ['a', null, 'b'])
    await until('3 records', () => taker.count === 3)
    expect(taker.values('0/0')).toEqual(['a', null, 'b'])
    await until('the new end offset', () => taker.ends.get('0/0') === 3)
  })
})

test.each([
  ['a fetch smaller than a batch', 1, 16 * 1024],
  ['fetches that cut batches off', 40, 50_000],
  ['one large fetch', 40, 4 * 1024 * 1024],
])('%s loses nothing', async (_name, batches, fetchBytesPerPartition) => {
  const topic = await oneTopic(1, { 'max.message.bytes': '4000000' })
  const perBatch = 2_000 / batches
  for (let at = 0; at < batches; at++) await produce(brokers, topic, 0, numbered(at * perBatch, perBatch, 'x'.repeat(400)))
  await withSource(sourceOptions(brokers, [topic], { fetchBytesPerPartition }), async (taker) => {
    await until('2,000 records', () => taker.count >= 2_000)
    expect(taker.values('0/0')).toEqual(numbered(0, 2_000, 'x'.repeat(400)))
  })
})

describe('a bounded run', () => {
  test('ends each partition at the end offset of its start', async () => {
    const topic = await oneTopic(2)
    await produce(brokers, topic, 0, numbered(0, 50))
    await withSource(sourceOptions(brokers, [topic], { bounded: true }), async (taker) => {
      await until('assigned', () => taker.assignedNow.size === 2)
      expect(taker.assignments.map(({ endOffset }) => endOffset).toSorted()).toEqual([0, 50])
      await produce(brokers, topic, 0, numbered(50, 50))
      await produce(brokers, topic, 1, numbered(0, 50))
      await until('50 records', () => taker.count >= 50)
      await new Promise((resolve) => setTimeout(resolve, 300))
      expect(taker.count).toBe(50)
      expect(taker.positions.get('0/1')).toBe(0)
    })
  })
})

describe('where a partition begins', () => {
  test('committed falls back to earliest', async () => {
    const topic = await oneTopic()
    await produce(brokers, topic, 0, ['a', 'b'])
    await withSource(sourceOptions(brokers, [topic]), async (taker) => {
      await until('assigned', () => taker.assignedNow.size === 1)
      const begins = { topicIndex: 0, partition: 0, position: 0, maxEventTime: undefined, endOffset: undefined }
      expect(taker.assignments).toEqual([{ ...begins, topicId: expect.stringMatching(/^[\w-]{22}$/) }])
    })
  })

  test('committed goes on at the mark, with the event time before it', async () => {
    const topic = await oneTopic()
    await produce(brokers, topic, 0, numbered(0, 10))
    const options = sourceOptions(brokers, [topic])
    await withSource(options, async (taker, source) => {
      await until('10 records', () => taker.count === 10)
      await source.commit([{ topicIndex: 0, partition: 0, offset: 4, maxEventTime: 1_700_000_000_123 }])
    })
    await withSource(options, async (taker) => {
      await until('the rest', () => taker.count === 6)
      expect(taker.assignments[0]).toMatchObject({ position: 4, maxEventTime: 1_700_000_000_123 })
      expect(taker.offsets('0/0')).toEqual([4, 5, 6, 7, 8, 9])
    })
  })

  test('offsets can be committed after stop and before close', async () => {
    const topic = await oneTopic()
    await produce(brokers, topic, 0, numbered(0, 10))
    const options = sourceOptions(brokers, [topic])
    await withSource(options, async (taker, source) => {
      await until('10 records', () => taker.count === 10)
      await source.stop()
      await produce(brokers, topic, 0, ['late'])
      await source.commit([{ topicIndex: 0, partition: 0, offset: 10, maxEventTime: undefined }])
      expect(taker.count).toBe(10)
    })
    await withSource(options, async (taker) => {
      await until('assigned', () => taker.assignedNow.size === 1)
      expect(taker.assignments[0]).toMatchObject({ position: 10, maxEventTime: undefined })
    })
  })

  test('a committed offset goes before startFrom, a reset before both; latest reads only what comes', async () => {
    const topic = await oneTopic()
    await produce(brokers, topic, 0, numbered(0, 10))
    const options = sourceOptions(brokers, [topic])
    await withSource(options, async (_taker, source) => {
      await until('assigned', () => _taker.assignedNow.size === 1)
      await source.commit([{ topicIndex: 0, partition: 0, offset: 7, maxEventTime: 1 }])
    })
    for (const startFrom of ['earliest', 'latest'] as const) {
      await withSource({ ...options, startFrom }, async (taker) => {
        await until('the rest', () => taker.count === 3)
        expect(taker.assignments[0]).toMatchObject({ position: 7, maxEventTime: 1 })
      })
    }
    await withSource({ ...options, reset: 'earliest' }, async (taker) => {
      await until('all', () => taker.count === 10)
      expect(taker.assignments[0]).toMatchObject({ position: 0, maxEventTime: undefined })
    })
    await withSource({ ...options, groupId: fresh('group'), startFrom: 'latest' }, async (taker) => {
      await until('assigned', () => taker.assignedNow.size === 1)
      await produce(brokers, topic, 0, ['new'])
      await until('one', () => taker.count === 1)
      expect(taker.values('0/0')).toEqual(['new'])
    })
  })

  test('timestamp begins at the first record of that time, or at the end when there is none', async () => {
    const topic = await oneTopic(2)
    for (const partition of [0, 1]) await produce(brokers, topic, partition, ['old'], 1_000_000)
    await produce(brokers, topic, 0, ['new'], 2_000_000)
    await withSource(sourceOptions(brokers, [topic], { startFrom: 'timestamp', startTimestamp: 1_500_000 }), async (taker) => {
      await until('one', () => taker.count === 1)
      expect(taker.values('0/0')).toEqual(['new'])
      expect(taker.assignedNow.get('0/1')?.position).toBe(1)
    })
  })
})

describe('transactions', () => {
  test('aborted records and control batches are left out, and the position passes them', async () => {
    const topic = await oneTopic()
    const transactional = (id: string) => plainClient(brokers).producer({ transactionalId: id, idempotent: true, maxInFlightRequests: 1 })
    const [one, other] = [transactional(fresh('tx')), transactional(fresh('tx'))]
    await Promise.all([one.connect(), other.connect()])
    const send = async (values: string[], end: 'commit' | 'abort', producer = one) => {
      const transaction = await producer.transaction()
      for (const value of values) await transaction.send({ topic, messages: [{ value, partition: 0 }] })
      await transaction[end]()
    }
    await send(['a1', 'a2'], 'commit')
    await send(['x1', 'x2'], 'abort')
    await send(['b1'], 'commit')
    const open = await other.transaction()
    await open.send({ topic, messages: [{ value: 'y1', partition: 0 }] })
    await send(['c1'], 'commit')
    await open.abort()
    await send(['z1', 'z2'], 'abort')
    await Promise.all([one.disconnect(), other.disconnect()])
    await withSource(sourceOptions(brokers, [topic], { bounded: true, fetchBytesPerPartition: 150 }), async (taker) => {
      await until('assigned', () => taker.assignedNow.size === 1)
      const end = taker.assignments[0]?.endOffset
      expect(end).toBe(15)
      await until('the end is reached behind the last control batch', () => taker.positions.get('0/0') === end)
      expect(taker.values('0/0')).toEqual(['a1', 'a2', 'b1', 'c1'])
    })
  })

  test('records of an open transaction lie beyond the end', async () => {
    const topic = await oneTopic()
    const producer = plainClient(brokers).producer({ transactionalId: fresh('tx'), idempotent: true, maxInFlightRequests: 1 })
    await producer.connect()
    await produce(brokers, topic, 0, ['before'])
    const transaction = await producer.transaction()
    await transaction.send({ topic, messages: [{ value: 'inside', partition: 0 }] })
    await withSource(sourceOptions(brokers, [topic]), async (taker, source) => {
      await until('the first', () => taker.count === 1)
      await source.refreshEndOffsets([{ topicIndex: 0, partition: 0 }])
      expect(taker.ends.get('0/0')).toBe(1)
      await until('what is written', () => taker.written.get('0/0') === 2)
      await transaction.commit()
      await until('the second', () => taker.count === 2)
      expect(taker.values('0/0')).toEqual(['before', 'inside'])
    })
    await producer.disconnect()
  })
})

describe('back pressure', () => {
  test('a handler that waits longer than the session timeout keeps its partitions and loses nothing', async () => {
    const topic = await oneTopic(2)
    for (const partition of [0, 1]) for (let at = 0; at < 5; at++) await produce(brokers, topic, partition, numbered(at * 20, 20))
    const taker = new Taker()
    let open: () => void = () => {}
    const gate = new Promise<void>((resolve) => {
      open = resolve
    })
    taker.gate = () => gate
    const options = sourceOptions(brokers, [topic], { sessionTimeoutMs: 6_000, fetchBytesPerPartition: 500 })
    await withSource(
      options,
      async () => {
        await until('a batch is waiting', () => taker.calls > 0)
        await new Promise((resolve) => setTimeout(resolve, 9_000))
        expect(taker.count).toBe(0)
        open()
        await until('all', () => taker.count === 200)
        expect(taker.values('0/0')).toEqual(numbered(0, 100))
        expect(taker.values('0/1')).toEqual(numbered(0, 100))
        expect(taker.assignments).toHaveLength(2)
        expect(taker.overlaps).toBe(0)
      },
      taker,
    )
  })

  test('stop waits for what is at the handler, and delivers nothing after it', async () => {
    const topic = await oneTopic()
    for (let at = 0; at < 5; at++) await produce(brokers, topic, 0, numbered(at * 20, 20))
    const taker = new Taker()
    let open: () => void = () => {}
    taker.gate = () => new Promise<void>((resolve) => (open = resolve))
    await withSource(
      sourceOptions(brokers, [topic]),
      async (_taker, source) => {
        await until('a batch is waiting', () => taker.calls === 1)
        let stopped = false
        const stopping = source.stop().then(() => {
          stopped = true
        })
        await new Promise((resolve) => setTimeout(resolve, 200))
        expect(stopped).toBe(false)
        open()
        await stopping
        await new Promise((resolve) => setTimeout(resolve, 300))
        expect(taker.calls).toBe(1)
      },
      taker,
    )
  })

  test('a handler that rejects fails the source', async () => {
    const topic = await oneTopic()
    await produce(brokers, topic, 0, ['a'])
    const taker = new Taker()
    const reason = new Error('the ring is on fire')
    taker.gate = () => Promise.reject(reason)
    await withSource(sourceOptions(brokers, [topic]), () => until('failed', () => taker.failures[0] === reason), taker)
  })
})

test('a paused partition waits, the others go on, and resume reads on without a gap', async () => {
  const topic = await oneTopic(2)
  await withSource(sourceOptions(brokers, [topic]), async (taker, source) => {
    await until('assigned', () => taker.assignedNow.size === 2)
    source.pause(0, 0)
    for (const partition of [0, 1]) for (let at = 0; at < 3; at++) await produce(brokers, topic, partition, numbered(at * 10, 10))
    await until('the other partition', () => taker.values('0/1').length === 30)
    expect(taker.values('0/0')).toEqual([])
    source.resume(0, 0)
    await until('this one too', () => taker.values('0/0').length === 30)
    expect(taker.values('0/0')).toEqual(numbered(0, 30))
  })
})

test('records deleted by retention are passed over with a warning', async () => {
  const topic = await oneTopic()
  const { logger, lines } = recordingLogger()
  await produce(brokers, topic, 0, numbered(0, 10))
  await withSource(sourceOptions(brokers, [topic], { logger }), async (taker, source) => {
    await until('the first ten', () => taker.count === 10)
    source.pause(0, 0)
    for (let at = 1; at < 3; at++) await produce(brokers, topic, 0, numbered(at * 10, 10))
    const admin = plainClient(brokers).admin()
    await admin.connect()
    await admin.fetchTopicMetadata({ topics: [topic] })
    await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '25' }] }).finally(() => admin.disconnect())
    source.resume(0, 0)
    await until('the last five', () => taker.count === 15)
    expect(taker.offsets('0/0').slice(10)).toEqual([25, 26, 27, 28, 29])
    expect(lines.some((line) => line.includes('10 to 24 are gone'))).toBe(true)
  })
})

test('a partition added later is read from its beginning without a restart', async () => {
  const topic = await oneTopic(1)
  await withSource(sourceOptions(brokers, [topic], { metadataMaxAgeMs: 300, startFrom: 'latest' }), async (taker) => {
    await until('assigned', () => taker.assignedNow.size === 1)
    const admin = plainClient(brokers).admin()
    await admin.connect()
    await admin.createPartitions({ topicPartitions: [{ topic, count: 3 }] }).finally(() => admin.disconnect())
    await produce(brokers, topic, 2, numbered(0, 5))
    await until('the new partition', () => taker.values('0/2').length === 5)
    expect(taker.assignments).toHaveLength(3)
  })
})

describe('what is not there yet', () => {
  test('a missing topic is named and waited for', async () => {
    const topic = fresh('later')
    const { logger, lines } = recordingLogger()
    const taker = new Taker()
    const source = kafkaSource(sourceOptions(brokers, [topic], { logger }))
    const started = source.start(taker)
    try {
      await until('a message', () => lines.some((line) => line.startsWith(`kafka.topics ${topic}: no such topic`)))
      await createTopics(brokers, [topic], 1)
      await produce(brokers, topic, 0, ['at last'])
      await started
      await until('the record', () => taker.count === 1)
    } finally {
      await source.close()
    }
  })

  test('a dead broker is named and waited for until the source is stopped', async () => {
    const { logger, lines } = recordingLogger()
    const source = kafkaSource(sourceOptions(['127.0.0.1:1'], ['any'], { logger }))
    const started = source.start(new Taker())
    await until('a message', () => lines.some((line) => line.startsWith('kafka.brokers 127.0.0.1:1')))
    await source.stop()
    await started
    await source.close()
  })
})
