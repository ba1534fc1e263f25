/**
 * Series that Prometheus computes for the alerts and dashboards. `ctr:ratio_low:1h` and `_high` are Wilson's interval of the click-through
 * rate of an hour at three standard deviations: with few impressions it is wide, so a bare ratio of little alarms nobody. Of n impressions
 * and the ratio p, it is (p + z²/2n ± z √(p(1−p)/n + z²/4n²)) / (1 + z²/n).
 */
import { BURN_WINDOWS, badShare, OBJECTIVES } from './objectives.ts'

/** A recorded series; its labels are `namespace` and `job` alone. */
export interface Recorded {
  readonly record: string
  readonly expr: string
}

const Z2 = 9
const N = 'ctr:impressions:increase1h'
const P = 'ctr:ratio:1h'
const MIDDLE = `${P} + ${Z2} / (2 * ${N})`
const HALF = `${Z2 ** 0.5} * sqrt(${P} * (1 - ${P}) / ${N} + ${Z2} / (4 * ${N} * ${N}))`

/** In the order in which one needs the other. */
export const RECORDED: readonly Recorded[] = [
  { record: 'ctr:events:rate15m', expr: 'sum by (namespace, job) (rate(ctr_events_processed_total[15m]))' },
  { record: N, expr: 'sum by (namespace, job) (increase(ctr_impressions_total[1h])) > 0' },
  // More clicks than impressions are possible, but no share has an interval then.
  { record: P, expr: `clamp_max(sum by (namespace, job) (increase(ctr_clicks_total[1h])) / ${N}, 1)` },
  { record: 'ctr:ratio_low:1h', expr: `(${MIDDLE} - ${HALF}) / (1 + ${Z2} / ${N})` },
  { record: 'ctr:ratio_high:1h', expr: `(${MIDDLE} + ${HALF}) / (1 + ${Z2} / ${N})` },
  ...OBJECTIVES.flatMap((objective) =>
    BURN_WINDOWS.map((window) => ({
      record: badShare(objective, window),
      expr: `(${objective.bad(window)})\n  / (${objective.all(window)} > 0)`,
    })),
  ),
]
