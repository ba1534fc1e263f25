/**
 * The tables and views of a ctr database, as DDL: pure functions of the database's name. Every statement may run again at any time.
 *
 *   ctr_results      one row per window, product and task; a row sent again, or grown, replaces the older one by its version
 *   ctr_windows      what to read: the newest version of each row, summed over tasks
 *   ctr_latest       each product's newest window
 *   ctr_minutely     minutes and hours; a window belongs to the period it starts in. Up to the refresh interval behind ctr_results
 *   ctr_hourly
 *   ctr_ledger       what was read of each partition up to an offset, and what became of it: totals since first_offset, never differences
 *   ctr_ledger_windows   events counted into each window and task before they went to the workers; written once the window is closed
 *   ctr_reconciliation   the one held against the other, per minute of event time
 *
 * Roll-ups are recomputed, never added up: a refreshable view takes the periods that received rows since the last refresh (and LOOK_BACK
 * before it, for inserts that were under way), reads them whole from ctr_results, and appends them to a table in which the newest
 * computation wins. So rows sent again change nothing, and a refresh that was missed, however long, is made up for by the next.
 *
 * Reconciliation takes the ledger apart into the steps from each row to the next of the same partition and first offset, and puts a step
 * into the minute of its largest event time; what lies before the first event is in 1970. Of a window it compares the events that were
 * counted with those in ctr_results, in the minute the window starts in. A window that is still open is in neither sum.
 *
 * Needs ClickHouse 24.10 (refreshable views with APPEND).
 */
import { assert } from '../assert.ts'
import { TERM_NAMES, TERMS } from '../window/ledger.ts'
import { identifier } from './front-sql.ts'

/** Longest an insert may take from its start until its rows can be read. */
const LOOK_BACK = 'INTERVAL 10 MINUTE'

/** A roll-up's names and rhythm. */
export interface RollUp {
  readonly view: string
  readonly table: string
  readonly refresh: string
  readonly period: string
  readonly start: string
  readonly every: string
}

/** The roll-ups, finest first. */
export const ROLL_UPS: readonly RollUp[] = [
  {
    view: 'ctr_minutely',
    table: 'ctr_minutely_computed',
    refresh: 'ctr_minutely_refresh',
    period: 'minute',
    start: 'toStartOfMinute',
    every: '30 SECOND',
  },
  {
    view: 'ctr_hourly',
    table: 'ctr_hourly_computed',
    refresh: 'ctr_hourly_refresh',
    period: 'hour',
    start: 'toStartOfHour',
    every: '5 MINUTE',
  },
]

/**
 * A table the sink writes: the columns an insert fills, with the types RowBinary is written for. The DDL, the header of an insert and where
 * a column lies in a row all follow from this list.
 */
export interface Table {
  readonly name: string
  readonly columns: readonly (readonly [name: string, type: string])[]
}

const TIME = "DateTime64(3, 'UTC')"

/** Rows of windows; see row-binary.ts. */
export const RESULTS: Table = {
  name: 'ctr_results',
  columns: [
    ['tenant', 'String'],
    ['product_id', 'String'],
    ['window_start', TIME],
    ['window_end', TIME],
    ['task', 'UInt32'],
    ['impressions', 'UInt64'],
    ['clicks', 'UInt64'],
    ['ctr', 'Float64'],
    ['version', 'UInt64'],
    ['emitted_at', TIME],
  ],
}

/** Totals of partitions: a column for each term of the ledger, and a map for each that has reasons; see ledger-binary.ts. */
export const LEDGER: Table = {
  name: 'ctr_ledger',
  columns: [
    ['tenant', 'String'],
    ['topic', 'String'],
    ['partition', 'UInt32'],
    ['first_offset', 'UInt64'],
    ['last_offset', 'UInt64'],
    ['read', 'UInt64'],
    ...TERM_NAMES.map((name) => [name, 'UInt64'] as const),
    ['dead_lettered', 'UInt64'],
    ...TERMS.filter(({ reasons }) => reasons).map(({ name }) => [`${name}_by_reason`, 'Map(String, UInt64)'] as const),
    ['max_event_time', TIME],
    ['cut_at', TIME],
  ],
}

