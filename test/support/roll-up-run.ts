/** A database whose rows a model keeps too, and what its views say beside what the model says. */
import { expect } from 'vitest'
import type { Endpoint } from '../../src/clickhouse/connect.ts'
import { literal } from '../../src/clickhouse/front-sql.ts'
import type { TestClickHouse } from '../../workshop/clickhouse.ts'
import { type Counts, type ModelInput, type ModelRow, ResultsModel, versionOf } from './results-model.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/** The periods of views by their column. */
const STARTS = {
  minute: (ms: number) => Math.floor(ms / MINUTE) * MINUTE,
  hour: (ms: number) => Math.floor(ms / HOUR) * HOUR,
  day: (ms: number) => Math.floor(ms / DAY) * DAY,
  month: (ms: number) => Date.UTC(new Date(ms).getUTCFullYear(), new Date(ms).getUTCMonth(), 1),
}

const VIEWS = { minutely: 'minute', hourly: 'hour', daily: 'day', monthly: 'month' } as const

export class RollUpTables {
  readonly model = new ResultsModel()
  readonly #clickhouse: TestClickHouse
  readonly #database: string

  constructor(clickhouse: TestClickHouse, endpoint: Endpoint) {
    this.#clickhouse = clickhouse
    this.#database = endpoint.database
  }

  /** `agoMs`: they were inserted so long ago, and can be read only now. */
  async insert(rows: readonly ModelRow[], agoMs = 0): Promise<void> {
    if (rows.length === 0) return
    const values = rows.map(({ tenant, product, start, end, task, impressions, clicks, ...row }) => {
      const version = versionOf({ tenant, product, start, end, task, impressions, clicks, ...row })
      const [from, to] = [start, end].map((ms) => `fromUnixTimestamp64Milli(toInt64(${ms}), 'UTC')`)
      return `(${literal(tenant)}, ${literal(product)}, ${from}, ${to}, ${task}, ${impressions}, ${clicks}, 0, ${version},
        now64(3), now64(3) - INTERVAL ${agoMs} MILLISECOND)`
    })
    const columns = 'tenant, product_id, window_start, window_end, task, impressions, clicks, ctr, version, emitted_at, inserted_at'
    await this.command(`INSERT INTO db.ctr_results (${columns}) SETTINGS max_partitions_per_insert_block = 0 VALUES ${values.join(', ')}`)
    this.model.insert(rows)
  }

  async input(input: ModelInput): Promise<void> {
    const { tenant, number, name, ended } = input
    const values = `${literal(tenant)}, ${number}, 'run', ${literal(name)}, 0, '', ${ended ? 1 : 0}`
    await this.command(`INSERT INTO db.ctr_inputs (tenant, number, run, name, bytes, hash, ended) VALUES (${values})`)
    this.model.input(input)
  }

  /** All roll-ups and totals are as the model says. */
  async expectRollUps(): Promise<void> {
    for (const [view, period] of Object.entries(VIEWS)) {
      const start = STARTS[period as keyof typeof STARTS]
      expect({ [view]: await this.counts(`ctr_${view}`, ['tenant', 'product_id', period]) }).toEqual({ [view]: this.model.periods(start) })
      const totals = `ctr_totals_${view}`
      expect({ [totals]: await this.counts(totals, ['tenant', period]) }).toEqual({ [totals]: this.model.totals(start) })
    }
  }

  /** The newest windows are as the model says. */
  async expectLatest(): Promise<void> {
    expect(await this.counts('ctr_latest', ['tenant', 'product_id', 'window_start', 'window_end'])).toEqual(this.model.latest())
  }

  /** What a view has, by key: times in ms, apart by blanks. */
  async counts(view: string, key: readonly string[]): Promise<Counts> {
    const time = (name: string) =>
      /^(?:tenant|product_id)$/.test(name) ? name : `toString(toUnixTimestamp64Milli(toDateTime64(${name}, 3)))`
    const rows = await this.#clickhouse.rows<{ name: string; counts: string }>(
      `SELECT concat(${key.map(time).join(", ' ', ")}) AS name, concat(toString(impressions), ' ', toString(clicks)) AS counts
      FROM db.${view}`,
      this.#database,
    )
    const counts = Object.fromEntries(rows.map(({ name, counts }) => [name, counts]))
    expect(Object.keys(counts)).toHaveLength(rows.length)
    return counts
  }

  command(sql: string): Promise<void> {
    return this.#clickhouse.command(sql, this.#database)
  }

  async rows<T>(sql: string): Promise<T[]> {
    return this.#clickhouse.rows<T>(sql, this.#database)
  }
}
