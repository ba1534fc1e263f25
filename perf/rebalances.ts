/**
 * Disturbs a group of pods in every way while events pour in, and compares every row with the oracle's in the end:
 *
 *   node perf/rebalances.ts [--rebalances 50] [--pods 3] [--rate 20_000] [--seed N] [--json FILE]
 *
 * A disturbance, drawn at random: a pod ends by SIGTERM or by SIGKILL and is started again, at once or after its session has ended; a
 * pod is stopped by SIGSTOP past its session and goes on, and meanwhile another one may be ended; a pod more joins and later leaves.
 * A third of the time the next one does not wait until the last one is over. It goes on until the group has rebalanced so often.
 * Disorder reaches beyond what is forgiven, some events are far too late and some invalid. A last life reads up to the end.
 */

import { sleep } from '../src/clock.ts'
import { Random } from '../src/load/random.ts'
import { formatCount } from '../src/text.ts'
import { success } from '../workshop/child.ts'
import { type Engine, type EngineOptions, startEngine } from '../workshop/engine.ts'
import { type Load, startLoad, TOPICS } from '../workshop/load.ts'
import { scriptOptions } from '../workshop/options.ts'
import { conclude, place, table } from '../workshop/report.ts'
import { runScript, type Stand, withStand } from '../workshop/stand.ts'
import { endBy, unlessFailed } from './lives.ts'
import { consuming, type Pod, startAgain, startPod } from './pods.ts'
import { faultsOfMixedRun, figureLines, figuresOf, judgeStand, type VerdictFigures } from './verdict.ts'

const PARTITIONS = 6
const PRODUCTS = 1000
/** Some of it within what is forgiven (5 s + 5 s), some not. */
const DISORDER_MS = 14_000
const LATE_SHARE = 0.02
const INVALID_SHARE = 0.002
/** The least that Kafka's brokers allow. */
const SESSION_TIMEOUT_MS = 6_000
/** The coordinator has noticed by then. */
const PAST_SESSION_MS = SESSION_TIMEOUT_MS + 1_500
const CALM_MAX_MS = 1_500
const HASTE = 1 / 3
const CATCH_UP_MAX_MS = 300_000

const options = scriptOptions('perf/rebalances.ts', { rebalances: 50, pods: 3, rate: 20_000, seed: 0, json: '' })

/** Disturbances, and how often each is drawn. */
const KINDS = { SIGTERM: 4, SIGKILL: 4, 'SIGKILL and away': 2, SIGSTOP: 3, 'SIGSTOP and SIGTERM of another': 1, 'a pod more or less': 3 }
type Kind = keyof typeof KINDS

/** The group in its present state. */
interface Group {
  readonly stand: Stand
  readonly engineOptions: EngineOptions
  readonly load: Load
  readonly random: Random
  readonly pods: Pod[]
  /** The one more, when there is one. */
  extra: Pod | undefined
  /** All that there ever were. */
  readonly all: Pod[]
}

async function main(stand: Stand): Promise<number> {
  const seed = options.seed || Date.now() % 1_000_000_007
  const random = new Random(seed)
  const database = 'rebalances'
  const engineOptions: EngineOptions = {
    topics: TOPICS,
    groupId: 'rebalances',
    database,
    deadLetterTopic: 'dead-letters',
    sets: [`kafka.sessionTimeout=${SESSION_TIMEOUT_MS}ms`],
  }
  const generate = { seed, products: PRODUCTS, disorderMs: DISORDER_MS, lateShare: LATE_SHARE, invalidShare: INVALID_SHARE }
  const load = startLoad(stand, { partitions: PARTITIONS, generate, rate: options.rate })
  const pods = Array.from({ length: options.pods }, (_, i) => startPod(stand, `pod-${i}`, engineOptions))
  for (const pod of pods) await unlessFailed(load, [], consuming(pod))
  const group: Group = { stand, engineOptions, load, random, pods, extra: undefined, all: [...pods] }
  const dealsOf = () => group.all.flatMap(({ deals }) => deals)
  const dealsBefore = dealsOf().length
  const done: Kind[] = []
  while (dealsOf().length - dealsBefore < options.rebalances) {
    const kind = draw(random)
    const began = Date.now()
    await disturb(group, kind)
    done.push(kind)
    const sofar = `${dealsOf().length - dealsBefore} rebalances, ${formatCount(load.events)} events sent`
    process.stderr.write(`${done.length}: ${kind}, ${((Date.now() - began) / 1000).toFixed(1)} s; ${sofar}\n`)
  }
  load.enough()
  const sent = await load.done
  await Promise.all(alive(group).map((engine) => endBy(engine, 'SIGTERM')))
  await success('the last life', startEngine(stand, { ...engineOptions, untilEnd: true }), CATCH_UP_MAX_MS)
  const verdict = await judgeStand(stand, database)
  const faults = faultsOfMixedRun(verdict, sent.events)
  const report = {
    place: place(),
    seed,
    rate: options.rate,
    ...figuresOf(verdict),
    disturbances: Object.fromEntries(Object.keys(KINDS).map((kind) => [kind, done.filter((one) => one === kind).length])),
    rebalances: dealsOf().length - dealsBefore,
    tasksMoved: dealsOf().reduce((sum, { moved }) => sum + moved, 0),
    faults,
  }
  return conclude(report, render(report), options.json)
}

