/** The statements of a run (roll-up-job.ts). Each appends what it has computed of some spans, under the instant of the run. */
import { namesOf, onCluster } from './cluster.ts'
import { counts, REVISION } from './counting.ts'
import { LATEST_TABLE, newestOf, windowsOfRows } from './latest.ts'
import type { Form, Names } from './objects.ts'
import { ROLL_UPS, type RollUp, TOTALS_TABLE } from './roll-ups.ts'
import { type Chunk, onDaysOf, sqlInstant, within } from './spans.ts'
import type { Changes } from './touched.ts'

/**
 * Groups and sorted rows that take too much memory go to disk meanwhile. A long history has more than the 100 partitions that one insert
 * may have by default.
 */
const SETTINGS = `SETTINGS max_bytes_before_external_group_by = ${256 * 2 ** 20}, max_bytes_before_external_sort = ${256 * 2 ** 20},
  max_partitions_per_insert_block = 0`
/** Of rows in the order of their key no more than a group is held; it takes three times the CPU. */
const IN_ORDER = `${SETTINGS}, optimize_aggregation_in_order = 1`

/** What a statement is given of its run. */
export interface Statement {
  readonly names: Names
  /** The instant of the run, ms. */
  readonly at: number
  readonly chunk: Chunk
}

/** Whether the rows of a chunk are of several revisions. */
export function revisionsQuery({ names, chunk }: Statement, changes: Changes): string {
  const rows = `${names.all(sourceOf(chunk))} WHERE window = '' AND ${rowsOf(names, chunk, changes)}`
  return `SELECT min(${REVISION}) < max(${REVISION}) AS mixed FROM ${rows}`
}

/**
 * Minutes of which rows have changed, summed over the tasks that count. Where rows are of several revisions (`mixed`) only the highest of
 * each window counts; to see which takes several times as long. Minutes that have become mixed since that was asked are left to the next
 * run, which finds the rows that did it.
 */
export function minutelyStatement(statement: Statement, changes: Changes, mixed: boolean): string {
  return mixed ? minutesByRevision(statement, changes) : minutesOfRows(statement, changes)
}

function minutesOfRows({ names, at, chunk }: Statement, changes: Changes): string {
  const { all } = names
  const { table, start, period } = ROLL_UPS.minutely
  const counting = counts(all('ctr_inputs'), 'task')
  return `INSERT INTO ${all(table)} (tenant, product_id, ${period}, impressions, clicks, refreshed_at)
SELECT tenant, product_id, ${start('window_start')} AS period, sum(if(${counting}, r.impressions, 0)), sum(if(${counting}, r.clicks, 0)),
  ${sqlInstant(at)}
FROM ${all(sourceOf(chunk))} AS r FINAL
WHERE window = '' AND ${rowsOf(names, chunk, changes)}
GROUP BY tenant, product_id, period
HAVING max(${changes.where}) > 0 AND min(${REVISION}) = max(${REVISION})
${settingsOf(chunk)}`
}

function minutesByRevision({ names, at, chunk }: Statement, changes: Changes): string {
  const { all } = names
  const { table, start, period } = ROLL_UPS.minutely
  return `INSERT INTO ${all(table)} (tenant, product_id, ${period}, impressions, clicks, refreshed_at)
SELECT tenant, product_id, ${start('window_start')} AS period, sum(w.impressions), sum(w.clicks), ${sqlInstant(at)}
FROM
(
  SELECT tenant, product_id, window_start, argMax(v.impressions, v.revision) AS impressions, argMax(v.clicks, v.revision) AS clicks,
    max(v.changed) AS changed
  FROM
  (
    WITH ${counts(all('ctr_inputs'), 'task')} AS counting
    SELECT tenant, product_id, window_start, window_end, if(counting, ${REVISION}, 0) AS revision,
      sum(if(counting, r.impressions, 0)) AS impressions, sum(if(counting, r.clicks, 0)) AS clicks, max(${changes.where}) AS changed
    FROM ${all(sourceOf(chunk))} AS r FINAL
    WHERE window = '' AND ${rowsOf(names, chunk, changes)}
    GROUP BY tenant, product_id, window_start, window_end, revision
  ) AS v
  GROUP BY tenant, product_id, window_start, window_end
) AS w
GROUP BY tenant, product_id, period
HAVING max(w.changed) > 0
${settingsOf(chunk)}`
}