/** Events counted into windows; see ledger-binary.ts. */
export const LEDGER_WINDOWS: Table = {
  name: 'ctr_ledger_windows',
  columns: [
    ['tenant', 'String'],
    ['task', 'UInt32'],
    ['window_start', TIME],
    ['window_end', TIME],
    ['events', 'UInt64'],
    ['version', 'UInt64'],
    ['cut_at', TIME],
  ],
}

/** Every table that is inserted into. */
export const TABLES: readonly Table[] = [RESULTS, LEDGER, LEDGER_WINDOWS]

/** Bytes of a value in RowBinary, by type; types that are not here take as many as the value needs. */
const WIDTHS_BYTES: Readonly<Record<string, number>> = { [TIME]: 8, UInt32: 4, UInt64: 8, Float64: 8 }

/** The columns of fixed width with which a row of a table ends. */
export interface FixedPart {
  /** The columns before it, all of them texts. */
  readonly texts: readonly string[]
  /** How many columns it has, and their bytes together. */
  readonly columns: number
  readonly bytes: number
  /** Where a column lies, in bytes from the first of them. */
  offsetOf(column: string): number
}

/** Of a table whose texts come first. */
export function fixedPart({ name, columns }: Table): FixedPart {
  const texts: string[] = []
  const offsets = new Map<string, number>()
  let bytes = 0
  for (const [column, type] of columns) {
    const width = WIDTHS_BYTES[type]
    assert(width === undefined ? type === 'String' && bytes === 0 : true, 'texts come before all else', { table: name, column, type })
    if (width === undefined) texts.push(column)
    else offsets.set(column, bytes)
    bytes += width ?? 0
  }
  const offsetOf = (column: string) => {
    const offset = offsets.get(column)
    assert(offset !== undefined, 'a column is one of its table, of fixed width', { table: name, column })
    return offset
  }
  return { texts, columns: offsets.size, bytes, offsetOf }
}

/** Creates the database; separate, for it takes a right that the rest doesn't. */
export function databaseStatement(database: string): string {
  return `CREATE DATABASE IF NOT EXISTS ${identifier(database)} ENGINE = Atomic`
}

/** Everything inside the database, in the order in which it can be created. */
export function schemaStatements(database: string): string[] {
  const db = identifier(database)
  const rollUps = ROLL_UPS.flatMap((rollUp) => rollUpStatements(db, rollUp))
  return [resultsTable(db), windowsView(db), latestView(db), ...rollUps, ledgerTable(db), ledgerWindowsTable(db), reconciliationView(db)]
}

/** Brings a roll-up up to date now, rather than at its next refresh. */
export function refreshStatements(database: string, rollUp: RollUp): string[] {
  const view = `${identifier(database)}.${rollUp.refresh}`
  return [`SYSTEM REFRESH VIEW ${view}`, `SYSTEM WAIT VIEW ${view}`]
}

function createTable(db: string, { name, columns }: Table): string {
  return `CREATE TABLE IF NOT EXISTS ${db}.${name}
(
${columns.map(([column, type]) => `  ${column} ${type}`).join(',\n')}`
}

function resultsTable(db: string): string {
  return `${createTable(db, RESULTS)},
  inserted_at DateTime64(3, 'UTC') DEFAULT now64(3),
  INDEX inserted_at_range inserted_at TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMMDD(window_start)
ORDER BY (tenant, product_id, window_start, window_end, task)`
}

function windowsView(db: string): string {
  return `CREATE OR REPLACE VIEW ${db}.ctr_windows AS
SELECT
  tenant,
  product_id,
  window_start,
  window_end,
  sum(r.impressions) AS impressions,
  sum(r.clicks) AS clicks,
  if(sum(r.impressions) = 0, 0, sum(r.clicks) / sum(r.impressions)) AS ctr
FROM ${db}.ctr_results AS r FINAL
GROUP BY tenant, product_id, window_start, window_end`
}

function latestView(db: string): string {
  return `CREATE OR REPLACE VIEW ${db}.ctr_latest AS
SELECT tenant, product_id, window_start, window_end, impressions, clicks, ctr
FROM ${db}.ctr_windows
ORDER BY window_end DESC, window_start DESC
LIMIT 1 BY tenant, product_id`
}

