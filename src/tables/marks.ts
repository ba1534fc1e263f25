/**
 * How far what is computed from the results has come, ctr_refreshed: instants by name, of which the newest counts.
 *
 *   minutely, latest, hourly …     when the last computation that succeeded began, by the clock of ClickHouse
 *   minutely sweep, latest sweep   when the last one began that also looked for inserts that took long
 *   whole TABLE                    from this event time on no row of the table has expired. It never goes back: what is kept longer from
 *                                  today on is gone already
 */
import type { ClickHouseClient } from '@clickhouse/client'
import type { Names, StoredTable } from './objects.ts'

/** Its table. */
export const REFRESHED_TABLE: StoredTable = {
  kind: 'table',
  name: 'ctr_refreshed',
  columns: [
    ['name', 'String'],
    ['at', "DateTime64(3, 'UTC')"],
  ],
  newest: 'at',
  orderBy: ['name'],
  spread: 'copy',
}

/** Instants by name, ms. */
export type Marks = ReadonlyMap<string, number>

/** All marks, and what time it is for ClickHouse, ms. Rejects as the client does. */
export async function readMarks(client: ClickHouseClient, { all }: Names): Promise<{ now: number; marks: Marks }> {
  const query = `SELECT '' AS name, toFloat64(toUnixTimestamp64Milli(now64(3))) AS ms
    UNION ALL SELECT name, toFloat64(toUnixTimestamp64Milli(max(at))) FROM ${all(REFRESHED_TABLE.name)} GROUP BY name`
  const answer = await client.query({ query, format: 'JSONEachRow' })
  const rows = await answer.json<{ name: string; ms: number }>()
  return { now: rows.find(({ name }) => name === '')?.ms ?? 0, marks: new Map(rows.map(({ name, ms }) => [name, ms])) }
}

/** From now on these are the marks of their names. */
export async function keepMarks(client: ClickHouseClient, marks: Marks): Promise<void> {
  await client.insert({
    table: REFRESHED_TABLE.name,
    values: [...marks].map(([name, ms]) => ({ name, at: new Date(ms).toISOString().replace('T', ' ').slice(0, -1) })),
    format: 'JSONEachRow',
    clickhouse_settings: { async_insert: 0, wait_end_of_query: 1 },
  })
}

/** A mark as an instant in a query; 1970 where there is none. */
export function markInSql({ all }: Names, name: string): string {
  return `(SELECT max(at) FROM ${all(REFRESHED_TABLE.name)} WHERE name = '${name}')`
}
