/**
 * Whether this run of the bench is worse than an earlier one. What is compared is the least time of a stage, and the least CPU time per
 * event of an end-to-end contestant: neighbours on the machine make either longer, never shorter. Peers are shown, and fail nothing.
 */

import { significant, table } from '../workshop/report.ts'
import type { BenchReport } from './bench-report.ts'

export interface Compared {
  readonly name: string
  readonly unit: string
  readonly before: number
  readonly now: number
  /** now / before: above 1 is worse. */
  readonly ratio: number
  /** It is ours, and worse by more than is let pass. */
  readonly failed: boolean
}

export interface Comparison {
  readonly compared: readonly Compared[]
  /** In only one of the two. */
  readonly missing: readonly string[]
  /** What makes the two hard to compare, in words. */
  readonly caveats: readonly string[]
}

export type CompareBy = 'min' | 'median'

interface Measured {
  readonly unit: string
  readonly value: number
  readonly ours: boolean
}

/** Contestants whose cost is the engine's. */
const OURS: ReadonlySet<string> = new Set(['ctr', 'ctr-crc', 'source'])

/** `loss`: 0.15 lets pass what takes 15 % longer. */
export function compareReports(now: BenchReport, before: BenchReport, { loss, by }: { loss: number; by: CompareBy }): Comparison {
  const old = measured(before, by)
  const fresh = measured(now, by)
  const compared: Compared[] = []
  for (const [name, { unit, value, ours }] of fresh) {
    const earlier = old.get(name)
    if (earlier === undefined) continue
    const ratio = value / earlier.value
    compared.push({ name, unit, before: earlier.value, now: value, ratio, failed: ours && ratio > 1 + loss })
  }
  // What one of the runs has left out as a whole is not missing.
  const whole = new Set([...fresh.values(), ...old.values()].map(({ unit }) => unit))
  for (const unit of whole) {
    const has = (side: ReadonlyMap<string, Measured>) => [...side.values()].some((one) => one.unit === unit)
    if (!has(old) || !has(fresh)) whole.delete(unit)
  }
  const only = (side: ReadonlyMap<string, Measured>, other: ReadonlyMap<string, Measured>) =>
    [...side].filter(([name, { unit }]) => whole.has(unit) && !other.has(name)).map(([name]) => name)
  const missing = [...only(old, fresh).map((name) => `${name} (only before)`), ...only(fresh, old).map((name) => `${name} (only now)`)]
  return { compared, missing, caveats: caveats(now, before) }
}

function measured({ micro = [], endToEnd }: BenchReport, by: CompareBy): Map<string, Measured> {
  const found = new Map<string, Measured>()
  for (const stage of micro) found.set(stage.name, { unit: `ns/${stage.unit}`, value: stage[by], ours: true })
  if (endToEnd !== undefined) {
    for (const { name, runs } of endToEnd.results) {
      const costs = runs.map(({ cpuSeconds }) => (cpuSeconds * 1e6) / endToEnd.events).sort((a, b) => a - b)
      const value = by === 'min' ? costs[0] : costs[costs.length >> 1]
      if (value !== undefined) found.set(`end to end: ${name}`, { unit: 'CPU s/M', value, ours: OURS.has(name) })
    }
  }
  return found
}

function caveats(now: BenchReport, before: BenchReport): string[] {
  const found: string[] = []
  const differs = (what: string, a: unknown, b: unknown) => {
    if (a !== b) found.push(`${what}: ${b} before, ${a} now`)
  }
  differs('another processor', now.place.cpu, before.place.cpu)
  differs('another number of cores', now.place.cores, before.place.cores)
  differs('another Node', now.place.node, before.place.node)
  if (now.endToEnd !== undefined && before.endToEnd !== undefined) {
    differs('another number of events', now.endToEnd.events, before.endToEnd.events)
    differs('another number of workers', now.endToEnd.workers, before.endToEnd.workers)
  }
  return found
}

/** What a person reads. */
export function renderComparison({ compared, missing, caveats: differences }: Comparison, loss: number, before: BenchReport): string {
  const rows = compared.map(({ name, unit, before: earlier, now, ratio, failed }) => [
    name,
    unit,
    significant(earlier),
    significant(now),
    significant(ratio),
    failed ? 'WORSE' : '',
  ])
  const failures = compared.filter(({ failed }) => failed).length
  return [
    `compared with commit ${before.place.commit} of ${before.place.date}; worse is a ratio above ${significant(1 + loss)}`,
    ...differences.map((text) => `careful: ${text}`),
    '',
    table(['', 'unit', 'before', 'now', 'ratio', ''], rows),
    ...missing.map((name) => `not compared: ${name}`),
    failures === 0 ? 'nothing is worse' : `${failures} worse`,
  ].join('\n')
}
