/**
 * For who decides by the numbers: the click-through rate of all and of each product, out of ClickHouse, how much there is of it, how fresh
 * it is, and what is not as usual. A ratio comes with Wilson's interval at 95 %: of few impressions it says little.
 */
import { type Dashboard, type Panel, RECORDED_SELF, SELF } from './dashboard.ts'

const Z2 = '3.8415'
/** As Grafana quotes it. */
const TENANT = `tenant = \${tenant:sqlstring}`
/** Products with fewer impressions are no news. */
const IMPRESSIONS_MIN = 100

/** A bound of the interval of `clicks` of `impressions`. */
function bound(sign: '+' | '-', clicks: string, impressions: string): string {
  const p = `least(${clicks} / ${impressions}, 1)`
  const half = `sqrt(${Z2} * (${p} * (1 - ${p}) / ${impressions} + ${Z2} / (4 * ${impressions} * ${impressions})))`
  return `(${p} + ${Z2} / (2 * ${impressions}) ${sign} ${half}) / (1 + ${Z2} / ${impressions})`
}

const interval = `${bound('-', 'clicks', 'impressions')} AS low, ${bound('+', 'clicks', 'impressions')} AS high`
const MINUTES = `FROM ctr_totals_minutely WHERE ${TENANT} AND $__timeFilter(minute)`
const PERIOD = `$__timeInterval(minute) AS time`

const NOW: readonly Panel[] = [
  {
    title: 'CTR',
    description: 'Clicks over impressions of the whole time that is shown.',
    unit: 'percentunit',
    kind: 'stat',
    width: 6,
    targets: [{ sql: `SELECT if(sum(impressions) = 0, 0, sum(clicks) / sum(impressions)) AS ctr ${MINUTES}` }],
  },
  {
    title: 'Impressions',
    description: 'Impressions of the whole time that is shown.',
    unit: 'short',
    kind: 'stat',
    width: 6,
    targets: [{ sql: `SELECT sum(impressions) AS impressions ${MINUTES}` }],
  },
  {
    title: 'Clicks',
    description: 'Clicks of the whole time that is shown.',
    unit: 'short',
    kind: 'stat',
    width: 6,
    targets: [{ sql: `SELECT sum(clicks) AS clicks ${MINUTES}` }],
  },
  {
    title: 'Newest window',
    description: 'How long ago the newest window ended that is in ClickHouse.',
    unit: 's',
    kind: 'stat',
    width: 6,
    bounds: [60, 300],
    targets: [{ sql: `SELECT dateDiff('second', max(window_end), now64(3)) AS behind FROM ctr_latest WHERE ${TENANT}` }],
  },
]

const OVER_TIME: readonly Panel[] = [
  {
    title: 'CTR, with its interval',
    description: 'The sum of the clicks over the sum of the impressions, of all products. Between low and high it is with 95 %.',
    unit: 'percentunit',
    kind: 'timeseries',
    width: 12,
    targets: [
      {
        sql:
          `SELECT time, clicks / impressions AS ctr, ${interval} FROM (SELECT ${PERIOD}, sum(impressions) AS impressions, ` +
          `sum(clicks) AS clicks ${MINUTES} GROUP BY time HAVING impressions > 0) ORDER BY time`,
      },
    ],
  },
  {
    title: 'Impressions and clicks',
    description: 'How many of each, by event time. The newest minute is not whole yet.',
    unit: 'short',
    kind: 'timeseries',
    width: 12,
    targets: [{ sql: `SELECT ${PERIOD}, sum(impressions) AS impressions, sum(clicks) AS clicks ${MINUTES} GROUP BY time ORDER BY time` }],
  },
  {
    title: 'CTR by hour: today, yesterday, last week',
    description: 'Each hour of the last day, beside the same hour a day and a week before.',
    unit: 'percentunit',
    kind: 'timeseries',
    width: 12,
    targets: [
      {
        sql:
          `SELECT time, maxIf(ctr, age = 0) AS today, maxIf(ctr, age = 1) AS yesterday, maxIf(ctr, age = 7) AS last_week FROM (` +
          `SELECT hour + toIntervalDay(age) AS time, age, ctr FROM ctr_totals_hourly ARRAY JOIN [0, 1, 7] AS age ` +
          `WHERE ${TENANT} AND hour >= now() - INTERVAL 8 DAY) WHERE time > now() - INTERVAL 1 DAY AND time <= now() ` +
          'GROUP BY time ORDER BY time',
      },
    ],
  },
  {
    title: 'CTR of windows of products',
    description: 'How the windows of products are distributed over their CTR: p50, p95 and p99 of those first written.',
    unit: 'percentunit',
    kind: 'timeseries',
    width: 12,
    targets: [0.5, 0.95, 0.99].map((quantile) => ({
      expr: `histogram_quantile(${quantile}, sum by (le) (rate(ctr_window_ctr_bucket{${SELF}}[$__rate_interval])))`,
      legend: `p${quantile * 100}`,
    })),
  },
]

