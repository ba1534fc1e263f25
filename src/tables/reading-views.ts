/** The views to read: windows as they stand, whatever lies in the tables. */
import { counts, REVISION } from './counting.ts'
import type { View } from './objects.ts'
import { andKept } from './retention.ts'
import { certaintyOf } from './wilson.ts'

/** The newest version of each row; of a window the highest revision, summed over tasks. Rows lie in the order of their key, so that both
 * steps need no memory that grows with the table. */
export const WINDOWS_VIEW: View = {
  kind: 'view',
  name: 'ctr_windows',
  spread: 'product',
  query: ({ all, retention, intervals }) => `SELECT
  tenant,
  product_id,
  window_start,
  window_end,
  argMax(w.impressions, w.revision) AS impressions,
  argMax(w.clicks, w.revision) AS clicks,
  if(impressions = 0, 0, clicks / impressions) AS ctr,
  window,
  ${certaintyOf({ intervals })}
FROM
(
  SELECT
    tenant,
    product_id,
    window_start,
    window_end,
    window,
    ${REVISION} AS revision,
    sum(r.impressions) AS impressions,
    sum(r.clicks) AS clicks
  FROM ${all('ctr_results')} AS r FINAL
  WHERE ${counts(all('ctr_inputs'), 'task')}${andKept('window_end', retention.results)}
  GROUP BY tenant, product_id, window_start, window_end, window, revision
) AS w
GROUP BY tenant, product_id, window_start, window_end, window
SETTINGS optimize_aggregation_in_order = 1`,
}
