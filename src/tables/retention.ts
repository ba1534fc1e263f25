/**
 * When rows may go, as ClickHouse's TTL has it, and the condition that takes them for gone already. ClickHouse drops what has expired some
 * time later, part by part: of a row and the newer one that replaces it the newer may go first. So what reads a table that expires leaves
 * out what may go.
 */

import { formatDuration, SECOND } from '../config/units.ts'
import { formatCount } from '../text.ts'
import type { Retention } from './objects.ts'

/** The last second that a DateTime holds, in 2106. */
const DATE_TIME_MAX_SECONDS = 2 ** 32 - 1

/**
 * The TTL of rows that are kept for `ms` after the time `expression`, a DateTime or DateTime64; undefined when they are kept for ever
 * (Infinity). An INTERVAL would not do: what lies behind the end of DateTime comes out as long ago, and such rows would go at once.
 */
export function expiresAfter(expression: string, ms: number): string | undefined {
  if (ms === Number.POSITIVE_INFINITY) return undefined
  const seconds = `toInt64(${expression}) + ${Math.ceil(ms / 1000)}`
  // 0 is no TTL to ClickHouse.
  return `toDateTime(least(greatest(${seconds}, 1), ${DATE_TIME_MAX_SECONDS}))`
}

/** That a row is kept for another `marginMs` at least, as ` AND …`; nothing of rows that are kept for ever. */
export function andKept(expression: string, ms: number, marginMs = 0): string {
  if (ms === Number.POSITIVE_INFINITY) return ''
  return ` AND toInt64(${expression}) + ${Math.ceil((ms - marginMs) / 1000)} > toInt64(now())`
}

/** For how long after its end a window is reconciled: while its rows are kept, and what the ledger has of it. */
export function reconciledMs({ results, ledger }: Retention): number {
  return Math.min(results, ledger)
}

/** A TTL of ours for people, `30d after window_end`; any other as it is, and none as `for ever`. */
export function ttlText(ttl: string): string {
  if (ttl === '') return 'for ever'
  const [, expression, seconds] = /^toDateTime\(least\(greatest\(toInt64\((.*)\) \+ (\d+), 1\), \d+\)\)$/.exec(ttl) ?? []
  return expression === undefined ? `up to ${ttl}` : `for ${formatDuration(Number(seconds) * SECOND)} after ${expression}`
}

/** Of rows that were written and that ClickHouse drops again. */
export function expiredText(rows: number, keptMs: number): string {
  const kept = `clickhouse.retention.results (${formatDuration(keptMs)})`
  const what = `${formatCount(rows)} rows were written of windows that ended more than ${kept} ago`
  const remedy = 'to keep them lengthen it, run `ctr schema apply`, and read their events again'
  return `${what}: no view shows them, and ClickHouse drops them; ${remedy}`
}

/** Of rows that came or were sent again, and whose periods are not computed once more. */
export function leftOutText(rows: number): string {
  const why = 'rows of them may have expired (clickhouse.retention), or they begin after 2105'
  return `the periods of ${formatCount(rows)} new or re-sent rows stay as they were computed: ${why}`
}
