/**
 * Runs a pipeline and, when it fails, runs it anew in the same process: everything of the failed run is closed, and after `delay` a new
 * run is made from nothing, which starts at the last safe state like any start.
 *
 *   running ──failed──► releasing ──► waiting ──► running …
 *      │                    │            │
 *      └─ ended by itself,  └─ the end ◄─┘  asked to stop, not to be mended, or failed too often
 *         or drained
 *
 * Whoever supervises the process sees its end only when a restart inside it can't help: then `finished` rejects with the reason.
 */
import { type Clock, sleep } from '../clock.ts'
import { formatDuration } from '../config/units.ts'
import { CtrError, type CtrErrorCode, exitCodeOf } from '../errors.ts'
import type { PipelineStats } from '../metrics/stats.ts'

/** One run of the engine; Pipeline is one. */
export interface Run {
  /** Resolves when the run has ended cleanly, rejects with the reason when it failed. */
  readonly finished: Promise<void>
  /** Resolves when threads, sockets and timers of an ended run are gone. */
  readonly released: Promise<void>
  start(): Promise<void>
  drain(): Promise<void>
  stats(): PipelineStats
}

/** As `restart` of the configuration; times in ms. */
export interface RestartPolicy {
  readonly attempts: number
  readonly delay: number
  readonly window: number
}

export interface SupervisorOptions {
  /** Makes a run with a source, a sink and dead letters of its own. */
  readonly start: () => Run
  readonly policy: RestartPolicy
  readonly log: SupervisorLog
  readonly clock: Clock
  /** Aborts to drain the present run, or to end the wait for the next one. */
  readonly signal: AbortSignal
}

/** pino fits. */
export interface SupervisorLog {
  info(fields: Record<string, unknown>, message: string): void
  error(fields: Record<string, unknown>, message: string): void
}

export interface Supervisor {
  readonly finished: Promise<void>
  /** Of the present run, or of the last one while the next is waited for; restarts are counted over all of them. */
  stats(): PipelineStats
}

/** What is done about a failure. `remark`: why there is no restart, when that isn't clear from the failure itself. */
export type RestartDecision = { readonly kind: 'restart'; readonly attempt: number } | { readonly kind: 'end'; readonly remark: string }

/**
 * Failures that would only come again. What exits with 2 (configuration, refused access) waits for a person. So do a batch that can't be
 * read and a checkpoint that doesn't verify (the bytes stay as they are), a client or broker of the wrong version, files, tables and an
 * embedded engine that can't be used as they are. A ledger that doesn't balance is a bug that has shown itself: a restart would hide it.
 */
const LASTING: readonly CtrErrorCode[] = [
  'CTR_KAFKA_CORRUPT_BATCH',
  'CTR_KAFKA_OLD_FORMAT',
  'CTR_KAFKA_VERSION',
  'CTR_CLICKHOUSE_REFUSED',
  'CTR_CLICKHOUSE_EMBEDDED',
  'CTR_DEAD_LETTER',
  'CTR_INPUT',
  'CTR_CHECKPOINT_CORRUPT',
  'CTR_LEDGER',
  'CTR_SHUTDOWN_TIMEOUT',
]

/** More than a client's longest wait for an answer. A run that holds on to its threads and sockets for longer is followed by no other. */
const RELEASE_MAX_MS = 60_000

/** Decides about a failure at `now`. `failures`: times of the failures before it, ms. */
export function decideRestart(error: unknown, now: number, failures: readonly number[], policy: RestartPolicy): RestartDecision {
  // A broken invariant of the main thread: what else of this process is broken, nobody knows. (That of a thread goes with its thread.)
  if (!(error instanceof CtrError)) return { kind: 'end', remark: '' }
  if (exitCodeOf(error) === 2 || LASTING.includes(error.code)) return { kind: 'end', remark: '' }
  // Of the same code are failures of the client and faults of the configuration that only the brokers can see.
  if (error.code === 'CTR_KAFKA_CRASHED' && !error.retriable) return { kind: 'end', remark: '' }
  const recent = failures.filter((at) => now - at < policy.window).length
  if (recent < policy.attempts) return { kind: 'restart', attempt: recent + 1 }
  const used = `restart.attempts (${policy.attempts}) within restart.window (${formatDuration(policy.window)}) are used up`
  return { kind: 'end', remark: policy.attempts === 0 ? '' : used }
}

/** Begins the first run; what is thrown while it is made is thrown here. */
export function supervise(options: SupervisorOptions): Supervisor {
  const { start, policy, log, clock, signal } = options
  let run: Run | undefined = start()
  let last = run.stats()
  let waitingFor = ''
  let restarts = 0
  let failures: number[] = []
  signal.addEventListener('abort', () => void run?.drain(), { once: true })

  /** Closes what is left of the failed run and waits; throws when no other may follow. */
  const recover = async (error: unknown) => {
    const failed = run
    if (signal.aborted) throw error
    const now = clock()
    const decision = decideRestart(error, now, failures, policy)
    if (decision.kind === 'end') throw remarked(error, decision.remark)
    failures = [...failures.filter((at) => now - at < policy.window), now]
    const { code, message } = error as CtrError
    last = failed?.stats() ?? last
    waitingFor = `restarting after ${code}: ${message}`
    run = undefined
    const fields = { code, restart: decision.attempt, of: policy.attempts }
    log.error(fields, `the pipeline failed: ${message}; restarting in ${formatDuration(policy.delay)}`)
    if (failed !== undefined && !(await settles(failed.released, RELEASE_MAX_MS, signal)) && !signal.aborted) {
      throw remarked(error, 'its threads and connections do not close')
    }
    await sleep(policy.delay, signal)
    if (signal.aborted) log.info({ code }, 'stopped while it waited to restart; the next start goes on from the last safe state')
  }

  const live = async () => {
    for (;;) {
      try {
        if (run === undefined) {
          run = start()
          restarts++
          log.info({ restarts }, 'the pipeline starts again')
        }
        // Aborted before there was a run to drain: it ends as soon as it has begun.
        if (signal.aborted) void run.drain()
        void run.start()
        return await run.finished
      } catch (error) {
        await recover(error)
        if (signal.aborted) return
      }
    }
  }

  const finished = live()
  finished.catch(() => {}) // the owner awaits it later; until then a rejection is not unhandled
  return {
    finished,
    stats: () => (run === undefined ? { ...last, state: 'restarting', notReady: [waitingFor], restarts } : { ...run.stats(), restarts }),
  }
}

function remarked(error: unknown, remark: string): unknown {
  if (remark === '' || !(error instanceof CtrError)) return error
  const { code, message, retriable, cause } = error
  return new CtrError(code, `${message}; not restarted again: ${remark}`, { retriable, cause })
}

/** Whether the work has come to its end within `maxMs`; false also when `signal` ends the wait. */
async function settles(work: Promise<void>, maxMs: number, signal: AbortSignal): Promise<boolean> {
  const patience = new AbortController()
  const waiting = sleep(maxMs, AbortSignal.any([patience.signal, signal])).then(() => false)
  const settled = await Promise.race([work.then(() => true), waiting])
  patience.abort()
  return settled
}
