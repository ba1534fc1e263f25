/** Rows as ClickHouse has them, and whether two sets of rows are the same. */
import type { TestClickHouse } from './clickhouse.ts'
import { type OracleRow, rowKey } from './oracle.ts'

export type Rows = ReadonlyMap<string, OracleRow>

/** The newest version of every row of ctr_results. */
export async function readRows(clickhouse: TestClickHouse, database: string): Promise<Rows> {
  const rows = await clickhouse.rows<OracleRow>(
    `SELECT tenant, product_id AS product, toUnixTimestamp64Milli(window_start) AS windowStart,
       toUnixTimestamp64Milli(window_end) AS windowEnd, task, impressions, clicks, ctr, version
     FROM db.ctr_results FINAL`,
    database,
  )
  return byKey(rows)
}

/** Events counted, as readers of the shipped view see them. */
export async function sumOfWindows(clickhouse: TestClickHouse, database: string): Promise<number> {
  const [sum] = await clickhouse.rows<{ events: number }>('SELECT sum(impressions) + sum(clicks) AS events FROM db.ctr_windows', database)
  return sum?.events ?? 0
}

/** Throws when a key is there twice: there is exactly one row per window, product and task. */
export function byKey(rows: Iterable<OracleRow>): Rows {
  const map = new Map<string, OracleRow>()
  for (const row of rows) {
    const key = rowKey(row)
    if (map.has(key)) throw new Error(`two rows of ${key}`)
    map.set(key, row)
  }
  return map
}

export interface Difference {
  /** Rows that are missing, too many, or differ in any column. */
  readonly count: number
  /** The first few, in words. */
  readonly examples: readonly string[]
}

const EXAMPLES_MAX = 5

export function compareRows(got: Rows, want: Rows): Difference {
  const examples: string[] = []
  let count = 0
  for (const key of new Set([...got.keys(), ...want.keys()])) {
    const a = got.get(key)
    const b = want.get(key)
    if (a !== undefined && b !== undefined && same(a, b)) continue
    if (count++ < EXAMPLES_MAX) examples.push(`${key}: got ${values(a)}, want ${values(b)}`)
  }
  return { count, examples }
}

function same(a: OracleRow, b: OracleRow): boolean {
  return a.impressions === b.impressions && a.clicks === b.clicks && a.ctr === b.ctr && a.version === b.version
}

function values(row: OracleRow | undefined): string {
  return row === undefined ? 'no row' : `${row.impressions} impressions, ${row.clicks} clicks, CTR ${row.ctr}, version ${row.version}`
}
