/**
 * What a feed did not see: a feed fills its table from the inserts that begin after it was made, so the rows that were there before are
 * copied, with the feed's own query, a partition at a time. Rows that come both ways are one by their key.
 *
 * It is due when the feed is another one than that of the last fill: ClickHouse's id of it tells. The book has the id, and of a fill that
 * is not done the partitions that are. Servers of a cluster may have feeds of several ids, so the book has all of those.
 */
import { identifier, literal } from '../clickhouse/front-sql.ts'
import { namesOf, partName } from './cluster.ts'
import type { Feed, Form, Retention, SchemaObject, StoredTable } from './objects.ts'
import type { Part, State, Step } from './steps.ts'

/** What is copied through a feed. */
export interface Fill {
  /** Of the step; never changed once it was released. */
  readonly step: string
  readonly feed: string
  /** The table that the feed reads. */
  readonly source: string
  /** Whether a form has the feed; every one when not given. */
  readonly wanted?: (form: Form) => boolean
  /** What is copied at a time, as an expression that gives a number; undefined: all at once. */
  readonly partition?: string
  /** Of the source the rows that the fed table keeps, as a condition; undefined: all. */
  readonly kept?: (retention: Retention) => string | undefined
  /** What is to be done besides when the feed was missing for some time. */
  readonly missed?: (database: string) => string
  /** What is to be done when the table is whole, each time. */
  readonly whole?: (database: string) => string
}

/** The step that does it. */
export function fillStep(objects: readonly SchemaObject[], fill: Fill): Step {
  const feed = objects.find((object): object is Feed => object.kind === 'feed' && object.name === fill.feed)
  const table = objects.find((object): object is StoredTable => object.kind === 'table' && object.name === feed?.to)
  if (feed === undefined || table === undefined) throw new Error(`${fill.feed} is no feed`)
  const parts = (state: State) => fillParts(fill, feed, table, state)
  return { name: fill.step, what: `copy what is in ${fill.source} to ${table.name}`, parts, again: true }
}

async function fillParts(fill: Fill, feed: Feed, table: StoredTable, state: State): Promise<Part[]> {
  const { form, actual, book } = state
  if (!actual.has(fill.source) || fill.wanted?.(form) === false) return []
  const id = actual.get(feed.name)?.id ?? 'none'
  const prefix = `${fill.step}/${id}`
  const note = form.cluster === undefined ? { name: fill.step, detail: id } : { name: `${prefix}/whole`, detail: '' }
  if (book.notes.get(note.name)?.detail === note.detail) {
    if (fill.whole === undefined || (await isWhole(state, table.name))) return []
    // Somebody has taken the mark away: what was kept is whole from now on, as far as can be told.
    return [{ name: `${table.name} is whole`, statements: [fill.whole(identifier(form.database))], note }]
  }
  const filled = [...book.notes.keys()].some((name) => name === fill.step || (name.startsWith(`${fill.step}/`) && name.endsWith('/whole')))
  const due = [filled ? fill.missed : undefined, fill.whole].flatMap((one) => one?.(identifier(form.database)) ?? [])
  const where = fill.kept?.(form.retention) ?? '1'
  const found = await partitions(state, fill, where)
  if (!book.notes.has(`${prefix}/begun`)) {
    const rows = found.reduce((sum, each) => sum + each.rows, 0)
    const bytes = found.reduce((sum, each) => sum + each.bytes, 0)
    const name = `${table.name}: once the inserts under way have ended`
    return [{ name, statements: [], rows, bytes, note: { name: `${prefix}/begun`, detail: '' }, afterInsertsInto: fill.source }]
  }
  const left = found.filter(({ partition }) => !book.notes.has(`${prefix}/${partition}`))
  return [
    ...left.map(({ partition, rows, bytes }): Part => {
      const filter = fill.partition === undefined ? where : `${fill.partition} = ${partition} AND (${where})`
      return {
        name: `${table.name}${fill.partition === undefined ? '' : `: ${partition}`}`,
        statements: [copyStatement(fill, feed, table, state, filter)],
        rows,
        bytes,
        note: { name: `${prefix}/${partition}`, detail: '' },
      }
    }),
    { name: `${table.name} is whole`, statements: due, note },
  ]
}

/** Whether the mark is there that says from when on all is kept. */
async function isWhole({ client, form }: State, table: string): Promise<boolean> {
  const query = `SELECT count() AS marks FROM ${namesOf(form).all('ctr_refreshed')} WHERE name = ${literal(`whole ${table}`)}`
  const [found] = await (await client.query({ query, format: 'JSONEachRow' })).json<{ marks: string }>()
  return Number(found?.marks) > 0
}

/** The columns that the feed has; the others of its table have their defaults. In a cluster the rows of all shards. */
function copyStatement(fill: Fill, feed: Feed, table: StoredTable, { form, actual }: State, filter: string): string {
  const names = namesOf(form)
  const source = `(SELECT * FROM ${names.all(fill.source)} WHERE ${filter})`
  const query = feed.query({ ...names, here: (name) => (name === fill.source ? source : names.all(name)) })
  const fed = actual.get(feed.name)?.columns
  const columns = table.columns.flatMap(([name]) => (fed?.has(name) ? identifier(name) : [])).join(', ')
  const copied = `SELECT ${columns} FROM (\n${query}\n)\nSETTINGS max_partitions_per_insert_block = 0`
  return `INSERT INTO ${names.all(table.name)} (${columns})\n${copied}`
}

interface Partition {
  readonly partition: string
  readonly rows: number
  readonly bytes: number
}

/** With rows to copy, newest first: of the bytes of a partition as large a part as of its rows. */
async function partitions({ client, form }: State, { source, partition = '0' }: Fill, where: string): Promise<Partition[]> {
  const query = `SELECT toString(part) AS partition, toFloat64(found.rows) AS rows,
      round(if(whole.rows = 0, 0, whole.bytes * found.rows / whole.rows)) AS bytes
    FROM (SELECT ${partition} AS part, count() AS rows FROM ${namesOf(form).all(source)} WHERE ${where} GROUP BY part) AS found
    CROSS JOIN (
      SELECT sum(p.rows) AS rows, sum(p.bytes_on_disk) AS bytes FROM system.parts AS p
      WHERE active AND database = ${literal(form.database)} AND table = ${literal(partName(form, source))}
    ) AS whole
    WHERE found.rows > 0
    ORDER BY part DESC`
  const answer = await client.query({ query, format: 'JSONEachRow' })
  return answer.json<Partition>()
}
