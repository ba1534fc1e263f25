/**
 * Generator and engine at the same time, in one of the scenarios of scenarios.ts:
 *
 *   node perf/live.ts NAME [--rate 100_000] [--duration 60] [--window 10] [--settle 10] [--workers 1] [--set KEY=VALUE]
 *   [--json FILE] [--html FILE]
 *
 * Every event is within what is forgiven, so all of them must be in ClickHouse in the end: the sums of impressions and of clicks are
 * compared with what was produced before anything is printed. The delay of a window is from the moment it may close (its end and the
 * out-of-orderness, by the wall clock, which the events' times follow) to the insertion of its last row, by ClickHouse's clock. The growth
 * of memory is that after --settle seconds. A long run fails too when memory grows or the engine falls behind (judge.ts).
 */
import { writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { sleep } from '../src/clock.ts'
import { GENERATE_DEFAULTS } from '../src/load/generate.ts'
import type { LoadResult } from '../src/load/produce.ts'
import { formatCount } from '../src/text.ts'
import { success } from '../workshop/child.ts'
import { type Engine, startEngine } from '../workshop/engine.ts'
import { startLoad, TOPICS } from '../workshop/load.ts'
import { scriptOptions } from '../workshop/options.ts'
import { describePlace, place, quantile, significant, table, writeJson } from '../workshop/report.ts'
import { renderPage } from '../workshop/report-page.ts'
import { runScript, type Stand, withStand } from '../workshop/stand.ts'
import { behindOf, faultsOfLongRun, growthOf, type LongRun } from './judge.ts'
import { type Sample, type Sampling, startSampling } from './samples.ts'
import { type Phase, SCENARIOS, type Scenario } from './scenarios.ts'

const PARTITIONS = 4
const OUT_OF_ORDERNESS_MS = 5_000
const START_MAX_MS = 60_000
const END_MAX_MS = 120_000
const CATCH_UP_MAX_MS = 600_000
/** Over a shorter time the growth of memory says nothing. */
const GROWTH_SECONDS_MIN = 240

const [name = '', ...words] = process.argv.slice(2)
const scenario = SCENARIOS[name]
if (scenario === undefined) {
  console.error(`usage: node perf/live.ts ${Object.keys(SCENARIOS).join('|')} [--rate …] [--duration …] [--json FILE] [--html FILE]`)
  process.exit(2)
}
const { rate, seconds, window = 10, settle = 10 } = scenario.defaults
const defaults = { rate, duration: seconds, window, settle, workers: 1, set: '', json: '', html: '' }
const options = scriptOptions(`perf/live.ts ${name}`, defaults, words)

async function main(stand: Stand, scenario: Scenario): Promise<number> {
  const { phases, backlog = false, long = false, what, sets: own = [], topicConfig } = scenario
  const port = await freePort()
  const sets = [`http.port=${port}`, `window.size=${options.window}s`, `engine.workers=${options.workers}`, ...own]
  if (options.set !== '') sets.push(options.set)
  const engineOptions = { topics: TOPICS, groupId: 'live', database: 'live', sets }
  const planned = phases({ rate: options.rate, seconds: options.duration })
  const sent: LoadResult[] = []
  // Creates the topics, which the engine wants to find.
  await produce(stand, { rate: 0, seconds: 0, count: 1, generate: {} }, sent, topicConfig)
  if (backlog) for (const phase of planned) await produce(stand, phase, sent)
  const engine = startEngine(stand, engineOptions)
  await Promise.race([engine.consuming, sleep(START_MAX_MS)])
  if (engine.milestones.running === undefined) throw new Error('the engine does not get to counting')
  const sampling = startSampling(`http://127.0.0.1:${port}`, engine.pid)
  if (!backlog) for (const phase of planned) await produce(stand, phase, sent)
  const loadSeconds = sent.reduce((sum, one) => sum + one.seconds, 0)
  const events = sent.reduce((sum, one) => sum + one.events, 0)
  await sampling.takeOne()
  const loaded = sampling.samples.length
  const loadedAt = Date.now()
  await caughtUp(engine, sampling, events)
  await sampling.stop()
  const samples = sampling.samples.slice()
  engine.process.kill('SIGTERM')
  const { usage } = await success('the engine', engine, END_MAX_MS)
  await success('the last life', startEngine(stand, { ...engineOptions, untilEnd: true }), END_MAX_MS)
  const faults = await faultsOf(stand, sent)
  const delays = backlog ? [] : await delaysOf(stand, loadedAt)
  const products = await productsOf(stand)
  const run: LongRun = {
    samples: backlog ? samples : samples.slice(0, loaded),
    judgeMemory: scenario.judgeMemory ?? false,
    settleSeconds: options.settle,
    periodSeconds: options.window,
    rate: options.rate,
    produced: events / loadSeconds,
    behindAtEnd: events - (samples[loaded - 1]?.events ?? 0),
    products,
    productsMade: Math.max(...planned.map(productsMade)),
    delays,
    delayMaxMs: scenario.delayMaxMs,
  }
  if (long) faults.push(...faultsOfLongRun(run))
  const figures = figuresOf({ events, run, long, samples, cpuSeconds: usage.cpuSeconds, peakRssBytes: usage.peakRssBytes })
  const report = { kind: 'live', place: place(), scenario: name, what, options, events, usage, delays, products, figures, samples, faults }
  if (options.json !== '') writeJson(options.json, report)
  for (const fault of faults) console.error(`WRONG: ${fault}`)
  if (faults.length > 0) return 1
  const title = `${name}: ${what}`
  console.log(`${describePlace(report.place)}\n\n${table([title, ''], figures)}`)
  if (options.html !== '')
    writeFileSync(options.html, renderPage({ title, place: describePlace(report.place), figures, charts: charts(samples) }))
  return 0
}

async function produce(
  stand: Stand,
  { rate: wanted, seconds: time, count, generate }: Phase,
  sent: LoadResult[],
  topicConfig?: Scenario['topicConfig'],
): Promise<void> {
  const end = count === undefined ? { durationMs: time * 1000 } : { count: Math.round(count) }
  const order = { partitions: PARTITIONS, generate, rate: wanted, ...end, ...(topicConfig === undefined ? {} : { topicConfig }) }
  sent.push(await startLoad(stand, order).done)
}

/** How many products are alive at one time or another. */
function productsMade({ seconds: time, generate }: Phase): number {
  const { products, productsPerMinute } = { ...GENERATE_DEFAULTS, ...generate }
  return products + Math.floor((productsPerMinute * time) / 60)
}

async function caughtUp(engine: Engine, { samples }: Sampling, events: number): Promise<void> {
  const giveUpAt = performance.now() + CATCH_UP_MAX_MS
  while ((samples.at(-1)?.events ?? 0) < events) {
    if (engine.process.exitCode !== null) throw new Error('the engine has ended by itself')
    if (performance.now() > giveUpAt) throw new Error(`the engine has read ${samples.at(-1)?.events ?? 0} of ${events} events`)
    await sleep(200)
  }
}

async function faultsOf({ clickhouse }: Stand, sent: readonly LoadResult[]): Promise<string[]> {
  const [found] = await clickhouse.rows<{ impressions: number; clicks: number }>(
    'SELECT sum(impressions) AS impressions, sum(clicks) AS clicks FROM db.ctr_results FINAL',
    'live',
  )
  return (['impressions', 'clicks'] as const).flatMap((kind) => {
    const wanted = sent.reduce((sum, one) => sum + one[kind], 0)
    return Number(found?.[kind]) === wanted ? [] : [`ctr_results holds ${found?.[kind]} ${kind}, ${wanted} were produced`]
  })
}

async function productsOf({ clickhouse }: Stand): Promise<number> {
  const [found] = await clickhouse.rows<{ products: number }>('SELECT uniqExact(product_id) AS products FROM db.ctr_results', 'live')
  return Number(found?.products)
}

/** ms, of every window and task that may close before the load ended: no event is late, so its rows come once. */
async function delaysOf({ clickhouse }: Stand, loadedAt: number): Promise<number[]> {
  const rows = await clickhouse.rows<{ delay: number }>(
    `SELECT toUnixTimestamp64Milli(max(inserted_at)) - toUnixTimestamp64Milli(window_end) - ${OUT_OF_ORDERNESS_MS} AS delay
     FROM db.ctr_results GROUP BY window_end, task HAVING toUnixTimestamp64Milli(window_end) < ${loadedAt} - 2 * ${OUT_OF_ORDERNESS_MS}`,
    'live',
  )
  return rows.map(({ delay }) => Number(delay)).sort((a, b) => a - b)
}

interface Measured {
  readonly events: number
  readonly run: LongRun
  /** Whether it is judged as one. */
  readonly long: boolean
  readonly samples: readonly Sample[]
  readonly cpuSeconds: number
  readonly peakRssBytes: number
}

type Figure = readonly [name: string, value: string]

function figuresOf({ events, run, long, samples, cpuSeconds, peakRssBytes }: Measured): Figure[] {
  const growth = growthOf(run)
  const settledSeconds = (run.samples.at(-1)?.seconds ?? 0) - run.settleSeconds
  const rates = samples.slice(1).map((sample, i) => (sample.events - samples[i]!.events) / (sample.seconds - samples[i]!.seconds))
  return [
    ['events, all in the results', formatCount(events)],
    ['events/s produced', formatCount(run.produced)],
    ['events/s read at most, over a second', formatCount(Math.max(0, ...rates))],
    ['records behind at most', formatCount(Math.max(0, ...samples.map(({ lag }) => lag)))],
    ...(long ? [['records behind once it runs, p99', formatCount(behindOf(run).p99)] as const] : []),
    ['products in the results', formatCount(run.products)],
    ['products in memory at most', formatCount(Math.max(0, ...samples.map(({ products }) => products)))],
    ['engine, CPU s per million events', significant((cpuSeconds * 1e6) / events)],
    ['engine, peak RSS, MiB', formatCount(peakRssBytes / 2 ** 20)],
    ...((!long && settledSeconds < GROWTH_SECONDS_MIN) || growth.periods < 2
      ? []
      : ([
          ['engine, growth of RSS, MiB per hour', significant(growth.bytesPerHour / 2 ** 20)],
          [`engine, growth of RSS over ${settledSeconds.toFixed(0)} s, % of its mean`, significant(growth.share * 100)],
        ] as const)),
    ...(run.delays.length === 0
      ? []
      : ([0.5, 0.99, 1] as const).map(
          (share): Figure => [
            `a window's rows after it may close, ms, ${share === 1 ? 'max' : `p${share * 100}`}`,
            quantile(run.delays, share).toFixed(0),
          ],
        )),
  ]
}

function charts(samples: readonly Sample[]): { title: string; unit: string; x: number[]; y: number[] }[] {
  const x = samples.map((sample) => sample.seconds)
  const perSecond = (of: (sample: Sample) => number) =>
    samples.map((sample, i) => {
      const before = samples[i - 1]
      return before === undefined ? 0 : (of(sample) - of(before)) / (sample.seconds - before.seconds)
    })
  return [
    { title: 'events read', unit: 'per second', x, y: perSecond(({ events }) => events) },
    { title: 'records behind', unit: 'records', x, y: samples.map(({ lag }) => lag) },
    { title: 'rows written', unit: 'per second', x, y: perSecond(({ rows }) => rows) },
    { title: 'products in memory', unit: 'products', x, y: samples.map(({ products }) => products) },
    { title: 'memory', unit: 'MiB', x, y: samples.map(({ rssBytes }) => rssBytes / 2 ** 20) },
    { title: 'processor', unit: 'cores', x, y: perSecond(({ cpuSeconds }) => cpuSeconds) },
  ]
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return port
}

await runScript(() => withStand((stand) => main(stand, scenario), scenario.brokerProperties))
