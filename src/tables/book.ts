/**
 * The book of a database's schema, ctr_schema: which version its tables are of, what of its steps is done, and who has the right to change
 * them (lease.ts).
 *
 *   version   the tables are of this version; engines that know at least `writers_from` may write into them
 *   part      what is done, by names that steps choose
 *   lease     who changes the tables, up to when
 */
import type { ClickHouseClient } from '@clickhouse/client'
import { identifier } from '../clickhouse/front-sql.ts'
import type { StoredTable } from './objects.ts'

const TIME = "DateTime64(3, 'UTC')"

/** Its table. */
export const SCHEMA_TABLE: StoredTable = {
  kind: 'table',
  name: 'ctr_schema',
  columns: [
    ['kind', 'String'],
    ['name', 'String'],
    ['version', 'UInt32'],
    ['writers_from', 'UInt32'],
    ['detail', 'String'],
    ['until', TIME],
    ['at', TIME, 'DEFAULT now64(3)'],
  ],
  newest: 'at',
  orderBy: ['kind', 'name'],
  spread: 'copy',
}

/** The newest version that a database has had. */
export interface KeptVersion {
  readonly version: number
  /** Engines from this version on may write. */
  readonly writersFrom: number
}

/** What was written down of something that is done. */
export interface Note {
  readonly detail: string
  /** When, ms since the epoch by ClickHouse's clock. */
  readonly at: number
}

/** All of the book but its leases. */
export interface SchemaBook {
  /** Undefined when none was written yet. */
  readonly version: KeptVersion | undefined
  readonly notes: ReadonlyMap<string, Note>
}

/** Of a database without one. */
export const EMPTY_BOOK: SchemaBook = { version: undefined, notes: new Map() }

/** Of a database; rejects as the client does. */
export async function readBook(client: ClickHouseClient, database: string): Promise<SchemaBook> {
  const query = `SELECT kind, name, version, writers_from AS writersFrom, detail, toFloat64(toUnixTimestamp64Milli(at)) AS at
    FROM ${identifier(database)}.ctr_schema FINAL WHERE kind IN ('version', 'part')`
  const answer = await client.query({ query, format: 'JSONEachRow' })
  const rows = await answer.json<KeptVersion & Note & { kind: string; name: string }>()
  const versions = rows.filter(({ kind }) => kind === 'version').toSorted((a, b) => b.version - a.version)
  const notes = rows.filter(({ kind }) => kind === 'part').map(({ name, detail, at }) => [name, { detail, at }] as const)
  return { version: versions[0], notes: new Map(notes) }
}

/** From now on the tables are of this version. */
export async function keepVersion(client: ClickHouseClient, { version, writersFrom }: KeptVersion): Promise<void> {
  await client.command({
    query: `INSERT INTO ctr_schema (kind, name, version, writers_from)
      SELECT 'version', toString({version:UInt32}), {version:UInt32}, {from:UInt32}`,
    query_params: { version, from: writersFrom },
  })
}

/** Something is done. */
export async function keepNote(client: ClickHouseClient, name: string, detail: string): Promise<void> {
  const query = "INSERT INTO ctr_schema (kind, name, detail) SELECT 'part', {name:String}, {detail:String}"
  await client.command({ query, query_params: { name, detail } })
}
