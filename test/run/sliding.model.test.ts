/** Overlapping windows, whole runs in memory: whatever the interleaving, sizes, workers and restarts, the rows are those of the twin. */
import { describe, expect, test } from 'vitest'
import { Random } from '../../src/load/random.ts'
import { type MemoryRun, runInMemory } from '../../workshop/memory-run.ts'
import type { OracleRecord, OracleRow } from '../../workshop/oracle.ts'
import { repetitions } from '../support/effort.ts'
import { memoryStore } from '../support/memory-store.ts'
import { differences, expectLedger, expectOracle, twin } from '../support/model-run.ts'
import { makeRecords } from '../support/records.ts'

const SEED = Number(process.env.CTR_TEST_SEED ?? Date.now() % 1_000_000_007)

/** Two windows for each event, three or two, sixty, six or seven. */
const KINDS = [
  { windowSize: 20_000, windowSlide: 10_000 },
  { windowSize: 21_000, windowSlide: 9_000, windowOffset: 4_000 },
  { windowSize: 60_000, windowSlide: 1_000, allowedLateness: 2_000 },
  { windowSize: 10_000, windowSlide: 1_500, allowedLateness: 0 },
]
/** Days from 05:30 on, in small. */
const OFFSET = { windowSize: 10_000, windowOffset: 3_500 }

test('tumbling windows that begin at an offset', async () => {
  const lists = makeRecords({ seed: SEED, partitions: 2, records: 1500, products: 100 })
  const { partlyLate, stats } = await expectOracle(lists, { rules: OFFSET, workers: 2, seed: SEED })
  expect([partlyLate, stats.terms.late > 0]).toEqual([0, true])
})

describe.each(KINDS)('%o', (rules) => {
  const lists = makeRecords({ seed: SEED, partitions: 2, records: repetitions({ unit: 1200, all: 2000, long: 4000 }), products: 100 })

  test.each([1, 3])(`with %i workers (seed ${SEED})`, async (workers) => {
    const { partlyLate } = await expectOracle(lists, { rules, workers, seed: SEED })
    expect(partlyLate).toBeGreaterThan(0)
  })

  test.each([
    { batchRecords: 1, deliveryBatches: 1 },
    { batchRecords: 2000, deliveryBatches: 3, ringBytes: 4096 },
  ])('whatever the sizes: %o', async (sizes) => {
    await expectOracle(lists, { rules, ...sizes, workers: 2, seed: SEED + 1 })
  })

  test('when products leave the dictionary as soon as they may', async () => {
    const many = makeRecords({ seed: SEED, partitions: 2, records: 1000, products: 1000, stepMs: 120 })
    await expectOracle(many, { rules, stateTtl: 0, workers: 2, seed: SEED })
  })

  const seeds = Array.from({ length: repetitions({ unit: 1, all: 1, long: 6 }) }, (_, i) => SEED + i)
  test.each(seeds)('killed again and again, from marks alone, seed %i', async (seed) => {
    const { rows, want } = await lives(seed, rules, false)
    expect(differences(rows, want.rows)).toEqual([])
  })

  test.each(seeds)('killed again and again, from checkpoints, with other workers each time, seed %i', async (seed) => {
    const { rows, want, ledger, kept, stats } = await lives(seed, rules, true)
    expect(kept).toBeGreaterThan(2)
    expect(differences(rows, want.rows)).toEqual([])
    expectLedger(ledger, want, stats)
  })
})

const START = 1_700_000_004_000

/** Windows of 20 s every 5 s, lateness 2 s, out-of-orderness 3 s: those of the slice from START on end 5, 10, 15 and 20 s later. */
const EDGES = {
  windowSize: 20_000,
  windowSlide: 5_000,
  windowOffset: 4_000,
  outOfOrderness: 3_000,
  allowedLateness: 2_000,
  maxJump: Number.POSITIVE_INFINITY,
}

describe('an event that comes when its partition stands', () => {
  test.each([
    [START + 9_999, [5, 10, 15, 20]],
    [START + 10_000, [10, 15, 20]],
    [START + 14_999, [10, 15, 20]],
    [START + 15_000, [15, 20]],
    [START + 19_999, [15, 20]],
    [START + 20_000, [20]],
    [START + 24_999, [20]],
    [START + 25_000, []],
  ])('at %i counts in the windows that end after %j s', async (believed, ends) => {
    const event = (product: string, time: number, offset: number): OracleRecord => {
      const value = Buffer.from(JSON.stringify({ product_id: product, event_type: 'impression', timestamp: time }))
      return { topic: 'impressions', partition: 0, offset, recordTimestamp: time, value }
    }
    // At either edge of the slice, and in the slices beside it.
    const times = [START - 1, START, START + 4_999, START + 5_000]
    const lists = [[event('other', believed, 0), ...times.map((time, i) => event(`p${i}`, time, i + 1))]]
    const { rows } = await expectOracle(lists, { rules: EDGES })
    const endsOf = (product: string) =>
      [...rows.values()].filter((row) => row.product === product).map(({ windowEnd }) => (windowEnd - START) / 1_000)
    for (const product of ['p1', 'p2']) expect(endsOf(product).toSorted((a, b) => a - b)).toEqual(ends)
    expect(endsOf('p0').length).toBe([0, 5, 10, 15].filter((end) => START + end * 1_000 + 5_000 > believed).length)
    expect(endsOf('p3').length).toBe([10, 15, 20, 25].filter((end) => START + end * 1_000 + 5_000 > believed).length)
  })
})

async function lives(seed: number, rules: (typeof KINDS)[number], checkpoints: boolean) {
  const lists = makeRecords({ seed, partitions: 2, records: 1500, products: 50 })
  const random = new Random(seed)
  const rows = new Map<string, OracleRow>()
  const ledger: MemoryRun['ledger'] = new Map()
  const store = checkpoints ? memoryStore() : undefined
  let marks: MemoryRun['committed'] = []
  let kept = 0
  for (let life = 0; life < 8; life++) {
    const workers = 1 + random.below(4)
    const ends = { rules, rows, ledger, marks, seed: seed + life, killAfter: 15 + random.below(60), workers }
    const run = await runInMemory(lists, store === undefined ? ends : { ...ends, store })
    kept += run.stats.restore?.tasks ?? 0
    marks = run.committed
    if (checkpoints && random.chance(0.2)) marks = []
  }
  const { stats } = await runInMemory(lists, { rules, rows, ledger, marks, seed, ...(store && { store }) })
  return { rows, ledger, stats, kept, want: twin(lists, rules) }
}
