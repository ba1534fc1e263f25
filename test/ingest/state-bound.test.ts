import { describe, expect, test } from 'vitest'
import { sleep } from '../../src/clock.ts'
import { Degradations } from '../../src/degraded.ts'
import { CtrError } from '../../src/errors.ts'
import { formatsOf, PLAIN_JSON } from '../../src/format/format.ts'
import { EventBlocks } from '../../src/ingest/event-blocks.ts'
import { createInflow, type InflowOptions } from '../../src/ingest/inflow.ts'
import { Ingest, type IngestRules } from '../../src/ingest/ingest.ts'
import { StateBound } from '../../src/ingest/state-bound.ts'
import { ProductBudget, productCost } from '../../src/products/product-budget.ts'
import { ProductRule } from '../../src/products/product-rule.ts'
import { createRing } from '../../src/ring/layout.ts'
import { RingReader } from '../../src/ring/ring-reader.ts'
import { RingWriter } from '../../src/ring/ring-writer.ts'
import { namesIn } from '../../src/source/source.ts'
import { encodeBatch, RULES, runInMemory } from '../../workshop/memory-run.ts'
import { takenBack } from '../../workshop/take-back.ts'

const NOW = 1_700_000_000_000
const MINUTE = 60_000

function bench(options: Partial<InflowOptions> & { readonly given?: Partial<IngestRules> } = {}) {
  const ring = createRing(4 * 1024 * 1024)
  const writers = [new RingWriter(ring)]
  const rules = { ...RULES, maxDrift: 10 * MINUTE, maxJump: Number.POSITIVE_INFINITY, ...options.given }
  const degradations = new Degradations({ info: () => {}, warn: () => {} }, () => NOW)
  const letters = { full: false, reject: () => {} }
  const inflow = createInflow({
    rules,
    topics: ['a', 'b'],
    nameOf: namesIn(['a', 'b']),
    stateTtl: 3_600_000,
    sweepsPerRound: 1,
    bounded: false,
    writers,
    ingest: new Ingest(rules, ['a', 'b'], formatsOf([PLAIN_JSON, PLAIN_JSON]), new EventBlocks(writers), { letters }),
    lettersRoom: async () => {},
    ringRoom: () => sleep(1),
    source: { pause: () => {}, resume: () => {}, refreshEndOffsets: async () => {} },
    begin: async () => new Map(),
    degradations,
    clock: () => NOW,
    onFailed: () => {},
    ...options,
  })
  const reader = new RingReader(ring)
  const feed = (topicIndex: number, offset: number, events: readonly (readonly [product: string, at: number])[]) => {
    while (reader.next()) reader.release()
    const records = events.map(([product, at], i) => ({
      topic: 'a',
      partition: 0,
      offset: offset + i,
      recordTimestamp: at,
      value: Buffer.from(`{"user_id":"u","product_id":"${product}","event_type":"click","timestamp":${at}}`),
    }))
    return takenBack(encodeBatch(records), (bytes) =>
      inflow.deliveries.batch({ topicIndex, partition: 0, bytes, start: 0, end: bytes.length }),
    )
  }
  const assign = (topicIndex: number) =>
    inflow.deliveries.assigned([{ topicIndex, partition: 0, position: 0, maxEventTime: undefined, endOffset: undefined }])
  const codes = () => degradations.reasons.map(({ code }) => code)
  return { ...inflow, degradations, codes, feed, assign }
}

const settled = async (work: Promise<void> | undefined) => {
  let done = false
  void Promise.resolve(work).then(() => {
    done = true
  })
  await sleep(120)
  return done
}

const limits = (maxProducts: number) => ({ maxProducts, maxBytes: Number.POSITIVE_INFINITY })

