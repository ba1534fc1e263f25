/**
 * The tables and views of a ctr database, as DDL: pure functions of the database's name. Every statement may run again at any time.
 *
 *   ctr_results      one row per window, product and task; a row sent again, or grown, replaces the older one by its version
 *   ctr_windows      what to read: the newest version of each row, summed over tasks
 *   ctr_latest       each product's newest window
 *   ctr_minutely     minutes and hours; a window belongs to the period it starts in. Up to the refresh interval behind ctr_results
 *   ctr_hourly
 *
 * Roll-ups are recomputed, never added up: a refreshable view takes the periods that received rows since the last refresh (and LOOK_BACK
 * before it, for inserts that were under way), reads them whole from ctr_results, and appends them to a table in which the newest
 * computation wins. So rows sent again change nothing, and a refresh that was missed, however long, is made up for by the next.
 *
 * Needs ClickHouse 24.10 (refreshable views with APPEND).
 */
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

/** The columns an insert fills, with the types RowBinary is written for. */
export const RESULT_COLUMNS: readonly (readonly [name: string, type: string])[] = [
  ['tenant', 'String'],
  ['product_id', 'String'],
  ['window_start', "DateTime64(3, 'UTC')"],
  ['window_end', "DateTime64(3, 'UTC')"],
  ['task', 'UInt32'],
  ['impressions', 'UInt64'],
  ['clicks', 'UInt64'],
  ['ctr', 'Float64'],
  ['version', 'UInt64'],
  ['emitted_at', "DateTime64(3, 'UTC')"],
]

/** Creates the database; separate, for it takes a right that the rest doesn't. */
export function databaseStatement(database: string): string {
  return `CREATE DATABASE IF NOT EXISTS ${identifier(database)} ENGINE = Atomic`
}

/** Everything inside the database, in the order in which it can be created. */
export function schemaStatements(database: string): string[] {
  const db = identifier(database)
  return [resultsTable(db), windowsView(db), latestView(db), ...ROLL_UPS.flatMap((rollUp) => rollUpStatements(db, rollUp))]
}

/** Brings a roll-up up to date now, rather than at its next refresh. */
export function refreshStatements(database: string, rollUp: RollUp): string[] {
  const view = `${identifier(database)}.${rollUp.refresh}`
  return [`SYSTEM REFRESH VIEW ${view}`, `SYSTEM WAIT VIEW ${view}`]
}

function resultsTable(db: string): string {
  const columns = RESULT_COLUMNS.map(([name, type]) => `  ${name} ${type}`)
  return `CREATE TABLE IF NOT EXISTS ${db}.ctr_results
(
${columns.join(',\n')},
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
