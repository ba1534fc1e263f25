/** Runs of the whole pipeline in memory, held against the naive twin: rows, terms, ledger. */
import { expect } from 'vitest'
import { type MemoryRun, type MemoryRunOptions, RULES, runInMemory } from '../../workshop/memory-run.ts'
import { type OracleOptions, type OracleRecord, type OracleRow, rowsHash, runOracle, sumLedgers } from '../../workshop/oracle.ts'

/** What the twin says of the rules that a run has. */
export function twin(
  lists: readonly (readonly OracleRecord[])[],
  rules: MemoryRunOptions['rules'] = {},
  windowOf?: OracleOptions['windowOf'],
) {
  const { windowSize, windowSlide, windowOffset, outOfOrderness, allowedLateness, maxJump } = { ...RULES, ...rules }
  return runOracle(lists, { windowSize, windowSlide, windowOffset, outOfOrderness, allowedLateness, maxJump, windowOf })
}

/** A whole run gives the rows and the terms of the twin. */
export async function expectOracle(
  lists: readonly (readonly OracleRecord[])[],
  options: MemoryRunOptions,
  windowOf?: OracleOptions['windowOf'],
) {
  const want = twin(lists, options.rules, windowOf)
  const run = await runInMemory(lists, options)
  expect(differences(run.rows, want.rows)).toEqual([])
  expect(rowsHash(run.rows.values())).toBe(rowsHash(want.rows.values()))
  const ledger = sumLedgers(want.ledgers.values())
  const { terms, impressions, clicks, invalid } = run.stats
  const refused = Object.values(ledger.invalid).reduce((sum, count) => sum + count, 0)
  expect({ ...terms, sum: impressions + clicks }).toEqual({
    counted: ledger.counted,
    late: ledger.late,
    ignored: ledger.ignored,
    invalid: refused,
    sum: ledger.counted,
  })
  expect(run.stats.partlyLate.reduce((sum, { count }) => sum + count, 0)).toBe(ledger.partlyLate)
  expect(Object.fromEntries(invalid.map(({ reason, count }) => [reason, count]))).toEqual(ledger.invalid)
  expect(run.letters.length).toBe(refused)
  return { ...run, partlyLate: ledger.partlyLate }
}

/** The first few keys whose rows differ; the whole maps would drown the message. */
export function differences(got: Map<string, OracleRow>, want: Map<string, OracleRow>): unknown[] {
  const keys = [...new Set([...got.keys(), ...want.keys()])]
  const same = (a?: OracleRow, b?: OracleRow) => a?.impressions === b?.impressions && a?.clicks === b?.clicks && a?.version === b?.version
  return keys
    .filter((key) => !same(got.get(key), want.get(key)))
    .slice(0, 5)
    .map((key) => [key, got.get(key), want.get(key)])
}

/** The last totals of every partition are the oracle's, and what main counted into windows is what their rows hold. */
export function expectLedger(ledger: MemoryRun['ledger'], want: ReturnType<typeof runOracle>, stats: MemoryRun['stats']) {
  const rows = [...ledger.values()]
  for (const { topic, partition } of stats.partitions) {
    const last = rows
      .filter((row) => 'totals' in row)
      .filter((row) => row.topic === topic && row.partition === partition && row.totals.first === 0)
      .reduce((a, b) => (a.last > b.last ? a : b))
    const { read, counted, late, ignored, invalid } = want.ledgers.get(`${topic}/${partition}`)!
    const reasons = Object.fromEntries(Object.entries(invalid).filter(([, count]) => count > 0))
    expect(last.totals).toEqual({ first: 0, read, counted, late, invalid: { ...reasons, ...(ignored > 0 && { ignored }) } })
  }
  const windows = new Map<string, number>()
  for (const { task, windowStart, windowEnd, impressions, clicks } of want.rows.values()) {
    const key = `${task} ${windowStart} ${windowEnd}`
    windows.set(key, (windows.get(key) ?? 0) + impressions + clicks)
  }
  const counted = rows.filter((row) => 'events' in row).map(({ task, start, end, events }) => [`${task} ${start} ${end}`, events] as const)
  expect(new Map(counted.toSorted())).toEqual(new Map([...windows].toSorted()))
}
