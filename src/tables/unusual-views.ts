/**
 * What is not as it was: products whose CTR has moved from one period to another, and hours that are unlike the same hour of former days.
 * Both compare intervals (wilson.ts) and say nothing while those overlap. They read roll-ups, and are as new as these.
 *
 *   ctr_movers(since, until, before_since, before_until)   products of which the intervals of the two periods part. A period has the
 *                                                          minutes that begin in it
 *   ctr_anomalies(hour)                                    products, and the total as the product '', of which the hour's interval lies
 *                                                          above or below those of the same hour on former days, but for one day in ten
 */
import { DAY, SECOND } from '../config/units.ts'
import type { Names, View } from './objects.ts'
import { certaintyOf, movedInSql, wilsonInSql, zOf } from './wilson.ts'

/** How many days back an hour is held against, and how many of them must have enough impressions. */
const ANOMALY_DAYS = { back: 14, least: 7 } as const

/** Of so many former days one may be an exception. */
const EXCEPTION_IN_DAYS = 10

/** In the order in which they can be created. */
export const UNUSUAL_VIEWS: readonly View[] = [
  { kind: 'view', name: 'ctr_movers', spread: 'all', query: moversQuery },
  { kind: 'view', name: 'ctr_anomalies', spread: 'all', query: anomaliesQuery },
]

function moversQuery(names: Names): string {
  const [now, before] = [within('since', 'until'), within('before_since', 'before_until')]
  const sums = (prefix: string, which: string) => `  sumIf(m.impressions, ${which}) AS ${prefix}impressions,
  sumIf(m.clicks, ${which}) AS ${prefix}clicks,
  if(${prefix}impressions = 0, 0, ${prefix}clicks / ${prefix}impressions) AS ${prefix}ctr`
  return `SELECT
  tenant,
  product_id,
${sums('', now)},
${sums('previous_', before)},
  ${certaintyOf(names)},
  ${certaintyOf(names, 'previous_')},
  ${movedInSql('previous_')} AS moved
FROM ${names.all('ctr_minutely')} AS m
WHERE ${now} OR ${before}
GROUP BY tenant, product_id
HAVING moved != 0`
}

/** Minutes of a period whose bounds are parameters. */
function within(from: string, to: string): string {
  return `(minute >= {${from}:DateTime('UTC')} AND minute < {${to}:DateTime('UTC')})`
}

function anomaliesQuery(names: Names): string {
  const { intervals } = names
  const z = zOf(intervals.level)
  const [low, high] = wilsonInSql('h.impressions', 'h.clicks', z)
  const hours = Array.from({ length: ANOMALY_DAYS.back + 1 }, (_, i) => `asked - ${(i * DAY) / SECOND}`).join(', ')
  const former = `h.hour < asked AND h.impressions >= ${intervals.minImpressions}`
  return `WITH toStartOfHour({hour:DateTime('UTC')}) AS asked
SELECT
  tenant,
  product_id,
  asked AS hour,
  sumIf(h.impressions, h.hour = asked) AS impressions,
  sumIf(h.clicks, h.hour = asked) AS clicks,
  if(impressions = 0, 0, clicks / impressions) AS ctr,
  ${certaintyOf(names)},
  countIf(${former}) AS days,
  arraySort(groupArrayIf(least(h.clicks, h.impressions) / greatest(h.impressions, 1), ${former}))[intDiv(days + 1, 2)] AS usual_ctr,
  arraySort(groupArrayIf(${low}, ${former}))[1 + intDiv(days, ${EXCEPTION_IN_DAYS})] AS usual_low,
  arraySort(groupArrayIf(${high}, ${former}))[days - intDiv(days, ${EXCEPTION_IN_DAYS})] AS usual_high,
  toInt8(ctr_low > usual_high) - toInt8(ctr_high < usual_low) AS unusual
FROM
(
  SELECT tenant, product_id, hour, impressions, clicks FROM ${names.all('ctr_hourly')} WHERE hour IN (${hours})
  UNION ALL
  SELECT tenant, '' AS product_id, hour, impressions, clicks FROM ${names.all('ctr_totals_hourly')} WHERE hour IN (${hours})
) AS h
GROUP BY tenant, product_id
HAVING enough AND days >= ${ANOMALY_DAYS.least} AND unusual != 0`
}
