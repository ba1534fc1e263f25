/**
 * What is promised, and how fast the budget for breaking it may burn. Windows and rates are those of chapter 5 of Google's SRE Workbook:
 * each alert looks at a long window, so that it is worth it, and at a short one, so that it ends soon after the cause.
 */
import { assert } from '../assert.ts'
import { type Alert, type AlertCase, type AlertRule, ASK_READY, JOB, POD, type Severity } from './alert.ts'

/** A window counts as fresh when its first rows are in ClickHouse so long after its end: a bound of ctr_window_emit_delay_seconds. */
export const FRESH_SECONDS = 15

/** A share of good things that is promised over 30 days. */
export interface Objective {
  /** As part of the names of its recorded series. */
  readonly name: 'freshness' | 'completeness'
  readonly title: string
  /** The share that is promised, 0 to 1. */
  readonly promised: number
  /** How many were bad, and how many there were, a second over `range`; by job. */
  readonly bad: (range: string) => string
  readonly all: (range: string) => string
}

const DELAY = 'ctr_window_emit_delay_seconds'
/** From version 3 on Prometheus writes bounds that are whole numbers with a fraction. */
const FRESH = `le=~"${FRESH_SECONDS}(.0)?"`

/** A second, of each job. */
function total(series: string, range: string): string {
  return `sum by (namespace, job) (rate(${series}[${range}]))`
}

/** Both. */
export const OBJECTIVES: readonly Objective[] = [
  {
    name: 'freshness',
    title: `windows that are in ClickHouse within ${FRESH_SECONDS} s of their end`,
    promised: 0.99,
    bad: (range) => `${total(`${DELAY}_count`, range)} - ${total(`${DELAY}_bucket{${FRESH}}`, range)}`,
    all: (range) => total(`${DELAY}_count`, range),
  },
  {
    name: 'completeness',
    title: 'records that are neither late nor missing in Kafka',
    promised: 0.999,
    bad: (range) => `${total('ctr_events_late_total', range)} + ${total('ctr_records_missing_total', range)}`,
    all: (range) => `${total('ctr_events_processed_total', range)} + ${total('ctr_records_missing_total', range)}`,
  },
]

/** How much faster than allowed the budget burns, over which windows, and what that is worth. */
interface Burn {
  readonly times: number
  readonly long: string
  readonly short: string
  readonly for: string
  readonly severity: Severity
  /** Of the budget of 30 days, what is gone after the long window. */
  readonly gone: string
}

/** Fastest first. */
export const BURNS: readonly Burn[] = [
  { times: 14.4, long: '1h', short: '5m', for: '2m', severity: 'critical', gone: '2 %' },
  { times: 6, long: '6h', short: '30m', for: '15m', severity: 'critical', gone: '5 %' },
  { times: 1, long: '3d', short: '6h', for: '1h', severity: 'warning', gone: '10 %' },
]

/** Every window that a burn rate looks at, each once. */
export const BURN_WINDOWS: readonly string[] = [...new Set(BURNS.flatMap(({ short, long }) => [short, long]))]

/** The recorded share of bad ones over a window. */
export function badShare({ name }: Objective, window: string): string {
  return `ctr:${name}_bad:ratio_rate${window}`
}

/** What may be bad, 0 to 1; without the noise of subtracting. */
export function budgetOf({ promised }: Objective): number {
  return Number((1 - promised).toFixed(6))
}

/** Of 6,000 at a time so many bad ones at first, and then; by step. */
interface Course {
  readonly bad: number
  readonly steps: number
  readonly thenBad: number
  readonly thenSteps: number
}

function seriesOf({ name }: Objective, { bad, steps, thenBad, thenSteps }: Course): Readonly<Record<string, string>> {
  const rising = (first: number, then: number) => `0+${first}x${steps} ${first * (steps + 1)}+${then}x${thenSteps}`
  const total = rising(6000, 6000)
  if (name === 'completeness') {
    return {
      [`ctr_events_processed_total{${POD},topic="clicks"}`]: total,
      [`ctr_events_late_total{${POD},topic="clicks"}`]: rising(bad, thenBad),
      [`ctr_records_missing_total{${POD},topic="clicks",partition="3"}`]: rising(0, 0),
    }
  }
  return { [`${DELAY}_count{${POD}}`]: total, [`${DELAY}_bucket{${POD},le="${FRESH_SECONDS}"}`]: rising(6000 - bad, 6000 - thenBad) }
}

