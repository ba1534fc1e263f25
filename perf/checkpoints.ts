/**
 * What checkpoints cost, with many live (product, window) cells:
 *
 *   node perf/checkpoints.ts [--events 6_000_000] [--products 1_000_000] [--interval 1000] [--rounds 3] [--json FILE]
 *
 * One backlog whose events all fall into windows that stay open, read from its start by engines that take a checkpoint every `interval` ms
 * and by engines that take none, in turn. Each engine's own log says how long its workers stood still, how long checkpoints took and how
 * large they were; its CPU seconds and time against those without say what they cost. Then one more goes on from the last checkpoint: how
 * long until all its cells are where they were. Rows are compared with the oracle's.
 */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { sleep } from '../src/clock.ts'
import { success } from '../workshop/child.ts'
import { type EngineOptions, startEngine } from '../workshop/engine.ts'
import { BACKLOG_FROM, startLoad, TOPICS } from '../workshop/load.ts'
import type { LogLine } from '../workshop/log-line.ts'
import { scriptOptions } from '../workshop/options.ts'
import { conclude, place, table } from '../workshop/report.ts'
import { runScript, type Stand, withStand } from '../workshop/stand.ts'
import { faultsOf, judgeStand } from './verdict.ts'

const options = scriptOptions('perf/checkpoints.ts', {
  events: 6_000_000,
  products: 1_000_000,
  interval: 1000,
  rounds: 3,
  json: '',
})

const WINDOW_MS = 3_600_000
const RUN_MAX_MS = 200_000
/** Of the configuration's default, to which the cost is scaled. */
const INTERVAL_DEFAULT_MS = 10_000

interface Taken {
  readonly ms: number
  readonly cells: number
  readonly bytes: number
  readonly bytesWritten: number
  readonly pausedMs: number
}

interface Run {
  readonly seconds: number
  readonly cpuSeconds: number
  readonly peakRssBytes: number
  readonly taken: readonly Taken[]
}

async function main(stand: Stand): Promise<number> {
  const { events, products, interval, rounds } = options
  // A virtual clock on which all events lie within one window, and disorder far within what is forgiven.
  const generate = { seed: 7, products, skew: 0, disorderMs: 1000 }
  const eventRate = events / (WINDOW_MS / 2000)
  await startLoad(stand, { partitions: 4, generate, rate: 0, count: events, startTime: BACKLOG_FROM, eventRate }).done
  const with_: Run[] = []
  const without: Run[] = []
  for (let round = 0; round < rounds; round++) {
    without.push(await run(stand, `without${round}`, 'none'))
    with_.push(await run(stand, `with${round}`, join(stand.folder, 'checkpoints')))
    if (round < rounds - 1) rmSync(join(stand.folder, 'checkpoints'), { recursive: true, force: true })
  }
  const restoreSeconds = await restore(stand, `with${rounds - 1}`)
  const settings = { windowSize: WINDOW_MS }
  const faults: string[] = []
  for (const database of ['without0', 'with0']) faults.push(...faultsOf(await judgeStand(stand, database, undefined, settings)))
  const taken = with_.flatMap((one) => one.taken)
  const full = taken.filter(({ cells }) => cells >= products * 0.5)
  if (full.length === 0) faults.push('no checkpoint had half of the products in it: raise --events or lower --interval')
  const least = (runs: readonly Run[], of: (one: Run) => number) => Math.min(...runs.map(of))
  const perCheckpoint =
    (least(with_, (one) => one.cpuSeconds) - least(without, (one) => one.cpuSeconds)) /
    Math.max(1, Math.min(...with_.map((one) => one.taken.length)))
  const report = {
    place: place(),
    events,
    products,
    intervalMs: interval,
    checkpoints: taken.length,
    cells: Math.max(0, ...taken.map(({ cells }) => cells)),
    pausedMsMax: Math.max(0, ...taken.map(({ pausedMs }) => pausedMs)),
    pausedMicrosecondsPerThousandCells: Math.max(0, ...full.map(({ pausedMs, cells }) => (pausedMs * 1000) / (cells / 1000))),
    wholeMsMax: Math.max(0, ...taken.map(({ ms }) => ms)),
    bytesPerCell: Math.max(0, ...full.map(({ bytes, cells }) => bytes / cells)),
    cpuSecondsPerCheckpoint: perCheckpoint,
    restoreSeconds,
    lossAtDefaultInterval: perCheckpoint / (INTERVAL_DEFAULT_MS / 1000),
    peakRssMiBWithout: Math.max(...without.map((one) => one.peakRssBytes)) / 2 ** 20,
    peakRssMiBWith: Math.max(...with_.map((one) => one.peakRssBytes)) / 2 ** 20,
    without,
    with: with_,
    faults,
  }
  return conclude(report, render(report), options.json)
}

