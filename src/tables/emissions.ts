/**
 * Every emission of a row, ctr_emissions, and the results as they were known at a time:
 * `SELECT … FROM ctr_results_as_of(known_at = '2026-01-01 00:00:00')`.
 *
 * ClickHouse appends what is inserted into ctr_results by a feed, as part of the insert: it is acknowledged with the rows, whoever writes
 * them. The feed is there while sink.history is on; without it table and view are there, and empty. What was in ctr_results when the feed
 * was made is copied (fills.ts), so all is known from then on: the mark `whole ctr_emissions` says since when. Whatever takes the feed away
 * takes the mark away.
 *
 * An emission is a version of a row. One that is sent again after a restart has the same version, and a later time or an earlier one by
 * another clock; the earliest stays, and of several that are not merged yet the view's answer is the same.
 *
 * Rows go with their window, so that of a window that is shown none is gone.
 */
import { INPUTS_FROM, REVISION } from './counting.ts'
import { REFRESHED_TABLE } from './marks.ts'
import type { Feed, Names, StoredTable, View } from './objects.ts'
import { andKept, expiresAfter } from './retention.ts'
import { certaintyOf } from './wilson.ts'

const TIME = "DateTime64(3, 'UTC')"

/** The mark of since when the history is whole; none while nothing is appended. */
export const HISTORY_MARK = 'whole ctr_emissions'

/** One row for each version of a row of results. */
export const EMISSIONS_TABLE: StoredTable = {
  kind: 'table',
  name: 'ctr_emissions',
  columns: [
    ['tenant', 'String'],
    ['product_id', 'String'],
    ['window_start', TIME],
    ['window_end', TIME],
    ['task', 'UInt32'],
    ['window', 'LowCardinality(String)'],
    ['impressions', 'UInt64'],
    ['clicks', 'UInt64'],
    ['version', 'UInt64'],
    ['emitted_at', TIME],
    ['earliness', 'UInt64', 'DEFAULT bitNot(toUInt64(toUnixTimestamp64Milli(emitted_at)))'],
  ],
  newest: 'earliness',
  partitionBy: 'toYYYYMMDD(window_start)',
  primaryKey: ['tenant', 'product_id', 'window_start', 'window_end', 'window', 'task'],
  orderBy: ['tenant', 'product_id', 'window_start', 'window_end', 'window', 'task', 'version'],
  expires: ({ emissions }) => expiresAfter('window_end', emissions),
  spread: 'product',
}

/** Only while sink.history is on (objectsOf). */
export const EMISSIONS_FEED: Feed = {
  kind: 'feed',
  name: 'ctr_emissions_feed',
  to: EMISSIONS_TABLE.name,
  query: ({ here }) => {
    const columns = EMISSIONS_TABLE.columns.map(([name]) => name).filter((name) => name !== 'earliness')
    return `SELECT ${columns.join(', ')} FROM ${here('ctr_results')}`
  },
}

/** What takes the mark away. */
export function forgetHistory(database: string): string {
  return `ALTER TABLE ${database}.ctr_refreshed DELETE WHERE name = '${HISTORY_MARK}' SETTINGS mutations_sync = 2`
}

/** What sets the mark: from now on nothing is missing. */
export function beginHistory(database: string): string {
  return `INSERT INTO ${database}.ctr_refreshed (name, at) SELECT '${HISTORY_MARK}', now64(3)`
}

/** Fails when it is asked for a time before the history begins. */
export const AS_OF_VIEW: View = { kind: 'view', name: 'ctr_results_as_of', spread: 'product', query: asOfQuery }

function asOfQuery(names: Names): string {
  const { all, retention } = names
  const key = 'tenant, product_id, window_start, window_end, window'
  const ended = `SELECT max(number) FROM ${all('ctr_inputs')} WHERE ended = 1 AND at <= known_at GROUP BY tenant, name`
  // Of a table without marks the newest is of 1970.
  const begins = `SELECT max(at) AS begins FROM ${all(REFRESHED_TABLE.name)} WHERE name = '${HISTORY_MARK}'`
  const later = 'the history that sink.history keeps begins later than known_at'
  // Of a time before all others nothing was known, whatever is kept: by that one who looks at the columns asks.
  const refused = `throwIf(toUnixTimestamp64Milli(known_at) > 0 AND (toUnixTimestamp(begins) = 0 OR begins > known_at), '${later}')`
  return `WITH
  {known_at:DateTime64(3, 'UTC')} AS known_at,
  (SELECT ${refused} FROM (${begins})) AS refused
SELECT
  tenant,
  product_id,
  window_start,
  window_end,
  argMax(w.impressions, w.revision) AS impressions,
  argMax(w.clicks, w.revision) AS clicks,
  if(impressions = 0, 0, clicks / impressions) AS ctr,
  window,
  ${certaintyOf(names)}
FROM
(
  SELECT ${key}, ${REVISION} AS revision, sum(n.impressions) AS impressions, sum(n.clicks) AS clicks
  FROM
  (
    SELECT ${key}, task, max(e.version) AS version,
      argMax(e.impressions, e.version) AS impressions, argMax(e.clicks, e.version) AS clicks
    FROM ${all(EMISSIONS_TABLE.name)} AS e
    WHERE emitted_at <= known_at AND refused = 0${andKept('window_end', retention.emissions)}
      AND (task < ${INPUTS_FROM} OR task IN (${ended}))
    GROUP BY ${key}, task
  ) AS n
  GROUP BY ${key}, revision
) AS w
GROUP BY ${key}`
}
