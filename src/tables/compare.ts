/**
 * Two ctr databases held against each other, window by window and product by product, wherever they are.
 *
 * Minute for minute both are asked for the number of rows, their sums and two 64-bit digests; of minutes in which one of these differs the
 * rows themselves are read from both, in one order, and walked through side by side. So what is equal costs no rows on the way, and what is
 * not is exact. A day is asked for at a time, and ClickHouse sorts on disk what is too much for memory. Windows may change meanwhile: what
 * the rows say counts.
 */
import type { ClickHouseClient } from '@clickhouse/client'
import { connect, type Endpoint, explainClickHouse } from '../clickhouse/connect.ts'
import { identifier } from '../clickhouse/front-sql.ts'
import { type WantedSettings, withSettings } from '../clickhouse/settings.ts'
import { DAY, MINUTE } from '../config/units.ts'
import type { TimeSpan } from './spans.ts'

/** Where rows are. */
export interface Side {
  readonly endpoint: Endpoint
  readonly tenant: string
}

/** Rows of ctr_windows and their sums. */
export interface Sums {
  readonly rows: number
  readonly impressions: number
  readonly clicks: number
}

/** A row that one side has, or both have with other counts; times in ms. */
export interface RowDifference {
  readonly product: string
  /** The name of the window; '' for the usual one. */
  readonly window: string
  readonly start: number
  readonly end: number
  readonly a: Omit<Sums, 'rows'> | undefined
  readonly b: Omit<Sums, 'rows'> | undefined
}

/** What a comparison has found. */
export interface SidesCompared {
  readonly a: Sums
  readonly b: Sums
  readonly onlyA: number
  readonly onlyB: number
  /** Rows with other counts. */
  readonly different: number
  /** By impressions and clicks together. */
  readonly largest: RowDifference | undefined
  /** The first ones, in the order of time, then of products. */
  readonly examples: readonly RowDifference[]
}

const EXAMPLES_MAX = 10
const BYTES_IN_MEMORY = 512 * 1024 * 1024

const WANTED: WantedSettings = {
  max_bytes_before_external_group_by: { value: BYTES_IN_MEMORY },
  max_bytes_before_external_sort: { value: BYTES_IN_MEMORY },
}

/** The first and the last start of a window of a side, ms; undefined of none. Throws CtrError. */
export async function extentOf(side: Side): Promise<TimeSpan | undefined> {
  return withClient(side, async (client) => {
    const query = `SELECT count() AS rows,
        toUnixTimestamp64Milli(min(window_start)) AS from, toUnixTimestamp64Milli(max(window_start)) AS to
      FROM ${identifier(side.endpoint.database)}.ctr_windows WHERE tenant = {tenant:String}`
    const answer = await client.query({ query, query_params: { tenant: side.tenant }, format: 'JSONEachRow' })
    const [row] = await answer.json<{ rows: string | number; from: string | number; to: string | number }>()
    return Number(row?.rows ?? 0) === 0 ? undefined : { fromMs: Number(row?.from), toMs: Number(row?.to) }
  })
}

/** Windows of both sides that start within the span. Throws CtrError. */
export async function compareSides(a: Side, b: Side, span: TimeSpan): Promise<SidesCompared> {
  const found = new Findings()
  await withClient(a, (clientA) =>
    withClient(b, async (clientB) => {
      for (const day of daysOf(span)) {
        const [minutesA, minutesB] = await Promise.all([digestsOf(clientA, a, day), digestsOf(clientB, b, day)])
        const differing: number[] = []
        for (const minute of [...new Set([...minutesA.keys(), ...minutesB.keys()])].sort((x, y) => x - y)) {
          const [one, other] = [minutesA.get(minute), minutesB.get(minute)]
          if (one !== undefined && other !== undefined && one.digest === other.digest) found.equal(one)
          else differing.push(minute)
        }
        if (differing.length > 0) await walk(rowsOf(clientA, a, day, differing), rowsOf(clientB, b, day, differing), found)
      }
    }),
  )
  return found.comparison
}

/** The range day by day of UTC, which is how rows are partitioned. */
export function daysOf({ fromMs, toMs }: TimeSpan): TimeSpan[] {
  const days: TimeSpan[] = []
  for (let at = fromMs; at < toMs; at = days.at(-1)?.toMs ?? toMs) {
    days.push({ fromMs: at, toMs: Math.min(toMs, (Math.floor(at / DAY) + 1) * DAY) })
  }
  return days
}

interface Digest extends Sums {
  /** All that says whether a minute is the same. */
  readonly digest: string
}

const IN_RANGE = `tenant = {tenant:String} AND window_start >= fromUnixTimestamp64Milli({from:Int64}, 'UTC')
      AND window_start < fromUnixTimestamp64Milli({to:Int64}, 'UTC')`
const ROW = 'w.product_id, w.window, toUnixTimestamp64Milli(w.window_start), toUnixTimestamp64Milli(w.window_end), w.impressions, w.clicks'

async function digestsOf(
  client: ClickHouseClient,
  { endpoint, tenant }: Side,
  { fromMs: from, toMs: to }: TimeSpan,
): Promise<Map<number, Digest>> {
  const query = `SELECT intDiv(toUnixTimestamp64Milli(w.window_start), ${MINUTE}) AS minute, count() AS rows,
      sum(w.impressions) AS impressions, sum(w.clicks) AS clicks, sum(sipHash64(${ROW})) AS one, groupBitXor(cityHash64(${ROW})) AS other
    FROM ${identifier(endpoint.database)}.ctr_windows AS w WHERE ${IN_RANGE} GROUP BY minute`
  const rows = await withSettings(client, WANTED, async (settings) => {
    const answer = await client.query({
      query,
      query_params: { tenant, from, to },
      format: 'JSONCompactEachRow',
      clickhouse_settings: { ...settings, output_format_json_quote_64bit_integers: 1 },
    })
    return answer.json<readonly string[]>()
  })
  return new Map(
    rows.map(([minute, ...counts]) => {
      const [count, impressions, clicks] = counts.map(Number)
      return [Number(minute), { rows: count ?? 0, impressions: impressions ?? 0, clicks: clicks ?? 0, digest: counts.join(' ') }]
    }),
  )
}

