/** Final rows as a reader of ClickHouse finds them, to be compared with the oracle's. */
import type { TestClickHouse } from '../../workshop/clickhouse.ts'
import { type OracleRow, rowKey, rowsHash } from '../../workshop/oracle.ts'

const COLUMNS = `tenant, product_id AS product, toUnixTimestamp64Milli(window_start) AS windowStart,
  toUnixTimestamp64Milli(window_end) AS windowEnd, task, impressions, clicks, ctr, version`

/** The statement whose JSON rows are OracleRows. */
export function rowsSql(tenant: string, database = 'ctr'): string {
  return `SELECT ${COLUMNS} FROM ${database}.ctr_results FINAL WHERE tenant = '${tenant}'`
}

/** The newest version of every row of a tenant, keyed as the oracle's. */
export async function finalRows(clickhouse: TestClickHouse, tenant: string): Promise<Map<string, OracleRow>> {
  return keyed(await clickhouse.rows<OracleRow>(rowsSql(tenant, clickhouse.endpoint.database)))
}

/** By rowKey. */
export function keyed(rows: Iterable<OracleRow>): Map<string, OracleRow> {
  return new Map([...rows].map((row) => [rowKey(row), row]))
}

/** What differs, in words, at most `max` lines; nothing when the rows and their hashes are the same. */
export function differences(actual: ReadonlyMap<string, OracleRow>, expected: ReadonlyMap<string, OracleRow>, max = 5): string[] {
  if (rowsHash(actual.values()) === rowsHash(expected.values())) return []
  const found: string[] = []
  const say = (row: OracleRow | undefined) => (row === undefined ? 'no row' : `${row.impressions} and ${row.clicks} (${row.version})`)
  let wrong = 0
  for (const key of new Set([...expected.keys(), ...actual.keys()])) {
    const is = actual.get(key)
    const wanted = expected.get(key)
    if (is !== undefined && wanted !== undefined && rowsHash([is]) === rowsHash([wanted])) continue
    if (++wrong <= max) found.push(`${key}: ${say(is)} where ${say(wanted)} belongs`)
  }
  return [`${wrong} of ${expected.size} rows differ (${actual.size} are there)`, ...found]
}
