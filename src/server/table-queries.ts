/** What the API asks of ClickHouse. Each question has a bound on its rows, its time and its memory (run/ask-tables.ts). */
import { namesOf } from '../tables/cluster.ts'
import { counts, REVISION } from '../tables/counting.ts'
import type { Form } from '../tables/objects.ts'
import { RECENT_TABLE } from '../tables/recent.ts'
import { wilsonInSql, zOf } from '../tables/wilson.ts'
import type { ApiQuery } from './api-queries.ts'
import type { ApiAnswer } from './api-schemas.ts'
import { type CtrCounts, changeOf, ctrOf, iso } from './numbers.ts'
import type { ProductNames } from './product-names.ts'

/** Asks one statement for its rows; rejects with CtrError. */
export type Ask = (query: string, params: Readonly<Record<string, unknown>>) => Promise<readonly unknown[]>

export interface TableQueriesOptions {
  readonly ask: Ask
  readonly form: Form
  readonly tenant: string
  readonly names: ProductNames
  readonly windowMs: number
  /** Until when a window can be corrected after its end. */
  readonly correctedMs: number
}

const SPANS = {
  '5m': { view: 'ctr_last_5m', ms: 300_000 },
  '1h': { view: 'ctr_last_hour', ms: 3_600_000 },
  '1d': { view: 'ctr_last_day', ms: 86_400_000 },
} as const

const HOT_PRODUCTS = 20

/** Which products, and in which order; from the counts, for the views of older tables have no intervals. */
function orderOf(by: ApiQuery<'products'>['by'], z: number): { readonly where: string; readonly order: string } {
  const [low, high] = wilsonInSql('impressions', 'clicks', z)
  const [lowBefore, highBefore] = wilsonInSql('previous_impressions', 'previous_clicks', z)
  switch (by) {
    case 'impressions':
    case 'clicks':
      return { where: '1', order: `${by} DESC` }
    case 'ctr':
      return { where: 'impressions > 0', order: `${low} DESC` }
    case 'movers':
      return {
        where: `(${low} > ${highBefore} OR ${high} < ${lowBefore})`,
        order: 'abs(ctr - previous_ctr) * sqrt(impressions) DESC',
      }
  }
}

interface ProductRow extends CtrCounts {
  readonly id: string
  readonly before_impressions: number
  readonly before_clicks: number
  readonly events: number
}

interface WindowRow extends CtrCounts {
  readonly start: number
  readonly end: number
  readonly products: number
  readonly written: number
}

interface VersionRow extends CtrCounts {
  readonly start: number
  readonly end: number
  readonly task: number
  readonly revision: number
  readonly emitted: number
}

const ms = (column: string) => `toUnixTimestamp64Milli(${column})`

export class TableQueries {
  readonly #options: TableQueriesOptions
  readonly #all: (name: string) => string

  constructor(options: TableQueriesOptions) {
    this.#options = options
    this.#all = namesOf(options.form).all
  }

  async products(query: ApiQuery<'products'>, now: number): Promise<ApiAnswer<'products'>> {
    const { names } = this.#options
    const { by, span, search, minImpressions, limit } = query
    const { where, order } = orderOf(by, zOf(this.#options.form.intervals.level))
    const id = search === '' || names.mode === 'show' ? undefined : (names.meant(search) ?? '')
    const found = id === undefined ? 'positionCaseInsensitiveUTF8(product_id, {search:String}) > 0' : 'product_id = {id:String}'
    const rows = await this.#rows<ProductRow>(
      `SELECT product_id AS id, toFloat64(impressions) AS impressions, toFloat64(clicks) AS clicks,
        toFloat64(previous_impressions) AS before_impressions, toFloat64(previous_clicks) AS before_clicks
      FROM (SELECT * FROM ${this.#all(SPANS[span].view)} WHERE tenant = {tenant:String})
      WHERE ${where} AND ${search === '' ? '1' : found} AND impressions >= {least:UInt64}
      ORDER BY ${order}, product_id LIMIT {limit:UInt32}`,
      { search, id: id ?? '', least: minImpressions, limit },
    )
    const { ms: length } = SPANS[span]
    return {
      at: iso(now),
      shown: names.mode,
      from: iso(now - length),
      to: iso(now),
      intervalLevel: this.#options.form.intervals.level,
      products: rows.map((row) => {
        const [after, before] = [this.#ctrOf(row), this.#ctrOf({ impressions: row.before_impressions, clicks: row.before_clicks })]
        return { productId: names.shown(row.id), ...after, previous: before, changed: changeOf(before, after) }
      }),
    }
  }

  /** undefined when there is no such product, or when it is not to be shown. */
  async product({ id: shown, limit }: ApiQuery<'product'>, now: number): Promise<ApiAnswer<'product'> | undefined> {
    const id = this.#options.names.meant(shown)
    if (id === undefined) return undefined
    const windows = await this.#rows<WindowRow>(
      `SELECT ${ms('window_start')} AS start, ${ms('window_end')} AS end, toFloat64(impressions) AS impressions, toFloat64(clicks) AS clicks
      FROM ${this.#all('ctr_windows')} WHERE tenant = {tenant:String} AND product_id = {id:String}
      ORDER BY window_start DESC LIMIT {limit:UInt32}`,
      { id, limit },
    )
    if (windows.length === 0) return undefined
    const versions = await this.#rows<VersionRow>(
      `SELECT ${ms('window_start')} AS start, ${ms('window_end')} AS end, task, toFloat64(${REVISION}) AS revision,
        toFloat64(impressions) AS impressions, toFloat64(clicks) AS clicks, ${ms('emitted_at')} AS emitted
      FROM ${this.#all('ctr_results')} WHERE tenant = {tenant:String} AND product_id = {id:String}
        AND window_start >= fromUnixTimestamp64Milli({from:Int64}) ORDER BY window_start DESC, task, version DESC LIMIT 5000`,
      { id, from: windows.at(-1)?.start ?? 0 },
    )
    const of = ({ start, end }: WindowRow) =>
      versions.filter((one) => Number(one.start) === Number(start) && Number(one.end) === Number(end))
    return {
      at: iso(now),
      productId: shown,
      windows: windows.map((window) => ({
        ...this.#ctrOf(window),
        start: iso(Number(window.start)),
        end: iso(Number(window.end)),
        versions: of(window).map(({ task, revision, impressions, clicks, emitted }) => {
          return { task, revision, impressions, clicks, emittedAt: iso(Number(emitted)) }
        }),
      })),
    }
  }

