/**
 * Who hears of an alert: critical goes to PagerDuty and Slack, warning to Slack, info by e-mail. What follows from something else is
 * inhibited by it. Secrets are files beside the configuration, never part of it.
 */
import { DEGRADED_ALERT } from './alerts-degraded.ts'

/** Names of receivers, by severity. */
const RECEIVERS = { critical: 'page', warning: 'chat', info: 'mail' } as const
const SECRETS = '/etc/alertmanager/secrets'

const PAGERDUTY = {
  routing_key_file: `${SECRETS}/pagerduty-key`,
  severity: '{{ .CommonLabels.severity }}',
  description: '{{ template "ctr.title" . }}',
  details: { text: '{{ template "ctr.text" . }}' },
}
const SLACK = {
  api_url_file: `${SECRETS}/slack-url`,
  channel: '#ctr',
  send_resolved: true,
  title: '{{ template "ctr.title" . }}',
  text: '{{ template "ctr.text" . }}',
  color: '{{ if eq .Status "firing" }}{{ if eq .CommonLabels.severity "critical" }}danger{{ else }}warning{{ end }}{{ else }}good{{ end }}',
}
const EMAIL = {
  to: 'ctr@example.com',
  from: 'alertmanager@example.com',
  smarthost: 'smtp.example.com:587',
  auth_username: 'alertmanager@example.com',
  auth_password_file: `${SECRETS}/smtp-password`,
  send_resolved: true,
  headers: { Subject: '{{ template "ctr.title" . }}' },
  html: '',
  text: '{{ template "ctr.text" . }}',
}

const HOW: Readonly<Record<string, object>> = {
  [RECEIVERS.critical]: { pagerduty_configs: [PAGERDUTY], slack_configs: [SLACK] },
  [RECEIVERS.warning]: { slack_configs: [SLACK] },
  [RECEIVERS.info]: { email_configs: [EMAIL] },
}

/** What an alert makes of others: they follow from it, or tell the same. `equal` are the labels that both must have alike. */
export interface Inhibition {
  readonly source: string
  readonly targets: readonly string[]
  readonly equal: readonly string[]
  /** Only those of the targets with this reason. */
  readonly reason?: string
}

const OF_JOB = ['namespace', 'job']
const OF_PROCESS = [...OF_JOB, 'instance']
/** A process that waits does none of what these ask for. */
const FOLLOW_FROM_WAITING = ['CtrSinkRetrying', 'CtrBackpressure', 'CtrWatermarkStuck', 'CtrCheckpointOld']

/** Names of alerts alone, so that a test can tell whether they exist. */
export const INHIBITIONS: readonly Inhibition[] = [
  { source: 'CtrGone', targets: ['CtrDown'], equal: OF_JOB },
  { source: 'CtrNotReady', targets: FOLLOW_FROM_WAITING, equal: OF_PROCESS },
  { source: 'CtrSinkRetrying', targets: ['CtrBackpressure'], equal: OF_PROCESS },
  { source: 'CtrCheckpointFailing', targets: ['CtrCheckpointOld'], equal: OF_PROCESS },
  { source: 'CtrNoInput', targets: ['CtrThroughputLow'], equal: OF_JOB },
  { source: 'CtrInvalidRatioHigh', targets: ['CtrDeadLettersLeftOut'], equal: OF_JOB },
  { source: 'CtrInvalidRatioHigh', targets: [DEGRADED_ALERT.name], equal: OF_JOB, reason: 'invalid' },
  { source: 'CtrLateRatioHigh', targets: [DEGRADED_ALERT.name], equal: OF_JOB, reason: 'lateness' },
  { source: 'CtrLagGrowing', targets: [DEGRADED_ALERT.name], equal: OF_JOB, reason: 'lag' },
]

/** A configuration of Alertmanager. With `webhook`, a URL, all receivers post there alone: so a test hears what people would. */
export function alertmanagerFile(webhook?: string, waits = { group_wait: '30s', group_interval: '5m', repeat_interval: '4h' }): object {
  const tried = { webhook_configs: [{ url: webhook, send_resolved: true }] }
  return {
    templates: ['/etc/alertmanager/*.tmpl'],
    route: {
      receiver: RECEIVERS.warning,
      group_by: ['alertname', 'namespace', 'job'],
      ...waits,
      routes: Object.entries(RECEIVERS).map(([severity, receiver]) => ({ receiver, matchers: [`severity = ${severity}`] })),
    },
    inhibit_rules: [
      ...INHIBITIONS.map(({ source, targets, equal, reason }) => ({
        source_matchers: [`alertname = ${source}`],
        target_matchers: [`alertname =~ "${targets.join('|')}"`, ...(reason === undefined ? [] : [`reason = ${reason}`])],
        equal,
      })),
      // Of one alert the louder is enough.
      {
        source_matchers: ['severity = critical'],
        target_matchers: ['severity =~ "warning|info"'],
        equal: [...OF_JOB, 'alertname', 'objective', 'reason'],
      },
    ],
    receivers: Object.entries(HOW).map(([name, how]) => ({ name, ...(webhook === undefined ? how : tried) })),
  }
}

/** The templates that its receivers name: a line, and a paragraph for each alert. */
export const ALERTMANAGER_TEMPLATES = `{{ define "ctr.title" -}}
{{ if eq .Status "resolved" }}over: {{ end -}}
{{ .CommonLabels.alertname }}{{ with .CommonLabels.instance }} on {{ . }}{{ end }}: {{ .CommonAnnotations.summary }}
{{- end }}

{{ define "ctr.text" -}}
{{ range .Alerts -}}
{{ .Annotations.description }}
since {{ .StartsAt.UTC.Format "2006-01-02 15:04:05" }} UTC{{ if eq .Status "resolved" }} until {{ .EndsAt.UTC.Format "15:04:05" }}{{ end }}
what to do: {{ .Annotations.runbook_url }}

{{ end }}
{{- end }}
`
