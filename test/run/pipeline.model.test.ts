import { describe, expect, test } from 'vitest'
import { Random } from '../../src/load/random.ts'
import { type MemoryRun, type MemoryRunOptions, runInMemory } from '../../workshop/memory-run.ts'
import { type OracleRecord, type OracleRow, rowsHash, runOracle, sumLedgers } from '../../workshop/oracle.ts'
import { repetitions } from '../support/effort.ts'
import { memoryStore } from '../support/memory-store.ts'
import { makeRecords } from '../support/records.ts'

const SEED = Number(process.env.CTR_TEST_SEED ?? Date.now() % 1_000_000_007)
const KILLED_SEEDS = Array.from({ length: repetitions({ unit: 1, all: 2, long: 6 }) }, (_, i) => SEED + i)

async function expectOracle(lists: readonly (readonly OracleRecord[])[], options: MemoryRunOptions) {
  const want = runOracle(lists)
  const run = await runInMemory(lists, options)
  expect(differences(run.rows, want.rows)).toEqual([])
  expect(rowsHash(run.rows.values())).toBe(rowsHash(want.rows.values()))
  const ledger = sumLedgers(want.ledgers.values())
  const { terms, impressions, clicks, invalid } = run.stats
  const refused = Object.values(ledger.invalid).reduce((sum, count) => sum + count, 0)
  expect({ ...terms, sum: impressions + clicks }).toEqual({
    counted: ledger.counted,
    late: ledger.late,
    invalid: refused,
    sum: ledger.counted,
  })
  expect(Object.fromEntries(invalid.map(({ reason, count }) => [reason, count]))).toEqual(ledger.invalid)
  expect(run.letters.length).toBe(refused)
  return run
}

const sumOffsets = (marks: readonly { offset: number }[]) => marks.reduce((sum, { offset }) => sum + offset, 0)

/** The first few keys whose rows differ; the whole maps would drown the message. */
function differences(got: Map<string, OracleRow>, want: Map<string, OracleRow>): unknown[] {
  const keys = [...new Set([...got.keys(), ...want.keys()])]
  const same = (a?: OracleRow, b?: OracleRow) => a?.impressions === b?.impressions && a?.clicks === b?.clicks && a?.version === b?.version
  return keys
    .filter((key) => !same(got.get(key), want.get(key)))
    .slice(0, 5)
    .map((key) => [key, got.get(key), want.get(key)])
}

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
  test.each(KILLED_SEEDS)('killed again and again, with other workers each time, seed %i', async (seed) => {
    const lists = makeRecords({ seed, partitions: 2, records: 3000, products: 50 })
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

/** The last totals of every partition are the oracle's, and what main counted into windows is what their rows hold. */
function expectLedger(ledger: MemoryRun['ledger'], want: ReturnType<typeof runOracle>, stats: MemoryRun['stats']) {
  const rows = [...ledger.values()]
  for (const { topic, partition } of stats.partitions) {
    const last = rows
      .filter((row) => 'totals' in row)
      .filter((row) => row.topic === topic && row.partition === partition && row.totals.first === 0)
      .reduce((a, b) => (a.last > b.last ? a : b))
    const { read, counted, late, invalid } = want.ledgers.get(`${topic}/${partition}`)!
    const reasons = Object.fromEntries(Object.entries(invalid).filter(([, count]) => count > 0))
    expect(last.totals).toEqual({ first: 0, read, counted, late, invalid: reasons })
  }
  const windows = new Map<string, number>()
  for (const { task, windowStart, impressions, clicks } of want.rows.values()) {
    const key = `${task} ${windowStart}`
    windows.set(key, (windows.get(key) ?? 0) + impressions + clicks)
  }
  const counted = rows.filter((row) => 'events' in row).map(({ task, start, events }) => [`${task} ${start}`, events] as const)
  expect(new Map(counted.toSorted())).toEqual(new Map([...windows].toSorted()))
}
