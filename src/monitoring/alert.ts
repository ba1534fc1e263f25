/**
 * What an alert is: one or more rules, what the runbook says of it, and for each rule a case in which it fires and one in which it just
 * does not. Rules, runbook and the tests of the rules are made from these tables.
 */

/** critical wakes somebody, warning is for the working day, info is to be known. */
export type Severity = 'critical' | 'warning' | 'info'

/** Series by selector, in promtool's notation of values (`0+60x10`), a value each `every`. */
export interface AlertCase {
  readonly series: Readonly<Record<string, string>>
  readonly every: '1m' | '5m'
  /** When it is looked at, since the first value. */
  readonly at: string
}

/** A case in which it fires: with these labels, besides those of the rule, and this description. */
export interface FiringCase extends AlertCase {
  readonly labels: Readonly<Record<string, string>>
  readonly says: string
  /** When it is so already, and not for long enough; of rules that wait. */
  readonly pendingAt?: string
}

export interface AlertRule {
  readonly severity: Severity
  readonly expr: string
  readonly for: string
  /** More labels than the severity. */
  readonly labels?: Readonly<Record<string, string>>
  /** One line, the same for every firing. */
  readonly summary: string
  /** A template, with the value and its unit. */
  readonly description: string
  readonly fires: FiringCase
  readonly quiet: AlertCase
  /** More near misses, one for each part of the expression that one alone leaves open. */
  readonly alsoQuiet?: readonly AlertCase[]
}

/** What somebody reads who was just woken. */
interface RunbookSection {
  readonly means: string
  readonly notice: string
  readonly commands: readonly [string, string, string]
  readonly ends: string
}

export interface Alert {
  /** In CamelCase, beginning with Ctr. */
  readonly name: string
  readonly rules: readonly AlertRule[]
  readonly runbook: RunbookSection
}

/** The job that the shipped scrape configuration gives the engine; all its metrics but `ctr_*` are told apart by it. */
export const JOB = 'ctr'

/** Where the runbook is, from the root of the repository. */
export const RUNBOOK_FILE = 'docs/runbook.md'

/** The labels of a process in the cases. */
export const POD = `job="${JOB}",instance="ctr-0:9464"`

/** The same, as labels of an alert. */
export const POD_LABELS = { job: JOB, instance: 'ctr-0:9464' }

/** Asks the pod at hand; the runbook's opening says what `ask` is. */
export const ASK_READY = 'ask ctr-0 readyz'
