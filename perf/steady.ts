/**
 * How soon a result can be read while events come at a steady rate:
 *
 *   node perf/steady.ts [--rate 100_000] [--duration 60] [--window 10] [--json FILE]
 *
 * From the broker's append (LogAppendTime) of the record that lifts the task's watermark over the end of a window, to the answer of the
 * first query that finds every product of that window and task in ClickHouse. The reader asks every 20 ms, so up to that much of a
 * latency is its own. Broker, load, engine, ClickHouse and reader share the machine and its clock. Afterwards every row is compared
 * with the oracle's.
 */

import { success } from '../bench/support/child.ts'
import { type EngineOptions, startEngine } from '../bench/support/engine.ts'
import { startLoad, TOPICS } from '../bench/support/load.ts'
import { scriptOptions } from '../bench/support/options.ts'
import { describePlace, place, quantile, table, writeJson } from '../bench/support/report.ts'
import type { Rows } from '../bench/support/rows.ts'
import { runScript, type Stand, withStand } from '../bench/support/stand.ts'
import type { Usage } from '../bench/support/usage.ts'
import { formatCount } from '../src/cli/format.ts'
import { sleep } from '../src/clock.ts'
import { createTopics } from '../test/support/kafka-harness.ts'
import type { OracleRecord } from '../test/support/oracle.ts'
import { Closings } from './closings.ts'
import { faultsOf, judgeStand } from './verdict.ts'
import { type Watch, watchWindows } from './watch.ts'

const PARTITIONS = 4
const PRODUCTS = 1000
/** Less than the out-of-orderness: nothing is late and no window changes once it is written, so it is complete when it is first there. */
const DISORDER_MS = 2_000
const OUT_OF_ORDERNESS_MS = 5_000
const START_MAX_MS = 60_000
/** From the last append until its window can be read, at most. */
const SETTLE_MS = 5_000
const END_MAX_MS = 120_000

const options = scriptOptions('perf/steady.ts', { rate: 100_000, duration: 60, window: 10, json: '' })

interface Sample {
  readonly task: number
  readonly windowEnd: number
  readonly closedAt: number
  readonly latencyMs: number
}

async function main(stand: Stand): Promise<number> {
  const database = 'steady'
  const windowSize = options.window * 1000
  const engineOptions: EngineOptions = { topics: TOPICS, groupId: 'steady', database, sets: [`window.size=${windowSize}ms`] }
  await createTopics([...stand.brokers], TOPICS, PARTITIONS, { 'message.timestamp.type': 'LogAppendTime' })
  const engine = startEngine(stand, engineOptions)
  await Promise.race([engine.consuming, sleep(START_MAX_MS)])
  if (engine.milestones.running === undefined) throw new Error('the engine does not get to counting')

  const watch = watchWindows(stand.clickhouse, database)
  const generate = { seed: 1, products: PRODUCTS, disorderMs: DISORDER_MS }
  const sent = await startLoad(stand, { partitions: PARTITIONS, generate, rate: options.rate, durationMs: options.duration * 1000 }).done
  await sleep(SETTLE_MS)
  await watch.stop()
  engine.process.kill('SIGTERM')
  const { usage } = await success('the engine', engine, END_MAX_MS)
  await success('the last life', startEngine(stand, { ...engineOptions, untilEnd: true }), END_MAX_MS)

  const closings = new Closings({ topics: TOPICS, windowSize, outOfOrderness: OUT_OF_ORDERNESS_MS })
  const show = ({ topic, partition, recordTimestamp, value }: OracleRecord) =>
    closings.add(topic, partition, generatedTime(value), recordTimestamp)
  const verdict = await judgeStand(stand, database, show, { windowSize })
  const faults = faultsOf(verdict)
  if (verdict.counted !== sent.events) faults.push(`the oracle counts ${verdict.counted} events, ${sent.events} were sent`)
  const { samples, unseen, open } = measure(verdict.rows, closings, watch)
  if (unseen > 0) faults.push(`${unseen} windows were closed and not seen whole`)
  const early = samples.filter(({ latencyMs }) => latencyMs < 0).length
  if (early > 0) faults.push(`${early} windows were there before they were closed`)
  if (samples.length === 0) faults.push('no window was closed: give it a longer --duration or a shorter --window')
  const report = {
    place: place(),
    options,
    events: sent.events,
    ratePerSecond: sent.events / sent.seconds,
    rows: verdict.rows.size,
    rowsDiffering: verdict.difference.count,
    windowsMeasured: samples.length,
    windowsOpenAtEnd: open,
    latencyMs: quantiles(samples.map(({ latencyMs }) => latencyMs)),
    queryGapMs: quantiles(watch.gaps),
    engine: usage,
    samples,
    faults,
  }
  if (options.json !== '') writeJson(options.json, report)
  for (const fault of faults) console.error(`WRONG: ${fault}`)
  if (faults.length === 0) console.log(`${describePlace(report.place)}\n\n${render(report)}`)
  return faults.length === 0 ? 0 : 1
}

