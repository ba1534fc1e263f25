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

import { sleep } from '../src/clock.ts'
import { formatCount } from '../src/text.ts'
import { success } from '../workshop/child.ts'
import { type EngineOptions, startEngine } from '../workshop/engine.ts'
import { createTopics } from '../workshop/kafka-harness.ts'
import { startLoad, TOPICS } from '../workshop/load.ts'
import { scriptOptions } from '../workshop/options.ts'
import { describePlace, place, table, writeJson } from '../workshop/report.ts'
import { runScript, type Stand, withStand } from '../workshop/stand.ts'
import type { Usage } from '../workshop/usage.ts'
import { type Quantiles, quantileLine, quantiles } from './emit-delay.ts'
import { judgeDelays } from './judge-delays.ts'
import { watchWindows } from './watch.ts'

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

  const ran = { database, windowSize, outOfOrderness: OUT_OF_ORDERNESS_MS, watch, sent: sent.events }
  const { verdict, delays, faults } = await judgeDelays(stand, ran)
  const { samples, open } = delays
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
  readonly latencyMs: Quantiles
  readonly queryGapMs: Quantiles
  readonly engine: Usage
}

function render({ events, ratePerSecond, rows, windowsMeasured, windowsOpenAtEnd, latencyMs, queryGapMs, engine }: Figures): string {
  return [
    `${formatCount(events)} events at ${formatCount(ratePerSecond)}/s, all counted; ${formatCount(rows)} rows, all as the oracle's`,
    `windows of ${options.window} s: ${windowsMeasured} of ${PARTITIONS} tasks measured, ${windowsOpenAtEnd} still open at the load's end`,
    `the engine: ${engine.cpuSeconds.toFixed(1)} CPU s, peak RSS ${formatCount(engine.peakRssBytes / 2 ** 20)} MiB`,
    '',
    table(
      ['ms', 'p50', 'p90', 'p99', 'max'],
      [
        quantileLine('from the append of the closing record to the row being readable', latencyMs),
        quantileLine("  the reader's part at most: from one query to the next", queryGapMs),
      ],
    ),
  ].join('\n')
}

await runScript(() => withStand(main))
