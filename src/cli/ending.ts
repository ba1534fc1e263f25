/** How a bounded run has ended: what of its input was counted, and whether that can be what was meant. */
import type { PipelineStats } from '../metrics/stats.ts'
import { expiredText } from '../tables/retention.ts'
import { formatCount } from '../text.ts'

/** What became of the records of one topic or file. */
export interface InputOutcome {
  readonly name: string
  readonly read: number
  readonly counted: number
  readonly late: number
  readonly invalid: number
  readonly ignored: number
}

/** Largest shares of the records read, 0 to 1, that are taken for a dirty stream rather than a wrong configuration. */
export interface EndingLimits {
  readonly maxInvalid: number
  readonly maxLate: number
  /** Rows may be written that expire at once. */
  readonly allowExpired: boolean
}

/** Where events of other kinds share a topic, a third of it may be invalid; of mobile devices a tenth may be late. */
export const ENDING_DEFAULTS: EndingLimits = { maxInvalid: 0.5, maxLate: 0.2, allowExpired: false }

/** What is proposed when too much is late or invalid. */
export interface Remedies {
  readonly late: string
  readonly invalid: string
}

/** The outcomes of a run, by the name that `nameOf` gives a partition. */
export function outcomesOf(
  { partitions }: PipelineStats,
  nameOf: (partition: PipelineStats['partitions'][number]) => string,
): InputOutcome[] {
  const outcomes = new Map<string, InputOutcome>()
  for (const partition of partitions) {
    const name = nameOf(partition)
    const { read, counted, late, invalid, ignored } = outcomes.get(name) ?? { read: 0, counted: 0, late: 0, invalid: 0, ignored: 0 }
    outcomes.set(name, {
      name,
      read: read + partition.read,
      counted: counted + partition.counted,
      late: late + partition.late,
      invalid: invalid + partition.invalid,
      ignored: ignored + partition.ignored,
    })
  }
  return [...outcomes.values()]
}

/**
 * Why a run has failed although it came to its end, with the remedy; undefined when it has not. Of a topic or file with records at least
 * one must be counted, and no more may be invalid or late than the limits say. No records at all is no fault.
 */
export function endingFault(outcomes: readonly InputOutcome[], limits: EndingLimits, remedies: Remedies): string | undefined {
  const faults = outcomes.flatMap(({ name, read, counted, late, invalid, ignored }) => {
    if (read === 0) return []
    const terms = `${formatCount(late)} late, ${formatCount(invalid)} invalid`
    if (counted === 0) {
      const remedy = ignored > Math.max(late, invalid) ? IGNORED_REMEDY : late > invalid ? remedies.late : remedies.invalid
      const all = `${terms}, ${formatCount(ignored)} ignored`
      return [`none of the ${formatCount(read)} records of ${name} was counted (${all}); ${remedy}`]
    }
    const over = (what: string, count: number, max: number, option: string, remedy: string) => {
      if (count <= max * read) return []
      const seen = `${formatCount(count)} of the ${formatCount(read)} records of ${name} are ${what}`
      return [`${seen}, more than ${option} ${percent(max)}; ${remedy}, or allow it with a higher ${option}`]
    }
    return [
      ...over('invalid', invalid, limits.maxInvalid, '--max-invalid', remedies.invalid),
      ...over('late', late, limits.maxLate, '--max-late', remedies.late),
    ]
  })
  const more = faults.length > FAULTS_SHOWN ? [`and ${faults.length - FAULTS_SHOWN} more`] : []
  return faults.length === 0 ? undefined : [...faults.slice(0, FAULTS_SHOWN), ...more].join('\n  ')
}

/** Why a bounded run has failed whose results are not to be had; undefined when all are, or need not be. */
export function expiredFault({ rowsExpired }: PipelineStats, keptMs: number, { allowExpired }: EndingLimits): string | undefined {
  if (rowsExpired === 0 || allowExpired) return undefined
  return `${expiredText(rowsExpired, keptMs)}; or allow it with --allow-expired`
}

const FAULTS_SHOWN = 5
const IGNORED_REMEDY = 'events.types says which types are counted, and events.fields.type where the type is'

function percent(share: number): string {
  return `${Number((share * 100).toFixed(4))}%`
}