/** Of one product and window. */
interface WindowRow {
  /** Product and name of the window, as ClickHouse sorts them. */
  readonly product: Buffer
  readonly window: Buffer
  readonly start: number
  readonly end: number
  readonly impressions: number
  readonly clicks: number
}

/** The rows of these minutes, in the order of windows, then of products. */
async function* rowsOf(
  client: ClickHouseClient,
  { endpoint, tenant }: Side,
  { fromMs: from, toMs: to }: TimeSpan,
  minutes: readonly number[],
): AsyncGenerator<WindowRow> {
  const query = `SELECT ${ROW}
    FROM ${identifier(endpoint.database)}.ctr_windows AS w
    WHERE ${IN_RANGE} AND intDiv(toUnixTimestamp64Milli(w.window_start), ${MINUTE}) IN ({minutes:Array(Int64)})
    ORDER BY w.window_start, w.window_end, w.product_id, w.window`
  const answer = await withSettings(client, WANTED, (settings) =>
    client.query({ query, query_params: { tenant, from, to, minutes }, format: 'JSONCompactEachRow', clickhouse_settings: settings }),
  )
  for await (const rows of answer.stream<readonly (string | number)[]>()) {
    for (const row of rows) {
      const [product = '', window = '', ...numbers] = row.json<readonly (string | number)[]>()
      const [start = 0, end = 0, impressions = 0, clicks = 0] = numbers.map(Number)
      yield { product: Buffer.from(String(product)), window: Buffer.from(String(window)), start, end, impressions, clicks }
    }
  }
}

async function walk(rowsA: AsyncGenerator<WindowRow>, rowsB: AsyncGenerator<WindowRow>, found: Findings): Promise<void> {
  try {
    let [a, b] = await Promise.all([rowsA.next(), rowsB.next()])
    while (a.done !== true || b.done !== true) {
      const order = a.done === true ? 1 : b.done === true ? -1 : orderOf(a.value, b.value)
      found.pair(order <= 0 && a.done !== true ? a.value : undefined, order >= 0 && b.done !== true ? b.value : undefined)
      const [nextA, nextB] = [order <= 0 ? rowsA.next() : a, order >= 0 ? rowsB.next() : b]
      a = await nextA
      b = await nextB
    }
  } finally {
    // An answer that is not read to its end holds its connection.
    await Promise.allSettled([rowsA.return(undefined), rowsB.return(undefined)])
  }
}

function orderOf(a: WindowRow, b: WindowRow): number {
  return a.start - b.start || a.end - b.end || Buffer.compare(a.product, b.product) || Buffer.compare(a.window, b.window)
}

class Findings {
  #a: Sums = { rows: 0, impressions: 0, clicks: 0 }
  #b: Sums = { rows: 0, impressions: 0, clicks: 0 }
  #onlyA = 0
  #onlyB = 0
  #different = 0
  #largest: RowDifference | undefined
  readonly #examples: RowDifference[] = []

  /** Rows that both have. */
  equal(sums: Sums): void {
    this.#a = plus(this.#a, sums)
    this.#b = plus(this.#b, sums)
  }

  /** A row that both have, or one has. */
  pair(a: WindowRow | undefined, b: WindowRow | undefined): void {
    if (a !== undefined) this.#a = plus(this.#a, { ...a, rows: 1 })
    if (b !== undefined) this.#b = plus(this.#b, { ...b, rows: 1 })
    if (a?.impressions === b?.impressions && a?.clicks === b?.clicks) return
    if (b === undefined) this.#onlyA++
    else if (a === undefined) this.#onlyB++
    else this.#different++
    const one = differenceOf(a, b)
    if (this.#largest === undefined || weightOf(one) > weightOf(this.#largest)) this.#largest = one
    if (this.#examples.length < EXAMPLES_MAX) this.#examples.push(one)
  }

  get comparison(): SidesCompared {
    const [onlyA, onlyB, different, largest] = [this.#onlyA, this.#onlyB, this.#different, this.#largest]
    return { a: this.#a, b: this.#b, onlyA, onlyB, different, largest, examples: this.#examples }
  }
}

function plus(a: Sums, b: Sums): Sums {
  return { rows: a.rows + b.rows, impressions: a.impressions + b.impressions, clicks: a.clicks + b.clicks }
}

function differenceOf(a: WindowRow | undefined, b: WindowRow | undefined): RowDifference {
  const { product, window, start, end } = (a ?? b) as WindowRow
  const counts = (row: WindowRow | undefined) => (row === undefined ? undefined : { impressions: row.impressions, clicks: row.clicks })
  return { product: product.toString(), window: window.toString(), start, end, a: counts(a), b: counts(b) }
}

function weightOf({ a, b }: RowDifference): number {
  return Math.abs((a?.impressions ?? 0) - (b?.impressions ?? 0)) + Math.abs((a?.clicks ?? 0) - (b?.clicks ?? 0))
}

async function withClient<T>({ endpoint }: Side, work: (client: ClickHouseClient) => Promise<T>): Promise<T> {
  const client = connect(endpoint, endpoint.database)
  try {
    return await work(client)
  } catch (error) {
    throw explainClickHouse(error, endpoint)
  } finally {
    await client.close()
  }
}
