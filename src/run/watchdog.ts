/**
 * Sees when a run stands still without knowing why, and does something about it: records wait and no position moves, or nothing at all is
 * heard of the brokers any more.
 *
 *   stallTimeout   the source drops its connections and joins anew
 *   twice          /readyz says so
 *   three times    the run fails with CTR_STALLED, for the supervisor
 *
 * What the run knows of and waits out itself is no stall: a ClickHouse or dead letters that take nothing, brokers that the source can't
 * reach. Nor is a partition that alignment has paused, one that waits for a schema, or one that has been read to its end. A client that is
 * silent for `silence` is not ready, whatever comes of it.
 */
import { type Clock, sleep } from '../clock.ts'
import { formatDuration } from '../config/units.ts'
import { CtrError } from '../errors.ts'
import type { PipelineStats } from '../metrics/stats.ts'
import type { Run } from './supervisor.ts'

/** A run that can be made to fail. */
export interface WatchedRun extends Run {
  fail(reason: unknown): void
}

export interface WatchdogOptions {
  /** As `watchdog.stallTimeout`, ms. */
  readonly stallTimeout: number
  /** How long the source may hear nothing of any partition before the run is not ready, ms. */
  readonly silence: number
  /** Undefined for a source that has nothing to reconnect to. */
  readonly reconnect: (() => Promise<void>) | undefined
  readonly log: WatchdogLog
  readonly clock: Clock
}

/** pino fits. */
export interface WatchdogLog {
  info(fields: Record<string, unknown>, message: string): void
  warn(fields: Record<string, unknown>, message: string): void
  error(fields: Record<string, unknown>, message: string): void
}

/** What the watchdog remembers from one look to the next. Times in ms. */
export interface Sighting {
  readonly at: number
  /** By `topic/partition`. */
  readonly positions: ReadonlyMap<string, number>
  readonly stalledMs: number
}

/** What is done about a stall. */
export type StallStep = 'none' | 'reconnect' | 'unready' | 'fail'

const LOOK_MAX_MS = 1_000
const LOOKS_PER_TIMEOUT = 10
/** A look that comes later than this says that the process stood still, not the brokers. */
const STEP_MAX_MS = 2_000

/** Nothing seen yet. */
export function firstSighting(now: number): Sighting {
  return { at: now, positions: new Map(), stalledMs: 0 }
}

/** What one look at the run adds. `silence`: for how long nothing may be heard of partitions that have been read to their end, ms. */
export function look(
  stats: Pick<PipelineStats, 'state' | 'held' | 'partitions'>,
  before: Sighting,
  now: number,
  silence: number,
): Sighting {
  const { state, held, partitions } = stats
  const positions = new Map(partitions.map(({ topic, partition, position }) => [`${topic}/${partition}`, position]))
  const moved = [...positions].some(([key, position]) => before.positions.get(key) !== position)
  const stuck = partitions.some(waits) || now - (lastHeard(partitions) ?? now) >= silence
  if (state !== 'running' || moved || !stuck) return { at: now, positions, stalledMs: 0 }
  // Not forgotten either: a source that is joining again after it was reconnected says that it has trouble, for a moment.
  if (held) return { ...before, at: now, positions }
  return { at: now, positions, stalledMs: before.stalledMs + Math.min(STEP_MAX_MS, Math.max(0, now - before.at)) }
}

/** What a stall of `stalledMs` calls for. */
export function decideStall(stalledMs: number, stallTimeout: number, reconnected: boolean): StallStep {
  if (stalledMs >= 3 * stallTimeout) return 'fail'
  if (stalledMs >= stallTimeout && !reconnected) return 'reconnect'
  return stalledMs >= 2 * stallTimeout ? 'unready' : 'none'
}

/** The run, watched from its start to its end. */
export function watchOver(run: WatchedRun, { stallTimeout, silence, reconnect, log, clock }: WatchdogOptions): Run {
  const over = new AbortController()
  let sighting = firstSighting(clock())
  let reconnected = false
  let unready = false

  const act = (stats: PipelineStats) => {
    sighting = look(stats, sighting, clock(), silence)
    const { stalledMs } = sighting
    if (stalledMs === 0) reconnected = false
    const step = decideStall(stalledMs, stallTimeout, reconnected || reconnect === undefined)
    const what = () => describeStall(stats, stalledMs)
    if (step === 'reconnect') {
      reconnected = true
      log.warn({ stalledMs }, `${what()}; reconnecting`)
      void reconnect?.().catch((error: unknown) => log.warn({ err: error }, 'reconnecting failed'))
    } else if (step === 'fail') {
      run.fail(new CtrError('CTR_STALLED', `${what()}; watchdog.stallTimeout is ${formatDuration(stallTimeout)}`))
    } else if (step === 'unready' && !unready) log.error({ stalledMs }, `${what()}; reconnecting did not help`)
    if (step === 'none' && unready) log.info({}, 'records move again')
    unready = step === 'unready' || step === 'fail'
  }
  const watch = async () => {
    while (!over.signal.aborted) {
      act(run.stats())
      await sleep(Math.min(LOOK_MAX_MS, stallTimeout / LOOKS_PER_TIMEOUT), over.signal)
    }
  }
  const stop = () => over.abort()
  run.finished.then(stop, stop)

  return {
    finished: run.finished,
    released: run.released,
    drain: () => run.drain(),
    async start() {
      void watch()
      await run.start()
    },
    stats() {
      const stats = run.stats()
      if (stats.state !== 'running') return stats
      const now = clock()
      const silentMs = now - (lastHeard(stats.partitions) ?? now)
      const reasons = [...stats.notReady]
      if (unready) reasons.push(describeStall(stats, sighting.stalledMs))
      else if (!stats.held && silentMs >= silence) reasons.push(unheard(silentMs))
      return { ...stats, notReady: reasons }
    },
  }
}

/** There is something to read, and nothing keeps it from being read. */
function waits({ paused, awaitsSchema, lag }: PipelineStats['partitions'][number]): boolean {
  return !paused && awaitsSchema === undefined && lag !== undefined && lag > 0
}

/** When anything was last heard of any partition; undefined before that. */
function lastHeard(partitions: PipelineStats['partitions']): number | undefined {
  const heard = partitions.flatMap(({ heardAt }) => heardAt ?? [])
  return heard.length === 0 ? undefined : heard.reduce((latest, at) => Math.max(latest, at))
}

function describeStall({ partitions }: PipelineStats, stalledMs: number): string {
  const waiting = partitions.filter(waits)
  const [first] = waiting
  if (first === undefined) return unheard(stalledMs)
  const records = waiting.reduce((sum, { lag }) => sum + (lag ?? 0), 0)
  const rest = waiting.length === 1 ? '' : ` and ${waiting.length - 1} more partitions`
  return `no progress for ${seconds(stalledMs)} although ${records} records wait in ${first.topic}/${first.partition}${rest}`
}

function unheard(ms: number): string {
  return `nothing heard of the brokers for ${seconds(ms)}: look at kafka.brokers and at what lies between`
}

function seconds(ms: number): string {
  return `${Math.round(ms / 1000)} s`
}
