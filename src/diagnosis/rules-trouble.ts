/** Rules on what the engine knows of itself: what it waits for and tries again, what fails, what is wrong with the data. */
import { formatCount, formatSpan } from '../text.ts'
import type { DegradedSample, EngineSample } from './sample.ts'
import type { Cause, Gravity, Rule } from './symptom.ts'

/** A trouble is told at once, and is over when it has not been there for a moment: attempts come and go. */
const AT_ONCE = { enterMs: 0, leaveMs: 5_000 }

/** By the words in which the engine gives a reason: they begin with a key, or name what does not take what it is given. */
const TROUBLES: readonly { readonly cause: Cause; readonly pattern: RegExp; readonly what: string }[] = [
  {
    cause: 'dead-letters',
    pattern: /not delivered to /,
    what: 'Dead letters or late events can’t be delivered, and reading waits for them',
  },
  { cause: 'registry', pattern: /schemaRegistry|schema registry/i, what: 'The schema registry does not give what records need' },
  { cause: 'clickhouse', pattern: /clickhouse/i, what: 'ClickHouse takes no rows, and everything before it waits' },
  { cause: 'broker', pattern: /kafka|broker/i, what: 'Kafka does not answer as it should' },
]

/** Which of the causes a reason for not being ready speaks of; undefined for other reasons. */
export function causeOfReason(reason: string): Cause | undefined {
  return TROUBLES.find(({ pattern }) => pattern.test(reason))?.cause
}

function troubleRule({ cause, what }: (typeof TROUBLES)[number]): Rule {
  return {
    cause,
    ...AT_ONCE,
    look({ state, reasons, lagRecords, rowsPending }) {
      const reason = reasons.find((each) => causeOfReason(each) === cause)
      if (reason === undefined || state === 'stopped' || /is not connected yet$/.test(reason)) return undefined
      const waiting = cause === 'broker' || lagRecords === null ? rowsPending : lagRecords
      return { subject: '', severity: 'critical', sentence: `${what}: ${partsOf(reason).seen}.`, remedy: remedyOf(reason), amount: waiting }
    },
  }
}

/** A message of the engine says what is seen, and behind the last semicolon what to do. */
function partsOf(message: string): { seen: string; remedy: string | undefined } {
  const at = message.lastIndexOf('; ')
  return at < 0 ? { seen: message, remedy: undefined } : { seen: message.slice(0, at), remedy: message.slice(at + 2) }
}

function remedyOf(message: string): string {
  const { remedy } = partsOf(message)
  return remedy === undefined ? 'It is tried again by itself. Look at what does not answer: nothing is lost meanwhile.' : sentenceOf(remedy)
}

function sentenceOf(text: string): string {
  return text === '' ? '' : `${text[0]?.toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? '' : '.'}`
}

/** What a code of `degraded` is a cause of; codes that are not here are told as `data`. */
const DEGRADED_CAUSES: Readonly<Record<string, { readonly cause: Cause; readonly severity: Gravity }>> = {
  openTransaction: { cause: 'watermark', severity: 'warning' },
  hangingTransaction: { cause: 'watermark', severity: 'warning' },
  timeStands: { cause: 'watermark', severity: 'warning' },
  schemaUnknown: { cause: 'registry', severity: 'critical' },
  schemaRegistry: { cause: 'registry', severity: 'critical' },
  schemaChanged: { cause: 'registry', severity: 'warning' },
  stateFull: { cause: 'state', severity: 'critical' },
  stateNear: { cause: 'state', severity: 'warning' },
  recordsLost: { cause: 'data', severity: 'critical' },
  refresh: { cause: 'clickhouse', severity: 'warning' },
}
/** Effects of something else, which other rules name: a partition that waits for another one, a lag. */
const EFFECTS: ReadonlySet<string> = new Set(['alignment', 'lag'])

