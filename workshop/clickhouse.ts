/** A real ClickHouse engine for tests: the embedded front on a temporary directory, which goes with stop(). */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ClickHouseClient, ClickHouseLogLevel, createClient } from '@clickhouse/client'
import { applySchema } from '../src/clickhouse/apply-schema.ts'
import type { Endpoint } from '../src/clickhouse/connect.ts'
import { openEmbedded } from '../src/clickhouse/embedded-front.ts'
import { sleep } from '../src/clock.ts'

export interface TestClickHouse {
  /** Ready for connect(); its database exists only after applySchema. */
  readonly endpoint: Endpoint
  readonly directory: string
  /** The rows of a SELECT as objects; 64-bit numbers as JavaScript numbers. */
  rows<T = Record<string, unknown>>(sql: string, database?: string): Promise<T[]>
  command(sql: string, database?: string): Promise<void>
  stop(): Promise<void>
}

export const silent = { info: () => undefined, warn: () => undefined, error: () => undefined }

/** Starts an engine; with `schema`, its database `ctr` has all tables and views. */
export async function startClickHouse(options: { schema?: boolean } = {}): Promise<TestClickHouse> {
  const directory = mkdtempSync(join(tmpdir(), 'ctr-clickhouse-'))
  const front = await openEmbedded(directory, silent, { lingerMs: 0 })
  const { url, username, password } = front
  const endpoint: Endpoint = { url, username, password, database: 'ctr', requestTimeoutMs: 30_000, compression: false }
  if (options.schema === true) await applySchema(endpoint)
  const client = createClient({
    url,
    username,
    password,
    log: { level: ClickHouseLogLevel.OFF },
    clickhouse_settings: { output_format_json_quote_64bit_integers: 0 },
  })
  return {
    endpoint,
    directory,
    rows: (sql, database) => rowsOf(client, database === undefined ? sql : inDatabase(sql, database)),
    command: async (sql, database) => void (await client.command({ query: database === undefined ? sql : inDatabase(sql, database) })),
    async stop() {
      await client.close()
      front.close()
      await gone(front.pid)
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

/** Resolves when the process has ended; fails after 20 s. */
export async function gone(pid: number): Promise<void> {
  for (let i = 0; i < 400; i++) {
    try {
      process.kill(pid, 0)
    } catch {
      return
    }
    await sleep(50)
  }
  throw new Error(`process ${pid} does not end`)
}

async function rowsOf<T>(client: ClickHouseClient, sql: string): Promise<T[]> {
  const result = await client.query({ query: sql, format: 'JSONEachRow' })
  return result.json<T>()
}

/** Test SQL names tables with the placeholder `db.`. */
function inDatabase(sql: string, database: string): string {
  return sql.replaceAll(/\bdb\./g, `\`${database}\`.`)
}
