/**
 * A database of views that read one of several ctr databases, the one that the newest row of its table of switches names. Whoever reads it
 * reads one database or the other, wholly: a switch is one row, and a query looks for the newest row once.
 *
 *   ctr_switches   number, reads: of the rows the one with the highest number says which database is read
 *   ctr_windows …  every view to read of a ctr database, under its own name: the same view of each database that may be read, of which
 *                  all but one have a condition that is false before anything is read of them
 *
 * Views read the database that is read now and the one that was before or is to be; so the way back needs no other views either. A view has
 * the columns that both have. What a switch would take from readers, a view or a column, is refused.
 */
import { createHash } from 'node:crypto'
import type { ClickHouseClient } from '@clickhouse/client'
import { clickHouseCode, connect, type Endpoint, explainClickHouse, whereOf } from '../clickhouse/connect.ts'
import { identifier, literal } from '../clickhouse/front-sql.ts'
import { CtrError } from '../errors.ts'
import { namesOf, onCluster } from './cluster.ts'
import type { Form, StoredTable, View } from './objects.ts'
import { databaseStatement, tableStatement } from './render.ts'
import { OBJECTS } from './schema.ts'
import { RESULTS_TABLE } from './stored-tables.ts'

/** Which database is read. Two that switch at once may write one number: then it is the same one for everybody, and one of them is told. */
export const SWITCHES_TABLE: StoredTable = {
  kind: 'table',
  name: 'ctr_switches',
  columns: [
    ['number', 'UInt64'],
    ['reads', 'String'],
    ['by', 'String'],
    ['at', "DateTime64(3, 'UTC')", 'DEFAULT now64(3)'],
  ],
  newest: 'at',
  orderBy: ['number', 'reads'],
  spread: 'copy',
}

/** What the database is called when nothing else is said. */
export const LIVE_DEFAULT = 'ctr_live'

/** A row of it; `at` in ms since the epoch. */
export interface Switched {
  readonly number: number
  readonly reads: string
  readonly by: string
  readonly at: number
}

/** What is wanted of the views: to read a database, the one before, or only the one that is read now. */
export type SwitchWish = { readonly to: string } | 'back' | 'settle'

/** What was done. */
export interface SwitchOutcome {
  readonly reads: string
  /** What was read before; undefined for the first time. */
  readonly before: string | undefined
  /** Views that were made anew; none when they read both databases already. */
  readonly views: readonly string[]
}

const UNKNOWN_DATABASE = 81
const UNKNOWN_TABLE = 60
const VIEWS = OBJECTS.filter((object): object is View => object.kind === 'view')

/** The statement of a view of the live database; columns that each of `databases` has. */
export function liveStatement(form: Form, view: View, databases: readonly string[], columns: readonly string[]): string {
  const parameters = parametersOf(form, view).map(([name, type]) => `${name} = {${name}:${type}}`)
  const arguments_ = parameters.length === 0 ? '' : `(${parameters.join(', ')})`
  const parts = databases.map((database) => {
    const from = `${identifier(database)}.${view.name}${arguments_}`
    return `SELECT ${columns.map(identifier).join(', ')} FROM ${from} WHERE reads_now = ${literal(database)}`
  })
  const newest = `SELECT argMax(reads, (number, reads)) FROM ${identifier(form.database)}.${SWITCHES_TABLE.name}`
  const query = `WITH (${newest}) AS reads_now\n${parts.join('\nUNION ALL\n')}`
  const target = `${identifier(form.database)}.${view.name}${onCluster(form)}`
  return `CREATE OR REPLACE VIEW ${target} AS\n${query}\nCOMMENT ${literal(commentOf(databases, query))}`
}

/** By which a view is known again: the server keeps its query in words of its own. */
function commentOf(databases: readonly string[], query: string): string {
  return `${databases.join(' or ')}, as ctr_switches says (${createHash('sha256').update(query).digest('hex').slice(0, 16)})`
}

function parametersOf(form: Form, view: View): (readonly [name: string, type: string])[] {
  const found = view.query(namesOf(form)).matchAll(/\{(\w+):([^}]+)\}/g)
  return [...new Map([...found].map(([, name = '', type = '']) => [name, type] as const))]
}

/** The switches there were, newest first; none where there is no such database. Throws CtrError. */
export async function readSwitches(endpoint: Endpoint, database: string): Promise<readonly Switched[]> {
  return withServer(endpoint, (client) => switchesOf(client, database))
}

/**
 * Does it, on the ClickHouse of the endpoint; `form` is that of the live database. Until its row is written, the last step but a look at
 * the views, readers notice nothing. Throws CtrError.
 */
