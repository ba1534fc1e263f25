/** What a database holds: its tables and views as the server describes them, in the parts that are compared with what is wanted. */
import type { ClickHouseClient } from '@clickhouse/client'
import { literal } from '../clickhouse/front-sql.ts'
import type { SchemaObject } from './objects.ts'

/** A table or view that is there. What a kind does not have is empty. */
export interface ActualObject {
  readonly name: string
  /** A refresh runs its query at intervals. */
  readonly kind: SchemaObject['kind'] | 'refresh' | 'other'
  /** ClickHouse's own: one that is dropped and made again has another. */
  readonly id: string
  readonly columns: ReadonlyMap<string, string>
  readonly indexes: readonly string[]
  readonly parts: DdlParts
  /** On one line, as the server writes queries. */
  readonly query: string
}

/** The clauses of a statement that creates something, each as the server writes it; empty when it is not there. */
export interface DdlParts {
  readonly engine: string
  readonly partitionBy: string
  readonly orderBy: string
  readonly ttl: string
  /** Where a feed appends. */
  readonly to: string
  readonly settings: ReadonlyMap<string, string>
}

/** Every object of a database, by name. Rejects as the client does. */
export async function readActual(client: ClickHouseClient, database: string): Promise<Map<string, ActualObject>> {
  const ask = async <T>(query: string) => {
    const answer = await client.query({ query, query_params: { database }, format: 'JSONEachRow' })
    return answer.json<T>()
  }
  const [tables, columns, indexes] = await Promise.all([
    ask<{ name: string; id: string; engine: string; ddl: string; query: string }>(
      `SELECT name, toString(uuid) AS id, engine, create_table_query AS ddl, as_select AS query
      FROM system.tables WHERE database = {database:String}`,
    ),
    ask<{ table: string; name: string; type: string }>(
      'SELECT table, name, type FROM system.columns WHERE database = {database:String} ORDER BY table, position',
    ),
    ask<{ table: string; name: string }>('SELECT table, name FROM system.data_skipping_indices WHERE database = {database:String}'),
  ])
  return new Map(
    tables.map(({ name, id, engine, ddl, query }) => [
      name,
      {
        name,
        kind: kindOf(engine, headOf(ddl, query)),
        id,
        columns: new Map(columns.filter(({ table }) => table === name).map((column) => [column.name, column.type])),
        indexes: indexes.filter(({ table }) => table === name).map((index) => index.name),
        parts: ddlParts(headOf(ddl, query)),
        query,
      },
    ]),
  )
}

/** Texts of SQL as the server writes them on one line, in their order. */
export async function formatted(client: ClickHouseClient, texts: readonly string[]): Promise<string[]> {
  if (texts.length === 0) return []
  const query = `SELECT ${texts.map((text, i) => `formatQuerySingleLine(${literal(text)}) AS f${i}`).join(', ')}`
  const answer = await client.query({ query, format: 'JSONEachRow' })
  const [row] = await answer.json<Record<string, string>>()
  return texts.map((_, i) => row?.[`f${i}`] ?? '')
}

/** The clauses of a statement on one line; of a view's what stands before its query. */
export function ddlParts(head: string): DdlParts {
  const tail = head.slice(head.lastIndexOf(' ENGINE = '))
  const clause = (from: string, ends: readonly string[]) => {
    const found = new RegExp(` ${from} (.*?)(?= (?:${[...ends, '$'].join('|')})|$)`).exec(tail)
    return found?.[1] ?? ''
  }
  const settings = clause('SETTINGS', ['COMMENT'])
  return {
    engine: / ENGINE = (\w+(?:\(.*?\))?)(?= |$)/.exec(tail)?.[1] ?? '',
    partitionBy: clause('PARTITION BY', ['PRIMARY KEY', 'ORDER BY', 'TTL', 'SETTINGS', 'COMMENT']),
    orderBy: clause('ORDER BY', ['TTL', 'SETTINGS', 'COMMENT']).replace(/^\((.*)\)$/, '$1'),
    ttl: clause('TTL', ['SETTINGS', 'COMMENT']),
    to: / TO (\S+)/.exec(head)?.[1] ?? '',
    settings: new Map(settings.split(', ').flatMap((setting) => (setting === '' ? [] : [setting.split(' = ', 2) as [string, string]]))),
  }
}

/** Of a view's statement what stands before its query. */
function headOf(ddl: string, query: string): string {
  return query !== '' && ddl.endsWith(query) ? ddl.slice(0, -query.length) : ddl
}

function kindOf(engine: string, head: string): ActualObject['kind'] {
  if (engine === 'View') return 'view'
  if (engine === 'MaterializedView') return / REFRESH (?:EVERY|AFTER) /.test(head) ? 'refresh' : 'feed'
  return engine.endsWith('MergeTree') ? 'table' : 'other'
}
