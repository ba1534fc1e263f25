/**
 * The objects of a database whose rows lie on several servers.
 *
 *   T_local    on every server, replicated within its shard: the rows of its products
 *   T          Distributed over T_local of all shards, by a hash of tenant and product: where rows are inserted and read
 *
 * All rows of a product are on one shard, so that a row sent again meets the one that it replaces, whatever sends it, and FINAL is right on
 * each shard alone. Views that take together rows of one product only are made the same way: each server answers for its own products, with
 * the conditions of whoever asks, and what is sent is the answers. What feeds a table goes from local to local.
 *
 * Tables without products (inputs, the ledger, the schema's book) are copied to every server, so that a query finds all of them where it
 * runs, and no GLOBAL IN is needed.
 */
import { identifier, literal } from '../clickhouse/front-sql.ts'
import { EMISSIONS_FEED } from './emissions.ts'
import type { Feed, Form, Intervals, Names, Retention, SchemaObject, StoredTable, View } from './objects.ts'
import { OBJECTS } from './schema.ts'

/** What shards rows: equal for all rows that one may replace. */
const SHARDING = 'cityHash64(tenant, product_id)'

/** The objects of a form, in the order in which they can be created. */
export function objectsOf(form: Form): readonly SchemaObject[] {
  const wanted = form.history ? OBJECTS : OBJECTS.filter((object) => object !== EMISSIONS_FEED)
  if (form.cluster === undefined) return wanted
  return wanted.flatMap((object): SchemaObject[] => {
    if (!hasLocal(object)) return [object]
    const local = { ...object, name: localName(object.name) }
    return [local, { kind: 'distributed', name: object.name, of: local }]
  })
}

/** How queries name the tables of a form. */
export function namesOf({ database, cluster, retention, intervals }: Form): Names {
  const all = (name: string) => `${identifier(database)}.${name}`
  return { all, here: (name) => all(partName({ cluster }, name)), retention, intervals }
}

/** The name of the part of a table or view that lies on one server. */
export function partName({ cluster }: Pick<Form, 'cluster'>, name: string): string {
  return cluster !== undefined && LOCAL.has(name) ? localName(name) : name
}

/** The name under which all rows are read and written of a table that an object of the form holds. */
export function wholeName(form: Form, name: string): string {
  return objectsOf(form).find((object) => object.kind === 'distributed' && object.of.name === name)?.name ?? name
}

/** The query of a view or feed as it stands in its statement. */
export function queryOf(form: Form, object: View | Feed): string {
  const query = object.query(namesFor(form, object))
  if (form.cluster === undefined || object.kind !== 'view' || object.spread !== 'product' || !hasParameters(object)) return query
  // Subqueries, too, are about rows of the same products, so each shard asks its own.
  return `${query}\nSETTINGS distributed_product_mode = 'local'`
}

/** How a statement about an object names the tables: what runs on every server reads and writes what is local. */
export function namesFor(form: Form, object: SchemaObject): Names {
  const names = namesOf(form)
  const local = object.kind !== 'view' || hasLocal(object)
  return local ? { ...names, all: names.here } : names
}

/** What a statement that creates, alters or drops says behind the name. */
export function onCluster({ cluster }: Form): string {
  return cluster === undefined ? '' : ` ON CLUSTER ${identifier(cluster)}`
}

/** The engine of a table that holds rows. */
export function engineOf({ database, cluster }: Form, { spread, newest }: StoredTable, name: string): string {
  if (cluster === undefined) return `ReplacingMergeTree(${newest})`
  const [path, replica] =
    spread === 'product'
      ? [`/clickhouse/tables/${cluster}/{shard}/${database}/${name}`, '{replica}']
      : // All servers are replicas of one table, and a replica's name may be that of another in another shard.
        [`/clickhouse/tables/${cluster}/${database}/${name}`, '{shard}-{replica}']
  return `ReplicatedReplacingMergeTree(${literal(path)}, ${literal(replica)}, ${newest})`
}

/** The engine of what is read over all shards. By what shards it, queries of one product can be sent to its shard alone. */
export function distributedEngine({ database, cluster = '' }: Form, { name }: StoredTable | View): string {
  return `Distributed(${[cluster, database, name].map(literal).join(', ')}, ${SHARDING})`
}

function localName(name: string): string {
  return `${name}_local`
}

function hasLocal(object: SchemaObject): object is StoredTable | View {
  if (object.kind === 'table') return object.spread === 'product'
  return object.kind === 'view' && object.spread === 'product' && !hasParameters(object)
}

/** Such a view is a query with holes, and no table can be distributed over it. */
function hasParameters({ query }: View): boolean {
  const name = (table: string) => table
  return /\{\w+:\w/.test(query({ all: name, here: name, retention: KEPT, intervals: ANY }))
}

/** Whatever is kept or sure, a view has the same parameters. */
const NEVER = Number.POSITIVE_INFINITY
const KEPT: Retention = { results: NEVER, recent: NEVER, minutely: NEVER, hourly: NEVER, daily: NEVER, ledger: NEVER, emissions: NEVER }
const ANY: Intervals = { level: 0.5, minImpressions: 0 }

const LOCAL: ReadonlySet<string> = new Set(OBJECTS.filter(hasLocal).map(({ name }) => name))