  /** Of the newest windows that have rows, in the order of time. */
  async windows({ limit }: ApiQuery<'windows'>, now: number): Promise<ApiAnswer<'windows'>> {
    const { windowMs, correctedMs } = this.#options
    const table = this.#all(RECENT_TABLE.name)
    const own = "tenant = {tenant:String} AND window = '' AND window_start <= now64(3) + INTERVAL 1 HOUR"
    const newest = `(SELECT window_start FROM ${table} WHERE ${own} ORDER BY tenant DESC, window DESC, window_start DESC LIMIT 1)`
    const rows = await this.#rows<WindowRow>(
      `SELECT ${ms('window_start')} AS start, ${ms('window_end')} AS end, toFloat64(count()) AS products,
        toFloat64(sum(i)) AS impressions, toFloat64(sum(c)) AS clicks, max(w) AS written
      FROM (
        SELECT product_id, window_start, window_end, ${REVISION} AS revision,
          sum(r.impressions) AS i, sum(r.clicks) AS c, ${ms('max(r.inserted_at)')} AS w
        FROM ${table} AS r FINAL
        WHERE ${own} AND window_start >= ${newest} - toIntervalMillisecond({span:UInt64}) AND ${counts(this.#all('ctr_inputs'), 'task')}
        GROUP BY product_id, window_start, window_end, revision
        ORDER BY revision DESC LIMIT 1 BY product_id, window_start, window_end
      )
      GROUP BY window_start, window_end ORDER BY window_start DESC LIMIT {limit:UInt32}`,
      { limit, span: limit * windowMs + correctedMs },
    )
    return {
      at: iso(now),
      windows: rows.map((row) => ({
        ...this.#ctrOf(row),
        start: iso(Number(row.start)),
        end: iso(Number(row.end)),
        products: row.products,
        lastWrittenAt: iso(Number(row.written)),
      })),
    }
  }

  async ledgerMinutes({ minutes }: ApiQuery<'ledger'>): Promise<NonNullable<ApiAnswer<'ledger'>['minutes']>> {
    const sums = ['read', 'counted', 'late', 'invalid', 'unaccounted', 'window_events', 'result_events', 'missing']
    const rows = await this.#rows<Readonly<Record<string, number>>>(
      `SELECT toUnixTimestamp(minute) AS at, toUInt8(balanced) AS whole, ${sums.map((name) => `toFloat64(${name}) AS n_${name}`).join(', ')}
      FROM ${this.#all('ctr_reconciliation')} WHERE tenant = {tenant:String} AND minute >= now() - toIntervalMinute({minutes:UInt32})
      ORDER BY minute DESC LIMIT {minutes:UInt32}`,
      { minutes },
    )
    return rows.map((row) => {
      const n = (name: string) => row[`n_${name}`] ?? 0
      const counted = { read: n('read'), counted: n('counted'), late: n('late'), invalid: n('invalid') }
      const sums = { unaccounted: n('unaccounted'), windowEvents: n('window_events'), resultEvents: n('result_events') }
      return { minute: iso((row.at ?? 0) * 1000), ...counted, ...sums, missing: n('missing'), balanced: row.whole === 1 }
    })
  }

  /** Of the last five minutes, with their share of all events. */
  async hotProducts(): Promise<NonNullable<ApiAnswer<'quality'>['hotProducts']>> {
    const { names } = this.#options
    const rows = await this.#rows<ProductRow>(
      `SELECT product_id AS id, toFloat64(impressions) AS impressions, toFloat64(clicks) AS clicks,
        toFloat64(sum(impressions + clicks) OVER ()) AS events
      FROM (SELECT * FROM ${this.#all('ctr_last_5m')} WHERE tenant = {tenant:String})
      ORDER BY impressions + clicks DESC, product_id LIMIT ${HOT_PRODUCTS}`,
      {},
    )
    return rows.map(({ id, impressions, clicks, events }) => {
      return {
        productId: names.shown(id),
        ...this.#ctrOf({ impressions, clicks }),
        share: events === 0 ? 0 : (impressions + clicks) / events,
      }
    })
  }

  #ctrOf(counts: CtrCounts) {
    return ctrOf(counts, this.#options.form.intervals)
  }

  async #rows<Row>(query: string, params: Readonly<Record<string, unknown>>): Promise<Row[]> {
    const { ask, tenant } = this.#options
    return (await ask(query, { tenant, ...params })) as Row[]
  }
}
