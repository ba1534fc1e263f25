/** The JSON that `npm run bench` writes and reads again: for --compare, and for the figures in README.md. */
import { readFileSync } from 'node:fs'
import type { Run } from '../workshop/backlog.ts'
import type { Place } from '../workshop/report.ts'
import type { StageFigures } from './stage.ts'

export interface EndToEndReport {
  readonly place: Place
  readonly events: number
  readonly workers: number
  /** Rows that all who make rows agree on. */
  readonly rows: number
  readonly results: readonly { readonly name: string; readonly what: string; readonly runs: readonly Run[] }[]
  /** Who could not be run here, and why. */
  readonly notRun: readonly { readonly name: string; readonly what: string; readonly reason: string }[]
}

export interface MicroReport {
  readonly place: Place
  readonly stages: readonly StageFigures[]
}

export interface BenchReport {
  readonly kind: 'bench'
  readonly place: Place
  /** Undefined when it was left out. */
  readonly micro: MicroReport['stages'] | undefined
  readonly endToEnd: Omit<EndToEndReport, 'place'> | undefined
}

/** Throws, naming the file, when it is not such a report. */
export function readBenchReport(file: string): BenchReport {
  let report: Partial<BenchReport>
  try {
    report = JSON.parse(readFileSync(file, 'utf8')) as Partial<BenchReport>
  } catch (error) {
    throw new Error(`${file} can't be read: ${error instanceof Error ? error.message : error}`)
  }
  if (report?.kind !== 'bench' || report.place === undefined) throw new Error(`${file} is not a report of npm run bench (--json FILE)`)
  return { kind: 'bench', place: report.place, micro: report.micro, endToEnd: report.endToEnd }
}
