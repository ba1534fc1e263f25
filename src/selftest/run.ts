/**
 * The course of a self-test: generated events flow, pipelines count them and are killed at random moments, and in the end every row is
 * compared with what a plain program makes of all the records.
 */
import { randomBytes } from 'node:crypto'
import { sleep } from '../clock.ts'
import { CtrError } from '../errors.ts'
import { IGNORED_KINDS, INVALID_KINDS } from '../load/generate.ts'
import { type LoadResult, produceLoad } from '../load/produce.ts'
import { Random } from '../load/random.ts'
import type { Logger } from '../log.ts'
import { clientOptions } from '../run/clients.ts'
import { formatCount } from '../text.ts'
import { compareResults, compareWindows, type Judged, judgeLedger, judgeLetters } from './judge.ts'
import { earlyMs, killPods, planKills } from './kills.ts'
import { SelftestOracle } from './oracle.ts'
import type { Pod, Pods } from './pods.ts'
import type { Stand } from './stand.ts'
import { recoveryOf, type SelftestVerdict } from './verdict.ts'

/** Some of it is forgiven under the rules of a self-test (2 s + 2 s), some is not. */
const DISORDER_MS = 6_000
const LATE_SHARE = 0.01
const LATE_BY_MS = 30_000
const INVALID_SHARE = 0.002
const DRAIN_MAX_MS = 60_000
const CATCH_UP_MAX_MS = 600_000
const POLL_MS = 100
/** So much is sent when no pipeline runs any more: the last one reads it, and the process that died early has not. */
const REST_MS = 1_000
/** What may be late or invalid is known here exactly; of the few records of the end it may be most. */
const ANY_SHARE = ['--max-late', '100%', '--max-invalid', '100%']

/** What is to be tested; durations in ms. */
export interface TestOptions {
  readonly kills: number
  readonly pods: number
  /** Events per second. */
  readonly rate: number
  /** The load goes on until all kills are done, and for at least so long and so many events. */
  readonly duration: number
  readonly events: number
  readonly partitions: number
  readonly products: number
  /** Of events and moments; drawn when absent. */
  readonly seed?: number
}

interface Test {
  readonly stand: Stand
  readonly pods: Pods
  readonly options: TestOptions
  readonly log: Logger
  readonly signal: AbortSignal
  /** Takes a line on how far it is. */
  readonly say: (line: string) => void
  /** Takes what tells how far the present step is. */
  readonly onStep: (stepNow: () => SelftestStep) => void
}

/** How far a step is: `done` events, and which share of the step when that is known. */
export interface SelftestStep {
  readonly what: string
  readonly done: number
  readonly unit: string
  readonly share?: number | undefined
}

/** Runs the test on ground that is prepared; the caller takes it away. Rejects when a pipeline does not do as it is told. */
export async function runSelftest({ stand, pods, options, log, signal, say, onStep }: Test): Promise<SelftestVerdict> {
  const began = performance.now()
  const seed = options.seed ?? randomBytes(4).readUInt32LE() % 1_000_000_000
  const kills = planKills(seed, options.kills, options.pods)
  const start = (pod: number) => pods.start(['run', ...stand.words(pod)])
  const running = Array.from({ length: options.pods }, (_, pod) => start(pod))
  const load = startLoad({ stand, options, log, signal }, seed)
  let killed = 0
  onStep(() => {
    const share = kills.length === 0 ? undefined : killed / kills.length
    return { what: `kill ${killed} of ${kills.length}`, done: load.events(), unit: 'events sent', share }
  })
  const onKill = (done: number, { pod, early }: { pod: number; early: boolean }) => {
    killed = done
    say(`kill ${done} of ${kills.length}: process ${pod}, ${early ? 'starting' : 'counting'}; ${formatCount(load.events())} events sent`)
  }
  const recoveries = await load.meanwhile(killPods({ kills, pods: running, start, signal, onKill }))
  await load.meanwhile(enough(options, began, load.events, signal))
  await load.meanwhile(drain(running))
  // The last one may find it in the group.
  await load.meanwhile(dieEarly(start(0), earlyMs(new Random(seed))))
  await load.meanwhile(sleep(REST_MS, signal))
  const sent = await load.end()
  signal.throwIfAborted()
  say(`${formatCount(sent.events)} events sent; the rest is counted`)
  onStep(() => ({ what: 'counting the rest of', done: sent.events, unit: 'events' }))
  await fine(pods.start(['run', '--until-end', ...ANY_SHARE, ...stand.words(0)]), CATCH_UP_MAX_MS, 'instead of reading up to the end')
  say('all records are read back and compared')
  return {
    ...(await judge(stand, sent, signal, onStep)),
    seed,
    pods: options.pods,
    kills: kills.length,
    killsEarly: kills.filter(({ early }) => early).length,
    recoveryMs: recoveryOf(recoveries),
    seconds: (performance.now() - began) / 1000,
  }
}

