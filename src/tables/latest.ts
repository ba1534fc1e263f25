/**
 * Each product's newest window: computed for products that are quiet (roll-up-job.ts), and looked up in ctr_recent for those that are not,
 * so that ctr_latest is right at any time.
 *
 * A computed row is of all tasks together, or of one input: an input that ends or is replaced needs no computation. `hash` is a product's,
 * by which it is looked up faster than by its texts; of two products with one hash both are looked at, which changes no result.
 *
 * A run appends what it has computed with settled = 0. From time to time it settles: it copies what was appended since the last time to
 * settled = 1, and has ClickHouse merge that. Of merged rows FINAL is free; of others it would take longer than all else together.
 * What is right does not depend on it: of all rows of a key the newest counts, wherever it is and however often.
 */
import { counts, INPUTS_FROM, REVISION } from './counting.ts'
import { REFRESHED_TABLE } from './marks.ts'
import type { Names, StoredTable, View } from './objects.ts'
import { andKept, expiresAfter } from './retention.ts'
import { certaintyOf } from './wilson.ts'

const TIME = "DateTime64(3, 'UTC')"

/** The newer window wins, of one window the higher revision, and of that the newer computation; 48 bits of each but the first. */
const NEWEST = ['window_end', 'window_start', 'revision', 'refreshed_at'].map((name, i) => {
  const number = name === 'revision' ? name : `toUnixTimestamp64Milli(${name})`
  return `bitShiftLeft(toUInt256(${number}), ${48 * (3 - i)})`
})

/** Whatever is appended, in whatever order, the newest window of a product stays. */
export const LATEST_TABLE: StoredTable = {
  kind: 'table',
  name: 'ctr_latest_computed',
  columns: [
    ['settled', 'UInt8'],
    ['tenant', 'String'],
    ['product_id', 'String'],
    ['window', 'LowCardinality(String)'],
    ['input', 'UInt32'],
    ['window_start', TIME],
    ['window_end', TIME],
    ['revision', 'UInt32'],
    ['impressions', 'UInt64'],
    ['clicks', 'UInt64'],
    ['hash', 'UInt64'],
    ['refreshed_at', TIME],
    ['newest', 'UInt256', `DEFAULT ${NEWEST.join(' + ')}`],
  ],
  newest: 'newest',
  partitionBy: 'settled',
  // A reader of the settled rows reads no others: what parts the rows must come first in the key, or FINAL merges them all.
  orderBy: ['settled', 'tenant', 'product_id', 'window', 'input'],
  expires: ({ results }) => expiresAfter('window_end', results),
  spread: 'product',
}

/** The name of the mark up to which computed rows are settled. */
export const SETTLED_MARK = 'latest settled'

/** For how long before it began a computation looks back for inserts that were under way; ctr_latest looks back as long. */
export const LOOK_BACK_SECONDS = 60

/** Exact at any time: the computed rows of products without a change, and the others anew. */
export const LATEST_VIEW: View = { kind: 'view', name: 'ctr_latest', spread: 'product', query: latestQuery }

/** Which rows are looked at, as conditions of SQL. */
export interface Touched {
  /** From which instant on rows were inserted, as SQL. */
  readonly since: string
  /** From this event time on no window lacks rows in ctr_recent, as SQL. */
  readonly wholeFrom: string
}

/** Newer than any computation. */
const TOUCHED_AT = "toDateTime64('2299-01-01 00:00:00', 3, 'UTC')"

/** Rows of results as windows of a product in one revision: of all tasks together, or of an input. */
export function windowsOfRows(table: string, where: string, having: string): string {
  return `SELECT tenant, product_id, window, if(task < ${INPUTS_FROM}, 0, task) AS input, window_start, window_end,
      ${REVISION} AS revision, sum(r.impressions) AS impressions, sum(r.clicks) AS clicks, ${TOUCHED_AT} AS refreshed_at
    FROM ${table} AS r FINAL
    WHERE ${where}
    GROUP BY tenant, product_id, window, input, window_start, window_end, revision${having === '' ? '' : `\n    HAVING ${having}`}`
}

