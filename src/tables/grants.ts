/**
 * The least rights that somebody needs on a ctr database. What views read is taken from their queries, so a new table or view is in here.
 *
 *   writer   `ctr run`, `ctr replay` and `ctr schema refresh`, which also compute the roll-ups. A start looks whether the tables are as
 *            they should be (clickhouse.applySchema), and needs no right to change them while they are
 *   reader   every view. Views run with the rights of who asks, so the tables below them are granted too
 *   owner    `ctr schema apply`, and what feeds do, which run with the rights of who has made them
 */
import { identifier } from '../clickhouse/front-sql.ts'
import { SCHEMA_TABLE } from './book.ts'
import { namesFor, namesOf, objectsOf } from './cluster.ts'
import { TABLES } from './columns.ts'
import { LATEST_TABLE } from './latest.ts'
import { REFRESHED_TABLE } from './marks.ts'
import type { Form, Names, View } from './objects.ts'
import { RECENT_TABLE } from './recent.ts'
import { ROLL_UPS, TOTALS_TABLE } from './roll-ups.ts'
import { INPUTS_TABLE, LEDGER_HOURLY_TABLE, LEDGER_TABLE, RESULTS_TABLE } from './stored-tables.ts'

/** For whom. */
export const ROLES = ['writer', 'reader', 'owner'] as const

/** One of them. */
export type Role = (typeof ROLES)[number]

/** One right on one thing, as GRANT has them: `SELECT`, `system.view_refreshes`. */
export type Grant = readonly [right: string, on: string]

/** Tables of the server that not everybody may read. */
const INDICES = 'system.data_skipping_indices'
const READ_BY_OWNER = [INDICES, 'system.processes', 'system.parts']

/** What is computed of the results (roll-up-job.ts), and how far. */
const COMPUTED = [...Object.values(ROLL_UPS).map(({ table }) => table), TOTALS_TABLE.name, LATEST_TABLE.name, REFRESHED_TABLE.name]

/** Nothing is computed from these. */
const LAST: ReadonlySet<string> = new Set([ROLL_UPS.monthly.table, TOTALS_TABLE.name])

/** What `ctr replay` asks for (inputs.ts), what a start does (apply.ts), and what is computed from what. */
const READ_BY_WRITER = [INPUTS_TABLE, LEDGER_TABLE, LEDGER_HOURLY_TABLE, SCHEMA_TABLE, RESULTS_TABLE, RECENT_TABLE].map(({ name }) => name)

/** Where a start looks whether rows would scatter over several servers (placement.ts). */
const PLACES = ['system.clusters', 'system.replicas', 'system.macros']

/** What is looked into after another server has written (copies.ts). */
const CAUGHT_UP = [SCHEMA_TABLE.name, INPUTS_TABLE.name]

/** Who may see columns may see tables. */
const SHOW = 'SHOW COLUMNS'

/** What is allowed with tables is allowed with views. */
const OWNER = ['SELECT', 'INSERT', 'CREATE DATABASE', 'CREATE TABLE', 'DROP TABLE', 'ALTER TABLE']

/** All that a role needs, in a stable order. */
export function grantsOf(form: Form, role: Role): Grant[] {
  const { all, here } = namesOf(form)
  const everything = `${identifier(form.database)}.*`
  const places = form.embedded ? [] : PLACES.map((name): Grant => ['SELECT', name])
  /** What is over all servers is allowed only with what each of them has. */
  const on = (right: string, names: readonly string[]) => {
    return names.flatMap((name) => [...new Set([all(name), here(name)])].map((thing): Grant => [right, thing]))
  }
  const clustered = (...grants: Grant[]) => (form.cluster === undefined ? [] : grants)
  switch (role) {
    case 'writer':
      return [
        ...on('INSERT', [...TABLES.map(({ name }) => name), SCHEMA_TABLE.name, ...COMPUTED]),
        ...on('SELECT', [...READ_BY_WRITER, ...COMPUTED.filter((name) => !LAST.has(name))]),
        ['OPTIMIZE', here(LATEST_TABLE.name)],
        [SHOW, everything],
        ['SELECT', INDICES],
        ...places,
        ...clustered(['CLUSTER', '*.*'], ...CAUGHT_UP.map((name): Grant => ['SYSTEM SYNC REPLICA', all(name)])),
      ]
    case 'reader':
      return [...readByReaders(form)].map((name): Grant => ['SELECT', name])
    case 'owner':
      return [
        ...OWNER.map((right): Grant => [right, everything]),
        ...READ_BY_OWNER.map((name): Grant => ['SELECT', name]),
        ...places,
        ...enginesOf(form).map((engine): Grant => ['TABLE ENGINE', engine]),
        ...clustered(['SYSTEM SYNC REPLICA', all(SCHEMA_TABLE.name)], ['CLUSTER', '*.*'], ['REMOTE', '*.*']),
      ]
  }
}

/** GRANT statements; rights on one thing in one of them. */
export function grantStatements(grants: readonly Grant[], user: string): string[] {
  const byThing = Map.groupBy(grants, ([, on]) => on)
  return [...byThing].map(([on, each]) => `GRANT ${each.map(([right]) => right).join(', ')} ON ${on} TO ${user}`)
}

/** Views, and what they read, quoted as in queries. */
function readByReaders(form: Form): Set<string> {
  const { all } = namesOf(form)
  const read = new Set<string>()
  const objects = objectsOf(form)
  for (const object of objects) {
    if (object.kind === 'view') addRead(form, read.add(all(object.name)), object)
    if (object.kind === 'distributed' && object.of.kind === 'view') read.add(all(object.name))
  }
  for (const object of objects) if (object.kind === 'distributed' && read.has(all(object.name))) read.add(all(object.of.name))
  return read
}

function enginesOf({ cluster }: Form): string[] {
  return cluster === undefined ? ['ReplacingMergeTree'] : ['ReplicatedReplacingMergeTree', 'Distributed']
}

function addRead(form: Form, read: Set<string>, view: View): void {
  const names = namesFor(form, view)
  const noted = (name: (table: string) => string) => (table: string) => {
    read.add(name(table))
    return name(table)
  }
  view.query({ ...names, all: noted(names.all), here: noted(names.here) } satisfies Names)
}