interface RunningLoad {
  events(): number
  /** The work's result; rejects when the load fails meanwhile. */
  meanwhile<T>(work: Promise<T>): Promise<T>
  end(): Promise<LoadResult>
}

function startLoad({ stand, options, log, signal }: Omit<Test, 'pods' | 'say' | 'onStep'>, seed: number): RunningLoad {
  const ending = new AbortController()
  let events = 0
  const result = produceLoad({
    kafka: clientOptions(stand.config, log),
    topics: stand.topics,
    partitions: options.partitions,
    generate: {
      seed,
      products: options.products,
      disorderMs: DISORDER_MS,
      lateShare: LATE_SHARE,
      lateByMs: LATE_BY_MS,
      invalidShare: INVALID_SHARE,
      invalidKinds: [...INVALID_KINDS, ...IGNORED_KINDS],
      keys: 'mixed',
    },
    rate: options.rate,
    signal: AbortSignal.any([signal, ending.signal]),
    onProgress: (progress) => {
      events = progress.events
    },
  })
  const fails = result.then(() => new Promise<never>(() => {}))
  fails.catch(() => {})
  return {
    events: () => events,
    meanwhile: (work) => Promise.race([work, fails]),
    end: () => {
      ending.abort()
      return result
    },
  }
}

async function enough({ duration, events }: TestOptions, began: number, sent: () => number, signal: AbortSignal): Promise<void> {
  while (performance.now() - began < duration || sent() < events) {
    await sleep(POLL_MS, signal)
    signal.throwIfAborted()
  }
}

async function drain(running: readonly Pod[]): Promise<void> {
  for (const pod of running) pod.kill('SIGTERM')
  for (const pod of running) await fine(pod, DRAIN_MAX_MS, 'after SIGTERM')
}

async function dieEarly(pod: Pod, lifeMs: number): Promise<void> {
  await sleep(lifeMs)
  pod.kill('SIGKILL')
  await pod.ended(DRAIN_MAX_MS)
}

async function fine(pod: Pod, maxMs: number, when: string): Promise<void> {
  const how = await pod.ended(maxMs)
  if (how !== 0) throw new CtrError('CTR_SELFTEST', `a pipeline ended with ${how} ${when}; it said:\n${pod.said()}`)
}

type Finding = Omit<SelftestVerdict, 'seed' | 'pods' | 'kills' | 'killsEarly' | 'recoveryMs' | 'seconds'>

async function judge(stand: Stand, sent: LoadResult, signal: AbortSignal, onStep: Test['onStep']): Promise<Finding> {
  const { config, broker, topics, group, rows } = stand
  const { window, time, sink } = config
  const oracle = new SelftestOracle({
    windowSize: window.size,
    windowSlide: window.slide ?? window.size,
    windowOffset: window.offset ?? 0,
    ...time,
  })
  let read = 0
  onStep(() => ({ what: 'reading back', done: read, unit: 'events', share: sent.events === 0 ? undefined : read / sent.events }))
  const take = (record: Parameters<typeof oracle.add>[0]) => {
    read++
    oracle.add(record)
  }
  const events = await broker.readBack(`${group}-read-back`, topics, take, signal)
  onStep(() => ({ what: 'comparing rows of', done: events, unit: 'events' }))
  const judged: Judged = { rows, oracle, ...sink, windowSize: window.size }
  const results = await compareResults(judged)
  const windows = await compareWindows(judged)
  const letters = await stand.letters(signal)
  const faults = [...results.examples, ...windows.examples, ...(await judgeLedger(judged)), ...judgeLetters(oracle, letters)]
  if (events !== sent.events) faults.push(`${sent.events} events were sent, the topics hold ${events}`)
  const rowsDiffering = results.differ + windows.differ
  const { counted, late, invalid, ignored } = oracle.total
  return {
    passed: rowsDiffering === 0 && faults.length === 0,
    events,
    counted,
    late,
    invalid,
    ignored,
    rows: results.compared,
    windows: windows.compared,
    rowsDiffering,
    deadLetters: letters.records.size,
    faults,
  }
}
