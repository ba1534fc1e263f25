/**
 * The sentence on top: what holds the engine back, since when, whether it gets better, and what to do. Rules see one sample; this keeps
 * what they have seen, so that a moment is not an incident, and an incident is one until it has been over for a while. Of several things
 * the worst is told first, then the one whose cause lies further behind in the flow.
 */
import { formatCount, formatSpan } from '../text.ts'
import { CALM_RULES, FLOW_RULES } from './rules-flow.ts'
import { SIDE_RULES, TROUBLE_RULES } from './rules-trouble.ts'
import type { EngineSample } from './sample.ts'
import type { Cause, Gravity, Rule, Symptom } from './symptom.ts'

/** What is the matter. */
export interface CauseFound {
  readonly cause: Cause | 'none' | 'starting'
  readonly subject: string
  readonly severity: 'ok' | Gravity
  readonly sentence: string
  readonly remedy: string
  /** ISO; null of what needs no beginning. */
  readonly since: string | null
  readonly trend: 'better' | 'worse' | 'steady' | 'unknown'
}

/** The first thing to know, and what else there is. */
export interface CausesFound extends CauseFound {
  readonly others: CauseFound[]
}

/** Before the first look. */
export const NOT_LOOKED: CausesFound = {
  cause: 'starting',
  subject: '',
  severity: 'info',
  sentence: 'It starts.',
  remedy: '',
  since: null,
  trend: 'unknown',
  others: [],
}

/** What is remembered of a rule. */
interface Track {
  firstSeenMs: number
  lastSeenMs: number
  told: boolean
  symptom: Symptom
  /** Of the last minute. */
  amounts: { readonly atMs: number; readonly amount: number }[]
}

const RULES: readonly Rule[] = [...TROUBLE_RULES, ...FLOW_RULES, ...SIDE_RULES, ...CALM_RULES]
const RANK: Readonly<Record<Gravity, number>> = { critical: 0, warning: 1, info: 2 }

/** A sample is held against the one of so long ago. */
const BEFORE_MS = 10_000
const TREND_MS = 60_000
/** Before that a trend is noise. */
const TREND_AFTER_MS = 8_000
const TREND_SHARE = 0.05

export class CauseWatch {
  readonly #tracks = new Map<Rule, Track>()
  /** Of the last seconds, oldest first. */
  #recent: readonly EngineSample[] = []

  /** Samples in the order of time, one a second or so. */
  next(sample: EngineSample): CausesFound {
    const atMs = Date.parse(sample.at)
    const lastMs = Date.parse(this.#recent.at(-1)?.at ?? sample.at)
    if (atMs < lastMs) this.#moveBack(lastMs - atMs)
    this.#recent = this.#recent.filter(({ at }) => atMs - Date.parse(at) <= BEFORE_MS)
    const before = this.#recent[0]
    for (const rule of RULES) this.#track(rule, rule.look(sample, before, this.#tracks.get(rule)?.told === true), atMs)
    this.#recent = [...this.#recent, sample]
    const found = RULES.flatMap((rule) => {
      const track = this.#tracks.get(rule)
      return track?.told === true ? [foundOf(rule, track, atMs)] : []
    }).toSorted((a, b) => RANK[a.severity] - RANK[b.severity])
    const [first = wellOf(sample), ...others] = found
    return { ...first, others }
  }

  /** The clock was set back: what is seen now would not follow what was seen before. */
  #moveBack(ms: number): void {
    this.#recent = []
    for (const track of this.#tracks.values()) {
      track.firstSeenMs -= ms
      track.lastSeenMs -= ms
      track.amounts = track.amounts.map(({ atMs, amount }) => ({ atMs: atMs - ms, amount }))
    }
  }

  #track(rule: Rule, symptom: Symptom | undefined, atMs: number): void {
    const track = this.#tracks.get(rule)
    if (symptom === undefined) {
      // What was not told yet must be seen without a break.
      if (track !== undefined && (!track.told || atMs - track.lastSeenMs >= rule.leaveMs)) this.#tracks.delete(rule)
      return
    }
    const same = track !== undefined && track.symptom.subject === symptom.subject
    const next: Track = same ? track : { firstSeenMs: atMs, lastSeenMs: atMs, told: track?.told ?? false, symptom, amounts: [] }
    next.lastSeenMs = atMs
    next.symptom = symptom
    next.told ||= atMs - next.firstSeenMs >= rule.enterMs
    next.amounts = [...next.amounts.filter((each) => each.atMs > atMs - TREND_MS), { atMs, amount: symptom.amount }]
    this.#tracks.set(rule, next)
  }
}

function foundOf(rule: Rule, { symptom, firstSeenMs, amounts }: Track, atMs: number): CauseFound & { severity: Gravity } {
  const { subject, severity, sentence, remedy } = symptom
  const since = symptom.since ?? new Date(firstSeenMs).toISOString()
  return { cause: rule.cause, subject, severity, sentence, remedy, since, trend: trendOf(amounts, atMs) }
}

/** By the amounts of the last minute: those of its second half beside those of its first. */
function trendOf(amounts: Track['amounts'], atMs: number): CauseFound['trend'] {
  const first = amounts[0]
  if (first === undefined || atMs - first.atMs < TREND_AFTER_MS) return 'unknown'
  const middle = Math.floor(amounts.length / 2)
  const mean = (part: Track['amounts']) => part.reduce((sum, { amount }) => sum + amount, 0) / Math.max(1, part.length)
  const earlier = mean(amounts.slice(0, middle))
  const later = mean(amounts.slice(middle))
  if (Math.abs(later - earlier) <= TREND_SHARE * Math.max(Math.abs(earlier), Math.abs(later))) return 'steady'
  return later > earlier ? 'worse' : 'better'
}

function wellOf({ state, rates, watermark, at, reasons }: EngineSample): CauseFound {
  const calm = { subject: '', remedy: '', since: null, trend: 'unknown' as const }
  const waits = reasons[0] === undefined ? '' : `: ${reasons[0]}`
  if (state === 'starting') return { ...calm, cause: 'starting', severity: 'info', sentence: `It starts${waits}.`, since: at }
  if (state !== 'running') return { ...calm, cause: 'process', severity: 'info', sentence: `The pipeline is ${state}.` }
  if (reasons.length > 0) return { ...calm, cause: 'process', severity: 'warning', sentence: `It is not ready${waits}.`, since: at }
  const delay = watermark.lagSeconds === null ? '' : `, windows close ${formatSpan(Math.max(0, watermark.lagSeconds) * 1000)} behind now`
  return { ...calm, cause: 'none', severity: 'ok', sentence: `It runs well: ${formatCount(rates.recordsPerSecond)} events/s${delay}.` }
}
