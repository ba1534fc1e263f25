/** An alert for each reason of `ctr_degraded`, with what the engine itself says of it. */
import { DEGRADED, type DegradedCode } from '../degraded.ts'
import { type Alert, type AlertRule, ASK_READY, POD, POD_LABELS, type Severity } from './alert.ts'

/** What is lost, or about to be; what only needs to be known; all others are warnings. */
const SEVERITIES: Readonly<Partial<Record<DegradedCode, Severity>>> = {
  recordsLost: 'critical',
  stateFull: 'critical',
  schemaUnknown: 'critical',
  schemaRegistry: 'critical',
  schemaChanged: 'critical',
  refresh: 'info',
  expired: 'info',
}

function degradedRule([reason, means]: readonly [string, string]): AlertRule {
  const series = `ctr_degraded{${POD},reason="${reason}"}`
  return {
    severity: SEVERITIES[reason as DegradedCode] ?? 'warning',
    expr: `max by (namespace, job, instance, reason) (ctr_degraded{reason="${reason}"}) > 0`,
    for: '5m',
    // As its expression has it: promtool takes rules with the same labels for duplicates.
    labels: { reason },
    summary: `Something is wrong: ${reason}.`,
    description: `${means} (of {{ $value }} partitions, tasks or others). /readyz of {{ $labels.instance }} says which.`,
    fires: {
      series: { [series]: '0 1x9' },
      every: '1m',
      at: '6m',
      pendingAt: '5m',
      labels: { ...POD_LABELS, reason },
      says: `${means} (of 1 partitions, tasks or others). /readyz of ctr-0:9464 says which.`,
    },
    quiet: { series: { [series]: '0 1x4 0x9' }, every: '1m', at: '7m' },
  }
}

/** One alert, a rule for each reason. */
export const DEGRADED_ALERT: Alert = {
  name: 'CtrDegraded',
  rules: Object.entries(DEGRADED).map(degradedRule),
  runbook: {
    means:
      'Something is wrong with the data or beside the process, while the process works. The label `reason` says what; the table in ' +
      '[operations.md](operations.md#health-and-logs) when it is told, and ' +
      '[another one](operations.md#when-something-is-in-the-way) what the engine does about it.',
    notice:
      'It depends on the reason: `recordsLost`, `expired` and `farWindows` are rows that are missing or too small; others are delays.',
    commands: [ASK_READY, 'kubectl logs ctr-0 --tail 500 | grep degraded', 'npx ctr config --config ctr.yaml'],
    ends: 'With the reason, which the log tells (`over: …`). What was lost is told for an hour, and this ends with that.',
  },
}
