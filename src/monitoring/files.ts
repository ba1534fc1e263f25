/** Every file of k8s/monitoring, made from the tables of this folder: npm run monitoring writes them, a test tells what is out of date. */
import { stringify } from 'yaml'
import { ALERTMANAGER_TEMPLATES, alertmanagerFile } from './alertmanager.ts'
import { type Dashboard, grafanaJson } from './dashboard.ts'
import { BUSINESS_DASHBOARD } from './dashboard-business.ts'
import { ENGINE_DASHBOARD } from './dashboard-engine.ts'
import { OBJECTIVES_DASHBOARD } from './dashboard-objectives.ts'
import { grafanaProvider, grafanaSources, prometheusFile } from './prometheus.ts'
import { prometheusRule, rulesFile } from './rules.ts'
import { vectorFile } from './vector.ts'

/** All of them. */
export const DASHBOARDS: readonly Dashboard[] = [BUSINESS_DASHBOARD, ENGINE_DASHBOARD, OBJECTIVES_DASHBOARD]

/** The folder, from the root of the repository. */
export const MONITORING_FOLDER = 'k8s/monitoring'

/** Texts by path, from MONITORING_FOLDER. */
export function monitoringFiles(): ReadonlyMap<string, string> {
  const dashboards = DASHBOARDS.map((each) => [`dashboards/${each.uid}.json`, `${JSON.stringify(grafanaJson(each), null, 2)}\n`] as const)
  return new Map([
    ['rules.yml', yaml('Rules of Prometheus.', rulesFile())],
    ['prometheus-rule.yml', yaml('The same rules, for the Prometheus operator.', prometheusRule())],
    ['prometheus.yml', yaml('How Prometheus finds the engine.', prometheusFile())],
    ['alertmanager.yml', yaml('Who hears of an alert. Addresses and channels are examples.', alertmanagerFile())],
    ['ctr.tmpl', ALERTMANAGER_TEMPLATES],
    ['grafana/datasources.yml', yaml("Grafana's data sources.", grafanaSources())],
    ['grafana/dashboards.yml', yaml('Where Grafana finds the dashboards.', grafanaProvider())],
    ['vector-loki.yml', yaml('Vector on each node: logs of the pods to Loki.', vectorFile('loki'))],
    ['vector-elasticsearch.yml', yaml('Vector on each node: logs of the pods to Elasticsearch.', vectorFile('elasticsearch'))],
    ...dashboards,
  ])
}

function yaml(what: string, content: object): string {
  return `# ${what} Made by npm run monitoring from src/monitoring; change it there.\n${stringify(content, { lineWidth: 0 })}`
}
