/** What inserts cost ClickHouse, for bench/read.ts: CPU of its process per million rows, until everything is merged. */
import { readFileSync } from 'node:fs'
import { connect } from '../src/clickhouse/connect.ts'
import { readFrontAddress } from '../src/clickhouse/front-address.ts'
import { sleep } from '../src/clock.ts'
import { Random } from '../src/load/random.ts'
import { encodeTenant } from '../src/products/key.ts'
import { insertForm, insertRows } from '../src/sink/insert.ts'
import { rowFrame, rowMaxBytes, writeRow } from '../src/sink/row-binary.ts'
import { RESULTS } from '../src/tables/columns.ts'
import type { EmbeddedTestClickHouse } from '../workshop/clickhouse.ts'

const TASKS = 4
const INSERT_ROWS = 20_000
/** Linux counts CPU time in hundredths of a second. */
const TICKS_PER_SECOND = 100

/** What version 1 inserted into; it had no other table that an insert reached. */
export const VERSION_1_RESULTS = `CREATE TABLE db.ctr_results
(
  tenant String, product_id String, window_start DateTime64(3, 'UTC'), window_end DateTime64(3, 'UTC'), task UInt32,
  impressions UInt64, clicks UInt64, ctr Float64, version UInt64, emitted_at DateTime64(3, 'UTC'),
  inserted_at DateTime64(3, 'UTC') DEFAULT now64(3),
  INDEX inserted_at_range inserted_at TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMMDD(window_start)
ORDER BY (tenant, product_id, window_start, window_end, task)`

/** CPU seconds that the process of an embedded engine has taken. */
export function cpuSeconds({ directory }: EmbeddedTestClickHouse): number {
  const pid = readFrontAddress(directory)?.pid
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND
}

/** Waits until nothing is being merged; a minute at most. */
export async function merged(clickhouse: EmbeddedTestClickHouse): Promise<void> {
  for (let quiet = 0, looks = 0; quiet < 5 && looks < 600; looks++) {
    await sleep(100)
    const [row] = await clickhouse.rows<{ merges: number }>('SELECT count() AS merges FROM system.merges')
    quiet = row?.merges === 0 ? quiet + 1 : 0
  }
}

/** What is inserted: windows from `fromMs` on, each with rows of so many products out of all; these are drawn by rank. */
export interface Load {
  readonly products: number
  readonly windowRows: number
  readonly windowMs: number
}

/** Rows as the sink sends them. Gives the end of the last window, ms. */
export async function insertLikeSink(
  clickhouse: EmbeddedTestClickHouse,
  database: string,
  { products, windowRows, windowMs }: Load,
  span: { readonly fromMs: number; readonly rows: number },
): Promise<number> {
  const client = connect(clickhouse.endpoint, database)
  const random = new Random(span.fromMs)
  const tenant = encodeTenant('default')
  const out = new Uint8Array(INSERT_ROWS * rowMaxBytes(tenant))
  const view = new DataView(out.buffer)
  let [at, count, window] = [0, 0, span.fromMs]
  const flush = async () => {
    if (count > 0) await insertRows(client, insertForm(RESULTS), { bytes: out.subarray(0, at), count })
    at = count = 0
  }
  for (let left = span.rows; left > 0; left -= windowRows, window += windowMs) {
    const frames = Array.from({ length: TASKS }, (_, task) => rowFrame(window, window + windowMs, task, 0, Date.now()))
    for (const product of drawn(random, products, windowRows)) {
      const id = Buffer.from(`product-${product}`)
      at = writeRow(out, view, at, tenant, id, 0, id.length, frames[product % TASKS]!, 1 + random.below(900), random.below(9))
      if (++count === INSERT_ROWS) await flush()
    }
  }
  await flush()
  await client.close()
  return window
}

/** Products of one window, each once: the n-th is drawn 1/n as often as the first. */
function drawn(random: Random, products: number, count: number): Iterable<number> {
  if (products <= count) return Array.from({ length: products }, (_, product) => product)
  const found = new Set<number>()
  while (found.size < count) found.add(Math.floor(Math.exp((random.below(2 ** 32) / 2 ** 32) * Math.log(products))) - 1)
  return found
}
