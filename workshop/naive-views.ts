/**
 * The naive twin of the views: from the raw rows of ctr_results and ctr_inputs, in whatever order and however often they are there, by maps
 * and plain loops.
 */
import type { TestClickHouse } from './clickhouse.ts'

/** As they lie in the table; times in ms since the epoch. */
interface RawRow {
  readonly tenant: string
  readonly product: string
  readonly start: number
  readonly end: number
  readonly task: number
  readonly impressions: number
  readonly clicks: number
  readonly version: number
}

interface RawInput {
  readonly tenant: string
  readonly name: string
  readonly number: number
}

/** Lines `tenant product time… impressions clicks`, sorted. */
export interface NaiveViews {
  readonly ctr_windows: readonly string[]
  readonly ctr_latest: readonly string[]
  readonly ctr_minutely: readonly string[]
  readonly ctr_hourly: readonly string[]
}

const INPUTS_FROM = 2 ** 30
const REVISION = 2 ** 40
const [MINUTE, HOUR] = [60_000, 3_600_000]

/** What the views of a database must show, by its tables. */
export async function naiveViews(clickhouse: TestClickHouse, database: string): Promise<NaiveViews> {
  const rows = await clickhouse.rows<RawRow>(
    `SELECT tenant, product_id AS product, toUnixTimestamp64Milli(window_start) AS start, toUnixTimestamp64Milli(window_end) AS end, task,
       impressions, clicks, version FROM db.ctr_results`,
    database,
  )
  const inputs = await clickhouse.rows<RawInput>('SELECT tenant, name, number FROM db.ctr_inputs WHERE ended = 1', database)
  return viewsOf(rows, inputs)
}

/** What the views of a database do show. */
export async function shownViews(clickhouse: TestClickHouse, database: string): Promise<NaiveViews> {
  const lines = async (view: string, times: string) => {
    const columns = `tenant, product_id, ${times}, toString(impressions), toString(clicks)`
    const query = `SELECT concatWithSeparator(' ', ${columns}) AS line FROM db.${view}`
    return (await clickhouse.rows<{ line: string }>(query, database)).map(({ line }) => line).toSorted()
  }
  const windows = 'toString(toUnixTimestamp64Milli(window_start)), toString(toUnixTimestamp64Milli(window_end))'
  const [ctr_windows, ctr_latest] = [await lines('ctr_windows', windows), await lines('ctr_latest', windows)]
  const [ctr_minutely, ctr_hourly] = [
    await lines('ctr_minutely', 'toString(toUnixTimestamp(minute) * 1000)'),
    await lines('ctr_hourly', 'toString(toUnixTimestamp(hour) * 1000)'),
  ]
  return { ctr_windows, ctr_latest, ctr_minutely, ctr_hourly }
}

/** Pure: of raw rows. */
export function viewsOf(rows: readonly RawRow[], inputs: readonly RawInput[]): NaiveViews {
  const newestInput = new Map<string, number>()
  for (const { tenant, name, number } of inputs) {
    const key = JSON.stringify([tenant, name])
    newestInput.set(key, Math.max(number, newestInput.get(key) ?? 0))
  }
  const counting = new Set(newestInput.values())
  const newest = new Map<string, RawRow>()
  for (const row of rows) {
    if (row.task >= INPUTS_FROM && !counting.has(row.task)) continue
    const key = JSON.stringify([row.tenant, row.product, row.start, row.end, row.task])
    if (row.version >= (newest.get(key)?.version ?? -1)) newest.set(key, row)
  }
  const windows = new Map<string, { readonly row: RawRow; revision: number; impressions: number; clicks: number }>()
  for (const row of newest.values()) {
    const key = JSON.stringify([row.tenant, row.product, row.start, row.end])
    const revision = Math.floor(row.version / REVISION)
    const found = windows.get(key)
    if (found === undefined || found.revision < revision) {
      windows.set(key, { row, revision, impressions: row.impressions, clicks: row.clicks })
    } else if (found.revision === revision) {
      found.impressions += row.impressions
      found.clicks += row.clicks
    }
  }
  const all = [...windows.values()]
  const latest = new Map<string, (typeof all)[number]>()
  for (const window of all) {
    const key = JSON.stringify([window.row.tenant, window.row.product])
    const found = latest.get(key)?.row
    const { end, start } = window.row
    if (found === undefined || end > found.end || (end === found.end && start > found.start)) latest.set(key, window)
  }
  const lines = (some: Iterable<(typeof all)[number]>) =>
    [...some].map(({ row, impressions, clicks }) => [row.tenant, row.product, row.start, row.end, impressions, clicks].join(' ')).toSorted()
  const periods = (size: number) => {
    const sums = new Map<string, [number, number]>()
    for (const { row, impressions, clicks } of all) {
      const key = [row.tenant, row.product, Math.floor(row.start / size) * size].join(' ')
      const sum = sums.get(key) ?? [0, 0]
      sums.set(key, [sum[0] + impressions, sum[1] + clicks])
    }
    const shown = [...sums].filter(([, [impressions, clicks]]) => impressions > 0 || clicks > 0)
    return shown.map(([key, [impressions, clicks]]) => `${key} ${impressions} ${clicks}`).toSorted()
  }
  return { ctr_windows: lines(all), ctr_latest: lines(latest.values()), ctr_minutely: periods(MINUTE), ctr_hourly: periods(HOUR) }
}
