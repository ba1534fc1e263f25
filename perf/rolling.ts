/**
 * What a rolling restart adds to the delay of results:
 *
 *   node perf/rolling.ts [--pods 3] [--rounds 2] [--rate 20_000] [--calm 30] [--pause 8] [--window 2] [--json FILE]
 *
 * Pods of one group count a steady load, undisturbed for `calm` seconds; then each is ended by SIGTERM and started again, one after the
 * other, in `rounds` rounds, with `pause` seconds behind each start. A delay is from the broker's append of the record that closes a
 * task's window to the answer of the first query that finds the window whole (as in perf/steady.ts). It belongs to the restart that went
 * on when the window was closed. Pods, broker, load, ClickHouse and reader share the machine. Afterwards every row is compared with the
 * oracle's.
 */

import { sleep } from '../src/clock.ts'
import { formatCount } from '../src/text.ts'
import { success } from '../workshop/child.ts'
import { type EngineOptions, startEngine } from '../workshop/engine.ts'
import { createTopics } from '../workshop/kafka-harness.ts'
import { type Load, startLoad, TOPICS } from '../workshop/load.ts'
import { scriptOptions } from '../workshop/options.ts'
import { conclude, place, table } from '../workshop/report.ts'
import { runScript, type Stand, withStand } from '../workshop/stand.ts'
import { type Quantiles, quantileLine, quantiles, type Sample } from './emit-delay.ts'
import { judgeDelays } from './judge-delays.ts'
import { endBy, unlessFailed } from './lives.ts'
import { consuming, type Pod, startAgain, startPod } from './pods.ts'
import { watchWindows } from './watch.ts'

const PARTITIONS = 6
const PRODUCTS = 1000
/** Less than the out-of-orderness: no window changes once it is written, so it is complete when it is first there. */
const DISORDER_MS = 2_000
const OUT_OF_ORDERNESS_MS = 5_000
/** From the last append until its window can be read, at most. */
const SETTLE_MS = 5_000
const END_MAX_MS = 120_000
/** A window that was closed just before a restart may wait for it too. */
const BEFORE_MS = 1_000

const options = scriptOptions('perf/rolling.ts', { pods: 3, rounds: 2, rate: 20_000, calm: 30, pause: 8, window: 2, json: '' })

/** Times in ms; `from` and `to` since the epoch. */
interface Restart {
  readonly pod: string
  readonly from: number
  to: number
  readonly endMs: number
  readonly startMs: number
  maxDelayMs: number
}

async function main(stand: Stand): Promise<number> {
  const database = 'rolling'
  const windowSize = options.window * 1000
  const engineOptions: EngineOptions = { topics: TOPICS, groupId: 'rolling', database, sets: [`window.size=${windowSize}ms`] }
  await createTopics([...stand.brokers], TOPICS, PARTITIONS, { 'message.timestamp.type': 'LogAppendTime' })
  const pods = Array.from({ length: options.pods }, (_, i) => startPod(stand, `pod-${i}`, engineOptions))
  for (const pod of pods) await consuming(pod)

  const watch = watchWindows(stand.clickhouse, database)
  const load = startLoad(stand, {
    partitions: PARTITIONS,
    generate: { seed: 1, products: PRODUCTS, disorderMs: DISORDER_MS },
    rate: options.rate,
  })
  const engines = () => pods.map(({ engine }) => engine)
  await unlessFailed(load, engines(), sleep(options.calm * 1000))
  const restarts: Restart[] = []
  for (let round = 0; round < options.rounds; round++) {
    for (const pod of pods) {
      restarts.push(await restart(stand, pod, engineOptions, load))
      await unlessFailed(load, engines(), sleep(options.pause * 1000))
      restarts.at(-1)!.to = Date.now()
    }
  }
  load.enough()
  const sent = await load.done
  await sleep(SETTLE_MS)
  await watch.stop()
  await Promise.all(engines().map((engine) => endBy(engine, 'SIGTERM')))
  await success('the last life', startEngine(stand, { ...engineOptions, untilEnd: true }), END_MAX_MS)

  const ran = { database, windowSize, outOfOrderness: OUT_OF_ORDERNESS_MS, watch, sent: sent.events }
  const { verdict, delays, faults } = await judgeDelays(stand, ran)
  const { calm, rolling } = sortOut(delays.samples, restarts)
  const report = {
    place: place(),
    options,
    events: sent.events,
    ratePerSecond: sent.events / sent.seconds,
    rows: verdict.rows.size,
    rowsDiffering: verdict.difference.count,
    calmMs: quantiles(calm),
    rollingMs: quantiles(rolling),
    queryGapMs: quantiles(watch.gaps),
    windowsMeasured: { calm: calm.length, rolling: rolling.length },
    restarts,
    joins: Object.fromEntries(pods.map(({ name, joins }) => [name, joins])),
    samples: delays.samples,
    faults,
  }
  return conclude(report, render(report), options.json)
}

