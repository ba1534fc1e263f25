/**
 * ClickHouse is gone for a while under load:
 *
 *   node perf/outage.ts [--rate 100_000] [--seconds 300] [--products 10_000] [--json FILE]
 *
 * The engine writes through a proxy, which stops listening for `seconds`. Meanwhile the engine's memory is watched, and what it says of
 * itself: /readyz must turn 503, backpressure must show, no row may be dropped. From the proxy's return it is timed until every closed
 * window is in ClickHouse; in the end all rows and the ledger are held against the oracle's.
 */

import { sleep } from '../src/clock.ts'
import { success } from '../workshop/child.ts'
import { type ClickHouseProxy, startProxy } from '../workshop/clickhouse-proxy.ts'
import { type EngineOptions, startEngine } from '../workshop/engine.ts'
import { startLoad, TOPICS } from '../workshop/load.ts'
import { scriptOptions } from '../workshop/options.ts'
import { conclude, place, table } from '../workshop/report.ts'
import { runScript, type Stand, withStand } from '../workshop/stand.ts'
import { faultsOf, judgeStand } from './verdict.ts'

const options = scriptOptions('perf/outage.ts', { rate: 100_000, seconds: 300, products: 10_000, json: '' })

const PARTITIONS = 4
const WINDOW_MS = 10_000
const BEFORE_MS = 20_000
const LOOK_MS = 1_000
const BACK_MAX_MS = 180_000
const END_MAX_MS = 200_000
/** So little that the buffers are full long before the outage is over. */
const BATCH_ROWS = 10_000
/** clickhouse.maxRetries failures with their growing pauses. */
const UNREADY_WITHIN_S = 60
/** A mebibyte. */
const MIB = 2 ** 20

interface Look {
  /** Since the outage began, s. */
  readonly second: number
  readonly rssMiB: number
  readonly ready: boolean
  readonly lag: number
  readonly backpressureSeconds: number
}

async function main(stand: Stand): Promise<number> {
  const database = 'outage'
  const proxy = await startProxy(stand.clickhouse.endpoint.url)
  let url = ''
  const engineOptions: EngineOptions = {
    topics: TOPICS,
    groupId: 'outage',
    database,
    clickhouseUrl: proxy.url,
    sets: [`window.size=${WINDOW_MS}ms`, `clickhouse.batchRows=${BATCH_ROWS}`],
    onLog: ({ msg, url: told }) => {
      if (msg === 'health and metrics') url = String(told)
    },
  }
  const engine = startEngine(stand, engineOptions)
  await Promise.race([engine.consuming, sleep(60_000)])
  const generate = { seed: 5, products: options.products, disorderMs: 2000 }
  const load = startLoad(stand, { partitions: PARTITIONS, generate, rate: options.rate })
  await sleep(BEFORE_MS)
  const before = await look(url, performance.now())
  await proxy.close()
  const begun = performance.now()
  const looks: Look[] = []
  while (performance.now() - begun < options.seconds * 1000) {
    await sleep(LOOK_MS)
    looks.push(await look(url, begun))
  }
  const goneAt = Date.now()
  await proxy.open()
  const back = await caughtUp(stand, url, database, goneAt)
  load.enough()
  const sent = await load.done
  engine.process.kill('SIGTERM')
  const { usage } = await success('the engine', engine, END_MAX_MS)
  await success('the end', startEngine(stand, { ...engineOptions, untilEnd: true }), END_MAX_MS)
  const verdict = await judgeStand(stand, database, undefined, { windowSize: WINDOW_MS })
  await close(proxy)
  const faults = faultsOf(verdict)
  const last = looks.at(-1)
  if (looks.some(({ second, ready }) => ready && second > UNREADY_WITHIN_S)) faults.push('/readyz was 200 while ClickHouse was gone')
  if ((last?.backpressureSeconds ?? 0) <= before.backpressureSeconds) faults.push('no backpressure was shown')
  if (back > BACK_MAX_MS) faults.push(`not all rows were there within ${BACK_MAX_MS / 1000} s`)
  if (verdict.records !== sent.events) faults.push(`${verdict.records} records in the topics, ${sent.events} were sent`)
  const report = {
    place: place(),
    options,
    events: sent.events,
    rssMiBBefore: before.rssMiB,
    rssMiBMax: Math.max(...looks.map(({ rssMiB }) => rssMiB)),
    lagMax: Math.max(...looks.map(({ lag }) => lag)),
    backpressureSeconds: (last?.backpressureSeconds ?? 0) - before.backpressureSeconds,
    secondsToCatchUp: back / 1000,
    rowsDiffering: verdict.difference.count,
    peakRssMiB: usage.peakRssBytes / MIB,
    looks,
    faults,
  }
  return conclude(report, render(report), options.json)
}

async function close(proxy: ClickHouseProxy): Promise<void> {
  await proxy.close().catch(() => undefined)
}

async function look(url: string, begun: number): Promise<Look> {
  const [metrics, ready] = await Promise.all([fetch(`${url}/metrics`).then((answer) => answer.text()), fetch(`${url}/readyz`)])
  const sum = (name: string) => {
    const values = [...metrics.matchAll(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, 'gm'))].map(([, value]) => Number(value))
    return values.reduce((total, value) => total + value, 0)
  }
  return {
    second: Math.round((performance.now() - begun) / 1000),
    rssMiB: sum('process_resident_memory_bytes') / MIB,
    ready: ready.status === 200,
    lag: sum('ctr_consumer_lag_records'),
    backpressureSeconds: sum('ctr_backpressure_seconds_total'),
  }
}

/** ms until every window that had ended when ClickHouse came back is complete there: the sum of its rows stays, and nothing lags. */
async function caughtUp({ clickhouse }: Stand, url: string, database: string, goneAt: number): Promise<number> {
  const begun = performance.now()
  const until = Math.floor(goneAt / WINDOW_MS) * WINDOW_MS
  const sql = `SELECT max(window_end) >= fromUnixTimestamp64Milli(${until}) AS there FROM db.ctr_ledger_windows`
  while (performance.now() - begun < BACK_MAX_MS) {
    const [found] = await clickhouse.rows<{ there: number }>(sql, database)
    const { lag } = await look(url, begun)
    // A window in the ledger is closed: its rows were acknowledged before.
    if (found?.there === 1 && lag < options.rate) return performance.now() - begun
    await sleep(LOOK_MS)
  }
  return Number.POSITIVE_INFINITY
}

interface Figures {
  readonly events: number
  readonly rssMiBBefore: number
  readonly rssMiBMax: number
  readonly lagMax: number
  readonly backpressureSeconds: number
  readonly secondsToCatchUp: number
  readonly rowsDiffering: number
}

function render(report: Figures): string {
  return table(
    ['ClickHouse gone, s', String(options.seconds)],
    [
      ['events', String(report.events)],
      ['RSS before, MiB', report.rssMiBBefore.toFixed(0)],
      ['  at most during', report.rssMiBMax.toFixed(0)],
      ['lag at most, records', String(report.lagMax)],
      ['backpressure, s', report.backpressureSeconds.toFixed(0)],
      ['until all rows were there, s', report.secondsToCatchUp.toFixed(1)],
      ['rows differing from the oracle', String(report.rowsDiffering)],
    ],
  )
}

await runScript(() => withStand(main))