function draw(random: Random): Kind {
  const kinds = Object.entries(KINDS) as [Kind, number][]
  let at = random.below(kinds.reduce((sum, [, weight]) => sum + weight, 0))
  for (const [kind, weight] of kinds) {
    at -= weight
    if (at < 0) return kind
  }
  throw new Error('no disturbance was drawn')
}

function alive({ pods, extra }: Group): Engine[] {
  return [...pods, ...(extra === undefined ? [] : [extra])].map(({ engine }) => engine)
}

async function disturb(group: Group, kind: Kind): Promise<void> {
  const { random, pods } = group
  const which = random.below(pods.length)
  const pod = pods[which] as Pod
  const other = pods[(which + 1) % pods.length] as Pod
  if (kind === 'a pod more or less') await joinOrLeave(group)
  else if (kind.startsWith('SIGSTOP')) {
    pod.engine.process.kill('SIGSTOP')
    if (kind !== 'SIGSTOP') await again(group, other, 'SIGTERM', 0)
    await unlessFailed(group.load, alive(group), sleep(PAST_SESSION_MS + random.below(CALM_MAX_MS)))
    pod.engine.process.kill('SIGCONT')
  } else {
    const away = kind === 'SIGKILL and away' ? PAST_SESSION_MS : 0
    await again(group, pod, kind === 'SIGTERM' ? 'SIGTERM' : 'SIGKILL', away + random.below(CALM_MAX_MS))
  }
  await unlessFailed(group.load, alive(group), sleep(random.below(CALM_MAX_MS)))
}

/** Ends the pod and starts it again after `awayMs`. */
async function again(
  { stand, engineOptions, load, random }: Group,
  pod: Pod,
  signal: 'SIGTERM' | 'SIGKILL',
  awayMs: number,
): Promise<void> {
  await unlessFailed(load, [], endBy(pod.engine, signal))
  await unlessFailed(load, [], sleep(awayMs))
  startAgain(stand, pod, engineOptions)
  if (!random.chance(HASTE)) await unlessFailed(load, [pod.engine], consuming(pod))
}

async function joinOrLeave(group: Group): Promise<void> {
  const { stand, engineOptions, load, random, extra } = group
  if (extra === undefined) {
    group.extra = startPod(stand, `extra-${group.all.length}`, engineOptions)
    group.all.push(group.extra)
    if (!random.chance(HASTE)) await unlessFailed(load, [group.extra.engine], consuming(group.extra))
  } else {
    group.extra = undefined
    await unlessFailed(load, [], endBy(extra.engine, 'SIGTERM'))
  }
}

interface Figures extends VerdictFigures {
  readonly seed: number
  readonly disturbances: Readonly<Record<string, number>>
  readonly rebalances: number
  readonly tasksMoved: number
}

function render(report: Figures): string {
  const { disturbances } = report
  return table(
    ['disturbances of a live group', String(Object.values(disturbances).reduce((sum, count) => sum + count, 0))],
    [
      ...Object.entries(disturbances).map(([kind, count]) => [`  ${kind}`, String(count)]),
      ['rebalances', formatCount(report.rebalances)],
      ['  tasks that moved although their owner was there', formatCount(report.tasksMoved)],
      ['seed', String(report.seed)],
      ...figureLines(report),
    ],
  )
}

await runScript(() => withStand(main))
