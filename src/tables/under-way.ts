/**
 * Statements that run in ClickHouse. It goes on with one whose client was killed, so each that changes a schema has a mark, by which the
 * next who changes it finds it and waits. An insert that began before a feed was made is not fed; whoever copies what was there before has
 * to wait for its end.
 *
 * Asks system.processes, which whoever changes a schema must be able to read.
 */
import { randomUUID } from 'node:crypto'
import type { ClickHouseClient } from '@clickhouse/client'
import { literal } from '../clickhouse/front-sql.ts'
import { sleep } from '../clock.ts'
import type { Form } from './objects.ts'

const PAUSE_MS = 200
const LOOK_MS = 5_000

/** The statement of a killed process, and how far it is. */
export interface Progress {
  readonly rows: number
  readonly elapsedSeconds: number
}

/** Runs a statement under a mark; `progress` hears of one that takes long. Rejects as the client does. */
export async function runMarked(
  client: ClickHouseClient,
  database: string,
  statement: string,
  progress: (now: Progress) => void,
): Promise<void> {
  const own = `${randomUUID()} */`
  let looking: Promise<void> | undefined
  const timer = setInterval(() => {
    looking ??= progressOf(client, own)
      .then((now) => void (now && progress(now)))
      .catch(() => undefined)
      .finally(() => {
        looking = undefined
      })
  }, LOOK_MS)
  try {
    await client.command({ query: `${statement}\n${mark(database)}${own}` })
  } finally {
    clearInterval(timer)
    await looking
  }
}

/** Resolves when no statement of another one who changes the schema runs any more; `waiting` is told once, when one does. */
export async function othersEnded(client: ClickHouseClient, form: Form, signal: AbortSignal, waiting: () => void): Promise<void> {
  const query = `SELECT query_id AS id FROM ${processesOf(form)}
    WHERE query_kind != 'Select' AND position(query, {mark:String}) > 0`
  let told = false
  for (;;) {
    signal.throwIfAborted()
    if ((await ids(client, query, { mark: mark(form.database) })).length === 0) return
    if (!told) waiting()
    told = true
    await sleep(PAUSE_MS, signal)
  }
}

/** Resolves when every insert into a table that is under way now has ended, refreshes into it included. */
export async function insertsEnded(client: ClickHouseClient, form: Form, table: string, signal: AbortSignal): Promise<void> {
  const query = `SELECT query_id AS id FROM ${processesOf(form)}
    WHERE query_kind = 'Insert' AND position(query, {table:String}) > 0 AND position(query, {mark:String}) = 0`
  const parameters = { table, mark: mark(form.database) }
  let left = await ids(client, query, parameters)
  while (left.length > 0) {
    signal.throwIfAborted()
    await sleep(PAUSE_MS, signal)
    const now = new Set(await ids(client, query, parameters))
    left = left.filter((id) => now.has(id))
  }
}

/** Of all servers that have the tables. */
function processesOf({ cluster }: Form): string {
  return cluster === undefined ? 'system.processes' : `clusterAllReplicas(${literal(cluster)}, system.processes)`
}

/** A comment's begin. No name of a database is the begin of another one's, or ends the comment. */
function mark(database: string): string {
  return `/* ctr schema of ${encodeURIComponent(database).replaceAll('*', '%2A')} `
}

async function progressOf(client: ClickHouseClient, own: string): Promise<Progress | undefined> {
  const answer = await client.query({
    query: `SELECT toFloat64(read_rows) AS rows, elapsed AS elapsedSeconds FROM system.processes
      WHERE query_kind != 'Select' AND position(query, {own:String}) > 0`,
    query_params: { own },
    format: 'JSONEachRow',
  })
  return (await answer.json<Progress>())[0]
}

async function ids(client: ClickHouseClient, query: string, parameters: Record<string, string>): Promise<string[]> {
  const answer = await client.query({ query, query_params: parameters, format: 'JSONEachRow' })
  return (await answer.json<{ id: string }>()).map(({ id }) => id)
}
