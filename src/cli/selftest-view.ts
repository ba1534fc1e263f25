/** The verdict of a self-test as the terminal shows it. */
import picocolors from 'picocolors'
import type { SelftestVerdict } from '../selftest/verdict.ts'
import { formatCount, formatSpan } from '../text.ts'
import { COLOURS } from './colours.ts'

/** The lines of the table. */
export function renderVerdict(verdict: SelftestVerdict, colours: boolean = COLOURS): string[] {
  const c = picocolors.createColors(colours)
  const { events, counted, late, invalid, ignored, kills, killsEarly, pods, recoveryMs, rowsDiffering, seed, seconds } = verdict
  const line = (name: string, value: string, remark = '') => `  ${name.padEnd(22)}${value.padStart(13)}   ${remark}`.trimEnd()
  const differing = formatCount(rowsDiffering)
  const processes = `${pods} ${pods === 1 ? 'process' : 'processes'}`
  return [
    verdict.passed ? c.bold(c.green('passed: every row is right')) : c.bold(c.red('FAILED')),
    line('events', formatCount(events), `in ${formatSpan(seconds * 1000)}, seed ${seed}`),
    line('  counted', formatCount(counted)),
    line('  late', formatCount(late)),
    line('  invalid', formatCount(invalid), `${formatCount(verdict.deadLetters)} dead letters`),
    line('  ignored', formatCount(ignored)),
    line('kills', formatCount(kills), `${processes}; ${killsEarly} before they had begun to count`),
    line('  to new rows, median', recoveryMs === null ? '-' : formatSpan(recoveryMs.p50)),
    line('  to new rows, longest', recoveryMs === null ? '-' : formatSpan(recoveryMs.max)),
    line('rows compared', formatCount(verdict.rows), `and ${formatCount(verdict.windows)} of ctr_windows`),
    line('rows that differ', rowsDiffering === 0 ? c.green(differing.padStart(13)) : c.red(differing.padStart(13))),
    ...verdict.faults.map((fault) => c.red(`  ${fault}`)),
  ]
}
