/** When the pipelines of a self-test are killed, and how soon they write rows again. */
import { sleep } from '../clock.ts'
import { CtrError } from '../errors.ts'
import { Random } from '../load/random.ts'
import type { Pod } from './pods.ts'

/** One SIGKILL. */
export interface Kill {
  readonly pod: number
  /** So long after the pod's start; or, when not `early`, after it has begun to count. */
  readonly afterMs: number
  readonly early: boolean
}

export interface KillOptions {
  readonly kills: readonly Kill[]
  /** By number; replaced as they are killed. */
  readonly pods: Pod[]
  readonly start: (pod: number) => Pod
  readonly signal: AbortSignal
  readonly onKill: (done: number, kill: Kill) => void
}

/** Before, while and just after it joins its group. */
const EARLY_SHARE = 0.5
const EARLY_MIN_MS = 50
const EARLY_MAX_MS = 3_000
const LATER_MAX_MS = 4_000
const COUNTING_MAX_MS = 90_000

/** The same seed gives the same kills. */
export function planKills(seed: number, kills: number, pods: number): Kill[] {
  const random = new Random(seed)
  return Array.from({ length: kills }, () => {
    const early = random.chance(EARLY_SHARE)
    return { pod: random.below(pods), early, afterMs: early ? earlyMs(random) : random.below(LATER_MAX_MS) }
  })
}

/** How long after its start a process is killed early. */
export function earlyMs(random: Random): number {
  return EARLY_MIN_MS + random.below(EARLY_MAX_MS - EARLY_MIN_MS)
}

/** Kills and starts again, as planned. Gives the times, ms, from a kill to the first rows of the next process, where it lived that long. */
export async function killPods({ kills, pods, start, signal, onKill }: KillOptions): Promise<number[]> {
  const recoveries: Promise<number | undefined>[] = []
  for (const [i, kill] of kills.entries()) {
    const pod = pods[kill.pod]
    if (pod === undefined) continue
    if (!kill.early) await pod.counts('ctr_events_processed_total', COUNTING_MAX_MS)
    await sleep(kill.afterMs, signal)
    signal.throwIfAborted()
    if (!pod.running) throw new CtrError('CTR_SELFTEST', `a pipeline ended by itself; it said:\n${pod.said()}`)
    pod.kill('SIGKILL')
    const killedAt = performance.now()
    const next = start(kill.pod)
    pods[kill.pod] = next
    const recovery = next
      .counts('ctr_rows_written_total', COUNTING_MAX_MS)
      .then((counted) => (counted ? performance.now() - killedAt : undefined))
    recovery.catch(() => {}) // awaited at the end
    recoveries.push(recovery)
    onKill(i + 1, kill)
  }
  return (await Promise.all(recoveries)).filter((ms) => ms !== undefined)
}
