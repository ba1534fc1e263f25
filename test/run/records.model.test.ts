/** Records that are several events, through the whole pipeline: rows and ledgers are those of the naive twin, also after kills. */
import { describe, expect, test } from 'vitest'
import { Random } from '../../src/load/random.ts'
import { type MemoryRun, type MemoryRunOptions, runInMemory } from '../../workshop/memory-run.ts'
import { type OracleRecord, type OracleRow, runOracle } from '../../workshop/oracle.ts'
import { repetitions } from '../support/effort.ts'
import { type ListsOptions, listMapping, makeLists } from '../support/list-records.ts'
import { memoryStore } from '../support/memory-store.ts'

const SEED = Number(process.env.CTR_TEST_SEED ?? Date.now() % 1_000_000_007)
/** Records of 1,000 elements fill the smallest ring that may hold them. */
const SHAPES: readonly { readonly lists: Omit<ListsOptions, 'seed'>; readonly ringBytes: number; readonly rules?: Slides }[] = [
  { lists: { partitions: 2, records: 1200, products: 50, elementsMax: 12, ownTimes: true, stepMs: 80 }, ringBytes: 64 * 1024 },
  { lists: { partitions: 2, records: 250, products: 3000, elementsMax: 1000, ownTimes: false, stepMs: 400 }, ringBytes: 256 * 1024 },
  { lists: { partitions: 1, records: 200, products: 200, elementsMax: 1000, ownTimes: true, stepMs: 400 }, ringBytes: 256 * 1024 },
  {
    lists: { partitions: 2, records: 500, products: 40, elementsMax: 12, ownTimes: true, stepMs: 80 },
    ringBytes: 64 * 1024,
    rules: { windowSize: 20_000, windowSlide: 5_000 },
  },
  {
    lists: { partitions: 1, records: 80, products: 900, elementsMax: 1000, ownTimes: true, stepMs: 400 },
    ringBytes: 256 * 1024,
    rules: { windowSize: 21_000, windowSlide: 9_000, allowedLateness: 2_000 },
  },
]

/** Windows that overlap. */
interface Slides {
  readonly windowSize: number
  readonly windowSlide: number
  readonly allowedLateness?: number
}

function differences(rows: ReadonlyMap<string, OracleRow>, wanted: ReadonlyMap<string, OracleRow>): string[] {
  const all = new Set([...rows.keys(), ...wanted.keys()])
  return [...all].filter((key) => JSON.stringify(rows.get(key)) !== JSON.stringify(wanted.get(key))).slice(0, 5)
}

/** The last totals of each partition, and the events of each window that is closed for good. */
function expectLedger(ledger: MemoryRun['ledger'], lists: readonly OracleRecord[][], want: ReturnType<typeof runOracle>) {
  const rows = [...ledger.values()]
  for (const [{ topic, partition } = { topic: '', partition: 0 }] of lists) {
    const own = rows.filter((row) => 'totals' in row && row.topic === topic && row.partition === partition && row.totals.first === 0)
    const last = own.reduce((a, b) => ('last' in a && 'last' in b && a.last > b.last ? a : b))
    const { read, counted, late, ignored, invalid } = want.ledgers.get(`${topic}/${partition}`)!
    const reasons = Object.fromEntries(Object.entries(invalid).filter(([, count]) => count > 0))
    expect('totals' in last && last.totals).toEqual({
      first: 0,
      read,
      counted,
      late,
      invalid: { ...reasons, ...(ignored > 0 && { ignored }) },
    })
  }
  const windows = new Map<string, number>()
  for (const { task, windowStart, impressions, clicks } of want.rows.values()) {
    const key = `${task} ${windowStart}`
    windows.set(key, (windows.get(key) ?? 0) + impressions + clicks)
  }
  for (const row of rows)
    if ('events' in row && row.events > 0) expect([row, windows.get(`${row.task} ${row.start}`)]).toEqual([row, row.events])
}

