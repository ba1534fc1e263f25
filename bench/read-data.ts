/**
 * A long history of results for bench/read.ts, up to now, and its going on: 5,000 rows a window of 10 s, each product in one of four tasks.
 * With 5,000 products each has a row in every window; of more, each row's product is drawn, the n-th 1/n as often as the first.
 * One row in fifty was sent twice, the second time grown.
 */
import type { TestClickHouse } from '../workshop/clickhouse.ts'

export const WINDOW_SECONDS = 10
const WINDOW_ROWS = 5_000
const CHUNK_WINDOWS = 200

/** History of one database. */
export class History {
  readonly #command: (sql: string) => Promise<void>
  readonly #products: number
  /** Windows of [from, to) are there; seconds. */
  #from: number
  #to: number

  constructor(command: (sql: string) => Promise<void>, products: number, nowSeconds: number) {
    this.#command = command
    this.#products = products
    this.#from = Math.floor(nowSeconds / WINDOW_SECONDS) * WINDOW_SECONDS
    this.#to = this.#from
  }

  /** Adds older windows until `rows` were sent, all in all. */
  async growTo(rows: number, progress: (sent: number) => void): Promise<void> {
    const windows = Math.ceil(rows / WINDOW_ROWS)
    for (;;) {
      const there = (this.#to - this.#from) / WINDOW_SECONDS
      const more = Math.min(CHUNK_WINDOWS, windows - there)
      if (more <= 0) return
      await this.#insert(this.#from - more * WINDOW_SECONDS, more)
      this.#from -= more * WINDOW_SECONDS
      progress((there + more) * WINDOW_ROWS)
    }
  }

  /** Adds the windows that have ended since, a chunk at a time as an engine does. */
  async goOn(nowSeconds: number): Promise<void> {
    for (;;) {
      const more = Math.min(CHUNK_WINDOWS, Math.floor((nowSeconds - this.#to) / WINDOW_SECONDS))
      if (more <= 0) return
      await this.#insert(this.#to, more)
      this.#to += more * WINDOW_SECONDS
    }
  }

  async #insert(from: number, windows: number): Promise<void> {
    const product = this.#products <= WINDOW_ROWS ? `number % ${this.#products}` : drawn(this.#products)
    const rows = windows * WINDOW_ROWS
    await this.#command(
      insertOf(`SELECT ${product} AS p, ${from} + intDiv(number, ${WINDOW_ROWS}) * ${WINDOW_SECONDS} AS w,
      1 + rand(2) % 900 AS i, rand(3) % 9 AS c FROM numbers(${rows})`),
    )
    const again = `SELECT product_id, toInt64(toUnixTimestamp(window_start)) AS w, impressions + 1 AS i, clicks AS c
      FROM db.ctr_results FINAL
      WHERE window_start >= toDateTime(${from}, 'UTC') AND window_start < toDateTime(${from + windows * WINDOW_SECONDS}, 'UTC')
        AND cityHash64(product_id, window_start) % 50 = 0`
    await this.#command(insertOf(`SELECT toUInt32(substring(product_id, 9)) AS p, w, i, c FROM (${again})`))
  }
}

function drawn(products: number): string {
  return `toUInt32(least(${products - 1}, exp(rand64(1) / pow(2, 64) * log(${products}.)) - 1))`
}

/** Rows of products `p`, windows `w`, counts `i` and `c`, as if written when their windows had ended. */
function insertOf(select: string): string {
  const time = (seconds: string) => `toDateTime64(${seconds}, 3, 'UTC')`
  return `INSERT INTO db.ctr_results
    (tenant, product_id, window_start, window_end, task, impressions, clicks, ctr, version, emitted_at, inserted_at)
  SELECT 'default', concat('product-', toString(p)), ${time('w')}, ${time(`w + ${WINDOW_SECONDS}`)}, p % 4, i, c, c / i, i + c,
    ${time(`w + ${WINDOW_SECONDS}`)}, ${time(`w + ${WINDOW_SECONDS}`)}
  FROM (${select})
  SETTINGS max_partitions_per_insert_block = 0, max_insert_threads = 1`
}

/** What is asked, and a naive query over ctr_results that must give the same. Both give one text. */
export interface Question {
  readonly name: string
  /** Timed. */
  readonly sql: string
  /** The whole answer, as one number, and of ctr_results the same. */
  readonly check: string
  readonly naive: string
  readonly maxMs: number
}

/** The questions people ask. `product` is one with many rows, `hour` the last that is over; seconds. */
export function questionsOf(product: string, hour: number): readonly Question[] {
  const at = (seconds: number) => `toDateTime(${seconds}, 'UTC')`
  const day = Math.floor(hour / 86_400) * 86_400
  const ofProduct = `tenant = 'default' AND product_id = '${product}' AND window_start >= ${at(day)} AND window_start < ${at(day + 86_400)}`
  const ofHour = (column: string) => `${column} >= ${at(hour)} AND ${column} < ${at(hour + 3_600)}`
  const digest = (columns: string) => `sum(cityHash64(${columns})) AS digest, count() AS rows`
  return [
    {
      name: 'newest of all products, top 10',
      sql: 'SELECT * FROM db.ctr_latest ORDER BY impressions DESC LIMIT 10',
      check: `SELECT ${digest('product_id, window_start, impressions, clicks')} FROM db.ctr_latest`,
      naive: `SELECT ${digest('product_id, start, i, c')} FROM (
        SELECT product_id, argMax(window_start, n) AS start, argMax(impressions, n) AS i, argMax(clicks, n) AS c
        FROM (SELECT *, bitShiftLeft(toUInt128(toUnixTimestamp64Milli(window_end)), 64) + version AS n FROM db.ctr_results)
        GROUP BY product_id)`,
      maxMs: 200,
    },
    {
      name: 'last 5 minutes, top 10',
      sql: 'SELECT * FROM db.ctr_last_5m ORDER BY impressions DESC LIMIT 10',
      check: `SELECT ${digest('product_id, impressions, clicks, previous_impressions, previous_clicks')} FROM db.ctr_last_5m`,
      naive: `WITH (SELECT now64(3)) AS at
        SELECT ${digest('product_id, i, c, pi, pc')} FROM (
        SELECT product_id, sumIf(impressions, now) AS i, sumIf(clicks, now) AS c,
          sumIf(impressions, NOT now) AS pi, sumIf(clicks, NOT now) AS pc
        FROM (SELECT *, window_start >= at - INTERVAL 5 MINUTE AS now FROM db.ctr_results FINAL
          WHERE window_start >= at - INTERVAL 10 MINUTE)
        GROUP BY product_id)`,
      maxMs: 200,
    },
    {
      name: "one product's day",
      sql: `SELECT * FROM db.ctr_windows WHERE ${ofProduct} ORDER BY window_start`,
      check: `SELECT ${digest('window_start, impressions, clicks')} FROM db.ctr_windows WHERE ${ofProduct}`,
      naive: `SELECT ${digest('window_start, i, c')} FROM (
        SELECT window_start, max(impressions) AS i, max(clicks) AS c FROM db.ctr_results WHERE ${ofProduct} GROUP BY window_start)`,
      maxMs: 50,
    },
    {
      name: 'totals of an hour by minute',
      sql: `SELECT * FROM db.ctr_totals_minutely WHERE tenant = 'default' AND ${ofHour('minute')} ORDER BY minute`,
      check: `SELECT ${digest('minute, impressions, clicks')} FROM db.ctr_totals_minutely WHERE ${ofHour('minute')}`,
      naive: `SELECT ${digest('minute, i, c')} FROM (
        SELECT toStartOfMinute(window_start) AS minute, sum(impressions) AS i, sum(clicks) AS c
        FROM db.ctr_results FINAL WHERE ${ofHour('window_start')} GROUP BY minute)`,
      maxMs: 200,
    },
  ]
}

/** Throws unless view and naive query agree. Time goes on between two queries: of several tries one must do. */
export async function checkQuestion(clickhouse: Pick<TestClickHouse, 'rows'>, database: string, question: Question): Promise<void> {
  let seen = ''
  for (let attempt = 0; attempt < 4; attempt++) {
    const [view] = await clickhouse.rows<{ rows: number }>(question.check, database)
    const [naive] = await clickhouse.rows(question.naive, database)
    if (view === undefined || Number(view.rows) === 0) throw new Error(`${question.name}: nothing is found`)
    if (JSON.stringify(view) === JSON.stringify(naive)) return
    seen = `${JSON.stringify(view)}, and a naive reading ${JSON.stringify(naive)}`
  }
  throw new Error(`${question.name}: the view gives ${seen}`)
}
