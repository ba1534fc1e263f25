/**
 * Brings a ClickHouse to the state the sink needs, and makes sure it is there: a RowBinary insert into columns of other types would be
 * read as garbage.
 */
import type { ClickHouseClient } from '@clickhouse/client'
import { CtrError } from '../errors.ts'
import { connect, type Endpoint, explainClickHouse } from './connect.ts'
import { databaseStatement, schemaStatements, TABLES, type Table } from './schema.ts'

/** Creates what is missing of database, tables and views. Throws CtrError; nothing is harmed by running it again. */
export async function applySchema(endpoint: Endpoint): Promise<void> {
  const client = connect(endpoint, undefined)
  try {
    if (!(await hasDatabase(client, endpoint.database))) await client.command({ query: databaseStatement(endpoint.database) })
    for (const query of schemaStatements(endpoint.database)) await client.command({ query })
  } catch (error) {
    throw explainClickHouse(error, endpoint)
  } finally {
    await client.close()
  }
}

/** Of each table of the sink, its columns' types as ClickHouse names them, in the order of our columns. */
export type TableTypes = ReadonlyMap<string, readonly string[]>

/** Throws CTR_CLICKHOUSE_REFUSED when a table is missing or has other columns than the rows that are written to it. */
export async function checkSchema(endpoint: Endpoint): Promise<TableTypes> {
  const client = connect(endpoint, undefined)
  try {
    if (!(await hasDatabase(client, endpoint.database))) {
      throw refused(endpoint, `has no database ${endpoint.database}`)
    }
    const result = await client.query({
      query: 'SELECT table, name, type FROM system.columns WHERE database = {database:String} AND table IN {tables:Array(String)}',
      query_params: { database: endpoint.database, tables: TABLES.map(({ name }) => name) },
      format: 'JSONEachRow',
    })
    const columns = await result.json<{ table: string; name: string; type: string }>()
    return new Map(TABLES.map((table) => [table.name, checkTable(endpoint, table, columns)]))
  } catch (error) {
    throw explainClickHouse(error, endpoint)
  } finally {
    await client.close()
  }
}

function checkTable(
  endpoint: Endpoint,
  { name, columns }: Table,
  all: readonly { table: string; name: string; type: string }[],
): readonly string[] {
  const where = `${endpoint.database}.${name}`
  const types = new Map(all.filter(({ table }) => table === name).map((column) => [column.name, column.type]))
  if (types.size === 0) throw refused(endpoint, `has no table ${where}`)
  return columns.map(([column, wanted]) => {
    const found = types.get(column)
    if (found === undefined) throw refused(endpoint, `has no column ${column} in ${where}`)
    if (plainType(found) !== wanted) throw refused(endpoint, `has column ${column} of ${where} as ${found} instead of ${wanted}`)
    return found
  })
}

async function hasDatabase(client: ClickHouseClient, database: string): Promise<boolean> {
  const query = 'SELECT count() AS found FROM system.databases WHERE name = {database:String}'
  const result = await client.query({ query, query_params: { database }, format: 'JSONEachRow' })
  const [row] = await result.json<{ found: string | number }>()
  return Number(row?.found) > 0
}

/** LowCardinality travels as the type inside it. */
function plainType(type: string): string {
  return /^LowCardinality\((.*)\)$/.exec(type)?.[1] ?? type
}

function refused(endpoint: Endpoint, what: string): CtrError {
  const remedy = '`ctr schema print` shows what is needed, `ctr schema apply` creates what is missing'
  return new CtrError('CTR_CLICKHOUSE_REFUSED', `clickhouse.database: ClickHouse at ${endpoint.url} ${what}; ${remedy}`)
}