export async function switchLive(endpoint: Endpoint, form: Form, wish: SwitchWish, by: string): Promise<SwitchOutcome> {
  return withServer(endpoint, async (client) => {
    const { database } = form
    await refuseEngines(client, endpoint, database)
    const switches = await switchesOf(client, database)
    const before = switches[0]?.reads
    const reads = targetOfWish(endpoint, database, wish, switches)
    const wanted = await wantedViews(client, endpoint, form, wish === 'settle' ? [reads] : pairOf(reads, switches), reads)
    await client.command({ query: databaseStatement(form) })
    await client.command({ query: tableStatement(form, SWITCHES_TABLE) })
    // Views that lack the database that is read show nothing: no view is made from what was true some time ago.
    const shortlyBefore = await switchesOf(client, database)
    if (shortlyBefore[0]?.number !== switches[0]?.number || shortlyBefore[0]?.reads !== before)
      throw switchedMeanwhile(database, shortlyBefore[0]?.reads, 'nothing was changed')
    const views = await replaceViews(client, form, wanted)
    if (reads !== before) await writeSwitch(client, database, reads, by)
    const now = await mendViews(client, endpoint, form, { reads, wanted })
    if (now === reads) return { reads, before, views }
    throw switchedMeanwhile(database, now, 'its views were made for that')
  })
}

/** Somebody who switches at the same time makes views, too, and may have made them without the database that is read in the end. */
async function mendViews(
  client: ClickHouseClient,
  endpoint: Endpoint,
  form: Form,
  own: { readonly reads: string; readonly wanted: ReadonlyMap<string, string> },
): Promise<string | undefined> {
  for (let known: Switched | undefined; ; ) {
    const switches = await switchesOf(client, form.database)
    const now = switches[0]
    if (now === undefined || (now.number === known?.number && now.reads === known.reads)) return now?.reads
    const { reads } = now
    const wanted = reads === own.reads ? own.wanted : await wantedViews(client, endpoint, form, pairOf(reads, switches), reads)
    await replaceViews(client, form, wanted)
    known = now
  }
}

/** The database that is read, and the one before. */
function pairOf(reads: string, switches: readonly Switched[]): readonly string[] {
  const other = switches.find((each) => each.reads !== reads)?.reads
  return other === undefined ? [reads] : [other, reads].sort()
}

function switchedMeanwhile(database: string, reads: string | undefined, done: string): CtrError {
  const what = `somebody else has switched ${database} to ${reads} at the same time, and ${done}`
  return new CtrError('CTR_CLICKHOUSE_REFUSED', `--live ${database}: ${what}; look at \`ctr schema switch\`, and run it again if need be`)
}

/** Its tables and views have the names of ours. */
async function refuseEngines(client: ClickHouseClient, endpoint: Endpoint, database: string): Promise<void> {
  const answer = await client.query({
    query: 'SELECT name FROM system.tables WHERE database = {database:String} AND name = {name:String}',
    query_params: { database, name: RESULTS_TABLE.name },
    format: 'JSONEachRow',
  })
  if ((await answer.json()).length === 0) return
  const what = `an engine writes to it at ${whereOf(endpoint)}, for it has ${RESULTS_TABLE.name}`
  throw new CtrError('CTR_USAGE', `--live ${database}: ${what}; give the views a database of their own, such as ${LIVE_DEFAULT}`)
}

function targetOfWish(endpoint: Endpoint, database: string, wish: SwitchWish, switches: readonly Switched[]): string {
  const refuse = (what: string, remedy: string) =>
    new CtrError('CTR_USAGE', `--live ${database}: ${what} at ${whereOf(endpoint)}; ${remedy}`)
  if (typeof wish === 'object') {
    if (wish.to === database) throw refuse('it can not read itself', 'name a database that an engine writes to')
    return wish.to
  }
  const [now] = switches
  if (now === undefined) throw refuse('nothing was ever switched', 'begin with `ctr schema switch --to DATABASE`')
  if (wish === 'settle') return now.reads
  const other = switches.find(({ reads }) => reads !== now.reads)
  if (other === undefined) throw refuse(`there is nothing before ${now.reads}`, 'name a database with --to')
  return other.reads
}

async function switchesOf(client: ClickHouseClient, database: string): Promise<readonly Switched[]> {
  // FINAL, for a row of the same number and database may be there twice.
  const query = `SELECT number, reads, by, toUnixTimestamp64Milli(at) AS at
    FROM ${identifier(database)}.${SWITCHES_TABLE.name} FINAL ORDER BY number DESC, reads DESC`
  try {
    const answer = await client.query({ query, format: 'JSONEachRow' })
    const rows = await answer.json<Switched & { number: string | number; at: string | number }>()
    return rows.map((row) => ({ ...row, number: Number(row.number), at: Number(row.at) }))
  } catch (error) {
    if ([UNKNOWN_DATABASE, UNKNOWN_TABLE].includes(clickHouseCode(error))) return []
    throw error
  }
}

