/** Watches which windows can be read in ClickHouse, and since when: one short query after the other. */
import { sleep } from '../src/clock.ts'
import type { TestClickHouse } from '../workshop/clickhouse.ts'

/** Between the starts of two queries. */
const PERIOD_MS = 20
/** Windows older than this are no longer looked at. */
const SPAN_MS = 120_000

interface Seen {
  readonly task: number
  readonly windowEnd: number
  readonly products: number
}

export interface Watch {
  /** When so many products of the window could be read: the time at which the query that found them was answered. */
  readableAt(task: number, windowEnd: number, products: number): number | undefined
  /** Time from one query's answer to the next one's, ms: how late a row may be seen. */
  readonly gaps: readonly number[]
  stop(): Promise<void>
}

/** Begins to watch; queries that fail (the tables aren't there yet) are asked again. */
export function watchWindows(clickhouse: TestClickHouse, database: string): Watch {
  const growth = new Map<string, { products: number; at: number }[]>()
  const gaps: number[] = []
  const stopping = new AbortController()
  const keyOf = (task: number, windowEnd: number) => `${task} ${windowEnd}`

  const watch = async () => {
    let answeredAt = Number.NaN
    while (!stopping.signal.aborted) {
      const askedAt = Date.now()
      const seen = await clickhouse
        .rows<Seen>(
          `SELECT task, toUnixTimestamp64Milli(window_end) AS windowEnd, uniqExact(product_id) AS products
           FROM db.ctr_results WHERE window_end > fromUnixTimestamp64Milli(${askedAt - SPAN_MS}) GROUP BY task, window_end`,
          database,
        )
        .catch(() => undefined)
      const now = Date.now()
      if (seen !== undefined && Number.isFinite(answeredAt)) gaps.push(now - answeredAt)
      answeredAt = seen === undefined ? Number.NaN : now
      for (const { task, windowEnd, products } of seen ?? []) {
        const key = keyOf(task, windowEnd)
        const steps = growth.get(key) ?? []
        if (products > (steps.at(-1)?.products ?? 0)) steps.push({ products, at: now })
        growth.set(key, steps)
      }
      await sleep(Math.max(1, PERIOD_MS - (now - askedAt)), stopping.signal)
    }
  }
  const watching = watch()
  return {
    readableAt: (task, windowEnd, products) => growth.get(keyOf(task, windowEnd))?.find((step) => step.products >= products)?.at,
    gaps,
    stop: async () => {
      stopping.abort()
      await watching
    },
  }
}
