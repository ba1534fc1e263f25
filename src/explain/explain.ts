/**
 * Every code that somebody may meet, with what it means: errors, reasons of events, reasons of `degraded`, alerts, metrics. What other
 * tables say already (dead letters, runbook, metrics) is taken from there.
 */
import { distance } from 'fastest-levenshtein'
import { CtrError, type CtrErrorCode, exitCodeOf } from '../errors.ts'
import { METRICS, type Metric } from '../metrics/metrics.ts'
import { type Alert, ASK_READY } from '../monitoring/alert.ts'
import { ALERTS } from '../monitoring/rules.ts'
import { codeOf } from '../output/dead-letter.ts'
import { DEGRADED_REASONS } from './degraded-reasons.ts'
import { ERROR_CODES } from './error-codes.ts'
import { EVENT_REASONS } from './event-reasons.ts'
import { METRIC_WORDS } from './metric-words.ts'
import { READY, type Words } from './words.ts'

/** What codes are of, in the order in which they are listed. */
export const CODE_GROUPS = {
  errors: 'Codes of failures: what ctr says when it ends or waits, and its log in the field `code`',
  reasons: 'Why a record is not counted: metrics, dead letters and summaries name them',
  degraded: 'What is wrong while a process works: /readyz, its log and ctr_degraded name them',
  alerts: 'Alerts of k8s/monitoring/rules.yml',
  metrics: 'Metrics of /metrics',
} as const

/** One of the kinds of codes. */
export type CodeGroup = keyof typeof CODE_GROUPS

/** A code with all there is to say of it. */
export interface Explanation extends Words {
  readonly code: string
  readonly group: CodeGroup
  /** What else is told of it, each a sentence. */
  readonly facts: readonly string[]
}

/** All of them, group by group. */
export function explanations(): readonly Explanation[] {
  return [
    ...entries('errors', ERROR_CODES, (code) => [
      `A process that ends by it has exit code ${exitCodeOf(new CtrError(code as CtrErrorCode, 'x'))}.`,
    ]),
    ...entries('reasons', EVENT_REASONS, (code) =>
      code === 'IGNORED' || code === 'EARLIER' ? [] : [`Letters carry the errorCode ${codeOf(code)}.`],
    ),
    ...entries('degraded', DEGRADED_REASONS, () => ['The alert CtrDegraded fires after five minutes of it.']),
    ...ALERTS.map(alertExplained),
    ...METRICS.map(metricExplained),
  ]
}

function entries(group: CodeGroup, table: Readonly<Record<string, Words>>, factsOf: (code: string) => string[]): Explanation[] {
  return Object.entries(table).map(([code, words]) => ({ code, group, ...words, facts: factsOf(code) }))
}

function alertExplained({ name, rules, runbook }: Alert): Explanation {
  const { means, notice, commands, ends } = runbook
  const text = [means, notice, ends, ...commands].join(' ')
  const keys = [...text.matchAll(/`([a-z]\w*(?:\.\w+)+)`/gi)].map(([, key = '']) => key).filter((key) => !key.includes('('))
  const severities = [...new Set(rules.map(({ severity }) => severity))].join(', ')
  const plain = (words: string) => words.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1').replaceAll('`', '')
  return {
    code: name,
    group: 'alerts',
    means: plain(means),
    notice: plain(notice),
    // The runbook asks pods; here it is the process at hand.
    commands: commands.map((command) => (command === ASK_READY ? READY : command)),
    keys: [...new Set(keys)],
    more: `runbook.md#${name.toLowerCase()}`,
    facts: [`It is ${severities}.`, `It ends: ${plain(ends)}`],
  }
}

function metricExplained({ name, help, type }: Metric): Explanation {
  const { notice, keys } = METRIC_WORDS[name] ?? { notice: '', keys: [] }
  const within = new RegExp(`\\b${name}\\b`)
  const alerts = ALERTS.filter(({ rules }) => rules.some(({ expr }) => within.test(expr))).map((alert) => alert.name)
  const facts = [`It is a ${type}.`, ...(alerts.length === 0 ? [] : [`Alerts on it: ${alerts.join(', ')}.`])]
  return {
    code: name,
    group: 'metrics',
    means: help,
    notice,
    commands: [`curl -s http://localhost:9464/metrics | grep ${name}`, READY],
    keys,
    more: 'metrics.md',
    facts,
  }
}

/**
 * The codes that are meant: those of this name in any case, also without their CTR_ or ctr_; the reasons of dead letters that carry such
 * an errorCode. Empty when there is none.
 */
export function explained(word: string, all: readonly Explanation[] = explanations()): readonly Explanation[] {
  const wanted = word.toLowerCase()
  const exact = all.filter(({ code }) => code.toLowerCase() === wanted)
  if (exact.length > 0) return exact
  const short = all.filter(({ code }) => shortened(code) === shortened(wanted))
  if (short.length > 0) return short
  return all.filter(
    ({ code, group }) => group === 'reasons' && codeOf(code).toLowerCase() === wanted && code !== 'IGNORED' && code !== 'EARLIER',
  )
}

/** The codes that a misspelt word may have meant, nearest first. */
export function nearestCodes(word: string, all: readonly Explanation[] = explanations()): readonly string[] {
  const wanted = shortened(word)
  const far = ({ code }: Explanation) => distance(shortened(code), wanted)
  const isPart = ({ code }: Explanation) => wanted.length >= PART_LENGTH_MIN && shortened(code).includes(wanted)
  const near = all.filter((each) => isPart(each) || far(each) <= Math.max(2, wanted.length / 3)).toSorted((a, b) => far(a) - far(b))
  return [...new Set(near.map(({ code }) => code))].slice(0, NEAREST_MAX)
}

const PART_LENGTH_MIN = 3
const NEAREST_MAX = 5

function shortened(code: string): string {
  return code
    .toLowerCase()
    .replace(/^ctr[_-]?/, '')
    .replaceAll(/[_-]/g, '')
}
