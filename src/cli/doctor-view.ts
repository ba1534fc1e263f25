/** What `ctr doctor` has found: for people at a terminal, for logs, and for programs. */
import picocolors from 'picocolors'
import stringWidth from 'string-width'
import type { CheckOutcome, Diagnosis } from '../doctor/examine.ts'
import { type CheckVerdict, PARTS } from '../doctor/finding.ts'
import { visible } from '../text.ts'
import { COLOURS } from './colours.ts'
import { wrap } from './wrap.ts'

const TITLES = {
  kafka: 'Kafka',
  registry: 'Schema registry',
  clickhouse: 'ClickHouse',
  checkpoints: 'Checkpoints',
  machine: 'This machine',
} as const
const SIGNS: Readonly<Record<CheckVerdict, string>> = { ok: '✓', warning: '!', fault: '✗', skipped: '-' }
const WIDTH_MIN = 60
const WIDTH_MAX = 140

/** A table for a terminal of so many columns, part by part; what is to be done stands below what was found. */
export function renderDiagnosis({ outcomes, counts }: Diagnosis, width: number, colours: boolean = COLOURS): string[] {
  const c = picocolors.createColors(colours)
  const paint = { ok: c.green, warning: c.yellow, fault: c.red, skipped: c.dim }
  const columns = Math.max(WIDTH_MIN, Math.min(width, WIDTH_MAX))
  const names = Math.max(...outcomes.map(({ name }) => stringWidth(name)))
  const indent = ' '.repeat(names + 6)
  const lines = PARTS.flatMap((part) => {
    const own = folded(outcomes.filter((outcome) => outcome.part === part))
    if (own.length === 0) return []
    const rows = own.flatMap(({ verdict, name, found, remedy }) => {
      const [first = '', ...more] = wrap(visible(found), columns - indent.length)
      const head = `  ${paint[verdict](SIGNS[verdict])} ${name}${' '.repeat(names - stringWidth(name) + 2)}${first}`
      const todos = remedy === undefined ? [] : remedy.split('\n').map((line) => `→ ${visible(line)}`)
      const todo = todos.flatMap((line) => wrap(line, columns - indent.length))
      return [head, ...more.map((line) => indent + line), ...todo.map((line) => indent + c.bold(line))]
    })
    return [c.bold(TITLES[part]), ...rows, '']
  })
  const verdict = counts.fault > 0 ? c.red : counts.warning > 0 ? c.yellow : c.green
  return [...lines, verdict(spellCounts(counts))]
}

/** What is skipped for one reason takes one row, at the first of its places. */
function folded(outcomes: readonly CheckOutcome[]): Pick<CheckOutcome, 'verdict' | 'name' | 'found' | 'remedy'>[] {
  const alike = (one: CheckOutcome) => outcomes.filter(({ verdict, found }) => verdict === 'skipped' && found === one.found)
  return outcomes.flatMap((outcome) => {
    const all = outcome.verdict === 'skipped' ? alike(outcome) : [outcome]
    if (all.length === 1) return [outcome]
    if (all[0] !== outcome) return []
    return [
      { ...outcome, name: `${all.length} more`, found: `not looked at (${all.map(({ name }) => name).join(', ')}): ${outcome.found}` },
    ]
  })
}

/** A line for each check, and one for all. */
export function plainDiagnosis({ outcomes, counts }: Diagnosis): string[] {
  return [...outcomes.map(plainLine), spellCounts(counts)]
}

function plainLine({ verdict, part, name, found, remedy }: CheckOutcome): string {
  const said = [found.replaceAll(/\s*\n\s*/g, ', '), ...(remedy?.split('\n') ?? [])]
  return `${verdict.padEnd(7)} ${part}: ${name}: ${said.join('; ')}`
}

function spellCounts({ ok, warning, fault, skipped }: Diagnosis['counts']): string {
  const left = skipped === 0 ? '' : `, ${skipped} not looked at`
  return `${ok} ok, ${plural(warning, 'warning')}, ${plural(fault, 'fault')}${left}`
}

function plural(count: number, word: string): string {
  return `${count} ${word}${count === 1 ? '' : 's'}`
}