interface Figures {
  readonly events: number
  readonly ratePerSecond: number
  readonly rows: number
  readonly windowsMeasured: number
  readonly windowsOpenAtEnd: number
  readonly latencyMs: { readonly p50: number; readonly p90: number; readonly p99: number; readonly max: number }
  readonly queryGapMs: Figures['latencyMs']
  readonly engine: Usage
}

function render({ events, ratePerSecond, rows, windowsMeasured, windowsOpenAtEnd, latencyMs, queryGapMs, engine }: Figures): string {
  const line = (name: string, figures: Figures['latencyMs']) => {
    const { p50, p90, p99, max } = figures
    return [name, ...[p50, p90, p99, max].map((ms) => ms.toFixed(0))]
  }
  return [
    `${formatCount(events)} events at ${formatCount(ratePerSecond)}/s, all counted; ${formatCount(rows)} rows, all as the oracle's`,
    `windows of ${options.window} s: ${windowsMeasured} of ${PARTITIONS} tasks measured, ${windowsOpenAtEnd} still open at the load's end`,
    `the engine: ${engine.cpuSeconds.toFixed(1)} CPU s, peak RSS ${formatCount(engine.peakRssBytes / 2 ** 20)} MiB`,
    '',
    table(
      ['ms', 'p50', 'p90', 'p99', 'max'],
      [
        line('from the append of the closing record to the row being readable', latencyMs),
        line("  the reader's part at most: from one query to the next", queryGapMs),
      ],
    ),
  ].join('\n')
}

function quantiles(values: readonly number[]): Figures['latencyMs'] {
  return { p50: quantile(values, 0.5), p90: quantile(values, 0.9), p99: quantile(values, 0.99), max: quantile(values, 1) }
}

/** By task and window, from the oracle's rows: which could be closed at all, and when each could be read whole. */
function measure(rows: Rows, closings: Closings, watch: Watch): { samples: Sample[]; unseen: number; open: number } {
  const products = new Map<string, { task: number; windowEnd: number; count: number }>()
  for (const { task, windowEnd } of rows.values()) {
    const key = `${task} ${windowEnd}`
    const window = products.get(key) ?? { task, windowEnd, count: 0 }
    window.count++
    products.set(key, window)
  }
  const samples: Sample[] = []
  let unseen = 0
  let open = 0
  for (const { task, windowEnd, count } of products.values()) {
    const closedAt = closings.closedAt(task, windowEnd)
    const readableAt = watch.readableAt(task, windowEnd, count)
    if (closedAt === undefined) open++
    else if (readableAt === undefined) unseen++
    else samples.push({ task, windowEnd, closedAt, latencyMs: readableAt - closedAt })
  }
  return { samples, unseen, open }
}

const TIME_KEY = Buffer.from('"timestamp":')
const TIME_DIGITS = 13

/** The event time of a generated value; every one is valid and written the same way. */
function generatedTime(value: Uint8Array | null): number {
  const bytes = value as Buffer
  const at = bytes.indexOf(TIME_KEY) + TIME_KEY.length
  const time = Number(bytes.toString('latin1', at, at + TIME_DIGITS))
  if (!(time > 0)) throw new Error(`no time in ${bytes.toString()}`)
  return time
}

await runScript(() => withStand(main))
