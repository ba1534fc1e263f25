/**
 * The last five minutes, hour and day of each product, beside the five minutes, hour or day before: for what is on top, and what moves.
 *
 * Five minutes are of ctr_recent, exact at any time. An hour is of computed minutes and a day of computed hours, as far behind as those
 * are; the minute or hour of now is their last. A window belongs to the time it starts in; of one that starts later than now nothing is.
 */
import { counts, REVISION } from './counting.ts'
import type { Names, View } from './objects.ts'
import { RECENT_TABLE } from './recent.ts'
import { ROLL_UPS } from './roll-ups.ts'
import { certaintyOf, movedInSql } from './wilson.ts'

/** In their order. */
export const LAST_VIEWS: readonly View[] = [
  { kind: 'view', name: 'ctr_last_5m', spread: 'product', query: lastMinutes },
  lastPeriods('ctr_last_hour', ROLL_UPS.minutely, 'HOUR'),
  lastPeriods('ctr_last_day', ROLL_UPS.hourly, 'DAY'),
]

/**
 * One level of groups, where windows summed up first would be three: only windows with rows of several revisions need more, and mostly
 * there are none.
 */
function lastMinutes(names: Names): string {
  const { all } = names
  const rows = `${all(RECENT_TABLE.name)} AS r`
  const range = "window = '' AND window_start >= since AND window_start <= asked_at"
  const counting = counts(all('ctr_inputs'), 'task')
  return `WITH
  (SELECT now64(3)) AS asked_at,
  asked_at - INTERVAL 10 MINUTE AS since,
  (SELECT min(${REVISION}) < max(${REVISION}) FROM ${rows} WHERE ${range}) AS mixed,
  superseded AS
  (
    SELECT tenant, product_id, window_start, window_end, arrayJoin(arrayFilter(one -> one < newest, revisions))
    FROM
    (
      SELECT tenant, product_id, window_start, window_end, groupUniqArray(${REVISION}) AS revisions, arrayMax(revisions) AS newest
      FROM ${rows}
      WHERE mixed AND ${range} AND ${counting}
      GROUP BY tenant, product_id, window_start, window_end
    )
  )
SELECT
  tenant,
  product_id,
${besideBefore(names, '(window_start >= since + INTERVAL 5 MINUTE)')}
FROM ${rows} FINAL
WHERE ${range} AND ${counting}
  AND (NOT mixed OR (tenant, product_id, window_start, window_end, ${REVISION}) NOT IN (superseded))
GROUP BY tenant, product_id`
}

function lastPeriods(name: string, { table, period, start }: (typeof ROLL_UPS)['minutely' | 'hourly'], unit: 'HOUR' | 'DAY'): View {
  const query = (names: Names) => `WITH ${start("toDateTime((SELECT now64(3)), 'UTC')")} - INTERVAL 1 ${unit} AS since
SELECT
  tenant,
  product_id,
${besideBefore(names, `(${period} > since)`)}
FROM ${names.all(table)} AS r FINAL
WHERE ${period} > since - INTERVAL 1 ${unit} AND ${period} <= since + INTERVAL 1 ${unit}
GROUP BY tenant, product_id
HAVING impressions + clicks + previous_impressions + previous_clicks > 0`
  return { kind: 'view', name, spread: 'product', query }
}

/** Columns of rows `r` of which `current` takes the later half. */
function besideBefore(names: Names, current: string): string {
  const sums = (prefix: string, which: string) => `  sumIf(r.impressions, ${which}) AS ${prefix}impressions,
  sumIf(r.clicks, ${which}) AS ${prefix}clicks,
  if(${prefix}impressions = 0, 0, ${prefix}clicks / ${prefix}impressions) AS ${prefix}ctr`
  return `${sums('', current)},
${sums('previous_', `NOT ${current}`)},
  ${certaintyOf(names)},
  ${certaintyOf(names, 'previous_')},
  ${movedInSql('previous_')} AS moved`
}
