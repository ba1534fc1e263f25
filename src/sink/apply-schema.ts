/**
 * Brings a ClickHouse to the state the sink needs, and makes sure it is there: a RowBinary insert into columns of other types would be
 * read as garbage.
 */
import type { ClickHouseClient } from '@clickhouse/client'
import { CtrError } from '../errors.ts'
import { connect, type Endpoint, explainClickHouse } from './connect.ts'
import { databaseStatement, RESULT_COLUMNS, schemaStatements } from './schema.ts'

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

/** Throws CTR_CLICKHOUSE_REFUSED when ctr_results is missing or has other columns than the rows that are written. */
export async function checkSchema(endpoint: Endpoint): Promise<void> {
  const client = connect(endpoint, undefined)
  try {
    if (!(await hasDatabase(client, endpoint.database))) {
      throw refused(endpoint, `has no database ${endpoint.database}`)
    }
    const result = await client.query({
      query: "SELECT name, type FROM system.columns WHERE database = {database:String} AND table = 'ctr_results'",
      query_params: { database: endpoint.database },
      format: 'JSONEachRow',
    })
    const types = new Map((await result.json<{ name: string; type: string }>()).map(({ name, type }) => [name, type]))
    if (types.size === 0) throw refused(endpoint, `has no table ${endpoint.database}.ctr_results`)
    for (const [name, wanted] of RESULT_COLUMNS) {
      const found = types.get(name)
      if (found === undefined) throw refused(endpoint, `has no column ${name} in ${endpoint.database}.ctr_results`)
      if (plainType(found) !== wanted)
        throw refused(endpoint, `has column ${name} of ${endpoint.database}.ctr_results as ${found} instead of ${wanted}`)
    }
  } catch (error) {
    throw explainClickHouse(error, endpoint)
  } finally {
    await client.close()
  }
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
