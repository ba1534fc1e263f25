/**
 * A table whose rows get another order: ClickHouse can't change it, so a table of the new order is made beside the old one and takes its
 * place.
 *
 *   1. begun   NAME_next is made; the book has when
 *   2. copied  partition by partition of the old table, while refreshes append to it
 *   3. still   the refreshes are dropped, so that readers miss nothing
 *   4. swapped what was appended since 1, and an HOUR before, is copied, and the two change places, at once for readers. What writes by the
 *              name writes into the new one from now on
 *   5. rest    what an insert that was under way has put into the old one is copied, and the old one dropped
 *
 * Which of the two has the new order says how far it is; the book has the partitions that NAME_next has already, by its id. A swap twice
 * would undo it: it is sent only after a look, by who has the right (lease.ts), when no statement of a killed one runs (under-way.ts).
 */
import { identifier, literal } from '../clickhouse/front-sql.ts'
import type { ActualObject } from './actual.ts'
import type { SchemaObject, StoredTable } from './objects.ts'
import { tableStatement } from './render.ts'
import type { Part, State, Step } from './steps.ts'

/** A table that gets another order. */
export interface Relay {
  readonly table: string
  /** The key that it had, and nothing else is changed. */
  readonly from: readonly string[]
  /** What tells when a row was written. */
  readonly written: string
  /** What appends to it, and is no more in the version that has the new order. */
  readonly refresh: string
}

/** No refresh takes longer than that from its begin until its last row is there. */
const HOUR = 3_600_000

/** The step that does it. */
export function relayStep(objects: readonly SchemaObject[], name: string, relays: readonly Relay[]): Step {
  const tables = relays.map((relay) => {
    const table = objects.find((object): object is StoredTable => object.kind === 'table' && object.name === relay.table)
    if (table === undefined) throw new Error(`${relay.table} is no table`)
    return { relay, table }
  })
  const parts = async (state: State) => {
    const all = await Promise.all(tables.map(({ relay, table }) => relayParts(name, relay, table, state)))
    return all.flat()
  }
  return { name, what: 'lay tables out in order of time', parts, again: true }
}

async function relayParts(step: string, relay: Relay, table: StoredTable, state: State): Promise<Part[]> {
  const { form, actual, book } = state
  const name = (of: string) => `${identifier(form.database)}.${of}`
  const [here, next] = [name(table.name), name(`${table.name}_next`)]
  const [now, other] = [actual.get(table.name), actual.get(`${table.name}_next`)]
  const begun = `${step}/${table.name}/begun`
  if (now === undefined) return []
  const since = Number(book.notes.get(begun)?.detail ?? HOUR) - HOUR
  const later = `${relay.written} >= fromUnixTimestamp64Milli(${since})`
  if (isOrdered(now, table.orderBy)) {
    if (other === undefined) return []
    const rest = isOrdered(other, relay.from) ? [copy(columnsOf(table, other), next, here, later)] : []
    const statements = [...rest, `DROP TABLE IF EXISTS ${next}`]
    return [{ name: `${table.name}: the old one is dropped`, statements, afterInsertsInto: table.name }]
  }
  if (!isOrdered(now, relay.from)) return []
  const found = await partitionsOf(state, table.name)
  const rows = found.reduce((sum, each) => sum + each.rows, 0)
  const bytes = found.reduce((sum, each) => sum + each.bytes, 0)
  if (other === undefined || !isOrdered(other, table.orderBy)) {
    const note = `INSERT INTO ${name('ctr_schema')} (kind, name, detail)
      SELECT 'part', ${literal(begun)}, toString(toUnixTimestamp64Milli(now64(3)))`
    const make = tableStatement(form, table, `${table.name}_next`)
    const statements = [`DROP TABLE IF EXISTS ${next}`, note, make]
    return [{ name: `${table.name}: a table beside it`, statements, rows, bytes, mends: table.name }]
  }
  const prefix = `${step}/${table.name}/${other.id}`
  const left = found.filter(({ partition }) => !book.notes.has(`${prefix}/${partition}`))
  return [
    ...left.map(
      (each): Part => ({
        name: `${table.name}: ${each.partition}`,
        statements: [copy(columnsOf(table, now), here, next, `_partition_id = ${literal(each.id)}`)],
        rows: each.rows,
        bytes: each.bytes,
        note: { name: `${prefix}/${each.partition}`, detail: '' },
        mends: table.name,
      }),
    ),
    { name: `${table.name}: no more refreshes`, statements: [`DROP VIEW IF EXISTS ${name(relay.refresh)}`], mends: table.name },
    {
      name: `${table.name}: the new one takes its place`,
      statements: [copy(columnsOf(table, now), here, next, later), `EXCHANGE TABLES ${here} AND ${next}`],
      afterInsertsInto: table.name,
      mends: table.name,
    },
  ]
}

function copy(columns: string, source: string, target: string, where: string): string {
  return `INSERT INTO ${target} (${columns})\nSELECT ${columns} FROM ${source} WHERE ${where}\nSETTINGS max_partitions_per_insert_block = 0`
}

/** A column that the old one lacks has its default. */
function columnsOf(table: StoredTable, old: ActualObject): string {
  const names = table.columns.map(([column]) => column).filter((column) => old.columns.has(column))
  return names.map(identifier).join(', ')
}

function isOrdered(found: ActualObject, by: readonly string[]): boolean {
  return found.parts.orderBy === by.join(', ')
}

/** What of a table lies together. */
interface Partition {
  readonly id: string
  readonly partition: string
  readonly rows: number
  readonly bytes: number
}

/** All of a table, newest first. */
export async function partitionsOf({ client, form }: State, table: string): Promise<Partition[]> {
  const query = `SELECT partition_id AS id, any(p.partition) AS partition,
      toFloat64(sum(p.rows)) AS rows, toFloat64(sum(bytes_on_disk)) AS bytes
    FROM system.parts AS p
    WHERE active AND database = ${literal(form.database)} AND table = ${literal(table)}
    GROUP BY partition_id ORDER BY partition_id DESC`
  const answer = await client.query({ query, format: 'JSONEachRow' })
  return answer.json<Partition>()
}
