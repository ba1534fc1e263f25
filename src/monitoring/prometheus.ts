/** How Prometheus finds the engine, and how Grafana finds both. */
import { JOB } from './alert.ts'

const PORT = 9464

/** How pods are found, and what of them is asked: each is named by itself, so that an alert names the pod. */
const DISCOVERY = { kubernetes_sd_configs: [{ role: 'pod' }] }
const RELABEL = [
  { source_labels: ['__meta_kubernetes_pod_label_app_kubernetes_io_name'], regex: 'ctr', action: 'keep' },
  { source_labels: ['__meta_kubernetes_pod_container_port_name'], regex: 'http', action: 'keep' },
  { source_labels: ['__meta_kubernetes_pod_name'], regex: '(.+)', replacement: `$1:${PORT}`, target_label: 'instance' },
  { source_labels: ['__meta_kubernetes_namespace'], target_label: 'namespace' },
]

/** What stands in for a cluster where there is none. */
export interface LocalPlaces {
  /** In place of what finds the pods. */
  readonly discovery: object
  readonly alertmanager: string
  readonly every: string
}

const IN_CLUSTER: LocalPlaces = { discovery: DISCOVERY, alertmanager: 'alertmanager:9093', every: '15s' }

/** A configuration of Prometheus, with the rules beside it. */
export function prometheusFile({ discovery, alertmanager, every } = IN_CLUSTER): object {
  return {
    global: { scrape_interval: every, evaluation_interval: every },
    rule_files: ['rules.yml'],
    alerting: { alertmanagers: [{ static_configs: [{ targets: [alertmanager] }] }] },
    scrape_configs: [{ job_name: JOB, ...discovery, relabel_configs: RELABEL }],
  }
}

/** Grafana's data sources; the user of ClickHouse needs what `ctr schema grants --for reader` prints. */
export function grafanaSources(): object {
  return {
    apiVersion: 1,
    datasources: [
      { name: 'Prometheus', type: 'prometheus', uid: 'prometheus', url: 'http://prometheus:9090', jsonData: { timeInterval: '15s' } },
      {
        name: 'ClickHouse',
        type: 'grafana-clickhouse-datasource',
        uid: 'clickhouse',
        jsonData: {
          host: 'clickhouse',
          port: 8443,
          protocol: 'http',
          secure: true,
          username: '$CLICKHOUSE_READER',
          defaultDatabase: 'ctr',
        },
        secureJsonData: { password: '$CLICKHOUSE_READER_PASSWORD' },
      },
    ],
  }
}

/** Where Grafana finds the dashboards: mount the folder there. */
export function grafanaProvider(): object {
  const options = { path: '/var/lib/grafana/dashboards/ctr' }
  return {
    apiVersion: 1,
    providers: [{ name: 'ctr', folder: 'CTR', type: 'file', disableDeletion: true, allowUiUpdates: false, options }],
  }
}