/** Totals of the minutes that the run has computed. */
export function totalsStatement({ names: { all }, at, chunk }: Statement): string {
  const { table, period } = ROLL_UPS.minutely
  const spans = within(period, chunk.spans)
  const computed = `SELECT DISTINCT ${period} FROM ${all(table)} WHERE ${spans} AND refreshed_at = ${sqlInstant(at)}`
  return `INSERT INTO ${all(TOTALS_TABLE.name)} (tenant, ${period}, impressions, clicks, refreshed_at)
SELECT tenant, ${period}, sum(m.impressions), sum(m.clicks), ${sqlInstant(at)}
FROM ${all(table)} AS m FINAL
WHERE ${spans} AND ${period} GLOBAL IN (${computed})
GROUP BY tenant, ${period}
${SETTINGS}`
}

/** Periods of a roll-up of which periods of the one below were computed since. */
export function levelStatement({ names: { all }, at, chunk }: Statement, below: RollUp, rollUp: RollUp, sinceMs: number): string {
  const spans = within(below.period, chunk.spans)
  const since = sqlInstant(sinceMs)
  const changed = `SELECT tenant, product_id FROM ${all(below.table)} WHERE ${spans} AND refreshed_at >= ${since}`
  return `INSERT INTO ${all(rollUp.table)} (tenant, product_id, ${rollUp.period}, impressions, clicks, refreshed_at)
SELECT tenant, product_id, ${rollUp.start(below.period)} AS period, sum(f.impressions), sum(f.clicks), ${sqlInstant(at)}
FROM ${all(below.table)} AS f FINAL
WHERE ${spans}${chunk.few ? ` AND (tenant, product_id) GLOBAL IN (${changed})` : ''}
GROUP BY tenant, product_id, period
HAVING max(f.refreshed_at) >= ${since}
${SETTINGS}`
}

const LATEST_COLUMNS = LATEST_TABLE.columns.map(([name]) => name).filter((name) => name !== 'settled' && name !== 'newest')

/** Of each product the newest of its windows that have changed; the table keeps it if it is the newest of all. */
export function latestStatement({ names, at, chunk }: Statement, changes: Changes): string {
  const { all } = names
  const windows = windowsOfRows(all(sourceOf(chunk)), rowsOf(names, chunk, changes), `max(${changes.where}) > 0`)
  return `INSERT INTO ${all(LATEST_TABLE.name)} (settled, ${LATEST_COLUMNS.join(', ')})
SELECT 0, tenant, product_id, window, input, window_start, window_end, revision, impressions, clicks,
  cityHash64(tenant, product_id), ${sqlInstant(at)}
FROM
(
  ${chunk.recent ? newestOf(windows) : newestInOrder(windows)}
)
${settingsOf(chunk)}`
}

/** As newestOf, which is faster but holds all windows: a chunk may be a day of any size. This one holds products. */
function newestInOrder(windows: string): string {
  const columns = ['window_start', 'window_end', 'revision', 'impressions', 'clicks']
  return `SELECT tenant, product_id, window, input, ${columns.map((name, i) => `newest.${i + 1} AS ${name}`).join(', ')}
  FROM
  (
    SELECT tenant, product_id, window, input,
      argMax((${columns.map((name) => `c.${name}`).join(', ')}), (c.window_end, c.window_start, c.revision)) AS newest
    FROM
    (
      ${windows}
    ) AS c
    GROUP BY tenant, product_id, window, input
  )`
}

/** Settle what was computed after `settledMs`. The second takes time alone: nothing depends on it, so servers of a cluster are not waited
 * for. */
export function settleStatements(form: Form, settledMs: number): string[] {
  const { all, here } = namesOf(form)
  const columns = LATEST_COLUMNS.join(', ')
  const unawaited = form.cluster === undefined ? '' : ' SETTINGS distributed_ddl_task_timeout = 0'
  return [
    `INSERT INTO ${all(LATEST_TABLE.name)} (settled, ${columns})
SELECT 1, ${columns} FROM ${all(LATEST_TABLE.name)} WHERE settled = 0 AND refreshed_at > ${sqlInstant(settledMs)}
${SETTINGS}`,
    `OPTIMIZE TABLE ${here(LATEST_TABLE.name)}${onCluster(form)} PARTITION 1 FINAL${unawaited}`,
  ]
}

function settingsOf({ recent }: Chunk): string {
  return recent ? SETTINGS : IN_ORDER
}

function sourceOf({ recent }: Chunk): string {
  return recent ? 'ctr_recent' : 'ctr_results'
}

/** Which rows of results are read for a chunk, as a condition. */
function rowsOf({ all }: Names, { spans, few, recent }: Chunk, { table, where }: Changes): string {
  const inside = recent ? within('window_start', spans) : onDaysOf('window_start', spans)
  if (!few) return inside
  return `${inside} AND (tenant, product_id) GLOBAL IN (SELECT tenant, product_id FROM ${all(table)} WHERE ${inside} AND ${where})`
}