describe('the bound of products', () => {
  test('as many as it says are counted, one more waits, and says so', async () => {
    const { owned, upkeep, codes, feed, assign } = bench({ stateLimits: limits(2) })
    assign(0)
    await feed(0, 0, [
      ['p0', NOW],
      ['p1', NOW],
    ])
    expect(owned.partitions[0]).toMatchObject({ position: 2, counted: 2 })
    await upkeep.maintain()
    expect(codes()).toEqual(['stateNear'])
    const held = feed(0, 2, [
      ['p0', NOW],
      ['p2', NOW],
      ['p1', NOW],
    ])
    expect(await settled(held)).toBe(false)
    await upkeep.maintain()
    expect(codes()).toEqual(['stateNear', 'stateFull'])
    expect(owned.partitions[0]).toMatchObject({ position: 3, counted: 3, late: 0, invalid: 0 })
  })

  test('products that no open window holds are forgotten for it, however lately they were seen, and reading goes on', async () => {
    const { owned, upkeep, codes, feed, assign } = bench({ stateLimits: limits(2) })
    assign(0)
    await feed(0, 0, [
      ['p0', NOW],
      ['p1', NOW],
      ['p1', NOW + MINUTE],
    ])
    const held = feed(0, 3, [['p2', NOW + MINUTE]])
    expect(await settled(held)).toBe(false)
    await upkeep.maintain()
    await held
    expect(owned.partitions[0]).toMatchObject({ position: 4, counted: 4 })
    expect([...owned.tasks.values()].map(({ dictionary }) => dictionary.size)).toEqual([2])
    await upkeep.maintain()
    expect(codes()).toEqual(['stateNear'])
  })

  test('far below it, they are kept for the ttl', async () => {
    const { owned, upkeep, feed, assign } = bench({ stateLimits: limits(10) })
    assign(0)
    await feed(0, 0, [
      ['p0', NOW],
      ['p1', NOW + MINUTE],
    ])
    await upkeep.maintain()
    expect([...owned.tasks.values()].map(({ dictionary }) => dictionary.size)).toEqual([2])
  })

  test('what waits is given up when the run ends, at the record that waits', async () => {
    const { owned, upkeep, feed, assign } = bench({ stateLimits: limits(1) })
    assign(0)
    const held = feed(0, 0, [
      ['p0', NOW],
      ['p1', NOW],
    ])
    expect(await settled(held)).toBe(false)
    upkeep.letGo()
    await held
    expect(owned.partitions[0]).toMatchObject({ position: 1, read: 1, counted: 1 })
  })

  test('what waits for ever in a run that is to end, ends it with the reason', async () => {
    const time = { now: NOW }
    const { upkeep, feed, assign } = bench({ stateLimits: limits(1), bounded: true, clock: () => time.now })
    assign(0)
    void feed(0, 0, [
      ['p0', NOW],
      ['p1', NOW],
    ])
    await upkeep.maintain()
    time.now += 29_000
    await upkeep.maintain()
    time.now += 1_000
    await expect(upkeep.maintain()).rejects.toMatchObject({
      code: 'CTR_STATE_TOO_LARGE',
      message: expect.stringContaining('state.maxProducts 1'),
    })
    upkeep.letGo()
  })

  test('a task that leaves makes room, and one that was only prepared too', async () => {
    const { deliveries, owned, feed, assign } = bench({ stateLimits: limits(1) })
    assign(0)
    await feed(0, 0, [['p0', NOW]])
    deliveries.revoked([{ topicIndex: 0, partition: 0 }])
    assign(0)
    await feed(0, 0, [['p9', NOW]])
    expect(owned.partitions[0]).toMatchObject({ counted: 1 })
  })

  test('windows that have grown beyond it stop all reading, until they have not', async () => {
    let paneBytes = 0
    const maxBytes = productCost(2) * 100
    const { owned, upkeep, codes, feed, assign } = bench({
      stateLimits: { maxProducts: Number.POSITIVE_INFINITY, maxBytes },
      paneBytes: () => paneBytes,
    })
    assign(0)
    await feed(0, 0, [['p0', NOW]])
    paneBytes = maxBytes
    await upkeep.maintain()
    await feed(0, 1, [['p0', NOW]])
    paneBytes = maxBytes * 1.06
    await upkeep.maintain()
    const held = feed(0, 2, [['p0', NOW]])
    expect(await settled(held)).toBe(false)
    await upkeep.maintain()
    expect(codes()).toContain('stateFull')
    paneBytes = 0
    await upkeep.maintain()
    await held
    expect(owned.partitions[0]).toMatchObject({ counted: 3 })
    await upkeep.maintain()
    expect(codes()).toEqual([])
  })
})

