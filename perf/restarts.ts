/**
 * Ends the engine again and again while events pour in, and compares every row with the oracle's in the end:
 *
 *   node perf/restarts.ts [--events 5_000_000] [--rate 25_000] [--terms 10] [--kills 20] [--interval 1000]
 *   [--seed N] [--json FILE]
 *
 * The load goes on until all restarts are done and `events` were sent; disorder reaches beyond what is forgiven, some events are far too
 * late and some invalid. Each life of the engine ends by SIGTERM (it must drain and exit with 0) or SIGKILL, at a moment drawn at
 * random: while it counts, or 0.05 to 3 s after its start, as it joins its group. All have the default name. Checkpoints are taken every
 * `interval` ms. A last life reads up to the end. ClickHouse is not restarted.
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
import { peakRssOf } from '../workshop/usage.ts'
import { endBy, unlessFailed, within } from './lives.ts'
import { faultsOfMixedRun, figureLines, figuresOf, judgeStand, type VerdictFigures } from './verdict.ts'

const PARTITIONS = 4
const PRODUCTS = 1000
/** Some of it within what is forgiven (5 s + 5 s), some not. */
const DISORDER_MS = 14_000
const LATE_SHARE = 0.02
const INVALID_SHARE = 0.002
const START_MAX_MS = 60_000
const LIFE_MAX_MS = 4_000
/** Of lives that end while the engine still starts: before, while and just after it joins its group. */
const EARLY_SHARE = 0.4
const EARLY_MIN_MS = 50
const EARLY_MAX_MS = 3_000
const CATCH_UP_MAX_MS = 300_000
const RSS_EVERY_MS = 100

const options = scriptOptions('perf/restarts.ts', {
  events: 5_000_000,
  rate: 25_000,
  terms: 10,
  kills: 20,
  interval: 1000,
  seed: 0,
  json: '',
})

interface Life {
  readonly end: 'SIGTERM' | 'SIGKILL'
  /** It had joined its group. */
  readonly consuming: boolean
  readonly seconds: number
  readonly peakRssBytes: number
}

async function main(stand: Stand): Promise<number> {
  const seed = options.seed || Date.now() % 1_000_000_007
  const random = new Random(seed)
  const database = 'restarts'
  const engineOptions: EngineOptions = {
    topics: TOPICS,
    groupId: 'restarts',
    database,
    deadLetterTopic: 'dead-letters',
    sets: [`checkpoint.interval=${options.interval}ms`],
  }
  const generate = { seed, products: PRODUCTS, disorderMs: DISORDER_MS, lateShare: LATE_SHARE, invalidShare: INVALID_SHARE }
  const load = startLoad(stand, { partitions: PARTITIONS, generate, rate: options.rate })
  const lives: Life[] = []
  for (const end of shuffledEnds(random)) {
    lives.push(await live(startEngine(stand, engineOptions), end, random, load))
    const { consuming, seconds } = lives.at(-1)!
    const when = consuming ? 'counting' : 'starting'
    process.stderr.write(`${lives.length}: ${end} after ${seconds.toFixed(1)} s, ${when}; ${formatCount(load.events)} events sent\n`)
  }
  const rest = startEngine(stand, engineOptions)
  while (load.events < options.events) await unlessFailed(load, [rest], sleep(200))
  load.enough()
  const sent = await load.done
  await endBy(rest, 'SIGTERM')
  // The last life may find one in the group that died as it joined.
  const doomed = startEngine(stand, engineOptions)
  await sleep(earlyMs(random))
  await endBy(doomed, 'SIGKILL')
  const last = await success('the last life', startEngine(stand, { ...engineOptions, untilEnd: true }), CATCH_UP_MAX_MS)
  const verdict = await judgeStand(stand, database)
  const faults = faultsOfMixedRun(verdict, sent.events)
  const peakRssBytes = Math.max(last.usage.peakRssBytes, ...lives.map((life) => life.peakRssBytes))
  const report = {
    place: place(),
    seed,
    rate: options.rate,
    ...figuresOf(verdict),
    restarts: lives.length,
    peakRssBytes,
    lives,
    faults,
  }
  return conclude(report, render(report), options.json)
}

function earlyMs(random: Random): number {
  return EARLY_MIN_MS + random.below(EARLY_MAX_MS - EARLY_MIN_MS)
}

function shuffledEnds(random: Random): Life['end'][] {
  const ends: Life['end'][] = [
    ...Array.from({ length: options.terms }, () => 'SIGTERM' as const),
    ...Array.from({ length: options.kills }, () => 'SIGKILL' as const),
  ]
  for (let i = ends.length - 1; i > 0; i--) {
    const j = random.below(i + 1)
    const one = ends[i]!
    ends[i] = ends[j]!
    ends[j] = one
  }
  return ends
}

async function live(engine: Engine, end: Life['end'], random: Random, load: Load): Promise<Life> {
  const began = performance.now()
  let peakRssBytes = 0
  const watch = setInterval(() => {
    peakRssBytes = Math.max(peakRssBytes, peakRssOf(engine.pid) ?? 0)
  }, RSS_EVERY_MS)
  try {
    if (random.chance(EARLY_SHARE)) await unlessFailed(load, [engine], sleep(earlyMs(random)))
    else {
      await unlessFailed(load, [engine], within(START_MAX_MS, engine.consuming, 'the engine does not get to counting'))
      await unlessFailed(load, [engine], sleep(random.below(LIFE_MAX_MS)))
    }
    peakRssBytes = Math.max(peakRssBytes, peakRssOf(engine.pid) ?? 0)
    const consuming = engine.milestones.running !== undefined
    const peak = (await endBy(engine, end)).usage?.peakRssBytes ?? 0
    return { end, consuming, seconds: (performance.now() - began) / 1000, peakRssBytes: Math.max(peakRssBytes, peak) }
  } finally {
    clearInterval(watch)
  }
}

interface Figures extends VerdictFigures {
  readonly seed: number
  readonly peakRssBytes: number
  readonly lives: readonly Life[]
}

function render(report: Figures): string {
  const of = (end: Life['end'], consuming: boolean) =>
    report.lives.filter((life) => life.end === end && life.consuming === consuming).length
  const restarts = (end: Life['end']) => `${of(end, true)} counting, ${of(end, false)} starting`
  return table(
    ['restarts in a live run', String(report.lives.length)],
    [
      ['  by SIGTERM', restarts('SIGTERM')],
      ['  by SIGKILL', restarts('SIGKILL')],
      ['seed', String(report.seed)],
      ...figureLines(report),
      ['peak RSS of the engine, MiB', formatCount(report.peakRssBytes / 2 ** 20)],
    ],
  )
}

await runScript(() => withStand(main))
