/** What is wanted held against what is there: which statements make the one of the other, and what no statement can mend. */
import { createHash } from 'node:crypto'
import { identifier } from '../clickhouse/front-sql.ts'
import { type ActualObject, type DdlParts, ddlParts } from './actual.ts'
import { distributedEngine, queryOf } from './cluster.ts'
import type { Distributed, Feed, Form, Retired, SchemaObject, StoredTable, TableColumn, View } from './objects.ts'
import { columnDeclaration, createStatement, targetOf } from './render.ts'
import { ttlText } from './retention.ts'

/** Set when a table is made, and never after; what they decide is speed. */
const FIXED_SETTINGS: ReadonlySet<string> = new Set(['index_granularity'])

/** One thing that differs. */
export interface Difference {
  readonly object: SchemaObject | Retired
  /** For people: `column ignored is missing`. */
  readonly what: string
  /** What mends it, in order; empty when nothing does but a migration, or somebody's own decision. */
  readonly statements: readonly string[]
  /** Of a table whose rows are kept for another time than wanted: the TTL that is wanted, '' for none. */
  readonly ttl?: string
  /** Of a query that is not the wanted one, and of what is over it: a hash of both. The server may write a query in its own way. */
  readonly queries?: string
}

/** An object that is wanted, with its query and its statement as the server would write them. */
export interface Wanted {
  readonly object: SchemaObject
  /** Empty for a table. */
  readonly query: string
  /** Only of a table. */
  readonly ddl: string
}

/** What is not as wanted, in the order of the wanted. */
export function differencesOf(form: Form, wanted: readonly Wanted[], actual: ReadonlyMap<string, ActualObject>): Difference[] {
  const all: Difference[] = []
  for (const { object, query, ddl } of wanted) {
    const found = actual.get(object.name)
    if (found === undefined) all.push({ object, what: 'is missing', statements: [createStatement(form, object)] })
    else if (object.kind === 'table') all.push(...tableDifferences(form, object, ddlParts(ddl), found))
    else if (object.kind === 'distributed') all.push(...distributedDifferences(form, object, found, actual.get(object.of.name), all))
    else all.push(...viewDifferences(form, object, query, found))
  }
  return all
}

/**
 * Its columns are those of what it is over, as that is now or will be when the differences before it are mended. While the query of a view
 * differs, those of the view may, too.
 */
function distributedDifferences(
  form: Form,
  object: Distributed,
  found: ActualObject,
  source: ActualObject | undefined,
  before: readonly Difference[],
): Difference[] {
  const wanted = distributedEngine(form, object.of)
  if (found.kind === 'table' || found.kind === 'feed' || found.kind === 'refresh') {
    return [{ object, what: `holds rows of this server only, and one over all servers is wanted: rename it`, statements: [] }]
  }
  const columns = (one: ActualObject | undefined) => [...(one?.columns ?? [])].map((column) => column.join(' ')).join()
  const mended = before.find((difference) => difference.object === object.of && difference.statements.length > 0)
  const differs =
    found.parts.engine !== wanted ? `is of engine ${found.parts.engine || found.kind}, and ${wanted} is wanted` : 'has other columns'
  const isSame = found.parts.engine === wanted && columns(found) === columns(source)
  if (mended === undefined && isSame) return []
  const drop = found.kind === 'view' ? [`DROP VIEW IF EXISTS ${targetOf(form, object.name)}`] : []
  const statements = [...drop, createStatement(form, object)]
  return [{ object, what: differs, statements, ...(isSame && mended?.queries !== undefined ? { queries: mended.queries } : {}) }]
}

/** What is there and must not be. A table of such a name is somebody's own. */
export function retiredDifferences(form: Form, retired: readonly Retired[], actual: ReadonlyMap<string, ActualObject>): Difference[] {
  return retired.flatMap((object) => {
    const kind = actual.get(object.name)?.kind ?? 'table'
    if (kind === 'table' || kind === 'other') return []
    const before = object.before === undefined ? [] : [object.before(identifier(form.database))]
    return [{ object, what: object.because, statements: [...before, `DROP VIEW IF EXISTS ${targetOf(form, object.name)}`] }]
  })
}

