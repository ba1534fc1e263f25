/**
 * Roll-ups: minutes, hours, days and months of each product, and minutes of all products of a tenant together. The engine computes them
 * (roll-up-job.ts), always whole periods, never by adding up what came: rows sent again change nothing. A window belongs to the period it
 * starts in.
 *
 * Of a period the newest computation is its row. What has no rows any more that count is computed as zero, which no view shows.
 */
import { DAY, HOUR, MINUTE } from '../config/units.ts'
import type { Names, Retention, SchemaObject, StoredTable, TableColumn, View } from './objects.ts'
import { andKept, expiresAfter } from './retention.ts'
import { certaintyOf } from './wilson.ts'

/** A roll-up, and how it follows from the one below. */
export interface RollUp {
  /** What is read. */
  readonly view: string
  readonly table: string
  readonly period: string
  /** The period of an instant, as SQL. */
  readonly start: (instant: string) => string
  /** Where the period ends that begins at an instant; ms. */
  readonly endMs: (startMs: number) => number
  readonly partitionBy: string
  readonly keptMs: (retention: Retention) => number
}

const NEVER = Number.POSITIVE_INFINITY

/** The roll-ups, finest first. */
export const ROLL_UPS = {
  minutely: {
    ...names('minutely', 'minute'),
    start: (instant) => `toStartOfMinute(${instant})`,
    endMs: (startMs) => startMs + MINUTE,
    partitionBy: 'toMonday(minute)',
    keptMs: ({ minutely }) => minutely,
  },
  hourly: {
    ...names('hourly', 'hour'),
    start: (instant) => `toStartOfHour(${instant})`,
    endMs: (startMs) => startMs + HOUR,
    partitionBy: 'toYYYYMM(hour)',
    keptMs: ({ hourly }) => hourly,
  },
  daily: {
    ...names('daily', 'day'),
    start: (instant) => `toStartOfDay(${instant})`,
    endMs: (startMs) => startMs + DAY,
    partitionBy: 'toYear(day)',
    keptMs: ({ daily }) => daily,
  },
  monthly: {
    ...names('monthly', 'month'),
    start: (instant) => `toDateTime(toStartOfMonth(${instant}), 'UTC')`,
    endMs: (startMs) => Date.UTC(new Date(startMs).getUTCFullYear(), new Date(startMs).getUTCMonth() + 1, 1),
    partitionBy: 'toYear(month)',
    keptMs: () => NEVER,
  },
} as const satisfies Readonly<Record<string, RollUp>>

/** Minutes of all products of a tenant together: few rows, from which hours, days and months are summed up when they are read. */
export const TOTALS_TABLE: StoredTable = {
  kind: 'table',
  name: 'ctr_totals_minutely_computed',
  columns: [['tenant', 'String'], ...computedColumns('minute')],
  newest: 'refreshed_at',
  partitionBy: 'toYear(minute)',
  orderBy: ['tenant', 'minute'],
  spread: 'copy',
}

/** Tables and views of all of them, in the order in which they can be created. */
export const ROLL_UP_OBJECTS: readonly SchemaObject[] = [
  ...Object.values(ROLL_UPS).flatMap((each) => [
    tableOf(each),
    viewOf(each.view, each.table, ['tenant', 'product_id', each.period], 'product', each.keptMs),
  ]),
  TOTALS_TABLE,
  viewOf('ctr_totals_minutely', TOTALS_TABLE.name, ['tenant', 'minute'], 'all'),
  ...[ROLL_UPS.hourly, ROLL_UPS.daily, ROLL_UPS.monthly].map(totalsView),
]

function names(name: string, period: string): Pick<RollUp, 'view' | 'table' | 'period'> {
  return { view: `ctr_${name}`, table: `ctr_${name}_computed`, period }
}

function computedColumns(period: string): TableColumn[] {
  return [
    [period, "DateTime('UTC')"],
    ['impressions', 'UInt64'],
    ['clicks', 'UInt64'],
    ['refreshed_at', "DateTime64(3, 'UTC')"],
  ]
}

/** In the order of time, in small granules: of a period's products one is found by the key. */
function tableOf({ table, period, partitionBy, keptMs }: RollUp): StoredTable {
  return {
    kind: 'table',
    name: table,
    columns: [['tenant', 'String'], ['product_id', 'String'], ...computedColumns(period)],
    indexes: ['refreshed_at_range refreshed_at TYPE minmax GRANULARITY 1'],
    newest: 'refreshed_at',
    partitionBy,
    orderBy: ['tenant', period, 'product_id'],
    expires: (retention) => expiresAfter(period, keptMs(retention)),
    settings: { index_granularity: 1024 },
    spread: 'product',
  }
}

function viewOf(name: string, table: string, key: readonly string[], spread: View['spread'], keptMs: RollUp['keptMs'] = () => NEVER): View {
  const ctr = 'if(impressions = 0, 0, clicks / impressions) AS ctr'
  const query = ({ all, retention, intervals }: Names) => `SELECT ${key.join(', ')}, impressions, clicks, ${ctr},
  ${certaintyOf({ intervals })}
FROM ${all(table)} FINAL
WHERE (impressions > 0 OR clicks > 0)${andKept(key.at(-1) ?? '', keptMs(retention))}`
  return { kind: 'view', name, spread, query }
}

function totalsView({ view, period, start }: RollUp): View {
  return {
    kind: 'view',
    name: view.replace('ctr_', 'ctr_totals_'),
    spread: 'all',
    query: ({ all, intervals }) => `SELECT
  tenant,
  ${start('minute')} AS ${period},
  sum(t.impressions) AS impressions,
  sum(t.clicks) AS clicks,
  if(impressions = 0, 0, clicks / impressions) AS ctr,
  ${certaintyOf({ intervals })}
FROM ${all('ctr_totals_minutely')} AS t
GROUP BY tenant, ${period}`,
  }
}
