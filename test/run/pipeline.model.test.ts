import { describe, expect, test } from 'vitest'
import { Random } from '../../src/load/random.ts'
import { type MemoryRun, runInMemory } from '../../workshop/memory-run.ts'
import { type OracleRow, runOracle } from '../../workshop/oracle.ts'
import { repetitions } from '../support/effort.ts'
import { memoryStore } from '../support/memory-store.ts'
import { differences, expectLedger, expectOracle } from '../support/model-run.ts'
import { makeRecords } from '../support/records.ts'

const SEED = Number(process.env.CTR_TEST_SEED ?? Date.now() % 1_000_000_007)
const KILLED_SEEDS = Array.from({ length: repetitions({ unit: 1, all: 2, long: 6 }) }, (_, i) => SEED + i)

const sumOffsets = (marks: readonly { offset: number }[]) => marks.reduce((sum, { offset }) => sum + offset, 0)

describe('the rows are those of the naive twin', () => {
  const lists = makeRecords({ seed: SEED, partitions: 3, records: repetitions({ unit: 1500, all: 2500, long: 4000 }), products: 200 })

  test.each([1, 2, 4])(`with %i workers (seed ${SEED})`, async (workers) => {
    await expectOracle(lists, { workers, seed: SEED })
  })

  test.each([
    { batchRecords: 1, deliveryBatches: 1 },
    { batchRecords: 7, deliveryBatches: 40 },
    { batchRecords: 2000, deliveryBatches: 3 },
  ])('whatever the sizes of batches and deliveries: %o', async (sizes) => {
    await expectOracle(lists, { ...sizes, workers: 2, seed: SEED + 1 })
  })

  test.each([1, 2, 3, 4])('through codec %i', async (codec) => {
    await expectOracle(lists, { codec, seed: SEED + codec })
  })

  test('when rings are far too small for the load', async () => {
    await expectOracle(lists, { ringBytes: 4096, workers: 2, batchRecords: 4000, deliveryBatches: 1, seed: SEED })
  })

  test('when a partition that runs ahead is held back', async () => {
    const run = await expectOracle(lists, { rules: { maxDrift: 10_000 }, seed: SEED })
    expect(run.log.filter(({ kind }) => kind === 'pause').length).toBeGreaterThan(0)
  })

  test('when products leave the dictionary as soon as they may', async () => {
    const many = makeRecords({ seed: SEED, partitions: 2, records: 6000, products: 3000, stepMs: 60 })
    const run = await expectOracle(many, { stateTtl: 0, workers: 2, seed: SEED })
    expect(run.stats.activeProducts).toBeLessThan(5000) // of about 7,500 in both tasks
  })
})

/** Two clocks, one of them wrong, and gaps in the traffic. */
const YEAR_MS = 365 * 86_400_000
const CLOCKS = [0.01, 0.1].flatMap((share) => [1_800_000, 3_000_000, YEAR_MS].map((aheadMs) => ({ share, aheadMs, gapsMs: 3_600_000 })))
const skewed = (seed: number, records: number, clocks = CLOCKS[seed % CLOCKS.length]) =>
  makeRecords({ seed, partitions: 2, records, products: 50, stepMs: 100, clocks })

describe('the rows are those of the naive twin when a clock is wrong', () => {
  test.each(CLOCKS.slice(0, repetitions({ unit: 2, all: CLOCKS.length, long: CLOCKS.length })))('%o', async (clocks) => {
    const run = await expectOracle(skewed(SEED, 2000, clocks), { workers: 2, seed: SEED })
    expect(run.stats.terms.late).toBeLessThan(run.stats.terms.counted / 4)
  })
})

