/**
 * Faults at random under load:
 *
 *   node perf/chaos.ts [--minutes 10] [--pods 2] [--rate 20_000] [--window 2] [--seed N] [--json FILE]
 *
 * Pods of one group count a steady load. In turn, as the seed draws it: a pod is killed, or ended, and started again; a pod stands still by
 * SIGSTOP and goes on; ClickHouse can't be reached, or breaks inserts in the middle, or swallows its answers; the broker is killed or
 * restarted; the store of checkpoints is emptied. Between two faults are 3 to 10 s. Of each it is measured until of every task a
 * window can be read that was closed after it began, which must be within 60 s; their mean is the MTTR. Of all windows 99.9 % must be
 * readable within 60 s of closing, and in the end every row must be the oracle's. Ends with 1 otherwise. The seed is printed first.
 */
import { sleep } from '../src/clock.ts'
import { Random } from '../src/load/random.ts'
import { formatCount } from '../src/text.ts'
import { success } from '../workshop/child.ts'
import { type ClickHouseProxy, startProxy } from '../workshop/clickhouse-proxy.ts'
import { type EngineOptions, startEngine } from '../workshop/engine.ts'
import type { Broker } from '../workshop/kafka-broker.ts'
import { createTopics } from '../workshop/kafka-harness.ts'
import { type Load, startLoad, TOPICS } from '../workshop/load.ts'
import { scriptOptions } from '../workshop/options.ts'
import { runScript, type Stand, withStand } from '../workshop/stand.ts'
import { concludeDrill, DRILL_LOAD, DRILL_TASKS, emptyStore } from './drill.ts'
import { endBy, unlessFailed } from './lives.ts'
import { consuming, type Pod, startAgain, startPod } from './pods.ts'
import type { Blow } from './recoveries.ts'
import { watchWindows } from './watch.ts'

const NAME = 'chaos'
/** A fault that lasts does so for so long. */
const LAST_MIN_MS = 2_000
const LAST_MAX_MS = 15_000
const CALM_MIN_MS = 3_000
const CALM_MAX_MS = 10_000
/** Behind the last fault, so that its recovery is seen. */
const SETTLE_MS = 20_000
const END_MAX_MS = 180_000

const options = scriptOptions('perf/chaos.ts', { minutes: 10, pods: 2, rate: 20_000, window: 2, seed: 0, json: '' })

interface Chaos {
  readonly stand: Stand
  readonly broker: Broker
  readonly proxy: ClickHouseProxy
  readonly engineOptions: EngineOptions
  readonly load: Load
  readonly random: Random
  readonly pods: readonly Pod[]
}

/** Each is over, but for what the engine has to catch up with, when it resolves. */
const FAULTS: Readonly<Record<string, (chaos: Chaos) => Promise<void>>> = {
  'pod killed': (chaos) => again(chaos, 'SIGKILL'),
  'pod ended': (chaos) => again(chaos, 'SIGTERM'),
  'pod stood still': async (chaos) => {
    const { process } = somePod(chaos).engine
    process.kill('SIGSTOP')
    await lasting(chaos).finally(() => process.kill('SIGCONT'))
  },
  'ClickHouse gone': async (chaos) => {
    await chaos.proxy.close()
    await lasting(chaos).finally(() => chaos.proxy.open())
  },
  'inserts broken': (chaos) => faulty(chaos, { kind: 'reset', afterBytes: 1000 }),
  'answers swallowed': (chaos) => faulty(chaos, { kind: 'lose-answer' }),
  'broker killed': async (chaos) => {
    await chaos.broker.kill()
    await lasting(chaos)
    await during(chaos, chaos.broker.restart())
  },
  'broker restarted': (chaos) => during(chaos, chaos.broker.restart()),
  'checkpoints gone': async ({ stand }) => emptyStore(stand),
}

async function main(stand: Stand, broker: Broker): Promise<number> {
  const seed = options.seed || Date.now() % 1_000_000_007
  process.stderr.write(`seed ${seed}\n`)
  const proxy = await startProxy(stand.clickhouse.endpoint.url)
  const engineOptions: EngineOptions = {
    topics: TOPICS,
    groupId: NAME,
    database: NAME,
    deadLetterTopic: 'dead-letters',
    clickhouseUrl: proxy.url,
    sets: ['checkpoint.interval=5s', `window.size=${options.window}s`],
  }
  await createTopics([...stand.brokers], TOPICS, DRILL_TASKS, { 'message.timestamp.type': 'LogAppendTime' })
  const pods = Array.from({ length: options.pods }, (_, i) => startPod(stand, `pod-${i}`, engineOptions))
  for (const pod of pods) await consuming(pod)
  const watch = watchWindows(stand.clickhouse, NAME)
  const load = startLoad(stand, { partitions: DRILL_TASKS, generate: { ...DRILL_LOAD, seed }, rate: options.rate })
  const chaos: Chaos = { stand, broker, proxy, engineOptions, load, random: new Random(seed), pods }
  const blows = await struck(chaos)
  await during(chaos, sleep(SETTLE_MS))
  load.enough()
  const { events } = await load.done
  await sleep(SETTLE_MS)
  await watch.stop()
  await Promise.all(pods.map(({ engine }) => endBy(engine, 'SIGTERM')))
  await success('the last life', startEngine(stand, { ...engineOptions, untilEnd: true }), END_MAX_MS)
  await proxy.close()
  const run = { database: NAME, windowSize: options.window * 1000, watch, sent: events, blows }
  return concludeDrill(stand, run, { title: 'fault', options, seed })
}

async function struck(chaos: Chaos): Promise<Blow[]> {
  const { random, load } = chaos
  const kinds = Object.keys(FAULTS)
  const blows: Blow[] = []
  for (const until = Date.now() + options.minutes * 60_000; Date.now() < until; ) {
    await during(chaos, sleep(CALM_MIN_MS + random.below(CALM_MAX_MS - CALM_MIN_MS)))
    const kind = kinds[random.below(kinds.length)] as string
    const at = Date.now()
    blows.push({ kind, at })
    await FAULTS[kind]?.(chaos)
    process.stderr.write(`${blows.length}: ${kind}, ${((Date.now() - at) / 1000).toFixed(1)} s; ${formatCount(load.events)} events sent\n`)
  }
  return blows
}

function somePod({ random, pods }: Chaos): Pod {
  return pods[random.below(pods.length)] as Pod
}

async function again(chaos: Chaos, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
  const pod = somePod(chaos)
  await endBy(pod.engine, signal)
  startAgain(chaos.stand, pod, chaos.engineOptions)
  await during(chaos, consuming(pod))
}

/** Inserts go wrong for a while. */
async function faulty(chaos: Chaos, fault: ClickHouseProxy['fault']): Promise<void> {
  chaos.proxy.fault = fault
  await lasting(chaos).finally(() => {
    chaos.proxy.fault = { kind: 'pass' }
  })
}

async function lasting(chaos: Chaos): Promise<void> {
  await during(chaos, sleep(LAST_MIN_MS + chaos.random.below(LAST_MAX_MS - LAST_MIN_MS)))
}

async function during<T>({ load, pods }: Chaos, work: Promise<T>): Promise<T> {
  return unlessFailed(
    load,
    pods.map(({ engine }) => engine),
    work,
  )
}

await runScript(() => withStand(main))
