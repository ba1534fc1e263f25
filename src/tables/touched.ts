/** What has changed since an instant: in which spans of event time rows were inserted, or periods were computed. */
import type { ClickHouseClient } from '@clickhouse/client'
import { DAY, MINUTE } from '../config/units.ts'
import { LATEST_TABLE } from './latest.ts'
import type { Names } from './objects.ts'
import type { RollUp } from './roll-ups.ts'
import { sqlInstant, type TimeSpan, UNIT_PRODUCTS_MAX, type Unit } from './spans.ts'

/** Rows of results that have changed. */
export interface Changes {
  /** Where they are looked up. */
  readonly table: 'ctr_recent' | 'ctr_results'
  /** Which they are, as a condition. */
  readonly where: string
}

/** Changed spans, and how many changed rows lie where nothing can be computed any more. */
export interface ChangedSpans {
  readonly units: readonly Unit[]
  readonly leftOut: number
}

/** From where on tables lack no rows, and up to where windows are of interest; ms of event time. */
export interface Bounds {
  readonly fromMs: number
  readonly toMs: number
  /** From here on ctr_recent has all rows; it also has whatever was inserted from then on. */
  readonly recentFromMs: number
}

/** Rows inserted since; 0: all rows. */
export function insertedSince(sinceMs: number, { recentFromMs }: Bounds): Changes {
  if (sinceMs === 0) return { table: 'ctr_results', where: '1' }
  return { table: sinceMs >= recentFromMs ? 'ctr_recent' : 'ctr_results', where: `inserted_at >= ${sqlInstant(sinceMs)}` }
}

/** Also all rows of inputs of which a run has ended since: of another one of the name they count no more. */
export async function withEndedInputs(client: ClickHouseClient, { all }: Names, changes: Changes, sinceMs: number): Promise<Changes> {
  if (sinceMs === 0) return changes
  const ended = `FROM ${all('ctr_inputs')} WHERE ended = 1 AND at >= ${sqlInstant(sinceMs)}`
  const [answer] = await ask<{ found: number }>(client, `SELECT toUInt32(count()) AS found ${ended}`)
  if (answer?.found === 0) return changes
  const numbers = `SELECT number FROM ${all('ctr_inputs')} WHERE (tenant, name) IN (SELECT tenant, name ${ended})`
  return { table: 'ctr_results', where: `(${changes.where} OR task IN (${numbers}))` }
}

/** Minutes of windows where ctr_recent has all rows, and days before that. */
export async function changedWindows(
  client: ClickHouseClient,
  { all }: Names,
  { table, where }: Changes,
  { fromMs, toMs, recentFromMs }: Bounds,
): Promise<ChangedSpans> {
  const ms = 'toUnixTimestamp64Milli(window_start)'
  const rows = await ask<ChangedRow & { kind: string }>(
    client,
    `SELECT
      multiIf(${ms} < ${fromMs} OR ${ms} >= ${toMs}, 'outside', ${ms} >= ${recentFromMs}, 'recent', 'old') AS kind,
      intDiv(${ms}, multiIf(kind = 'outside', ${toMs}, kind = 'recent', ${MINUTE}, ${DAY})) AS unit,
      toFloat64(min(${ms})) AS first,
      toFloat64(max(${ms})) AS last,
      ${COUNTS}
    FROM ${all(table)}
    WHERE ${where}
    GROUP BY kind, unit
    ORDER BY first`,
  )
  return {
    leftOut: rows.filter(({ kind }) => kind === 'outside').reduce((sum, one) => sum + one.rows, 0),
    units: rows.filter(({ kind }) => kind !== 'outside').map((one) => unitOf(one, minutesOf(one), one.kind === 'recent')),
  }
}

/** Periods of a roll-up in which periods of the one below were computed since; none that begins before `fromMs`. */
export async function changedPeriods(
  client: ClickHouseClient,
  { all }: Names,
  { below, rollUp }: { readonly below: RollUp; readonly rollUp: RollUp },
  { sinceMs, fromMs }: { readonly sinceMs: number; readonly fromMs: number },
): Promise<ChangedSpans> {
  const rows = await ask<ChangedRow>(
    client,
    `SELECT toFloat64(toUnixTimestamp(${rollUp.start(below.period)})) * 1000 AS first, first AS last, ${COUNTS}
    FROM ${all(below.table)}
    WHERE refreshed_at >= ${sqlInstant(sinceMs)}
    GROUP BY first
    ORDER BY first`,
  )
  return {
    leftOut: rows.filter(({ first }) => first < fromMs).reduce((sum, one) => sum + one.rows, 0),
    units: rows
      .filter(({ first }) => first >= fromMs)
      .map((one) => unitOf(one, { fromMs: one.first, toMs: rollUp.endMs(one.first) }, false)),
  }
}

interface ChangedRow {
  readonly first: number
  readonly last: number
  readonly rows: number
  readonly products: number
}

const COUNTS = `toFloat64(count()) AS rows, toUInt32(uniqUpTo(${UNIT_PRODUCTS_MAX})(tenant, product_id)) AS products`

function unitOf({ rows, products }: ChangedRow, span: TimeSpan, recent: boolean): Unit {
  return { ...span, recent, few: products <= UNIT_PRODUCTS_MAX, rows, products }
}

/** From the first minute up to the end of the last. */
function minutesOf({ first, last }: ChangedRow): TimeSpan {
  return { fromMs: Math.floor(first / MINUTE) * MINUTE, toMs: (Math.floor(last / MINUTE) + 1) * MINUTE }
}

/** Rows of newest windows: how many are settled, and how many were computed after `settledMs`. */
export async function newestRows(client: ClickHouseClient, { all }: Names, settledMs: number): Promise<{ settled: number; since: number }> {
  const [rows] = await ask<{ settled: number; since: number }>(
    client,
    `SELECT toFloat64(countIf(n.settled = 1)) AS settled,
      toFloat64(countIf(n.settled = 0 AND n.refreshed_at > ${sqlInstant(settledMs)})) AS since
    FROM ${all(LATEST_TABLE.name)} AS n`,
  )
  return rows ?? { settled: 0, since: 0 }
}

/** The answer to a query for one condition. */
export async function isTrue(client: ClickHouseClient, query: string): Promise<boolean> {
  const [row] = await ask<Record<string, number>>(client, query)
  return Object.values(row ?? {}).some((value) => value !== 0)
}

async function ask<T>(client: ClickHouseClient, query: string): Promise<T[]> {
  const answer = await client.query({ query, format: 'JSONEachRow' })
  return answer.json<T>()
}
