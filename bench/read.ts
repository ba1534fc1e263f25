/**
 * `npm run bench:read`: how long the questions take that people ask of the tables, and what the answers cost.
 *
 *   node bench/read.ts [--rows 20e6,100e6] [--products 5000,1e6] [--rounds 20] [--insert-rows 2e6] [--minutes 3] [--check]
 *
 * Histories of several lengths up to now, with rows sent again and grown. Each question's whole answer is held against a naive query over
 * ctr_results before a time counts; then questions take turns while rows go on coming in and roll-ups are computed as in an engine. Times
 * are the server's. Then the CPU that inserts take, beside the tables of version 1 and with sink.history, and that roll-ups take at 10,000
 * rows a second. With --check it ends with 1 when a limit is missed. It starts an embedded engine of its own; 100 million rows take half an
 * hour.
 */
import type { ClickHouseClient } from '@clickhouse/client'
import { connect } from '../src/clickhouse/connect.ts'
import { sleep } from '../src/clock.ts'
import { RollUpJob } from '../src/tables/roll-up-job.ts'
import { startEmbedded } from '../workshop/clickhouse.ts'
import { scriptOptions } from '../workshop/options.ts'
import { makeTables, plainForm } from '../workshop/tables.ts'
import { cpuSeconds, insertLikeSink, merged, VERSION_1_RESULTS } from './read-cost.ts'
import { checkQuestion, History, type Question, questionsOf } from './read-data.ts'

const options = scriptOptions('bench/read.ts', {
  rows: '20e6,100e6',
  products: '5000,1e6',
  rounds: 20,
  'insert-rows': 2_000_000,
  minutes: 3,
  check: false,
})
const GROWTH_MAX = 1.5
const INSERT_RATIO_MAX = 1.5
const ROLL_UP_CORES_MAX = 0.1
const ROLL_UP_ROWS_PER_SECOND = 10_000
const ROLL_UP_INTERVAL_MS = 30_000
const STATEMENT_TIMEOUT_MS = 3_600_000
const INSERT_AT_ONCE = 20_000
/** The same for every database: its windows lie in the same partitions. */
const START_MS = Math.floor(Date.now() / 86_400_000) * 86_400_000

const missed: string[] = []
const numbers = (text: string) => text.split(',').map(Number)
const say = (text: string) => process.stdout.write(`${text}\n`)
const nowSeconds = () => Date.now() / 1000

const clickhouse = await startEmbedded()
const endpoint = { ...clickhouse.endpoint, requestTimeoutMs: STATEMENT_TIMEOUT_MS }
try {
  for (const products of numbers(options.products)) await questions(products)
  if (options['insert-rows'] > 0) for (const products of numbers(options.products)) await inserts(products)
  if (options.minutes > 0) for (const products of numbers(options.products)) await rollUps(products)
} finally {
  await clickhouse.stop()
}
for (const one of missed) say(`missed: ${one}`)
process.exitCode = options.check && missed.length > 0 ? 1 : 0

async function questions(products: number): Promise<void> {
  const database = `read_${products}`
  await makeTables({ ...endpoint, database })
  const client = connect(endpoint, database)
  const job = new RollUpJob(client, plainForm(database))
  const history = new History((sql) => command(client, sql, database), products, nowSeconds())
  const first = new Map<string, number>()
  for (const rows of numbers(options.rows)) {
    const began = performance.now()
    await history.growTo(rows, (sent) => progress(`${products} products: ${(sent / 1e6).toFixed(1)} M rows`))
    await history.goOn(nowSeconds())
    progress(`${products} products: roll-ups`)
    // Older rows that came now say that they were inserted then: all is computed anew.
    await client.command({ query: 'TRUNCATE TABLE ctr_refreshed' })
    const { failed, seconds } = await job.runAll(new AbortController().signal)
    if (failed.length > 0) throw new Error(JSON.stringify(failed))
    await merged(clickhouse)
    const made = ((performance.now() - began) / 1000).toFixed(0)
    say(`${products} products, ${rows / 1e6} M rows: made in ${made} s, of which roll-ups ${seconds.toFixed(0)} s`)
    const asked = questionsOf('product-7', Math.floor(nowSeconds() / 3600 - 1) * 3600)
    for (const question of asked) await checkQuestion({ rows: (sql, name) => read(client, sql, name) }, database, question)
    const times = await ask(client, database, asked, async () => {
      await history.goOn(nowSeconds())
      await job.runDue(ROLL_UP_INTERVAL_MS)
    })
    for (const question of asked) judge(question, `${products} products, ${rows / 1e6} M rows`, times.get(question.name) ?? [], first)
  }
  await client.close()
  await clickhouse.command(`DROP DATABASE ${database} SYNC`)
}

/** Server's times of each question, ms. */
async function ask(client: ClickHouseClient, database: string, asked: readonly Question[], between: () => Promise<void>) {
  const times = new Map(asked.map(({ name }) => [name, [] as number[]]))
  for (let round = -2; round < options.rounds; round++) {
    await between()
    for (const { name, sql } of asked) {
      const answer = await client.query({
        query: inDatabase(sql, database),
        format: 'JSONEachRow',
        clickhouse_settings: { wait_end_of_query: 1 },
      })
      const rows = await answer.json()
      if (rows.length === 0) throw new Error(`${name}: nothing is found`)
      const { elapsed_ns } = JSON.parse(String(answer.response_headers['x-clickhouse-summary'])) as { elapsed_ns: string }
      if (round >= 0) times.get(name)?.push(Number(elapsed_ns) / 1e6)
    }
  }
  return times
}