describe('kept state', () => {
  const bound = (maxBytes: number) =>
    new StateBound(
      new ProductBudget({ maxProducts: 1, maxBytes }),
      () => 0,
      new Degradations({ info: () => {}, warn: () => {} }, () => NOW),
    )
  const needed = 10 * productCost(0) + productCost(300) - productCost(0)

  test('that fits into the bytes there are is put back, whatever state.maxProducts says; a byte less is an error', () => {
    expect(() => bound(needed).makeSureOfRoom(7, 10, 300)).not.toThrow()
    try {
      bound(needed - 1).makeSureOfRoom(7, 10, 300)
      throw new Error('it was accepted')
    } catch (error) {
      expect(error).toBeInstanceOf(CtrError)
      expect(error).toMatchObject({ code: 'CTR_STATE_TOO_LARGE', message: expect.stringContaining('10 products that are kept of task 7') })
    }
  })
})

describe('windows', () => {
  const WINDOW = 10_000
  /** One event in each of so many windows. */
  const walk = (count: number, from = NOW) => Array.from({ length: count }, (_, i) => ['p', from + i * WINDOW] as const)

  test('of a partition that runs ahead in the middle of a delivery are bounded, and none is lost', async () => {
    const { owned, upkeep, feed, assign } = bench({ given: { maxDrift: MINUTE } })
    assign(0)
    assign(1)
    await feed(1, 0, walk(1))
    const held = feed(0, 0, walk(10_000))
    expect(await settled(held)).toBe(false)
    const most = 6 + 1 + 2 + 64 // drift, lateness and out-of-orderness, edges, and what may be entered between two looks
    expect(owned.partitions[0]?.windows.size).toBeGreaterThan(8)
    expect(owned.partitions[0]?.windows.size).toBeLessThanOrEqual(most)
    for (let i = 1; i <= 10_000; i += 60) await feed(1, i, [['p', NOW + (i + 60) * WINDOW]])
    for (let round = 0; round < 200 && !(await settled(held)); round++) await upkeep.maintain()
    await held
    expect(owned.partitions[0]).toMatchObject({ read: 10_000, counted: 10_000 })
  })

  test('and its delivery is given up when it leaves meanwhile: nobody resumes it any more', async () => {
    const { owned, deliveries, feed, assign } = bench({ given: { maxDrift: MINUTE } })
    assign(0)
    assign(1)
    await feed(1, 0, walk(1))
    const held = feed(0, 0, walk(1_000))
    expect(await settled(held)).toBe(false)
    deliveries.revoked([0, 1].map((topicIndex) => ({ topicIndex, partition: 0 })))
    expect(await settled(held)).toBe(true)
    expect(owned.partitions).toEqual([])
  })
})

test('at the bound a run can be stopped, and the next one with more room ends as one that was never held', async () => {
  const records = Array.from({ length: 200 }, (_, i) => ({
    topic: 'impressions',
    partition: 0,
    offset: i,
    recordTimestamp: NOW + i,
    value: Buffer.from(`{"user_id":"u","product_id":"p${i % 50}","event_type":"click","timestamp":${NOW + i}}`),
  }))
  const whole = await runInMemory([records])
  const first = await runInMemory([records], { stateLimits: limits(20), drainAfterMs: 300 })
  expect(first.stats.degraded.map(({ code }) => code)).toContain('stateFull')
  expect(first.stats.held).toBe(false)
  const second = await runInMemory([records], { stateLimits: limits(50), marks: first.committed, rows: first.rows })
  expect([...second.rows.values()].map((row) => ({ ...row, version: 0 }))).toEqual(
    [...whole.rows.values()].map((row) => ({ ...row, version: 0 })),
  )
})

test('products that do not match are one product, before there is any room to take, and the same one after a restart', async () => {
  const record = (offset: number, product: string) => ({
    topic: 'impressions',
    partition: 0,
    offset,
    recordTimestamp: NOW,
    value: Buffer.from(`{"user_id":"u","product_id":"${product}","event_type":"click","timestamp":${NOW + offset}}`),
  })
  const records = Array.from({ length: 100 }, (_, i) => record(i, i % 2 === 0 ? `p-${i % 4}` : `junk${i}`))
  const productRule = new ProductRule({ match: { pattern: /^p-\d$/u }, other: 'rest' })
  const { rows } = await runInMemory([records], { rules: { productRule }, stateLimits: limits(3) })
  expect([...rows.values()].map(({ product, clicks }) => [product, clicks]).toSorted()).toEqual([
    ['p-0', 25],
    ['p-2', 25],
    ['rest', 50],
  ])
})