/** Of each product and input the newest of some windows. LIMIT BY, for argMax of several columns takes much longer. */
export function newestOf(windows: string): string {
  return `SELECT tenant, product_id, window, input, window_start, window_end, revision, impressions, clicks
  FROM
  (
    ${windows}
  )
  ORDER BY window_end DESC, window_start DESC, revision DESC, refreshed_at DESC
  LIMIT 1 BY tenant, product_id, window, input`
}

/** Windows with rows inserted of late: those that are whole in ctr_recent from there, the others from ctr_results. */
function windowsTouched({ all }: Names, { since, wholeFrom }: Touched, where: string): string {
  const touched = `${all('ctr_recent')} WHERE inserted_at >= ${since}`
  const recent = `window_start >= ${wholeFrom} AND ${where}
      AND window_start IN (SELECT window_start FROM ${touched} AND window_start >= ${wholeFrom})`
  const old = `window_start < ${wholeFrom} AND ${where} AND (tenant, product_id, window_start) IN (
        SELECT tenant, product_id, window_start FROM ${touched} AND window_start < ${wholeFrom})`
  return `${windowsOfRows(all('ctr_recent'), recent, `max(r.inserted_at) >= ${since}`)}
    UNION ALL
    ${windowsOfRows(all('ctr_results'), old, '')}`
}

function latestQuery(names: Names): string {
  const { all, retention } = names
  // A window that is newer ends no earlier: when the newest may go, so may all of the product.
  const kept = andKept('window_end', retention.results)
  const computed = all(LATEST_TABLE.name)
  const touched = windowsTouched(names, { since: 'since', wholeFrom: 'whole_from' }, 'known')
  const ctr = 'if(impressions = 0, 0, clicks / impressions) AS ctr'
  const certainty = certaintyOf(names)
  // ctr_recent has all of this while less time has passed since the computation than was between it and the oldest whole window. A clock
  // that has gone back further than `since` gives rows times before it.
  return `WITH
  (
    SELECT (${['latest', SETTLED_MARK, 'whole ctr_recent'].map((name) => `maxIf(at, name = '${name}')`).join(', ')}, now64(3))
    FROM ${all(REFRESHED_TABLE.name)}
  ) AS marks,
  marks.1 AS computed_at,
  marks.2 AS settled_at,
  marks.3 AS whole_from,
  computed_at - INTERVAL ${LOOK_BACK_SECONDS} SECOND AS since,
  dateDiff('millisecond', computed_at, marks.4) <= dateDiff('millisecond', whole_from, computed_at) AND marks.4 >= since AS known,
  looked_up AS
  (
    SELECT cityHash64(tenant, product_id) FROM ${all('ctr_recent')} WHERE inserted_at >= since
    UNION ALL
    SELECT hash FROM ${computed} WHERE settled = 0 AND refreshed_at > settled_at OR input > 0
  )
SELECT tenant, product_id, window_start, window_end, impressions, clicks, ${ctr}, window,
  ${certainty}
FROM ${computed} FINAL
WHERE settled = 1 AND known AND hash NOT IN (looked_up)${kept}
UNION ALL
SELECT tenant, product_id, window_start, window_end, s.impressions AS impressions, s.clicks AS clicks, ${ctr}, window,
  ${certainty}
FROM
(
  SELECT tenant, product_id, window, window_start, window_end, revision, sum(n.impressions) AS impressions, sum(n.clicks) AS clicks
  FROM
  (
  ${newestOf(`SELECT tenant, product_id, window, input, window_start, window_end, toUInt64(revision) AS revision, impressions, clicks,
      refreshed_at
    FROM ${computed}
    WHERE known AND hash IN (looked_up) AND (settled = 1 OR refreshed_at > settled_at)
    UNION ALL
    ${touched}
    UNION ALL
    ${windowsOfRows(all('ctr_results'), 'NOT known', '')}`)}
  ) AS n
  WHERE ${counts(all('ctr_inputs'), 'input')}${kept}
  GROUP BY tenant, product_id, window, window_start, window_end, revision
  ORDER BY window_end DESC, window_start DESC, revision DESC
  LIMIT 1 BY tenant, product_id, window
) AS s`
}
