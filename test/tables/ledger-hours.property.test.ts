/**
 * Ledgers of random partitions, some of whose rows are written again, go back or shrink: however many of the rows of ctr_ledger have
 * expired, ctr_reconciliation adds up to the newest totals of every partition, and every minute balances.
 */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { DAY, HOUR, MINUTE } from '../../src/config/units.ts'
import { makeTables } from '../../workshop/tables.ts'
import { repetitions } from '../support/effort.ts'
import { sharedClickHouse } from '../support/shared-clickhouse.ts'

const SPAN_DAYS = 5

/** What a process does next with a partition. */
const step = fc.record({
  partition: fc.nat(2),
  first: fc.constantFrom(0, 0, 0, 1000),
  minutesLater: fc.oneof(fc.nat(30), fc.nat(600)),
  /** Offsets read since; below 0 after a restart, which reads some of them again. */
  read: fc.integer({ min: -20, max: 60 }),
  lateShare: fc.double({ min: 0, max: 0.5, noNaN: true }),
  invalidShare: fc.double({ min: 0, max: 0.5, noNaN: true }),
})
const ledgers = fc.array(fc.array(step, { minLength: 1, maxLength: 80 }), { minLength: 4, maxLength: 12 })

interface Row {
  readonly key: string
  readonly last: number
  readonly cutAt: number
  readonly totals: readonly number[]
  readonly sql: string
}

function rowsOf(tenant: string, steps: readonly (typeof step extends fc.Arbitrary<infer T> ? T : never)[], begin: number): Row[] {
  const lasts = new Map<string, number>()
  let cutAt = begin
  return steps.map(({ partition, first, minutesLater, read, lateShare, invalidShare }) => {
    const key = `${partition}/${first}`
    cutAt = Math.min(cutAt + minutesLater * MINUTE, begin + SPAN_DAYS * DAY - HOUR)
    const last = Math.max(first, (lasts.get(key) ?? first) + read)
    lasts.set(key, last)
    const all = last - first + 1
    const late = Math.floor(all * lateShare)
    const invalid = Math.floor((all - late) * invalidShare)
    const totals = [all, all - late - invalid, late, invalid, invalid]
    const [eventTime, cut] = [begin + last * MINUTE, cutAt].map((ms) => `fromUnixTimestamp64Milli(${Math.round(ms)}, 'UTC')`)
    const sql = `('${tenant}', 'clicks', ${partition}, ${first}, ${last}, ${totals}, ${eventTime}, ${cut})`
    return { key, last, cutAt, totals, sql }
  })
}

/** The totals that count of each partition, added up. */
function sums(rows: readonly Row[]): number[] {
  const newest = new Map<string, Row>()
  for (const row of rows) {
    const known = newest.get(row.key)
    if (known === undefined || row.last > known.last || (row.last === known.last && row.cutAt >= known.cutAt)) newest.set(row.key, row)
  }
  return [0, 1, 2, 3, 4].map((i) => [...newest.values()].reduce((sum, { totals }) => sum + totals[i]!, 0))
}

const clickhouse = await sharedClickHouse()

test('the steps of a ledger add up to its totals, however much of it has only the last row of each hour', {
  timeout: 120_000,
}, async () => {
  const endpoint = clickhouse.own('hours')
  await makeTables(endpoint)
  const { database } = endpoint
  const answer = () =>
    clickhouse.rows(
      `SELECT tenant, sum(read) AS r, sum(counted) AS c, sum(late) AS l, sum(invalid) AS i, sum(dead_lettered) AS d,
         countIf(unaccounted != 0 OR missing != 0) AS wrong FROM db.ctr_reconciliation GROUP BY tenant ORDER BY tenant`,
      database,
    )
  const begin = Math.floor((Date.now() - SPAN_DAYS * DAY) / HOUR) * HOUR
  let run = 0
  await fc.assert(
    fc.asyncProperty(ledgers, fc.array(fc.nat(SPAN_DAYS * 24), { minLength: 1, maxLength: 3 }), async (all, borders) => {
      const byTenant = all.map((steps, i) => ({ tenant: `t${run}-${String(i).padStart(2, '0')}`, steps }))
      run++
      await clickhouse.command('TRUNCATE TABLE db.ctr_ledger', database)
      await clickhouse.command('TRUNCATE TABLE db.ctr_ledger_hourly', database)
      const want = []
      for (const { tenant, steps } of byTenant) {
        const rows = rowsOf(tenant, steps, begin)
        const columns = 'tenant, topic, partition, first_offset, last_offset, read, counted, late, invalid, dead_lettered'
        // In two inserts, so that what replaces a row comes apart from it.
        for (const part of [rows.slice(0, rows.length / 2), rows.slice(rows.length / 2)]) {
          if (part.length === 0) continue
          const values = part.map(({ sql }) => sql).join()
          await clickhouse.command(`INSERT INTO db.ctr_ledger (${columns}, max_event_time, cut_at) VALUES ${values}`, database)
        }
        const [r, c, l, i, d] = sums(rows)
        want.push({ tenant, r, c, l, i, d, wrong: 0 })
      }
      expect(await answer()).toEqual(want)
      for (const border of borders) {
        const before = `fromUnixTimestamp64Milli(${begin + border * HOUR}, 'UTC')`
        await clickhouse.command(`ALTER TABLE db.ctr_ledger DELETE WHERE cut_at < ${before} SETTINGS mutations_sync = 1`, database)
        expect(await answer()).toEqual(want)
      }
      await clickhouse.command('OPTIMIZE TABLE db.ctr_ledger FINAL', database)
      await clickhouse.command('OPTIMIZE TABLE db.ctr_ledger_hourly FINAL', database)
      expect(await answer()).toEqual(want)
    }),
    { numRuns: repetitions({ unit: 1, all: 2, long: 30 }) },
  )
})