function judge({ name, maxMs }: Question, where: string, times: readonly number[], first: Map<string, number>): void {
  const sorted = times.toSorted((a, b) => a - b)
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0
  const [p50, p95] = [at(0.5), at(0.95)]
  const growth = first.has(name) ? p50 / (first.get(name) ?? p50) : undefined
  if (!first.has(name)) first.set(name, p50)
  const grown = growth === undefined ? '' : `, ${growth.toFixed(2)} times the first`
  say(`  ${name.padEnd(32)} p50 ${p50.toFixed(0)} ms, p95 ${p95.toFixed(0)} ms${grown}`)
  if (p95 > maxMs) missed.push(`${where}: ${name}: p95 ${p95.toFixed(0)} ms of ${maxMs}`)
  if (growth !== undefined && growth > GROWTH_MAX) missed.push(`${where}: ${name}: grows ${growth.toFixed(2)} times`)
}

/** Versions take turns, so that what else the machine does is in both. */
async function inserts(products: number): Promise<void> {
  const rows = options['insert-rows'] / 2
  const spent = { before: 0, now: 0, history: 0 }
  for (let turn = 0; turn < 2; turn++) {
    for (const version of ['before', 'now', 'history'] as const) {
      const database = `insert_${version}_${turn}`
      if (version === 'before') await clickhouse.command(`CREATE DATABASE ${database} ENGINE = Atomic`)
      else await makeTables({ ...endpoint, database }, { ...plainForm(database), history: version === 'history' })
      if (version === 'before') await clickhouse.command(VERSION_1_RESULTS, database)
      await merged(clickhouse)
      const began = cpuSeconds(clickhouse)
      const load = { products, windowRows: 5_000, windowMs: 10_000 }
      await insertLikeSink(clickhouse, database, load, { rows, fromMs: START_MS })
      await merged(clickhouse)
      spent[version] += cpuSeconds(clickhouse) - began
      await clickhouse.command(`DROP DATABASE ${database} SYNC`)
    }
  }
  const perMillion = (seconds: number) => (seconds / (options['insert-rows'] / 1e6)).toFixed(2)
  const ratio = spent.now / spent.before
  const beside = `${ratio.toFixed(2)} times the ${perMillion(spent.before)} s of version 1`
  say(`${products} products, inserts: ${perMillion(spent.now)} s of CPU a million rows, ${beside}`)
  say(`  with sink.history: ${perMillion(spent.history)} s, ${(spent.history / spent.now).toFixed(2)} times`)
  if (ratio > INSERT_RATIO_MAX) missed.push(`${products} products: inserts take ${ratio.toFixed(2)} times the CPU`)
}

/** Counts what ClickHouse takes from the begin of each computation until what it wrote is merged, with no insert meanwhile. */
async function rollUps(products: number): Promise<void> {
  const database = `rollups_${products}`
  await makeTables({ ...endpoint, database })
  const client = connect(endpoint, database)
  const job = new RollUpJob(client, plainForm(database))
  // Windows short enough that each product is in one of them, or of 10 s.
  const windowMs = Math.min(10_000, (products / ROLL_UP_ROWS_PER_SECOND) * 1000)
  const load = { products, windowMs, windowRows: (windowMs / 1000) * ROLL_UP_ROWS_PER_SECOND }
  const began = Date.now()
  const endAt = began + options.minutes * 60_000
  let [spent, rows, computedAt, window] = [0, 0, 0, Math.floor(began / windowMs) * windowMs]
  while (Date.now() < endAt) {
    const over = Math.floor((Date.now() - window) / windowMs) * load.windowRows
    if (over >= INSERT_AT_ONCE) {
      window = await insertLikeSink(clickhouse, database, load, { fromMs: window, rows: over })
      rows += over
    }
    if (Date.now() - computedAt >= ROLL_UP_INTERVAL_MS) {
      await merged(clickhouse)
      const before = cpuSeconds(clickhouse)
      computedAt = Date.now()
      await job.runDue(ROLL_UP_INTERVAL_MS)
      await merged(clickhouse)
      spent += cpuSeconds(clickhouse) - before
    }
    await sleep(200)
  }
  const cores = (spent * 1000) / (Date.now() - began)
  say(`${products} products, roll-ups at ${Math.round((rows * 1000) / (Date.now() - began))} rows/s: ${cores.toFixed(3)} cores`)
  if (cores > ROLL_UP_CORES_MAX) missed.push(`${products} products: roll-ups take ${cores.toFixed(3)} cores`)
  await client.close()
  await clickhouse.command(`DROP DATABASE ${database} SYNC`)
}

async function command(client: ClickHouseClient, sql: string, database: string): Promise<void> {
  await client.command({ query: inDatabase(sql, database) })
}

async function read<T>(client: ClickHouseClient, sql: string, database = ''): Promise<T[]> {
  const settings = { output_format_json_quote_64bit_integers: 1, max_bytes_before_external_group_by: String(2 ** 30) } as const
  const answer = await client.query({ query: inDatabase(sql, database), format: 'JSONEachRow', clickhouse_settings: settings })
  return answer.json<T>()
}

function inDatabase(sql: string, database: string): string {
  return sql.replaceAll(/\bdb\./g, `${database}.`)
}

function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r${text}   `)
}
