/**
 * The cases of the alerts for promtool. Each rule is tried alone, beside the recorded series that it needs: it fires in its case, saying
 * what it should, not before its time, and stays quiet in its near misses.
 */
import type { Alert, AlertCase, AlertRule } from '../../src/monitoring/alert.ts'
import { ALERTS, alertRule, RECORDED_GROUP, runbookUrl } from '../../src/monitoring/rules.ts'

/** A rule, and what tells it from others of its alert. */
export interface TriedRule {
  readonly name: string
  readonly alert: Alert
  readonly rule: AlertRule
}

/** All rules, numbered within their alert. */
export const TRIED_RULES: readonly TriedRule[] = ALERTS.flatMap((alert) =>
  alert.rules.map((rule, i) => ({ name: alert.rules.length === 1 ? alert.name : `${alert.name}-${i}`, alert, rule })),
)

/** A rules file with this rule alone, which may be another than that of the table. */
export function rulesAlone(alert: Alert, rule: AlertRule): object {
  const groups = [
    { name: RECORDED_GROUP.name, rules: neededBy(rule.expr) },
    { name: alert.name, rules: [alertRule(alert.name, rule)] },
  ]
  return { groups }
}

/** Recorded series that an expression names, and those that these are computed from. */
function neededBy(expr: string): object[] {
  let text = expr
  const needed = RECORDED_GROUP.rules.toReversed().filter((each) => {
    if (!text.includes(each.record)) return false
    text += each.expr
    return true
  })
  return needed.toReversed()
}

/** A test file of promtool for one rule, which stands in `rulesFile`; its cases are those of the same interval. */
export function ruleCases({ alert, rule }: TriedRule, rulesFile: string): object {
  const { fires, quiet, alsoQuiet = [] } = rule
  const tests = [firing(alert, rule), ...[quiet, ...alsoQuiet].map((near) => ({ ...input(near), alert_rule_test: [none(alert, near.at)] }))]
  return { rule_files: [rulesFile], evaluation_interval: fires.every, group_eval_order: [RECORDED_GROUP.name, alert.name], tests }
}

function input({ series, every }: AlertCase): object {
  return { interval: every, input_series: Object.entries(series).map(([name, values]) => ({ series: name, values })) }
}

function none({ name }: Alert, at: string): object {
  return { eval_time: at, alertname: name, exp_alerts: [] }
}

function firing(alert: Alert, { fires, severity, labels, summary }: AlertRule): object {
  const expected = {
    exp_labels: { severity, ...labels, ...fires.labels },
    exp_annotations: { summary, description: fires.says, runbook_url: runbookUrl(alert.name) },
  }
  const before = fires.pendingAt === undefined ? [] : [none(alert, fires.pendingAt)]
  return { ...input(fires), alert_rule_test: [...before, { eval_time: fires.at, alertname: alert.name, exp_alerts: [expected] }] }
}