describe.each(SHAPES)('$lists $rules', ({ lists: shape, ringBytes, rules }) => {
  const { formats, plain } = listMapping(shape)
  const run = (lists: OracleRecord[][], options: MemoryRunOptions) =>
    runInMemory(lists, { formats, ringBytes, ...options, ...(rules && { rules }) })
  const wanted = (lists: OracleRecord[][]) => runOracle(lists, { events: plain, ...rules })

  test.each([1, 3])(`with %i workers and full rings, seed ${SEED}`, async (workers) => {
    const lists = makeLists({ ...shape, seed: SEED })
    const want = wanted(lists)
    const { rows, stats, ledger, letters } = await run(lists, { workers, seed: SEED, batchRecords: 20, codec: 4 })
    expect(differences(rows, want.rows)).toEqual([])
    expectLedger(ledger, lists, want)
    const partly = stats.partlyLate.reduce((sum, { count }) => sum + count, 0)
    expect([partly, partly > 0]).toEqual([
      [...want.ledgers.values()].reduce((sum, { partlyLate }) => sum + partlyLate, 0),
      rules !== undefined,
    ])
    expect(stats.records.used + stats.records.invalid + stats.records.ignored).toBe(lists.flat().length)
    expect(letters.length).toBe([...want.ledgers.values()].flatMap(({ invalid }) => Object.values(invalid)).reduce((a, b) => a + b))
    const places = letters.map(({ rawTopic, partition, offset, element }) => `${rawTopic}/${partition}/${offset}/${element}`)
    expect(new Set(places).size).toBe(places.length)
  })

  test(`killed again and again, by marks and by checkpoints, seed ${SEED}`, async () => {
    const lists = makeLists({ ...shape, seed: SEED + 1 })
    const want = wanted(lists)
    const random = new Random(SEED)
    const rows = new Map<string, OracleRow>()
    const ledger: MemoryRun['ledger'] = new Map()
    const store = memoryStore()
    let marks: MemoryRun['committed'] = []
    let moved = 0
    const lives = repetitions({ unit: 6, all: 10, long: 25 })
    for (let life = 0; life < lives; life++) {
      const kept = random.chance(0.7) ? { store } : {}
      const killAfter = 5 + random.below(40)
      const { committed } = await run(lists, {
        rows,
        ledger,
        ...kept,
        marks,
        seed: life,
        killAfter,
        workers: 1 + random.below(3),
        batchRecords: 12,
      })
      if (committed.length > 0) moved++
      marks = committed
    }
    expect(moved).toBeGreaterThan(0)
    await run(lists, { rows, ledger, store, marks, seed: SEED })
    expect(differences(rows, want.rows)).toEqual([])
    expectLedger(ledger, lists, want)
  })

  test(`killed again and again, by marks alone: what goes with a mark is what was before its record, seed ${SEED}`, async () => {
    const lists = makeLists({ ...shape, seed: SEED + 2 })
    const want = wanted(lists)
    const rows = new Map<string, OracleRow>()
    let marks: MemoryRun['committed'] = []
    for (let life = 0; life < 2; life++)
      ({ committed: marks } = await run(lists, { rows, marks, seed: life, killAfter: 12, workers: 2, batchRecords: 12 }))
    const { ledger } = await run(lists, { rows, marks, seed: SEED })
    expect(differences(rows, want.rows)).toEqual([])
    const sum = (invalid: Readonly<Record<string, number>>) => Object.values(invalid).reduce((a, b) => a + b, 0)
    for (const [{ topic, partition } = { topic: '', partition: 0 }] of lists) {
      const own = [...ledger.values()].flatMap((row) =>
        'totals' in row && row.topic === topic && row.partition === partition ? [row] : [],
      )
      const { totals } = own.reduce((a, b) => (a.last > b.last ? a : b))
      const { read, counted, late, ignored, invalid } = want.ledgers.get(`${topic}/${partition}`)!
      expect([totals.read, totals.counted, totals.late, sum(totals.invalid)]).toEqual([read, counted, late, sum(invalid) + ignored])
    }
  })
})
