/** How soon results were there again after something was done to the engine or to what it needs, and how many were there in time. */
import type { Delays, Sample } from './emit-delay.ts'

/** What was done, and when; ms since the epoch. */
export interface Blow {
  readonly kind: string
  readonly at: number
}

export interface Recovery extends Blow {
  /** Until results were there again; Infinity when they never were. */
  readonly seconds: number
}

/** A window is in time when it can be read so soon after the record that closes it. */
const IN_TIME_MS = 60_000
/** Of all windows that were closed. */
const IN_TIME_MIN = 0.999
/** From a blow until results are there again. */
const RECOVERY_MAX_SECONDS = 60

/** Until of each task a window could be read that was closed after the blow: what came before does not show that anything works. */
export function recoveriesOf(blows: readonly Blow[], samples: readonly Sample[], tasks: number): Recovery[] {
  return blows.map(({ kind, at }) => {
    const first = Array.from({ length: tasks }, () => Number.POSITIVE_INFINITY)
    for (const { task, closedAt, latencyMs } of samples) {
      if (closedAt >= at) first[task] = Math.min(first[task] ?? Number.POSITIVE_INFINITY, closedAt + latencyMs)
    }
    return { kind, at, seconds: (Math.max(...first) - at) / 1000 }
  })
}

/** Share of the closed windows that could be read in time; those that were never seen could not. 0 of none. */
export function inTime({ samples, unseen }: Delays): number {
  const all = samples.length + unseen
  return all === 0 ? 0 : samples.filter(({ latencyMs }) => latencyMs <= IN_TIME_MS).length / all
}

/** What is wrong with a drill's recoveries; empty when nothing is. */
export function faultsOfRecoveries(recoveries: readonly Recovery[], share: number): string[] {
  const slow = recoveries.filter(({ seconds }) => !(seconds <= RECOVERY_MAX_SECONDS))
  return [
    ...slow.map(
      ({ kind, seconds }) => `${kind}: results were there again after ${seconds.toFixed(1)} s, not within ${RECOVERY_MAX_SECONDS}`,
    ),
    ...(share >= IN_TIME_MIN
      ? []
      : [`${(share * 100).toFixed(2)} % of the windows could be read within 60 s of closing, not ${IN_TIME_MIN * 100} %`]),
  ]
}
