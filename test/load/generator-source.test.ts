import { describe, expect, test } from 'vitest'
import { GENERATE_DEFAULTS } from '../../src/load/generate.ts'
import { partitionOf } from '../../src/load/generated-partitions.ts'
import { type GeneratorSourceOptions, generatorSource } from '../../src/load/generator-source.ts'
import { runOracle, sumLedgers } from '../../workshop/oracle.ts'
import { CollectingHandler } from '../support/collecting-handler.ts'

const START = 1_659_304_800_000

const BOUNDED: GeneratorSourceOptions = {
  ...GENERATE_DEFAULTS,
  topics: 2,
  partitions: 3,
  rate: 0,
  count: 20_000,
  batchBytes: 16 * 1024,
  startTime: START,
  eventRate: 1000,
  clock: Date.now,
}

async function runBounded(options: Partial<GeneratorSourceOptions> = {}, handler = new CollectingHandler()): Promise<CollectingHandler> {
  const source = generatorSource({ ...BOUNDED, ...options })
  await source.start(handler)
  await handler.ended()
  await source.stop()
  await source.close()
  return handler
}

function contents(handler: CollectingHandler): string[] {
  return [...handler.records].map(([name, records]) => {
    return `${name} ${records.map(({ timestamp, key, value }) => `${timestamp} ${key} ${value}`).join('\n')}`
  })
}

describe('a bounded run', () => {
  test('delivers exactly the count, then tells each end offset once', async () => {
    const handler = await runBounded()
    expect(handler.failures).toEqual([])
    expect(handler.partitions.map(({ topicIndex, partition, position }) => [topicIndex, partition, position])).toEqual([
      [0, 0, 0],
      [0, 1, 0],
      [0, 2, 0],
      [1, 0, 0],
      [1, 1, 0],
      [1, 2, 0],
    ])
    const lengths = [...handler.records.values()].map((records) => records.length)
    expect(lengths.reduce((sum, length) => sum + length, 0)).toBe(20_000)
    expect([...handler.endOffsets.values()]).toEqual(lengths.map((length) => [length]))
  })

  test.each([0, 50_000])(
    'puts impressions and clicks in their topics, products in the partition of their key, %i new ones a minute',
    async (productsPerMinute) => {
      const handler = await runBounded({ productsPerMinute })
      for (const [name, records] of handler.records) {
        const [topicIndex, partition] = name.split('/').map(Number)
        for (const { key, value } of records) {
          const event = JSON.parse(value?.toString() ?? '')
          expect(event.event_type).toBe(topicIndex === 0 ? 'impression' : 'click')
          expect(event.product_id).toBe(key?.toString())
          expect(partitionOf(key ?? Buffer.alloc(0), 3)).toBe(partition)
        }
      }
    },
  )

  test('gives the same events in every partition whatever the batch size and pacing', async () => {
    const options = { lateShare: 0.05, invalidShare: 0.02, count: 3000 }
    const expected = contents(await runBounded(options))
    expect(contents(await runBounded({ ...options, batchBytes: 1024 }))).toEqual(expected)
    expect(contents(await runBounded({ ...options, rate: 20_000 }))).toEqual(expected)
    expect(contents(await runBounded({ ...options, seed: 2 }))).not.toEqual(expected)
    const moving = { ...options, productsPerMinute: 50_000 }
    expect(contents(await runBounded({ ...moving, rate: 20_000 }))).toEqual(contents(await runBounded(moving)))
  })

  test('has late and invalid events in about the shares asked for, by the oracle', async () => {
    const handler = await runBounded({ lateShare: 0.05, invalidShare: 0.02, count: 60_000 })
    const { read, counted, late, invalid } = sumLedgers(runOracle(handler.oraclePartitions(['i', 'c'])).ledgers.values())
    expect(read).toBe(60_000)
    expect(counted + late + Object.values(invalid).reduce((sum, count) => sum + count, 0)).toBe(read)
    expect(late / read).toBeGreaterThan(0.02)
    expect(late / read).toBeLessThan(0.06)
    expect((read - counted - late) / read).toBeCloseTo(0.02, 2)
  })

  test('waits while a batch is not taken, and delivers all in the end', async () => {
    const handler = new CollectingHandler()
    handler.onBatch = () => new Promise((resolve) => setTimeout(resolve, 1))
    await runBounded({}, handler)
    expect([...handler.records.values()].reduce((sum, records) => sum + records.length, 0)).toBe(20_000)
  })

  test('goes on with the other partitions while one is paused, and gives it nothing', async () => {
    const handler = new CollectingHandler()
    const source = generatorSource(BOUNDED)
    source.pause(0, 1)
    await source.start(handler)
    const others = () => [...handler.records].filter(([name]) => name !== '0/1').every(([, records]) => records.length > 0)
    await handler.until(others)
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(handler.records.get('0/1')).toEqual([])
    source.resume(0, 1)
    await handler.ended()
    expect([...handler.records.values()].reduce((sum, records) => sum + records.length, 0)).toBe(20_000)
    await source.close()
  })

  test('tells a partition that no product belongs to its end at once', async () => {
    const handler = await runBounded({ products: 1, clickShare: 0 })
    const empty = [...handler.records].filter(([, records]) => records.length === 0).map(([name]) => name)
    expect(empty.length).toBe(5)
    for (const name of empty) expect(handler.endOffsets.get(name)).toEqual([0])
  })

  test('can put all events in one topic', async () => {
    const handler = await runBounded({ topics: 1, partitions: 1, count: 5000 })
    expect([...handler.records.keys()]).toEqual(['0/0'])
    const types = new Set(handler.records.get('0/0')?.map(({ value }) => JSON.parse(value?.toString() ?? '').event_type))
    expect([...types].sort()).toEqual(['click', 'impression'])
  })
})

