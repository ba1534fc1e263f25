/**
 * The JSON Schema of the chart's values: what the configuration's schema says of `config`, and here what the chart adds. In draft 7, which
 * every Helm 3 understands, with patterns that Go's regular expressions understand.
 */
import { configJsonSchema } from '../src/config/json-schema.ts'

type Json = { [key: string]: unknown }

/** The schema of values.yaml. */
export function chartValuesSchema(): Json {
  const { $schema: _, title: __, ...config } = configJsonSchema()
  const ours = section('Values of the chart ctr.', {
    config: { ...(forGo(config) as Json), type: 'object', description: 'The configuration of the engine, ctr.yaml as it is.' },
    ...ABOUT_NAMES,
    ...ABOUT_PODS,
    ...ABOUT_SETTINGS,
    ...AROUND_THE_PODS,
    monitoring: MONITORING,
    autoscaling: AUTOSCALING,
    keda: KEDA,
    // As a dependency of another chart this one is given both, whether it wants them or not.
    global: { type: 'object', description: 'Of a chart that depends on this one; not looked at.' },
    enabled: { type: 'boolean', description: 'For the condition of a chart that depends on this one; not looked at.' },
  })
  return { $schema: 'http://json-schema.org/draft-07/schema#', title: 'ctr chart', ...ours }
}