async function restart(stand: Stand, pod: Pod, engineOptions: EngineOptions, load: Load): Promise<Restart> {
  const from = Date.now()
  await unlessFailed(load, [], endBy(pod.engine, 'SIGTERM'))
  const ended = Date.now()
  startAgain(stand, pod, engineOptions)
  await unlessFailed(load, [], consuming(pod))
  const startMs = Date.now() - ended
  process.stderr.write(`${pod.name}: ended in ${ended - from} ms, counting again ${startMs} ms later\n`)
  return { pod: pod.name, from, to: 0, endMs: ended - from, startMs, maxDelayMs: 0 }
}

/** Delays of windows that were closed during a restart, and of the others. */
function sortOut(samples: readonly Sample[], restarts: readonly Restart[]): { calm: number[]; rolling: number[] } {
  const calm: number[] = []
  const rolling: number[] = []
  for (const { closedAt, latencyMs } of samples) {
    const during = restarts.find(({ from, to }) => closedAt >= from - BEFORE_MS && closedAt < to)
    if (during === undefined) calm.push(latencyMs)
    else {
      rolling.push(latencyMs)
      during.maxDelayMs = Math.max(during.maxDelayMs, latencyMs)
    }
  }
  return { calm, rolling }
}

interface Figures {
  readonly events: number
  readonly ratePerSecond: number
  readonly rows: number
  readonly rowsDiffering: number
  readonly calmMs: Quantiles
  readonly rollingMs: Quantiles
  readonly queryGapMs: Quantiles
  readonly windowsMeasured: { readonly calm: number; readonly rolling: number }
  readonly restarts: readonly Restart[]
}

function render(report: Figures): string {
  const { events, ratePerSecond, rows, rowsDiffering, windowsMeasured, calmMs, rollingMs, queryGapMs, restarts } = report
  const lines = restarts.map(({ pod, endMs, startMs, maxDelayMs }) => [pod, ...[endMs, startMs, maxDelayMs].map((ms) => ms.toFixed(0))])
  const { calm, rolling } = windowsMeasured
  return [
    `${formatCount(events)} events at ${formatCount(ratePerSecond)}/s; ${formatCount(rows)} rows, ${rowsDiffering} differ`,
    `windows of ${options.window} s, ${PARTITIONS} tasks: ${calm} measured undisturbed, ${rolling} during restarts`,
    '',
    table(
      ['ms from the closing record to the row being readable', 'p50', 'p90', 'p99', 'max'],
      [
        quantileLine('undisturbed', calmMs),
        quantileLine('rolling restart', rollingMs),
        quantileLine("  the reader's part at most: from one query to the next", queryGapMs),
      ],
    ),
    '',
    table(['restart, ms', 'SIGTERM to exit', 'start to counting', 'longest delay'], lines),
  ].join('\n')
}

await runScript(() => withStand(main))