function rollUpStatements(db: string, { view, table, refresh, period, start, every }: RollUp): string[] {
  const recent = `SELECT ${start}(window_start) AS touched
    FROM ${db}.ctr_results
    WHERE inserted_at >= (SELECT max(refreshed_at) FROM ${db}.${table}) - ${LOOK_BACK}`
  return [
    `CREATE TABLE IF NOT EXISTS ${db}.${table}
(
  tenant String,
  product_id String,
  ${period} DateTime('UTC'),
  impressions UInt64,
  clicks UInt64,
  refreshed_at DateTime64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(refreshed_at)
PARTITION BY toYYYYMM(${period})
ORDER BY (tenant, product_id, ${period})`,
    `CREATE MATERIALIZED VIEW IF NOT EXISTS ${db}.${refresh} REFRESH EVERY ${every} APPEND TO ${db}.${table} AS
SELECT
  tenant,
  product_id,
  ${start}(window_start) AS ${period},
  sum(r.impressions) AS impressions,
  sum(r.clicks) AS clicks,
  now64(3, 'UTC') AS refreshed_at
FROM ${db}.ctr_results AS r FINAL
WHERE window_start >= (SELECT if(count() = 0, toDateTime('2105-01-01 00:00:00', 'UTC'), min(touched)) FROM (
    ${recent}
  ))
  AND ${start}(window_start) IN (
    ${recent}
  )
GROUP BY tenant, product_id, ${period}`,
    `CREATE OR REPLACE VIEW ${db}.${view} AS
SELECT
  tenant,
  product_id,
  ${period},
  impressions,
  clicks,
  if(impressions = 0, 0, clicks / impressions) AS ctr
FROM ${db}.${table} FINAL`,
  ]
}

/** A row says all of [first_offset, last_offset], and the same whoever wrote it, so the newest of several is as good as any. */
function ledgerTable(db: string): string {
  return `${createTable(db, LEDGER)}
)
ENGINE = ReplacingMergeTree(cut_at)
ORDER BY (tenant, topic, partition, first_offset, last_offset)`
}

/** A window that was rebuilt in part after a restart has fewer events, and so a lower version, than when it was whole. */
function ledgerWindowsTable(db: string): string {
  return `${createTable(db, LEDGER_WINDOWS)}
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (tenant, window_start, window_end, task)`
}

/** Differences are signed: a total may shrink when a partition that had gone idle is read again and other events are late. */
function reconciliationView(db: string): string {
  const totals = ['read', ...TERM_NAMES, 'dead_lettered']
  const steps = totals.map((total) => `    toInt64(${total}) - lagInFrame(toInt64(${total}), 1, 0) OVER span AS ${total}`)
  const none = totals.map(() => 'toInt64(0)').join(', ')
  return `CREATE OR REPLACE VIEW ${db}.ctr_reconciliation AS
SELECT
  tenant,
  minute,
${totals.map((total) => `  sum(p.${total}) AS ${total}`).join(',\n')},
  ${['read', ...TERM_NAMES].map((total) => `sum(p.${total})`).join(' - ')} AS unaccounted,
  sum(p.window_events) AS window_events,
  sum(p.result_events) AS result_events,
  sum(p.window_events) - sum(p.result_events) AS missing,
  unaccounted = 0 AND missing = 0 AS balanced
FROM
(
  SELECT
    tenant,
    toStartOfMinute(max_event_time) AS minute,
${steps.join(',\n')},
    toInt64(0) AS window_events,
    toInt64(0) AS result_events
  FROM ${db}.ctr_ledger FINAL
  WINDOW span AS (
    PARTITION BY tenant, topic, partition, first_offset ORDER BY last_offset ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
  )
  UNION ALL
  SELECT tenant, toStartOfMinute(window_start) AS minute, ${none}, toInt64(events), toInt64(0)
  FROM ${db}.ctr_ledger_windows FINAL
  UNION ALL
  SELECT tenant, toStartOfMinute(window_start) AS minute, ${none}, toInt64(0), toInt64(impressions + clicks)
  FROM ${db}.ctr_results FINAL
  WHERE (tenant, window_start, window_end, task) IN (SELECT tenant, window_start, window_end, task FROM ${db}.ctr_ledger_windows)
) AS p
GROUP BY tenant, minute`
}
