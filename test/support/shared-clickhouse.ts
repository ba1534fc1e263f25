/** The test run's one ClickHouse, and with the broker what tests of whole engines stand on: `const { brokers, clickhouse } = await …`. */
import { afterAll } from 'vitest'
import type { Endpoint } from '../../src/clickhouse/connect.ts'
import { SCHEMA_TABLE } from '../../src/tables/book.ts'
import { attach, type TestClickHouse } from '../../workshop/clickhouse.ts'
import { fresh } from '../../workshop/kafka-harness.ts'
import { makeTables } from '../../workshop/tables.ts'
import { behindDoor, sharedBrokers } from './shared-broker.ts'

/** The endpoint's database has all tables and views, for tests that keep apart by tenant and alter nothing. */
export interface SharedClickHouse extends TestClickHouse {
  /** The endpoint with a database that nobody else has; it is not there yet, and dropped when the test file is done. */
  own(prefix: string): Endpoint
  /** As `own`, one for the whole file: with all tables, which hold nothing. Half the time of one that is made anew. */
  emptied(prefix: string): Promise<Endpoint>
}

/** To be called at the top of a test file: what it registers is the file's. */
export async function sharedClickHouse(): Promise<SharedClickHouse> {
  const databases: string[] = []
  let clickhouse: TestClickHouse | undefined
  afterAll(async () => {
    // One after the other: an embedded engine shares two cores with the other test files.
    for (const database of databases) await clickhouse?.command(`DROP DATABASE IF EXISTS ${database}`)
    await clickhouse?.stop()
  })
  const endpoint = await behindDoor<Endpoint>('/clickhouse')
  clickhouse = attach(endpoint)
  const { rows, command } = clickhouse
  const own = (prefix: string) => {
    const database = fresh(prefix).replace('-', '_')
    databases.push(database)
    return { ...endpoint, database }
  }
  let kept: Endpoint | undefined
  return {
    ...clickhouse,
    own,
    emptied: async (prefix) => {
      if (kept === undefined) {
        kept = own(prefix)
        await makeTables(kept)
      }
      const { database } = kept
      const filled = `SELECT DISTINCT table FROM system.parts WHERE database = '${database}' AND active AND table != '${SCHEMA_TABLE.name}'`
      for (const { table } of await rows<{ table: string }>(filled)) await command(`TRUNCATE TABLE db.${table}`, database)
      return kept
    },
  }
}

/** Broker and ClickHouse of the run, as sharedClickHouse. */
export async function sharedServers(): Promise<{ brokers: string[]; clickhouse: SharedClickHouse }> {
  const [brokers, clickhouse] = await Promise.all([sharedBrokers(), sharedClickHouse()])
  return { brokers, clickhouse }
}
