/** Makes sure that a ClickHouse is what the sink needs: a RowBinary insert into columns of other types would be read as garbage. */
import type { ClickHouseClient } from '@clickhouse/client'
import { connect, type Endpoint, explainClickHouse, unacknowledged, whereOf } from '../clickhouse/connect.ts'
import { CtrError } from '../errors.ts'
import { readBook, SCHEMA_TABLE } from './book.ts'
import { TABLES, type Table } from './columns.ts'
import { plainType } from './differences.ts'
import { refuseNewer } from './plan.ts'

/** Throws CTR_CLICKHOUSE_UNREACHABLE when it is not a ClickHouse that answers, or what it says of a statement does not come through. */
export async function checkAnswers(endpoint: Endpoint): Promise<void> {
  const client = connect(endpoint, undefined)
  try {
    const { stream, summary } = await client.exec({ query: 'SELECT 1', clickhouse_settings: { wait_end_of_query: 1 } })
    stream.resume()
    if (summary === undefined) throw unacknowledged('a query')
  } catch (error) {
    throw explainClickHouse(error, endpoint)
  } finally {
    await client.close()
  }
}

/** Of each table of the sink, its columns' types as ClickHouse names them, in the order of our columns. */
export type TableTypes = ReadonlyMap<string, readonly string[]>

/**
 * Throws CTR_CLICKHOUSE_REFUSED when a table is missing or has other columns than the rows that are written to it, or takes rows of newer
 * engines only.
 */
export async function checkSchema(endpoint: Endpoint): Promise<TableTypes> {
  const client = connect(endpoint, undefined)
  try {
    if (!(await hasDatabase(client, endpoint.database))) {
      throw refused(endpoint, `has no database ${endpoint.database}`)
    }
    const result = await client.query({
      query: 'SELECT table, name, type FROM system.columns WHERE database = {database:String} AND table IN {tables:Array(String)}',
      query_params: { database: endpoint.database, tables: [SCHEMA_TABLE, ...TABLES].map(({ name }) => name) },
      format: 'JSONEachRow',
    })
    const columns = await result.json<{ table: string; name: string; type: string }>()
    if (columns.some(({ table }) => table === SCHEMA_TABLE.name)) {
      const { version } = await readBook(client, endpoint.database)
      if (version !== undefined) refuseNewer(endpoint, version)
    }
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

function refused(endpoint: Endpoint, what: string): CtrError {
  const remedy = '`ctr schema print` shows what is needed, `ctr schema apply` creates what is missing'
  return new CtrError('CTR_CLICKHOUSE_REFUSED', `clickhouse.database: ${whereOf(endpoint)} ${what}; ${remedy}`)
}
