/** The tables of alerts as Prometheus reads them: a rules file, and the same as the operator's PrometheusRule. */
import { type Alert, type AlertRule, RUNBOOK_FILE } from './alert.ts'
import { DATA_ALERTS } from './alerts-data.ts'
import { DEGRADED_ALERT } from './alerts-degraded.ts'
import { FLOW_ALERTS } from './alerts-flow.ts'
import { PROCESS_ALERTS } from './alerts-process.ts'
import { OBJECTIVE_ALERTS } from './objectives.ts'
import { RECORDED } from './recorded.ts'

/** Groups of alerts, by name. */
const ALERT_GROUPS: Readonly<Record<string, readonly Alert[]>> = {
  'ctr-process': PROCESS_ALERTS,
  'ctr-flow': FLOW_ALERTS,
  'ctr-data': DATA_ALERTS,
  'ctr-degraded': [DEGRADED_ALERT],
  'ctr-objectives': OBJECTIVE_ALERTS,
}

/** All of them, in the order of the runbook. */
export const ALERTS: readonly Alert[] = Object.values(ALERT_GROUPS).flat()

/** Where the runbook speaks of an alert. */
export function runbookUrl(name: string): string {
  return `${RUNBOOK_FILE}#${name.toLowerCase()}`
}

/** The group of what is recorded, which comes first. */
export const RECORDED_GROUP = { name: 'ctr-recorded', rules: RECORDED }

/** A rule of an alert, as in a rules file. */
export function alertRule(alert: string, { expr, severity, labels, summary, description, for: lasting }: AlertRule): object {
  return {
    alert,
    expr,
    for: lasting,
    labels: { severity, ...labels },
    annotations: { summary, description, runbook_url: runbookUrl(alert) },
  }
}

/** A rules file of Prometheus. */
export function rulesFile(): object {
  const groups = Object.entries(ALERT_GROUPS).map(([name, alerts]) => ({
    name,
    rules: alerts.flatMap((alert) => alert.rules.map((rule) => alertRule(alert.name, rule))),
  }))
  return { groups: [RECORDED_GROUP, ...groups] }
}

/** The same for clusters where the Prometheus operator gathers rules. */
export function prometheusRule(): object {
  return {
    apiVersion: 'monitoring.coreos.com/v1',
    kind: 'PrometheusRule',
    metadata: { name: 'ctr', labels: { 'app.kubernetes.io/name': 'ctr' } },
    spec: rulesFile(),
  }
}