describe('an unbounded run', () => {
  const endless = { ...BOUNDED, count: undefined, startTime: undefined, eventRate: undefined }

  test('keeps to its rate, makes events at the time of the clock and tells end offsets as it goes', async () => {
    const handler = new CollectingHandler()
    const source = generatorSource({ ...endless, rate: 5000, disorderMs: 1000 })
    const began = Date.now()
    await source.start(handler)
    const total = () => [...handler.records.values()].reduce((sum, records) => sum + records.length, 0)
    await handler.until(() => total() >= 1000)
    const took = Date.now() - began
    await source.stop()
    // 1,000 events are due after 200 ms; a slow machine may take longer, a broken pace would take nothing.
    expect(took).toBeGreaterThanOrEqual(150)
    for (const { timestamp, value } of [...handler.records.values()].flat()) {
      const age = timestamp - JSON.parse(value?.toString() ?? '').timestamp
      expect(timestamp).toBeGreaterThanOrEqual(began)
      expect(age >= 0 && age <= 1000).toBe(true)
    }
    for (const [name, records] of handler.records) expect(handler.endOffsets.get(name)?.at(-1)).toBe(records.length)
  })

  test.each([0, 50_000_000])('leaves timers their turn at a rate of %i, even when batches are taken at once', async (rate) => {
    const handler = new CollectingHandler()
    const source = generatorSource({ ...endless, rate, products: 10 })
    const ignore = () => {}
    const taking = { batch: () => undefined, endOffset: ignore, assigned: ignore, revoked: ignore, skipped: ignore, corrupt: ignore }
    await source.start({ ...taking, failed: (error) => handler.failed(error) })
    const began = Date.now()
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(Date.now() - began).toBeLessThan(1000)
    await source.stop()
    expect(handler.failures).toEqual([])
  })

  test('delivers nothing after stop has resolved', async () => {
    const handler = new CollectingHandler()
    const source = generatorSource({ ...endless, rate: 0 })
    await source.start(handler)
    await handler.until(() => handler.batches > 5)
    await source.stop()
    const batches = handler.batches
    await new Promise((resolve) => setTimeout(resolve, 30))
    expect(handler.batches).toBe(batches)
  })

  test('stops while every partition is paused', async () => {
    const handler = new CollectingHandler()
    const source = generatorSource({ ...endless, rate: 0 })
    for (const topicIndex of [0, 1]) for (const partition of [0, 1, 2]) source.pause(topicIndex, partition)
    await source.start(handler)
    await new Promise((resolve) => setTimeout(resolve, 30))
    await source.stop()
    expect(handler.batches).toBe(0)
  })

  test('answers a wish for fresh end offsets with what it has delivered', async () => {
    const handler = new CollectingHandler()
    const source = generatorSource({ ...endless, rate: 2000 })
    await source.start(handler)
    await handler.until(() => (handler.records.get('0/0')?.length ?? 0) > 0)
    await source.stop()
    await source.refreshEndOffsets([{ topicIndex: 0, partition: 0 }])
    expect(handler.endOffsets.get('0/0')?.at(-1)).toBe(handler.records.get('0/0')?.length)
  })

  test('hands a failure of the handler on as the reason it can not go on', async () => {
    const handler = new CollectingHandler()
    handler.onBatch = () => Promise.reject(new Error('no more'))
    const source = generatorSource(BOUNDED)
    await source.start(handler)
    await handler.until(() => handler.failures.length > 0)
    expect(String(handler.failures[0])).toContain('no more')
    await source.close()
  })
})
