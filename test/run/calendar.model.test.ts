/** Windows of the calendar, whole runs in memory: the rows are those of the twin, which knows how far clocks are from UTC then. */
import { describe, expect, test } from 'vitest'
import { CALENDAR_LONGEST_MS } from '../../src/config/calendar.ts'
import { Random } from '../../src/load/random.ts'
import { type MemoryRun, runInMemory } from '../../workshop/memory-run.ts'
import type { OracleRow } from '../../workshop/oracle.ts'
import { memoryStore } from '../support/memory-store.ts'
import { differences, expectLedger, expectOracle, twin } from '../support/model-run.ts'
import { makeRecords } from '../support/records.ts'

const SEED = Number(process.env.CTR_TEST_SEED ?? Date.now() % 1_000_000_007)
const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/** In the weeks of the records clocks are not changed. */
const KINDS = [
  { unit: 'hour', zone: 'Asia/Kolkata', stepMs: MINUTE, length: HOUR, ahead: 5.5 * HOUR },
  { unit: 'day', zone: 'Europe/Berlin', stepMs: 15 * MINUTE, length: DAY, ahead: HOUR },
] as const

describe.each(KINDS)('$unit of $zone', ({ unit, zone, stepMs, length, ahead }) => {
  const lists = makeRecords({ seed: SEED, partitions: 2, records: 1200, products: 40, stepMs })
  const calendar = { unit, zone, weekStart: 'monday' } as const
  const far = { maxDrift: 400 * DAY, maxJump: Number.POSITIVE_INFINITY }
  const rules = { windowSize: CALENDAR_LONGEST_MS[unit], calendar, allowedLateness: 0, outOfOrderness: 0, ...far }
  const windowOf = (time: number) => {
    const start = Math.floor((time + ahead) / length) * length - ahead
    return [start, start + length] as const
  }

  test.each([1, 3])('with %i workers', async (workers) => {
    const { stats } = await expectOracle(lists, { rules, workers, seed: SEED }, windowOf)
    expect(stats.terms.counted).toBeGreaterThan(4000)
  })

  test('killed again and again, from checkpoints', async () => {
    const random = new Random(SEED)
    const rows = new Map<string, OracleRow>()
    const ledger: MemoryRun['ledger'] = new Map()
    const store = memoryStore()
    let marks: MemoryRun['committed'] = []
    for (let life = 0; life < 5; life++) {
      const run = await runInMemory(lists, { rules, rows, ledger, store, marks, seed: SEED + life, killAfter: 10 + random.below(40) })
      marks = run.committed
    }
    const { stats } = await runInMemory(lists, { rules, rows, ledger, store, marks, seed: SEED })
    const want = twin(lists, rules, windowOf)
    expect(differences(rows, want.rows)).toEqual([])
    expectLedger(ledger, want, stats)
  })
})