/**
 * By the long window. A steady share is looked at after `steady` steps, when it was bad for long enough, and one step before. A burst after
 * `calm` steps leaves the long window within the bound, `cooled` steps after much the short one.
 */
const CASES: Readonly<Record<string, Readonly<Record<'stepMinutes' | 'steady' | 'calm' | 'burst' | 'cooled', number>>>> = {
  '1h': { stepMinutes: 1, steady: 3, calm: 60, burst: 6, cooled: 12 },
  '6h': { stepMinutes: 1, steady: 16, calm: 360, burst: 30, cooled: 45 },
  '3d': { stepMinutes: 5, steady: 13, calm: 864, burst: 60, cooled: 100 },
}

function burnRule(objective: Objective, { times, long, short, severity, gone, ...burn }: Burn): AlertRule {
  const bound = Number((times * budgetOf(objective)).toFixed(6))
  const at = CASES[long]
  assert(at !== undefined, 'each burn rate has its cases', { long })
  const VALUE = '{{ $value | humanizePercentage }}'
  const description = `${VALUE} of the last ${long} were bad. At ${times} times the budget's rate ${gone} of it go in that time.`
  const course = (share: number, steps: number, thenShare = share, thenSteps = 1): AlertCase => {
    const [bad = 0, thenBad = 0] = [share, thenShare].map((each) => Number((6000 * bound * each).toFixed(3)))
    const series = seriesOf(objective, { bad, steps, thenBad, thenSteps })
    return { series, every: at.stepMinutes === 1 ? '1m' : '5m', at: `${(steps + thenSteps - 1) * at.stepMinutes}m` }
  }
  return {
    severity,
    expr: `${badShare(objective, long)} > ${bound}\n  and ${badShare(objective, short)} > ${bound}`,
    for: burn.for,
    labels: { objective: objective.name, window: long },
    summary: `The objective of ${objective.name} is in danger: ${objective.title}.`,
    description,
    fires: {
      ...course(1.25, at.steady),
      labels: { job: JOB },
      says: description.replace(VALUE, `${Number((bound * 125).toPrecision(4))}%`),
      pendingAt: `${(at.steady - 1) * at.stepMinutes}m`,
    },
    quiet: course(0.95, at.steady),
    alsoQuiet: [course(0.75, at.calm, 1.5, at.burst), course(1.5, at.calm, 0.8, at.cooled)],
  }
}

const RUNBOOKS: Readonly<Record<Objective['name'], Alert['runbook']>> = {
  freshness: {
    means: `More than 1 % of the windows come later than ${FRESH_SECONDS} s after their end, so often that the budget will not last.`,
    notice: 'Dashboards that are behind. While nothing comes at all this is silent: CtrNotReady, CtrDown and CtrWatermarkStuck tell then.',
    commands: [ASK_READY, 'kubectl logs ctr-0 --tail 50', 'npx ctr query --config ctr.yaml "SELECT count() FROM system.processes"'],
    ends:
      'When the short window is within its bound. `time.outOfOrderness` is part of the delay: raised above 10 s, raise `FRESH_SECONDS` ' +
      'and run `npm run monitoring`.',
  },
  completeness: {
    means:
      'More than 0.1 % of the records are late, or were deleted in Kafka before they were read, so often that the budget will not last.',
    notice: 'Numbers that are too small by that share.',
    commands: [
      'kubectl logs ctr-0 --tail 500 | grep -i late',
      ASK_READY,
      'npx ctr query --config ctr.yaml "SELECT * FROM ctr_reconciliation ORDER BY minute DESC LIMIT 20"',
    ],
    ends: 'When the short window is within its bound. Raise `time.allowedLateness`, mend a producer’s clock, or lengthen the retention.',
  },
}

/** One alert for each objective, a rule for each burn rate. */
export const OBJECTIVE_ALERTS: readonly Alert[] = OBJECTIVES.map((objective) => ({
  name: objective.name === 'freshness' ? 'CtrFreshnessBurn' : 'CtrCompletenessBurn',
  rules: BURNS.map((burn) => burnRule(objective, burn)),
  runbook: RUNBOOKS[objective.name],
}))
