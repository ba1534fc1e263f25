/** For who answers for the service: what is promised, what is left of the budget, and how fast it goes. */
import { type Dashboard, type Panel, RECORDED_SELF, SELF } from './dashboard.ts'
import { BURN_WINDOWS, BURNS, badShare, budgetOf, FRESH_SECONDS, OBJECTIVES, type Objective } from './objectives.ts'

function panelsOf(objective: Objective): readonly Panel[] {
  const budget = budgetOf(objective)
  const promised = `${objective.promised * 100} %`
  const [fast] = BURNS
  const worst = (window: string) => `max(${badShare(objective, window)}{${RECORDED_SELF}})`
  return [
    {
      title: `${objective.name}: good in 3 days`,
      description: `The share of ${objective.title} over three days. Promised are ${promised} over 30 days.`,
      unit: 'percentunit',
      kind: 'stat',
      width: 6,
      bounds: [objective.promised, objective.promised - budget],
      targets: [{ expr: `1 - ${worst('3d')}`, legend: 'good' }],
    },
    {
      title: `${objective.name}: budget burns`,
      description: 'How many times faster than the budget of 30 days allows it has burned in three days. Below 1 it lasts.',
      unit: 'short',
      kind: 'stat',
      width: 6,
      bounds: [1, 6],
      targets: [{ expr: `${worst('3d')} / ${budget}`, legend: 'times' }],
    },
    {
      title: `${objective.name}: burn rates`,
      description: `Over each window that an alert looks at. Somebody is woken at ${fast?.times} over ${fast?.long} and ${fast?.short}.`,
      unit: 'short',
      kind: 'timeseries',
      width: 12,
      targets: BURN_WINDOWS.map((window) => ({ expr: `${worst(window)} / ${budget}`, legend: window })),
    },
  ]
}

const DELAYS: readonly Panel[] = [
  {
    title: 'Delays of windows',
    description: `How many windows came how long after their end. Fresh are those within ${FRESH_SECONDS} s.`,
    unit: 's',
    kind: 'heatmap',
    width: 12,
    targets: [{ expr: `sum by (le) (increase(ctr_window_emit_delay_seconds_bucket{${SELF}}[$__rate_interval]))`, legend: '{{le}}' }],
  },
  {
    title: 'Late and missing records',
    description: 'What completeness is measured by: late events, and records that Kafka had deleted before they were read.',
    unit: 'evps',
    kind: 'timeseries',
    width: 12,
    targets: [
      { expr: `sum by (topic) (rate(ctr_events_late_total{${SELF}}[$__rate_interval]))`, legend: '{{topic}} late' },
      { expr: `sum by (topic) (rate(ctr_records_missing_total{${SELF}}[$__rate_interval]))`, legend: '{{topic}} missing' },
    ],
  },
]

const FIRING: Panel = {
  title: 'Alerts',
  description: 'Alerts of the engine that fire or are about to.',
  unit: 'short',
  kind: 'table',
  width: 24,
  targets: [{ expr: `sort_desc(max by (alertname, severity, alertstate) (ALERTS{alertname=~"Ctr.+",${RECORDED_SELF}}))`, legend: '' }],
}

/** Objectives. */
export const OBJECTIVES_DASHBOARD: Dashboard = {
  uid: 'ctr-slo',
  title: 'CTR: objectives',
  description: 'What is promised, what is left of the budget, and how fast it goes.',
  from: 'now-24h',
  rows: [
    ...OBJECTIVES.map((objective) => ({ title: `${objective.name}: ${objective.title}`, panels: panelsOf(objective) })),
    { title: 'What they are measured by', panels: DELAYS },
    { title: 'What fires', panels: [FIRING] },
  ],
}
