/** What a self-test has found, and how it is shown. */
import picocolors from 'picocolors'
import { COLOURS, formatCount, formatSpan } from './format.ts'

export interface SelftestVerdict {
  readonly passed: boolean
  readonly seed: number
  readonly pods: number
  readonly seconds: number
  /** Acknowledged by the brokers, and read back. */
  readonly events: number
  readonly counted: number
  readonly late: number
  readonly invalid: number
  readonly kills: number
  /** Of them, those before the pipeline had begun to count. */
  readonly killsEarly: number
  /** Of ctr_results and of ctr_windows. */
  readonly rows: number
  readonly windows: number
  readonly rowsDiffering: number
  readonly deadLetters: number
  /** From a SIGKILL to the first rows of the next process; null when none lived that long. */
  readonly recoveryMs: { readonly times: number; readonly p50: number; readonly max: number } | null
  /** What is wrong, one line each. */
  readonly faults: readonly string[]
}

/** Median and largest; null of nothing. */
export function recoveryOf(times: readonly number[]): SelftestVerdict['recoveryMs'] {
  const sorted = times.toSorted((a, b) => a - b)
  const [p50, max] = [sorted[(sorted.length - 1) >> 1], sorted.at(-1)]
  return p50 === undefined || max === undefined ? null : { times: sorted.length, p50: Math.round(p50), max: Math.round(max) }
}

/** The lines of the table. */
export function renderVerdict(verdict: SelftestVerdict, colours: boolean = COLOURS): string[] {
  const c = picocolors.createColors(colours)
  const { events, counted, late, invalid, kills, killsEarly, pods, recoveryMs, rowsDiffering, seed, seconds } = verdict
  const line = (name: string, value: string, remark = '') => `  ${name.padEnd(22)}${value.padStart(13)}   ${remark}`.trimEnd()
  const differing = formatCount(rowsDiffering)
  const processes = `${pods} ${pods === 1 ? 'process' : 'processes'}`
  return [
    verdict.passed ? c.bold(c.green('passed: every row is right')) : c.bold(c.red('FAILED')),
    line('events', formatCount(events), `in ${formatSpan(seconds * 1000)}, seed ${seed}`),
    line('  counted', formatCount(counted)),
    line('  late', formatCount(late)),
    line('  invalid', formatCount(invalid), `${formatCount(verdict.deadLetters)} dead letters`),
    line('kills', formatCount(kills), `${processes}; ${killsEarly} before they had begun to count`),
    line('  to new rows, median', recoveryMs === null ? '-' : formatSpan(recoveryMs.p50)),
    line('  to new rows, longest', recoveryMs === null ? '-' : formatSpan(recoveryMs.max)),
    line('rows compared', formatCount(verdict.rows), `and ${formatCount(verdict.windows)} of ctr_windows`),
    line('rows that differ', rowsDiffering === 0 ? c.green(differing.padStart(13)) : c.red(differing.padStart(13))),
    ...verdict.faults.map((fault) => c.red(`  ${fault}`)),
  ]
}
