/** What the ledger in ClickHouse says, held against the oracle's. */
import type { TestClickHouse } from './clickhouse.ts'
import type { OracleLedger } from './oracle.ts'

interface Totals {
  readonly topic: string
  readonly partition: number
  readonly read: number
  readonly counted: number
  readonly late: number
  readonly invalid: number
  readonly dead_lettered: number
  readonly by: Readonly<Record<string, number>>
}

/**
 * Whether invalid records are told by other reasons than the oracle's. Those before the marks that a start went by are told as one,
 * EARLIER; no reason may have too many, and together they are as many.
 */
export function reasonsDiffer(got: Readonly<Record<string, number>>, want: Readonly<Record<string, number>>): boolean {
  const names = new Set([...Object.keys(got), ...Object.keys(want)])
  names.delete('EARLIER')
  const missing = [...names].map((name) => (want[name] ?? 0) - Number(got[name] ?? 0))
  return missing.some((count) => count < 0) || missing.reduce((sum, count) => sum + count, 0) !== Number(got.EARLIER ?? 0)
}

/**
 * What is wrong, one line each: the last totals of every partition must be the oracle's (keyed `topic/partition`), every minute must
 * balance, and the windows must hold what was counted. `database` and `tenant` as written; all windows must be closed.
 */
export async function ledgerFaults(
  clickhouse: TestClickHouse,
  ledgers: ReadonlyMap<string, OracleLedger>,
  { database = clickhouse.endpoint.database, tenant = 'default' } = {},
): Promise<string[]> {
  const faults: string[] = []
  const rows = await clickhouse.rows<Totals>(
    `SELECT topic, partition, read, counted, late, invalid, dead_lettered, invalid_by_reason AS by
     FROM ${database}.ctr_ledger FINAL WHERE tenant = '${tenant}' AND first_offset = 0
     ORDER BY last_offset DESC LIMIT 1 BY topic, partition`,
  )
  const found = new Map(rows.map((row) => [`${row.topic}/${row.partition}`, row]))
  for (const [name, { read, counted, late, invalid }] of ledgers) {
    if (read === 0) continue
    const row = found.get(name)
    const bad = Object.values(invalid).reduce((sum, count) => sum + count, 0)
    const want = [read, counted, late, bad, bad].join(' ')
    const got = row === undefined ? 'nothing' : [row.read, row.counted, row.late, row.invalid, row.dead_lettered].join(' ')
    if (got !== want) faults.push(`the ledger of ${name} has ${got} where ${want} belongs (read, counted, late, invalid, dead-lettered)`)
    if (row !== undefined && reasonsDiffer(row.by, invalid))
      faults.push(`the ledger of ${name} has other reasons: ${JSON.stringify(row.by)}`)
  }
  const [sums] = await clickhouse.rows<{ unbalanced: number; windows: number; results: number }>(
    `SELECT countIf(NOT balanced) AS unbalanced, sum(window_events) AS windows, sum(result_events) AS results
     FROM ${database}.ctr_reconciliation WHERE tenant = '${tenant}'`,
  )
  const counted = [...ledgers.values()].reduce((sum, ledger) => sum + ledger.counted, 0)
  if (sums?.unbalanced !== 0) faults.push(`${sums?.unbalanced} minutes of ctr_reconciliation do not balance`)
  if (sums?.windows !== counted || sums.results !== counted)
    faults.push(
      `ctr_reconciliation has ${sums?.windows} events in windows and ${sums?.results} in their rows where ${counted} were counted`,
    )
  return faults
}
