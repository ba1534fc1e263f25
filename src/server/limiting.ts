/** What holds the engine back most now, judged by what waits for what. A pure function of two snapshots. */

import type { Interval } from '../history/history.ts'
import { perSecond, recordsReadOf } from '../history/history.ts'
import type { ThreadUse } from './threads.ts'

export type LimitedBy = 'none' | 'source' | 'main' | 'worker' | 'sink' | 'state' | 'held'

/** With what it was judged by. */
export interface Limit {
  readonly by: LimitedBy
  readonly why: string
}

/** Less than so many seconds behind is keeping up. */
const BEHIND_SECONDS = 2
/** A share of the time above which something counts as waiting, or as busy. */
const WAITING_SHARE = 0.1
const BUSY_SHARE = 0.8

/** `uses`: what the threads used in the interval, cores. */
export function limitOf({ before, after, seconds }: Interval, behindSeconds: number | undefined, uses: readonly ThreadUse[]): Limit {
  if (after.state !== 'running' || after.held) return { by: 'held', why: after.notReady[0] ?? `the pipeline is ${after.state}` }
  const full = after.degraded.find(({ code }) => code === 'stateFull')
  if (full !== undefined) return { by: 'state', why: full.message }
  const waited = perSecond(before.backpressureSeconds, after.backpressureSeconds, seconds)
  const lag = after.partitions.reduce((sum, { lag = 0 }) => sum + lag, 0)
  if (waited < WAITING_SHARE && (lag === 0 || (behindSeconds ?? 0) < BEHIND_SECONDS)) return { by: 'none', why: 'it keeps up' }
  if (waited >= WAITING_SHARE) {
    const inserting = perSecond(before.sinkFlushSeconds.sum, after.sinkFlushSeconds.sum, seconds)
    const share = `main waits ${percent(waited)} of the time for room in a ring`
    if (inserting > BUSY_SHARE) return { by: 'sink', why: `${share}, and ClickHouse is being written to ${percent(inserting)} of it` }
    return { by: 'worker', why: `${share}; the workers are busy` }
  }
  const main = uses.find(({ thread }) => thread === 'main')?.cpuSeconds ?? 0
  if (main > BUSY_SHARE) return { by: 'main', why: `the main thread uses ${percent(main)} of a core` }
  const rate = Math.round(perSecond(recordsReadOf(before), recordsReadOf(after), seconds))
  return { by: 'source', why: `${lag} records wait, nothing in the process is busy, and ${rate} a second come from the brokers` }
}

function percent(share: number): string {
  return `${Math.round(Math.min(1, share) * 100)} %`
}