const PERCENT_COLUMNS = { ctr: 'percentunit', low: 'percentunit', high: 'percentunit', ctr_before: 'percentunit' }

const PRODUCTS: readonly Panel[] = [
  {
    title: 'Products with the most impressions in the last hour',
    description: 'With the interval of their CTR at 95 %.',
    unit: 'short',
    kind: 'table',
    width: 12,
    columns: PERCENT_COLUMNS,
    targets: [
      {
        sql:
          `SELECT product_id, impressions, clicks, ctr, ${interval} FROM ctr_last_hour WHERE ${TENANT} AND impressions > 0 ` +
          'ORDER BY impressions DESC, product_id LIMIT 50',
      },
    ],
  },
  {
    title: 'Products whose CTR is not what it was an hour before',
    description: `Those whose intervals of this hour and the one before part, both with at least ${IMPRESSIONS_MIN} impressions.`,
    unit: 'short',
    kind: 'table',
    width: 12,
    columns: PERCENT_COLUMNS,
    targets: [
      {
        sql:
          `SELECT product_id, impressions, ctr, previous_ctr AS ctr_before, previous_impressions AS impressions_before ` +
          `FROM ctr_last_hour WHERE ${TENANT} AND impressions >= ${IMPRESSIONS_MIN} AND previous_impressions >= ${IMPRESSIONS_MIN} AND ` +
          `(${bound('-', 'clicks', 'impressions')} > ${bound('+', 'previous_clicks', 'previous_impressions')} OR ` +
          `${bound('+', 'clicks', 'impressions')} < ${bound('-', 'previous_clicks', 'previous_impressions')}) ` +
          'ORDER BY abs(ctr - previous_ctr) DESC LIMIT 50',
      },
    ],
  },
]

const TRUST: readonly Panel[] = [
  {
    title: 'CTR now, and what is usual',
    description: 'The last hour as the engine counted it, with its interval at three standard deviations, and yesterday at this hour.',
    unit: 'percentunit',
    kind: 'timeseries',
    width: 8,
    targets: [
      { expr: `max(ctr:ratio:1h{${RECORDED_SELF}})`, legend: 'last hour' },
      { expr: `max(ctr:ratio_low:1h{${RECORDED_SELF}})`, legend: 'low' },
      { expr: `max(ctr:ratio_high:1h{${RECORDED_SELF}})`, legend: 'high' },
      { expr: `max(ctr:ratio:1h{${RECORDED_SELF}} offset 1d)`, legend: 'yesterday' },
      { expr: `avg(ctr_current_ctr{${SELF}})`, legend: 'since the start' },
    ],
  },
  {
    title: 'Counted now',
    description: 'Impressions and clicks as they are counted, before their windows close.',
    unit: 'evps',
    kind: 'timeseries',
    width: 8,
    targets: [
      { expr: `sum(rate(ctr_impressions_total{${SELF}}[$__rate_interval]))`, legend: 'impressions' },
      { expr: `sum(rate(ctr_clicks_total{${SELF}}[$__rate_interval]))`, legend: 'clicks' },
    ],
  },
  {
    title: 'Minutes that do not balance',
    description: 'Of the ledger in ClickHouse, the minutes in which records or rows are missing. None is good.',
    unit: 'short',
    kind: 'table',
    width: 8,
    targets: [
      {
        sql:
          `SELECT minute, read, counted, late, invalid, unaccounted, missing FROM ctr_reconciliation ` +
          `WHERE ${TENANT} AND NOT balanced AND $__timeFilter(minute) ORDER BY minute DESC LIMIT 50`,
      },
    ],
  },
]

/** Business. */
export const BUSINESS_DASHBOARD: Dashboard = {
  uid: 'ctr-business',
  title: 'CTR: business',
  description: 'The click-through rate of all and of each product, how much there is of it, how fresh it is, and what is not as usual.',
  from: 'now-6h',
  rows: [
    { title: 'The time that is shown', panels: NOW },
    { title: 'Over time', panels: OVER_TIME },
    { title: 'Products', panels: PRODUCTS },
    { title: 'Can it be trusted', panels: TRUST },
  ],
}