/** RE2 knows neither lookaround nor backreferences: such patterns are left to `ctr config check`. */
function forGo(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(forGo)
  if (typeof schema !== 'object' || schema === null) return schema
  const entries = Object.entries(schema).filter(
    ([key, value]) => key !== 'pattern' || typeof value !== 'string' || !/\(\?[=!<]/.test(value),
  )
  return Object.fromEntries(entries.map(([key, value]) => [key, forGo(value)]))
}

function section(description: string, properties: Json): Json {
  return { type: 'object', description, properties, additionalProperties: false }
}

const text = (description: string, more: Json = {}): Json => ({ type: 'string', description, ...more })
const flag = (description: string): Json => ({ type: 'boolean', description })
const whole = (description: string, minimum = 0): Json => ({ type: 'integer', minimum, description })
const orNull = (schema: Json): Json => ({ ...schema, type: [schema.type, 'null'] })
const texts = (description: string): Json => ({
  type: 'object',
  description,
  additionalProperties: { type: ['string', 'number', 'boolean'] },
})
/** What Kubernetes itself checks. */
const asIs = (description: string): Json => ({ type: 'object', description })
const listAsIs = (description: string): Json => ({ type: 'array', description, items: { type: 'object' } })
const words = (description: string): Json => ({ type: 'array', description, items: { type: 'string' } })

const ABOUT_NAMES: Json = {
  nameOverride: text('In place of `ctr` in names and labels.'),
  fullnameOverride: text('The name of everything, in place of one made of release and chart.', { maxLength: 52 }),
}

const ABOUT_PODS: Json = {
  image: section('The image of the engine.', {
    repository: text('Where it is.', { minLength: 1 }),
    tag: text("Its tag; empty: the chart's `appVersion`."),
    digest: text('Its digest, which says for certain what runs.', { pattern: '^(sha256:[0-9a-f]{64})?$' }),
    pullPolicy: { enum: ['Always', 'IfNotPresent', 'Never'], description: 'When it is fetched.' },
  }),
  imagePullSecrets: listAsIs('Secrets of the registry.'),
  replicas: whole('How many pods, without an autoscaler.'),
  partitions: orNull(whole('How many partitions each input topic has. Given, more pods than that are refused: they would be idle.', 1)),
  command: words("In place of the image's entrypoint; the arguments follow. For a Vault agent that writes a file."),
  podAnnotations: texts('Of the engine’s pods.'),
  podLabels: texts('Of all pods.'),
  podSecurityContext: asIs('Of all pods.'),
  containerSecurityContext: asIs('Of all containers.'),
  resources: asIs('Of the engine; the limit of memory is what `state.maxProducts: auto` goes by.'),
  terminationGracePeriodSeconds: orNull(
    whole('Seconds after SIGTERM until SIGKILL; at least 10 more than `shutdown.timeout`. null: 15 more.', 1),
  ),
  startupProbe: asIs('Times of the probe of `/livez` while a pod starts.'),
  livenessProbe: asIs('Times of the probe of `/livez`.'),
  readinessProbe: asIs('Times of the probe of `/readyz`.'),
  updateStrategy: asIs('Of the StatefulSet; `rollingUpdate.partition` holds an update at a pod.'),
  nodeSelector: texts('Nodes for all pods.'),
  tolerations: listAsIs('Of all pods.'),
  affinity: asIs('Of the engine’s pods.'),
  priorityClassName: text('Of all pods.'),
  topologySpreadConstraints: listAsIs('Of the engine’s pods, by whose labels each is completed.'),
}

const ABOUT_SETTINGS: Json = {
  secret: section('Whose keys the pods have as variables.', {
    existingSecret: text('A Secret that is there, made by you, External Secrets or Vault.'),
    values: texts('Or the keys of one that the chart makes. They are in the release as well, so this is for trying things out.'),
  }),
  env: listAsIs('Further variables of the pods, as Kubernetes writes them.'),
  envFrom: listAsIs('Further ConfigMaps and Secrets whose keys become variables.'),
  volumes: listAsIs('Further volumes of all pods, such as a Secret with certificates.'),
  volumeMounts: listAsIs('Where they are, in all containers.'),
  volumeClaimTemplates: listAsIs('Disks of the engine’s pods. Kubernetes changes none of an installation that is there.'),
}

const AROUND_THE_PODS: Json = {
  serviceAccount: section('Who the pods are. It has no role: the engine never asks the Kubernetes API.', {
    create: flag('Make one.'),
    name: text('Its name; empty: that of the release, or with `create: false` `default`.'),
    annotations: texts('For the identity of a cloud: `eks.amazonaws.com/role-arn`, `iam.gke.io/gcp-service-account`.'),
  }),
  service: section('The Service of health and metrics.', { annotations: texts('Of the Service.') }),
  disruptionBudget: section('How many pods a drain of nodes may take at a time.', {
    enabled: flag('Make one.'),
    maxUnavailable: { type: ['integer', 'string'], description: 'So many, or a percentage.' },
  }),
  schema: section('`ctr schema apply` as a Job before install and upgrade.', {
    enabled: flag('Run it.'),
    existingSecret: text('A Secret of the owner of the tables, over `secret`: the same variables with its user and password.'),
    backoffLimit: whole('How often it is tried again.'),
    activeDeadlineSeconds: whole('When it is given up. `helm --timeout` must be as long.', 1),
    podAnnotations: texts('Of its pod, and of that of `helm test`.'),
    resources: asIs('Of the same two pods.'),
  }),
  tests: section('`helm test`.', { enabled: flag('Make its pod known.') }),
  networkPolicy: section('What the pods may reach, and who reaches them.', {
    enabled: flag('Make one, for the schema Job as well. Needs a network plugin that heeds it.'),
    ingressFrom: listAsIs('Who may ask the HTTP port, beside pods of the release and the kubelet.'),
    egress: section('Whom the pods may reach: `to` lists ipBlock, namespaceSelector or podSelector, for a policy names no hosts.', {
      dns: peer('Name servers. A cache on the node (NodeLocal DNS) needs an ipBlock.'),
      kafka: peer('All brokers, not the bootstrap ones alone.'),
      clickhouse: peer('All servers.'),
      s3: peer('The store of checkpoints; needed with `s3://`.'),
      registry: peer('A schema registry; none when `to` is empty.'),
    }),
    extraEgress: listAsIs('Further rules, such as to the token service of a cloud.'),
  }),
}

function peer(description: string): Json {
  return section(description, {
    to: listAsIs('Peers, as a NetworkPolicy writes them.'),
    ports: { type: 'array', description: 'TCP ports; of DNS UDP as well.', items: { type: 'integer', minimum: 1, maximum: 65_535 } },
  })
}

const MONITOR: Json = {
  enabled: flag('Make one.'),
  labels: texts('By which your Prometheus finds it, such as `release`.'),
  interval: text('How often metrics are read.', { pattern: '^([0-9]+(ms|s|m|h))+$' }),
  relabelings: listAsIs('Before they are read.'),
  metricRelabelings: listAsIs('After they are read.'),
}

const MONITORING: Json = section('Prometheus and Grafana.', {
  annotations: flag('`prometheus.io/scrape` on the pods, unless one of the monitors is made.'),
  serviceMonitor: section('For the Prometheus operator. One of the two.', MONITOR),
  podMonitor: section('The same without the Service.', MONITOR),
  rules: section('Alerts, as a PrometheusRule.', { enabled: flag('Make it.'), labels: texts('By which your Prometheus finds it.') }),
  dashboards: section("Dashboards, as ConfigMaps that Grafana's sidecar loads.", {
    enabled: flag('Make them.'),
    labels: texts('By which the sidecar finds them.'),
    annotations: texts('Such as `grafana_folder`.'),
  }),
})

const AUTOSCALING: Json = section('Pods by CPU (HorizontalPodAutoscaler).', {
  enabled: flag('Make one.'),
  minReplicas: whole('Least pods.', 1),
  maxReplicas: whole('Most pods; at most `partitions`.', 1),
  targetCPUUtilizationPercentage: whole('Of what `resources.requests.cpu` asks for.', 1),
  behavior: asIs('How fast pods come and go, with KEDA as well: each step deals the partitions out anew.'),
})

const KEDA: Json = section('Pods by lag (ScaledObject), on `ctr_consumer_lag_records`, never on the lag of the consumer group.', {
  enabled: flag('Make one.'),
  serverAddress: text('Of Prometheus.'),
  query: text('The lag in records; empty: that of the pods of this release.'),
  lagRecords: whole('Records of lag for each pod.', 1),
  minReplicas: whole('Least pods. Never 0: whoever counts nothing has no lag to wake up for.', 1),
  maxReplicas: whole('Most pods; at most `partitions`.', 1),
  pollingInterval: whole('Seconds between two looks.', 1),
  authenticationRef: text('A TriggerAuthentication with the rights to ask Prometheus.'),
})

/** A value of the chart, for a table: its dotted path and its schema. */
export interface ChartValue {
  readonly path: string
  readonly description: string
}

/** All values but those of the configuration, in order; sections before what they hold. */
export function chartValues(schema: Json = chartValuesSchema(), above = ''): ChartValue[] {
  return Object.entries((schema.properties ?? {}) as Record<string, Json>).flatMap(([name, each]) => {
    const path = `${above}${name}`
    const own = { path, description: String(each.description) }
    return path === 'config' ? [own] : [own, ...chartValues(each, `${path}.`)]
  })
}
