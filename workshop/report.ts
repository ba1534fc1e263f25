/** What every figure is printed with: where it was measured; medians; tables for people; JSON for machines. */
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { availableParallelism, cpus, release, totalmem } from 'node:os'
import { repositoryPath } from './child.ts'

export interface Place {
  readonly cpu: string
  readonly cores: number
  readonly memoryGiB: number
  readonly system: string
  readonly node: string
  /** With a + when files differ from it. */
  readonly commit: string
  readonly date: string
}

export function place(): Place {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    system: `${process.platform} ${release()}`,
    node: process.version,
    commit: commit(),
    date: new Date().toISOString(),
  }
}

/** One line for the head of a report. */
export function describePlace({ cpu, cores, memoryGiB, system, node, commit, date }: Place): string {
  return `${cpu}, ${cores} cores, ${memoryGiB} GiB, ${system}, Node ${node}, commit ${commit}, ${date}`
}

function commit(): string {
  try {
    const git = (...args: string[]) =>
      execFileSync('git', args, { cwd: repositoryPath(''), encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
    const changed = git('status', '--porcelain', '--', 'src', 'bench', 'perf', 'package-lock.json').trim() !== ''
    return git('rev-parse', '--short', 'HEAD').trim() + (changed ? '+' : '')
  } catch {
    return 'unknown'
  }
}

/** NaN of nothing. */
export function median(values: readonly number[]): number {
  return quantile(values, 0.5)
}

/** By linear interpolation between the nearest two; NaN of nothing. */
export function quantile(values: readonly number[], share: number): number {
  if (values.length === 0) return Number.NaN
  const sorted = values.toSorted((a, b) => a - b)
  const at = (sorted.length - 1) * share
  const low = sorted[Math.floor(at)] ?? Number.NaN
  const high = sorted[Math.ceil(at)] ?? Number.NaN
  return low + (high - low) * (at - Math.floor(at))
}

/** Columns padded to their widest cell: the first to the left, the others to the right. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [head, ...rows]
  const widths = head.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0)))
  const line = (row: readonly string[]) =>
    row.map((cell, column) => (column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0))).join('  ')
  return [line(head), widths.map((width) => '-'.repeat(width)).join('  '), ...rows.map(line)].map((text) => text.trimEnd()).join('\n')
}

/** Three significant digits: 0.262, 2.62, 26.2, 262. */
export function significant(value: number): string {
  if (!Number.isFinite(value)) return '-'
  const digits = value === 0 ? 2 : 2 - Math.floor(Math.log10(Math.abs(value)))
  return value.toFixed(Math.max(0, Math.min(6, digits)))
}

/** Writes a report; every report says where it was made. */
export function writeJson(file: string, report: { readonly place: Place }): void {
  writeFileSync(file, `${JSON.stringify(report, undefined, 2)}\n`)
}

/** Prints `text` below its place, then what is wrong, and writes the report to `file` unless that is ''. Gives the exit code. */
export function conclude(report: { readonly place: Place; readonly faults: readonly string[] }, text: string, file: string): number {
  console.log(`${describePlace(report.place)}\n\n${text}`)
  for (const fault of report.faults) console.error(`WRONG: ${fault}`)
  if (file !== '') writeJson(file, report)
  return report.faults.length === 0 ? 0 : 1
}
