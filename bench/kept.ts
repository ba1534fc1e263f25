/**
 * How many bytes a row of each table takes on disk, once it is merged: `npm run bench:kept`. Windows of a minute of products as a shop has
 * them: few are seen all the time, most now and then. Sums are compared before a figure is printed. With CLICKHOUSE_URL on that server.
 */
import { parseArgs } from 'node:util'
import { ROLL_UPS } from '../src/tables/roll-ups.ts'
import { OBJECTS } from '../src/tables/schema.ts'
import { startClickHouse } from '../workshop/clickhouse.ts'
import { computeRollUps, makeTables } from '../workshop/tables.ts'

const { values } = parseArgs({ options: { products: { type: 'string', default: '20_000' }, minutes: { type: 'string', default: '240' } } })
const [products, minutes] = [values.products, values.minutes].map((text) => Number(text.replaceAll('_', ''))) as [number, number]
const DATABASE = 'bench_kept'
const PARTITIONS = 12
const INSERTS = 8
/** Of the most popular product in a minute; the one of rank r has this over r, and a row in as many minutes as that gives. */
const IMPRESSIONS = 2_000

const clickhouse = await startClickHouse()
try {
  await makeTables({ ...clickhouse.endpoint, database: DATABASE })
  for (let part = 0; part < INSERTS; part++) await fill(part)
  for (const { reason } of (await computeRollUps({ ...clickhouse.endpoint, database: DATABASE })).failed) throw new Error(reason)
  const sum = async (table: string) =>
    (await clickhouse.rows<{ sum: number }>(`SELECT sum(impressions) AS sum FROM db.${table}`, DATABASE))[0]?.sum
  const sums = new Map<string, number | undefined>()
  for (const table of ['ctr_windows', ...Object.values(ROLL_UPS).map(({ view }) => view)]) sums.set(table, await sum(table))
  if (new Set(sums.values()).size > 1) throw new Error(`the sums differ: ${JSON.stringify([...sums])}`)
  for (const { name, kind } of OBJECTS) if (kind === 'table') await clickhouse.command(`OPTIMIZE TABLE db.${name} FINAL`, DATABASE)
  await report()
} finally {
  await clickhouse.command(`DROP DATABASE IF EXISTS ${DATABASE}`).catch(() => undefined)
  await clickhouse.stop()
}

/** A share of the minutes, and the ledger of as many checkpoints. */
async function fill(part: number): Promise<void> {
  const [from, to] = [part, part + 1].map((each) => Math.floor((minutes * each) / INSERTS)) as [number, number]
  const start = `toDateTime64(toStartOfHour(now()) - INTERVAL ${Math.ceil(minutes / 60)} HOUR, 3, 'UTC')`
  await clickhouse.command(
    `INSERT INTO db.ctr_results (tenant, product_id, window_start, window_end, task, impressions, clicks, ctr, version, emitted_at)
     SELECT 'default', concat('sku-', leftPad(toString(cityHash64(product) % 100000000), 8, '0')) AS id,
       ${start} + INTERVAL minute MINUTE AS began, began + INTERVAL 1 MINUTE AS ended, product % ${PARTITIONS},
       greatest(1, toUInt64(mean * (0.5 + (cityHash64(product, minute, 1) % 1000) / 1000))) AS impressions,
       toUInt64(impressions * (cityHash64(product, minute, 2) % 100) / 1000) AS clicks,
       clicks / impressions, impressions + clicks, ended + INTERVAL 6 SECOND
     FROM (SELECT number % ${products} AS product, intDiv(number, ${products}) + ${from} AS minute, ${IMPRESSIONS} / (product + 1) AS mean
       FROM numbers(${products * (to - from)}))
     WHERE mean >= 1 OR cityHash64(product, minute) % 1000 < mean * 1000`,
    DATABASE,
  )
  await clickhouse.command(
    `INSERT INTO db.ctr_ledger (tenant, topic, partition, first_offset, last_offset, read, counted, late, invalid, dead_lettered,
       invalid_by_reason, max_event_time, cut_at)
     SELECT 'default', 'clicks', number % ${PARTITIONS}, 0,
       intDiv(number, ${PARTITIONS}) * 9000 + cityHash64(number) % 1000 AS last, last + 1,
       last + 1 - intDiv(last, 1000) - intDiv(last, 5000), intDiv(last, 1000), intDiv(last, 5000), intDiv(last, 5000),
       map('TYPE', intDiv(last, 5000)), ${start} + INTERVAL intDiv(number, ${PARTITIONS}) * 10 SECOND AS at, at + INTERVAL 1 SECOND
     FROM numbers(${from * 6 * PARTITIONS}, ${(to - from) * 6 * PARTITIONS})`,
    DATABASE,
  )
  await clickhouse.command(
    `INSERT INTO db.ctr_ledger_windows (tenant, task, window_start, window_end, events, version, cut_at)
     SELECT 'default', number % ${PARTITIONS}, ${start} + INTERVAL intDiv(number, ${PARTITIONS}) MINUTE AS began, began + INTERVAL 1 MINUTE,
       60000 + cityHash64(number) % 5000 AS events, events, began + INTERVAL 70 SECOND
     FROM numbers(${from * PARTITIONS}, ${(to - from) * PARTITIONS})`,
    DATABASE,
  )
}

async function report(): Promise<void> {
  const parts = await clickhouse.rows<{ table: string; rows: number; bytes: number }>(
    `SELECT table, sum(rows) AS rows, sum(bytes_on_disk) AS bytes FROM system.parts
     WHERE active AND database = '${DATABASE}' GROUP BY table ORDER BY table`,
  )
  for (const { table, rows, bytes } of parts) {
    process.stdout.write(`${table.padEnd(24)} ${String(rows).padStart(10)} rows  ${(bytes / rows).toFixed(1).padStart(6)} bytes a row\n`)
  }
}
