/**
 * The view ctr_reconciliation: what was read held against what was written, per minute of event time.
 *
 * Reconciliation takes the ledger apart into the steps from each row to the next of the same partition and first offset, and puts a step
 * into the minute of its largest event time; what lies before the first event is in 1970. Of a window it compares the events that were
 * counted with those in ctr_results of the same revision, in the minute the window starts in. A window that is still open is in neither
 * sum, and so is one whose rows may be gone soon.
 *
 * The rows of the ledger are those of ctr_ledger, and of times of which it has none any more the last of each hour. Whichever of them are
 * there, the steps of a partition add up to its totals.
 */
import { HOUR } from '../config/units.ts'
import { TERM_NAMES } from '../window/ledger.ts'
import { counts, REVISION } from './counting.ts'
import type { Names, View } from './objects.ts'
import { andKept, reconciledMs } from './retention.ts'

/** Longer than a query takes, and than clocks of servers differ. */
const KEPT_MARGIN_MS = HOUR

/** Differences are signed: a total may shrink when a partition that had gone idle is read again and other events are late. */
export const RECONCILIATION_VIEW: View = { kind: 'view', name: 'ctr_reconciliation', spread: 'all', query: reconciliationQuery }

function reconciliationQuery({ all, retention }: Names): string {
  const totals = ['read', ...TERM_NAMES, 'dead_lettered']
  const steps = totals.map((total) => `    toInt64(${total}) - lagInFrame(toInt64(${total}), 1, 0) OVER span AS ${total}`)
  const ledger = ['tenant', 'topic', 'partition', 'first_offset', 'last_offset', ...totals, 'max_event_time', 'cut_at'].join(', ')
  const kept = andKept('window_end', reconciledMs(retention), KEPT_MARGIN_MS)
  const none = totals.map(() => 'toInt64(0)').join(', ')
  return `SELECT
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
  FROM
  (
    SELECT * FROM
    (
      SELECT ${ledger} FROM ${all('ctr_ledger')} FINAL
      UNION ALL
      SELECT ${ledger} FROM ${all('ctr_ledger_hourly')} FINAL
    )
    WHERE ${counts(all('ctr_inputs'), 'partition')}
    ORDER BY cut_at DESC
    LIMIT 1 BY tenant, topic, partition, first_offset, last_offset
  )
  WINDOW span AS (
    PARTITION BY tenant, topic, partition, first_offset ORDER BY last_offset ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
  )
  UNION ALL
  SELECT tenant, toStartOfMinute(window_start) AS minute, ${none}, toInt64(events), toInt64(0)
  FROM ${all('ctr_ledger_windows')} FINAL
  WHERE ${counts(all('ctr_inputs'), 'task')}${kept}
  UNION ALL
  SELECT tenant, toStartOfMinute(window_start) AS minute, ${none}, toInt64(0), toInt64(impressions + clicks)
  FROM ${all('ctr_results')} FINAL
  WHERE ${counts(all('ctr_inputs'), 'task')}${kept}
    AND (tenant, window_start, window_end, task, ${REVISION}) IN (
      SELECT tenant, window_start, window_end, task, ${REVISION} FROM ${all('ctr_ledger_windows')} FINAL
    )
) AS p
GROUP BY tenant, minute`
}
