import kafkajs from 'kafkajs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { CODEC } from '../../src/batch/codec.ts'
import { compress } from '../../src/batch/compress.ts'
import { decompress } from '../../src/batch/decompress.ts'
import { createTopics, fresh, plainClient, produce, sourceOptions, until, withSource } from '../../workshop/kafka-harness.ts'
import { sharedBrokers } from '../support/shared-broker.ts'

const { CompressionCodecs, CompressionTypes, Partitioners } = kafkajs
const gzipBefore = CompressionCodecs[CompressionTypes.GZIP]
let brokers: string[]

beforeAll(async () => {
  brokers = await sharedBrokers()
  for (const [type, codec] of [
    [CompressionTypes.GZIP, CODEC.gzip],
    [CompressionTypes.Snappy, CODEC.snappy],
    [CompressionTypes.LZ4, CODEC.lz4],
    [CompressionTypes.ZSTD, CODEC.zstd],
  ] as const) {
    CompressionCodecs[type] = () => ({
      compress: async ({ buffer }: { buffer: Buffer }) => Buffer.from(compress(codec, buffer)),
      decompress: async (bytes: Buffer) => Buffer.from(decompress(codec, bytes, 2 ** 26) ?? []),
    })
  }
})
afterAll(() => {
  CompressionCodecs[CompressionTypes.GZIP] = gzipBefore
})

const values = Array.from(
  { length: 3_000 },
  (_, at) => `{"product_id":"p-${at % 50}","n":${at},"noise":"${Math.imul(at, 2654435761) >>> 0}"}`,
)

async function readBack(topic: string): Promise<void> {
  await withSource(sourceOptions(brokers, [topic]), async (taker) => {
    await until('all', () => taker.count >= values.length)
    expect(taker.values('0/0')).toEqual(values)
  })
}

describe.each([
  ['gzip', CompressionTypes.GZIP],
  ['snappy', CompressionTypes.Snappy],
  ['lz4', CompressionTypes.LZ4],
  ['zstd', CompressionTypes.ZSTD],
])('%s', (name, type) => {
  test('what the broker compressed, we read', async () => {
    const topic = fresh(name)
    await createTopics(brokers, [topic], 1, { 'compression.type': name })
    await produce(brokers, topic, 0, values)
    await readBack(topic)
  })

  test('what we compressed, the broker reads: it compresses anew with another codec', async () => {
    const topic = fresh(name)
    await createTopics(brokers, [topic], 1, { 'compression.type': name === 'gzip' ? 'lz4' : 'gzip' })
    const producer = plainClient(brokers).producer({ createPartitioner: Partitioners.DefaultPartitioner })
    await producer.connect()
    await producer.send({ topic, compression: type, messages: values.map((value) => ({ value, partition: 0 })) })
    await producer.disconnect()
    await readBack(topic)
  })
})