async function writeSwitch(client: ClickHouseClient, database: string, reads: string, by: string): Promise<void> {
  const table = `${identifier(database)}.${SWITCHES_TABLE.name}`
  const query = `INSERT INTO ${table} (number, reads, by) SELECT max(number) + 1, {reads:String}, {by:String} FROM ${table}`
  await client.command({ query, query_params: { reads, by } })
}

/** The statement of each view by its name. What readers have now stays: a view or column that `reads` lacks is refused. */
async function wantedViews(
  client: ClickHouseClient,
  endpoint: Endpoint,
  form: Form,
  databases: readonly string[],
  reads: string,
): Promise<ReadonlyMap<string, string>> {
  const shown = await viewsOf(client, form, form.database)
  const have = await Promise.all(databases.map((database) => viewsOf(client, form, database)))
  const target = have[databases.indexOf(reads)]
  const wanted = new Map<string, string>()
  for (const view of VIEWS) {
    const { name } = view
    const own = target?.get(name)
    if (own === undefined) throw lacking(endpoint, reads, `no view ${name}`)
    const missing = (shown.get(name) ?? []).filter((column) => !own.includes(column))
    const shows = `which ${form.database} shows (drop that view of it to let go of it)`
    if (missing.length > 0) throw lacking(endpoint, reads, `no ${missing.join(', ')} in ${name}, ${shows}`)
    const having = databases.filter((_, i) => have[i]?.has(name))
    const columns = own.filter((column) => have.every((each) => each.get(name)?.includes(column) ?? true))
    wanted.set(name, liveStatement(form, view, having, columns))
  }
  return wanted
}

function lacking(endpoint: Endpoint, database: string, what: string): CtrError {
  const remedy = 'write its name as an engine has it in clickhouse.database, and make its tables with `ctr schema apply`'
  return new CtrError('CTR_CLICKHOUSE_REFUSED', `--to ${database}: it has ${what} at ${whereOf(endpoint)}; ${remedy}`)
}

/** The columns of each view that a database has. */
async function viewsOf(client: ClickHouseClient, form: Form, database: string): Promise<ReadonlyMap<string, readonly string[]>> {
  const answer = await client.query({
    query: `SELECT t.name AS name, (SELECT groupArray((c.table, c.name)) FROM
        (SELECT table, name FROM system.columns WHERE database = {database:String} ORDER BY table, position) AS c) AS columns
      FROM system.tables AS t WHERE t.database = {database:String} AND t.name IN {names:Array(String)}`,
    query_params: { database, names: VIEWS.map(({ name }) => name) },
    format: 'JSONEachRow',
  })
  const rows = await answer.json<{ name: string; columns: [table: string, name: string][] }>()
  const views = new Map<string, readonly string[]>()
  for (const { name, columns } of rows) {
    const own = columns.filter(([table]) => table === name).map(([, column]) => column)
    views.set(name, own.length > 0 || database === form.database ? own : await described(client, form, name, database))
  }
  return views
}

/** Of a view with parameters ClickHouse keeps no columns. */
async function described(client: ClickHouseClient, form: Form, name: string, database: string): Promise<string[]> {
  const view = VIEWS.find((each) => each.name === name)
  const parameters = view === undefined ? [] : parametersOf(form, view).map(([parameter]) => `${parameter} = '1970-01-01 00:00:00'`)
  const from = `${identifier(database)}.${name}${parameters.length === 0 ? '' : `(${parameters.join(', ')})`}`
  const answer = await client.query({ query: `DESCRIBE TABLE (SELECT * FROM ${from})`, format: 'JSONEachRow' })
  return (await answer.json<{ name: string }>()).map((column) => column.name)
}

/** The names of those that were not so already. */
async function replaceViews(client: ClickHouseClient, { database }: Form, wanted: ReadonlyMap<string, string>): Promise<string[]> {
  const answer = await client.query({
    query: 'SELECT name, comment FROM system.tables WHERE database = {database:String}',
    query_params: { database },
    format: 'JSONEachRow',
  })
  const comments = new Map((await answer.json<{ name: string; comment: string }>()).map(({ name, comment }) => [name, comment]))
  const changed = [...wanted].filter(([name, statement]) => !statement.endsWith(`COMMENT ${literal(comments.get(name) ?? '')}`))
  for (const [, statement] of changed) await client.command({ query: statement })
  return changed.map(([name]) => name)
}

async function withServer<T>(endpoint: Endpoint, work: (client: ClickHouseClient) => Promise<T>): Promise<T> {
  const client = connect(endpoint, undefined)
  try {
    return await work(client)
  } catch (error) {
    throw explainClickHouse(error, endpoint)
  } finally {
    await client.close()
  }
}
