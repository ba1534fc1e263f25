/**
 * What has changed since an instant: `SELECT … FROM ctr_changes(since = '2026-01-01 00:00:00')` gives each window of which a row was
 * inserted since, or an input has ended since, as it stands now, with the time of the change; 0 and 0 where nothing counts (any more).
 *
 * Windows that are whole in ctr_recent are read there, in the order of time; older ones are looked up in ctr_results by their keys. When
 * ctr_recent does not go back to the instant, what changed is found in ctr_results, too: right, and slower.
 */
import { counts, REVISION } from './counting.ts'
import { markInSql } from './marks.ts'
import type { Names, View } from './objects.ts'
import { andKept } from './retention.ts'
import { certaintyOf } from './wilson.ts'

export const CHANGES_VIEW: View = { kind: 'view', name: 'ctr_changes', spread: 'product', query: changesQuery }

function changesQuery(names: Names): string {
  const { all } = names
  const [computedAt, whole] = [markInSql(names, 'latest'), markInSql(names, 'whole ctr_recent')]
  // Of what was whole when it was computed nothing has expired while no more time has passed since than that lay back.
  const margin = `toUnixTimestamp64Milli(${computedAt}) - toUnixTimestamp64Milli(${whole})`
  const known = `toUnixTimestamp64Milli(asked_at) - toUnixTimestamp64Milli(${computedAt}) <= ${margin}`
  const key = 'tenant, product_id, window_start'
  return `WITH
  {since:DateTime64(3)} AS since,
  (SELECT now64(3)) AS asked_at,
  if(${known}, ${whole}, toDateTime64('2299-01-01 00:00:00', 3, 'UTC')) AS whole_from,
  (SELECT max(at) FROM ${all('ctr_inputs')} WHERE ended = 1 AND at >= since) AS ended_at,
  of_ended AS
  (
    SELECT number FROM ${all('ctr_inputs')}
    WHERE ended = 1 AND (tenant, name) IN (SELECT tenant, name FROM ${all('ctr_inputs')} WHERE ended = 1 AND at >= since)
  )
SELECT
  tenant,
  product_id,
  window_start,
  window_end,
  argMax(w.impressions, w.revision) AS impressions,
  argMax(w.clicks, w.revision) AS clicks,
  if(impressions = 0, 0, clicks / impressions) AS ctr,
  window,
  max(w.changed_at) AS changed_at,
  ${certaintyOf(names)}
FROM
(
  ${windows(
    names,
    'ctr_recent',
    `window_start >= whole_from AND window_start IN (
      SELECT window_start FROM ${all('ctr_recent')} WHERE inserted_at >= since AND window_start >= whole_from AND since >= whole_from)`,
  )}
  UNION ALL
  ${windows(
    names,
    'ctr_results',
    `(${key}) IN (
      SELECT ${key} FROM ${all('ctr_recent')} WHERE inserted_at >= since AND window_start < whole_from AND since >= whole_from
      UNION ALL
      SELECT ${key} FROM ${all('ctr_results')} WHERE inserted_at >= since AND since < whole_from
      UNION ALL
      SELECT ${key} FROM ${all('ctr_results')} WHERE ended_at >= since AND task IN (of_ended))`,
  )}
) AS w
GROUP BY tenant, product_id, window_start, window_end, window
HAVING changed_at >= since`
}

function windows({ all, retention }: Names, table: string, where: string): string {
  const counting = counts(all('ctr_inputs'), 'task')
  return `SELECT
    tenant,
    product_id,
    window_start,
    window_end,
    window,
    if(${counting}, ${REVISION}, 0) AS revision,
    sum(if(${counting}, r.impressions, 0)) AS impressions,
    sum(if(${counting}, r.clicks, 0)) AS clicks,
    max(if(ended_at >= since AND task IN (of_ended), greatest(r.inserted_at, ended_at), r.inserted_at)) AS changed_at
  FROM ${all(table)} AS r FINAL
  WHERE ${where}${andKept('window_end', retention.results)}
  GROUP BY tenant, product_id, window_start, window_end, window, revision`
}