function degradedRule(cause: Cause): Rule {
  return {
    cause,
    ...AT_ONCE,
    look({ degraded }) {
      const found = degraded.filter(({ code }) => !EFFECTS.has(code) && causeOf(code).cause === cause)
      const rank = ({ code }: DegradedSample) => (causeOf(code).severity === 'critical' ? 0 : 1)
      const [worst] = found.toSorted((a, b) => rank(a) - rank(b) || a.since.localeCompare(b.since))
      if (worst === undefined) return undefined
      const { seen } = partsOf(worst.message)
      const more = found.length === 1 ? '' : ` (and ${found.length - 1} more)`
      return {
        subject: worst.subject,
        severity: causeOf(worst.code).severity,
        sentence: sentenceOf(`${seen}${more}`),
        remedy: remedyOf(worst.message),
        amount: found.length,
        since: worst.since,
      }
    },
  }
}

function causeOf(code: string): { readonly cause: Cause; readonly severity: Gravity } {
  return DEGRADED_CAUSES[code] ?? { cause: 'data', severity: 'warning' }
}

/** Between two runs, or in the second one and later while it comes up. */
const process: Rule = {
  cause: 'process',
  enterMs: 0,
  leaveMs: 30_000,
  look({ state, restarts, reasons }, before) {
    const again = state === 'restarting' || (before !== undefined && restarts > before.restarts)
    if (!again) return undefined
    const why = reasons[0] === undefined ? '' : `: ${reasons[0]}`
    const remedy =
      'Nothing is lost: it goes on from the last checkpoint. The log has the failure as `the run failed`; look at it if it comes again.'
    return { subject: '', severity: 'critical', sentence: `The run failed and begins again${why}.`, remedy, amount: restarts }
  },
}

/** A checkpoint is due after an interval of a minute or so; older than this, several have been missed. */
const CHECKPOINT_AGE_MAX_SECONDS = 600

const checkpoints: Rule = {
  cause: 'checkpoints',
  enterMs: 0,
  leaveMs: 2_000,
  look({ checkpoint: { enabled, ageSeconds }, totals, state }, before, told) {
    if (!enabled || state !== 'running') return undefined
    const failed = before !== undefined && totals.checkpointFailures > before.totals.checkpointFailures
    const old = (ageSeconds ?? 0) > CHECKPOINT_AGE_MAX_SECONDS
    // Over with the next complete one, not with a pause between two failures.
    const lasts = told && (ageSeconds ?? 0) > (before?.checkpoint.ageSeconds ?? 0)
    if (!failed && !old && !lasts) return undefined
    const age = ageSeconds === null ? 'and there is none yet' : `and the last one is ${formatSpan(ageSeconds * 1000)} old`
    const sentence = `Checkpoints fail (${formatCount(totals.checkpointFailures)} so far), ${age}: a start now would read more again.`
    const remedy =
      'Results go on and stay exact. See whether checkpoint.storage has room and may be written: `ctr doctor`, and the log by its code.'
    return { subject: '', severity: 'warning', sentence, remedy, amount: ageSeconds ?? 0 }
  },
}

const MEMORY_SHARE_MAX = 0.9

const memory: Rule = {
  cause: 'memory',
  enterMs: 10_000,
  leaveMs: 30_000,
  look({ memory: { rssBytes, limitBytes } }) {
    if (limitBytes <= 0 || rssBytes < MEMORY_SHARE_MAX * limitBytes) return undefined
    const sentence = `The process takes ${Math.round((100 * rssBytes) / limitBytes)} % of the memory that it may have.`
    const remedy = 'Give it more, or lower state.maxProducts or engine.ringBytes: beyond the limit the system ends it.'
    return { subject: '', severity: 'warning', sentence, remedy, amount: rssBytes }
  },
}

/** Hard troubles of what the engine stands on, those nearest to the results first. */
export const TROUBLE_RULES: readonly Rule[] = [process, ...TROUBLES.map(troubleRule), degradedRule('registry'), degradedRule('state')]

/** What goes on beside the flow. */
export const SIDE_RULES: readonly Rule[] = [
  degradedRule('watermark'),
  degradedRule('clickhouse'),
  checkpoints,
  degradedRule('data'),
  memory,
]

/** Whether something that is tried again stops the flow: then its slowness has a name already. */
export function isHeld(sample: EngineSample): boolean {
  return sample.state !== 'running' || sample.reasons.length > 0 || sample.degraded.some(({ code }) => code === 'stateFull')
}