function viewDifferences(form: Form, object: View | Feed, query: string, found: ActualObject): Difference[] {
  if (found.kind === 'table' || found.kind === 'other') {
    return [{ object, what: `is a table of this name, and a ${object.kind} is wanted: rename it, or drop it`, statements: [] }]
  }
  const create = createStatement(form, object)
  const name = targetOf(form, object.name)
  if (found.kind !== object.kind) {
    return [{ object, what: `is a ${found.kind}, and a ${object.kind} is wanted`, statements: [`DROP VIEW IF EXISTS ${name}`, create] }]
  }
  if (found.query === query) return []
  // Not made anew: what is inserted between a feed's end and its new begin would be missing.
  const change = object.kind === 'view' ? create : `ALTER TABLE ${name} MODIFY QUERY\n${queryOf(form, object)}`
  const queries = createHash('sha256').update(`${query}\n${found.query}`).digest('hex')
  return [{ object, what: 'has another query', statements: [change], queries }]
}

/** Of a table with another engine, key or partitions only that: it is made anew, or is somebody else's. */
function tableDifferences(form: Form, table: StoredTable, wanted: DdlParts, found: ActualObject): Difference[] {
  const name = targetOf(form, table.name)
  const differ = (what: string, ...statements: string[]): Difference => ({ object: table, what, statements })
  const conflicts = tableConflicts(table, wanted, found)
  if (conflicts.length > 0) return conflicts.map((what) => differ(what))
  const all: Difference[] = []
  table.columns.forEach((column, i) => {
    if (found.columns.has(column[0])) return
    const after = i === 0 ? ' FIRST' : ` AFTER ${identifier((table.columns[i - 1] as TableColumn)[0])}`
    const add = `ALTER TABLE ${name} ADD COLUMN IF NOT EXISTS ${columnDeclaration(column)}${after}`
    all.push(differ(`column ${column[0]} is missing`, add))
  })
  for (const index of table.indexes ?? []) {
    const [indexName] = index.split(' ', 1) as [string]
    if (found.indexes.includes(indexName)) continue
    all.push(differ(`index ${indexName} is missing`, `ALTER TABLE ${name} ADD INDEX IF NOT EXISTS ${index}`))
  }
  const { parts } = found
  for (const [setting, value] of wanted.settings) {
    if (parts.settings.get(setting) === value || FIXED_SETTINGS.has(setting)) continue
    all.push(differ(`has not ${setting} = ${value}`, `ALTER TABLE ${name} MODIFY SETTING ${setting} = ${value}`))
  }
  if (parts.ttl !== wanted.ttl) {
    const modify = wanted.ttl === '' ? 'REMOVE TTL' : `MODIFY TTL ${wanted.ttl}`
    const what = `keeps rows ${ttlText(parts.ttl)}, and ${ttlText(wanted.ttl)} is wanted`
    all.push({ ...differ(what, `ALTER TABLE ${name} ${modify}`), ttl: wanted.ttl })
  }
  return all
}

/** What no ALTER changes. */
function tableConflicts(table: StoredTable, wanted: DdlParts, found: ActualObject): string[] {
  if (found.kind !== 'table') return ['is no table that holds rows: rename it, or drop it']
  const { parts } = found
  const all = table.columns.flatMap((column) => columnConflict(column, found.columns.get(column[0])) ?? [])
  if (!sameEngine(parts.engine, wanted.engine)) all.push(`is of engine ${parts.engine}, and ${wanted.engine} is wanted`)
  if (parts.partitionBy !== wanted.partitionBy) {
    all.push(`is partitioned by ${parts.partitionBy || 'nothing'}, and ${wanted.partitionBy || 'nothing'} is wanted`)
  }
  if (parts.orderBy !== wanted.orderBy) all.push(`is ordered by (${parts.orderBy}), and (${wanted.orderBy}) is wanted`)
  return all
}

function columnConflict([name, type]: TableColumn, found: string | undefined): string | undefined {
  if (found === undefined || plainType(found) === plainType(type)) return undefined
  return `column ${name} is of type ${found}, and ${type} is wanted`
}

/** Replicated and shared engines hold the same rows; what stands in the parentheses last is the column that tells the newest. */
function sameEngine(found: string, wanted: string): boolean {
  const plain = (engine: string) => engine.replace(/^(?:Replicated|Shared)/, '').replace(/\('[^']*', '[^']*'(?:, )?/, '(')
  return plain(found) === plain(wanted)
}

/** LowCardinality travels as the type inside it. */
export function plainType(type: string): string {
  return /^LowCardinality\((.*)\)$/.exec(type)?.[1] ?? type
}
