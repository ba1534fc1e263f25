/**
 * An engine that a real Prometheus scrapes, with the rules that ship, and a real Alertmanager that tells a webhook of what fires. Nothing
 * is waited for but two seconds: every `for` is cut to that, and what would page somebody is posted here.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { stringify } from 'yaml'
import { alertmanagerFile } from '../../src/monitoring/alertmanager.ts'
import { monitoringFiles } from '../../src/monitoring/files.ts'
import { prometheusFile } from '../../src/monitoring/prometheus.ts'
import { freeAddress, type Monitor, startAlertmanager, startPrometheus } from '../../workshop/prometheus.ts'

/** What Alertmanager posts of one alert. */
export interface HeardAlert {
  readonly status: 'firing' | 'resolved'
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
}

interface EvaluatedRule {
  readonly name: string
  readonly health: string
  readonly lastError?: string
}

export interface Watch {
  readonly prometheus: Monitor
  /** All that was heard, in its order. */
  readonly heard: readonly HeardAlert[]
  /** The values of an expression now, by their labels; NaN is none. */
  values(expr: string): Promise<number[]>
  /** Rules that Prometheus can't evaluate, and why. */
  sickRules(): Promise<string[]>
  /** Names of the alerts that Alertmanager would tell of now, each once, sorted. */
  active(): Promise<string[]>
}

const QUICKLY = { group_wait: '1s', group_interval: '1s', repeat_interval: '1h' }
const POD = {
  __meta_kubernetes_pod_label_app_kubernetes_io_name: 'ctr',
  __meta_kubernetes_pod_container_port_name: 'http',
  __meta_kubernetes_pod_name: 'ctr-0',
  __meta_kubernetes_namespace: 'default',
}

/** Watches the engine at `address`, as the pod ctr-0, until the test is over. */
export async function watchEngine(address: string): Promise<Watch> {
  const folder = mkdtempSync(join(tmpdir(), 'ctr-watched-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const heard: HeardAlert[] = []
  const webhook = await listen((body) => heard.push(...(JSON.parse(body) as { alerts: HeardAlert[] }).alerts))
  const [own, other] = [await freeAddress(), await freeAddress()]
  const files = monitoringFiles()
  const discovery = { static_configs: [{ targets: [address], labels: POD }] }
  const manager = { ...alertmanagerFile(webhook, QUICKLY), templates: [join(folder, '*.tmpl')] }
  writeFileSync(join(folder, 'rules.yml'), (files.get('rules.yml') ?? '').replaceAll(/\bfor: [1-9]\d*[mh]$/gm, 'for: 2s'))
  writeFileSync(join(folder, 'ctr.tmpl'), files.get('ctr.tmpl') ?? '')
  writeFileSync(join(folder, 'prometheus.yml'), stringify(prometheusFile({ discovery, alertmanager: other, every: '1s' })))
  writeFileSync(join(folder, 'alertmanager.yml'), stringify(manager))
  const alertmanager = await startAlertmanager(folder, other)
  onTestFinished(() => alertmanager.stop())
  const prometheus = await startPrometheus(folder, own)
  onTestFinished(() => prometheus.stop())
  return {
    prometheus,
    heard,
    async values(expr) {
      const path = `/api/v1/query?query=${encodeURIComponent(expr)}`
      const { data } = await prometheus.get<{ data: { result: { value: [number, string] }[] } }>(path)
      return data.result.map(({ value }) => Number(value[1])).filter((value) => !Number.isNaN(value))
    },
    async sickRules() {
      const { data } = await prometheus.get<{ data: { groups: { rules: EvaluatedRule[] }[] } }>('/api/v1/rules')
      const rules = data.groups.flatMap((group) => group.rules)
      if (rules.length === 0) throw new Error('Prometheus has no rules')
      return rules.filter(({ health }) => health !== 'ok').map(({ name, lastError }) => `${name}: ${lastError}`)
    },
    async active() {
      const path = '/api/v2/alerts?active=true&silenced=false&inhibited=false'
      const alerts = await alertmanager.get<{ labels: Record<string, string> }[]>(path)
      return [...new Set(alerts.map(({ labels }) => labels.alertname ?? ''))].toSorted()
    },
  }
}

/** A webhook of the loopback; its URL. */
async function listen(take: (body: string) => void): Promise<string> {
  const server = createServer((request, response) => {
    let body = ''
    request.setEncoding('utf8').on('data', (text: string) => {
      body += text
    })
    request.on('end', () => {
      take(body)
      response.end()
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.close()
    server.closeAllConnections()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
}