function engineOptions(database: string, storage: string): EngineOptions {
  return {
    topics: TOPICS,
    groupId: database,
    database,
    sets: [
      `window.size=${WINDOW_MS}ms`,
      `time.maxDrift=${WINDOW_MS}ms`,
      `checkpoint.storage=${storage}`,
      `checkpoint.interval=${options.interval}ms`,
      'checkpoint.minPause=0ms',
      'clickhouse.requestTimeout=2m',
    ],
  }
}

/** Seconds from asking the store to the last cell in a ring, as the engine tells. */
async function restore(stand: Stand, database: string): Promise<number> {
  let url = ''
  const onLog = (line: LogLine) => {
    if (line.msg === 'health and metrics') url = String(line.url)
  }
  const engine = startEngine(stand, { ...engineOptions(database, join(stand.folder, 'checkpoints')), onLog })
  try {
    for (const giveUpAt = Date.now() + RUN_MAX_MS; Date.now() < giveUpAt; await sleep(100)) {
      const metrics = url === '' ? '' : await (await fetch(`${url}/metrics`)).text()
      const seconds = Number(/^ctr_restore_seconds (\S+)$/m.exec(metrics)?.[1] ?? 0)
      if (seconds > 0) return seconds
    }
    throw new Error('nothing was restored')
  } finally {
    engine.process.kill('SIGKILL')
    await engine.ended
  }
}

async function run(stand: Stand, database: string, storage: string): Promise<Run> {
  const taken: Taken[] = []
  const onLog = (line: LogLine) => {
    if (line.msg === 'checkpoint complete') taken.push(line as unknown as Taken)
  }
  const engine = { ...engineOptions(database, storage), untilEnd: true, onLog }
  const ended = await success(database, startEngine(stand, engine), RUN_MAX_MS)
  const { cpuSeconds, peakRssBytes } = ended.usage
  process.stderr.write(`${database}: ${ended.wallSeconds.toFixed(1)} s, ${cpuSeconds.toFixed(1)} CPU s, ${taken.length} checkpoints\n`)
  return { seconds: ended.wallSeconds, cpuSeconds, peakRssBytes, taken }
}

interface Figures {
  readonly checkpoints: number
  readonly cells: number
  readonly pausedMsMax: number
  readonly pausedMicrosecondsPerThousandCells: number
  readonly wholeMsMax: number
  readonly bytesPerCell: number
  readonly cpuSecondsPerCheckpoint: number
  readonly lossAtDefaultInterval: number
  readonly restoreSeconds: number
  readonly peakRssMiBWithout: number
  readonly peakRssMiBWith: number
}

function render(report: Figures): string {
  return table(
    ['checkpoints', String(report.checkpoints)],
    [
      ['live cells in the largest', String(report.cells)],
      ['worker paused at most, ms', report.pausedMsMax.toFixed(2)],
      ['  µs per 1,000 live cells', report.pausedMicrosecondsPerThousandCells.toFixed(1)],
      ['whole checkpoint at most, ms', report.wholeMsMax.toFixed(0)],
      ['bytes per live cell', report.bytesPerCell.toFixed(1)],
      ['CPU s per checkpoint', report.cpuSecondsPerCheckpoint.toFixed(3)],
      ['  of one core at 10 s intervals', `${(report.lossAtDefaultInterval * 100).toFixed(1)} %`],
      ['restore of it, s', report.restoreSeconds.toFixed(2)],
      ['peak RSS without / with, MiB', `${report.peakRssMiBWithout.toFixed(0)} / ${report.peakRssMiBWith.toFixed(0)}`],
    ],
  )
}

await runScript(() => withStand(main))
