/** How long after the record that closed it each window could be read, from what was watched and what the oracle found. */

import { quantile } from '../workshop/report.ts'
import type { Rows } from '../workshop/result-rows.ts'
import type { Closings } from './closings.ts'
import type { Watch } from './watch.ts'

/** A task's window; times in ms. */
export interface Sample {
  readonly task: number
  readonly windowEnd: number
  readonly closedAt: number
  readonly latencyMs: number
}

/** What could be measured; `unseen` windows were closed and never whole, `open` ones never closed. */
export interface Delays {
  readonly samples: Sample[]
  readonly unseen: number
  readonly open: number
}

/** By task and window, from the oracle's rows: which could be closed at all, and when each could be read whole. */
export function measureDelays(rows: Rows, closings: Closings, watch: Watch): Delays {
  const products = new Map<string, { task: number; windowEnd: number; count: number }>()
  for (const { task, windowEnd } of rows.values()) {
    const key = `${task} ${windowEnd}`
    const window = products.get(key) ?? { task, windowEnd, count: 0 }
    window.count++
    products.set(key, window)
  }
  const samples: Sample[] = []
  let unseen = 0
  let open = 0
  for (const { task, windowEnd, count } of products.values()) {
    const closedAt = closings.closedAt(task, windowEnd)
    const readableAt = watch.readableAt(task, windowEnd, count)
    if (closedAt === undefined) open++
    else if (readableAt === undefined) unseen++
    else samples.push({ task, windowEnd, closedAt, latencyMs: readableAt - closedAt })
  }
  return { samples, unseen, open }
}

/** What is wrong with them; empty when all is right. */
export function faultsOfDelays({ samples, unseen }: Delays): string[] {
  const faults: string[] = []
  if (unseen > 0) faults.push(`${unseen} windows were closed and not seen whole`)
  const early = samples.filter(({ latencyMs }) => latencyMs < 0).length
  if (early > 0) faults.push(`${early} windows were there before they were closed`)
  if (samples.length === 0) faults.push('no window was closed: give it a longer --duration or a shorter --window')
  return faults
}

export interface Quantiles {
  readonly p50: number
  readonly p90: number
  readonly p99: number
  readonly max: number
}

export function quantiles(values: readonly number[]): Quantiles {
  return { p50: quantile(values, 0.5), p90: quantile(values, 0.9), p99: quantile(values, 0.99), max: quantile(values, 1) }
}

/** A line of a table, in whole ms. */
export function quantileLine(name: string, { p50, p90, p99, max }: Quantiles): string[] {
  return [name, ...[p50, p90, p99, max].map((ms) => ms.toFixed(0))]
}

const TIME_KEY = Buffer.from('"timestamp":')
const TIME_DIGITS = 13

/** The event time of a generated value that is valid; all are written the same way. */
export function generatedTime(value: Uint8Array | null): number {
  const bytes = value as Buffer
  const at = bytes.indexOf(TIME_KEY) + TIME_KEY.length
  const time = Number(bytes.toString('latin1', at, at + TIME_DIGITS))
  if (!(time > 0)) throw new Error(`no time in ${bytes.toString()}`)
  return time
}