describe('a restart from the committed low-water marks gives the rows of an undisturbed run', () => {
  test.each(KILLED_SEEDS)('killed again and again, seed %i', async (seed) => {
    const lists = makeRecords({ seed, partitions: 2, records: 3000, products: 50 })
    const want = runOracle(lists)
    const random = new Random(seed)
    const rows = new Map<string, OracleRow>()
    let marks: Awaited<ReturnType<typeof runInMemory>>['committed'] = []
    let moved = 0
    for (let life = 0; life < 12; life++) {
      const run = await runInMemory(lists, {
        rows,
        marks,
        seed: seed + life,
        killAfter: 15 + random.below(80),
        workers: 1 + random.below(3),
      })
      if (sumOffsets(run.committed) > sumOffsets(marks)) moved++
      marks = run.committed
    }
    expect(moved).toBeGreaterThan(0)
    await runInMemory(lists, { rows, marks, seed })
    expect(differences(rows, want.rows)).toEqual([])
  })

  test.each(KILLED_SEEDS)('in all windows but those of a clock that is a year ahead, seed %i', async (seed) => {
    const lists = skewed(seed, 3000, { share: 0.1, aheadMs: YEAR_MS, gapsMs: 3_600_000 })
    const random = new Random(seed)
    const rows = new Map<string, OracleRow>()
    let marks: MemoryRun['committed'] = []
    const facts: string[] = []
    for (let life = 0; life < 12; life++) {
      const run = await runInMemory(lists, { rows, marks, seed: seed + life, killAfter: 15 + random.below(80) })
      marks = run.committed
      for (const mark of marks) facts.push(...Object.keys(mark.facts ?? {}))
    }
    expect(facts).toEqual(expect.arrayContaining(['candidates', 'windowsFrom']))
    await runInMemory(lists, { rows, marks, seed })
    const near = (all: ReadonlyMap<string, OracleRow>) => new Map([...all].filter(([, row]) => row.windowStart < 1_710_000_000_000))
    expect(differences(near(rows), near(runOracle(lists).rows))).toEqual([])
  })

  test('drained (SIGTERM) in the middle', async () => {
    const lists = makeRecords({ seed: SEED, partitions: 2, records: 3000, products: 50 })
    const rows = new Map<string, OracleRow>()
    const first = await runInMemory(lists, { rows, drainAfter: 30, seed: SEED })
    expect(first.committed.length).toBe(4)
    await runInMemory(lists, { rows, marks: first.committed, seed: SEED + 1 })
    expect(differences(rows, runOracle(lists).rows)).toEqual([])
  })
})

describe('a restart from checkpoints gives the rows of an undisturbed run', () => {
  const cases = KILLED_SEEDS.flatMap((seed) => [
    { seed, clocks: undefined },
    { seed, clocks: CLOCKS[seed % CLOCKS.length] },
  ])
  test.each(cases)('killed again and again, with other workers each time: %o', async ({ seed, clocks }) => {
    const lists = makeRecords({ seed, partitions: 2, records: 3000, products: 50, clocks })
    const want = runOracle(lists)
    const random = new Random(seed)
    const rows = new Map<string, OracleRow>()
    const ledger: MemoryRun['ledger'] = new Map()
    const store = memoryStore()
    let marks: MemoryRun['committed'] = []
    let kept = 0
    for (let life = 0; life < 12; life++) {
      const workers = 1 + random.below(4)
      const run = await runInMemory(lists, { rows, ledger, store, marks, seed: seed + life, killAfter: 15 + random.below(80), workers })
      kept += run.stats.restore?.tasks ?? 0
      marks = run.committed
      if (random.chance(0.2)) marks = [] // as when the group's offsets have expired
    }
    expect(kept).toBeGreaterThan(2)
    const { stats } = await runInMemory(lists, { rows, ledger, store, marks, seed })
    expect(differences(rows, want.rows)).toEqual([])
    expectLedger(ledger, want, stats)
  })

  test('drained (SIGTERM) in the middle: the savepoint goes on where it stopped', async () => {
    const lists = makeRecords({ seed: SEED, partitions: 2, records: 3000, products: 50 })
    const rows = new Map<string, OracleRow>()
    const ledger: MemoryRun['ledger'] = new Map()
    const store = memoryStore()
    const first = await runInMemory(lists, { rows, ledger, store, drainAfter: 30, seed: SEED })
    const second = await runInMemory(lists, { rows, ledger, store, marks: first.committed, seed: SEED + 1, workers: 3 })
    const readIn = ({ stats }: MemoryRun) => stats.partitions.reduce((sum, { read }) => sum + read, 0)
    expect(readIn(first) + readIn(second)).toBe(lists.reduce((sum, list) => sum + list.length, 0))
    const want = runOracle(lists)
    expect(differences(rows, want.rows)).toEqual([])
    expectLedger(ledger, want, second.stats)
  })
})
