/** Roll-ups and newest windows at the end of a bounded run: who computes them is the run's to say; what is told of it is the same. */
import type { Config } from '../config/schema.ts'
import type { Logger } from '../log.ts'
import { leftOutText } from '../tables/retention.ts'
import type { RollUpOutcome } from '../tables/roll-up-job.ts'

/** So often people are told what is being done. */
const TOLD_EVERY_MS = 5_000

/** Computes, and says what it is at; rejects with CtrError, or what its signal aborts with. */
export type ComputeRollUps = (told: (step: string) => void) => Promise<RollUpOutcome>

/** `tell` hears from time to time what takes long. */
export async function tellingProgress(compute: ComputeRollUps, tell: (text: string) => void): Promise<RollUpOutcome> {
  let step = 'begins'
  const timer = setInterval(() => tell(`computing roll-ups and newest windows: ${step}`), TOLD_EVERY_MS)
  try {
    return await compute((now) => {
      step = now
    })
  } finally {
    clearInterval(timer)
  }
}

/** What is missing after it, a line each. */
export function rollUpLines({ failed, leftOut }: RollUpOutcome): string[] {
  const left = leftOut === 0 ? [] : [leftOutText(leftOut)]
  return [...failed.map(({ view, reason }) => `${view} is not up to date: ${reason}`), ...left]
}

/**
 * At the end of a bounded run, whose rows are written whatever comes of this: what is missing is said in the log and not by the exit code.
 * Nothing is done where clickhouse.rollUps.interval is off.
 */
export async function rollUpAtEnd({ clickhouse }: Config, log: Logger, signal: AbortSignal, compute: ComputeRollUps): Promise<void> {
  if (clickhouse.rollUps.interval === Number.POSITIVE_INFINITY) return
  const remedy = 'all windows are written; `ctr schema refresh` computes what is missing'
  try {
    for (const line of rollUpLines(await tellingProgress(compute, (text) => log.info({}, text)))) log.warn({}, `${line}; ${remedy}`)
  } catch (error) {
    if (signal.aborted) return log.warn({}, `${String(signal.reason)} came before roll-ups and ctr_latest were up to date; ${remedy}`)
    log.warn({ err: error }, `roll-ups and ctr_latest are not up to date; ${remedy}`)
  }
}
