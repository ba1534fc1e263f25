/**
 * A configuration of Vector, as an agent on each node, that ships the pods' logs: JSON lines become fields, and each says which service,
 * pod and version it is of. What is no JSON, such as a message of Node itself, stays as `msg`.
 */

/** Where logs may go. */
export type LogStore = 'loki' | 'elasticsearch'

const REMAP = `parsed, fault = parse_json(.message)
line = if fault == null && is_object(parsed) { object!(parsed) } else { {"msg": .message} }
image = string(.kubernetes.container_image) ?? ""
tag = parse_regex(image, r'^[^@]*:(?P<tag>[^:@/]+)(?:@.*)?$') ?? {"tag": "unknown"}
line.service = "ctr"
line.pod = .kubernetes.pod_name
line.namespace = .kubernetes.pod_namespace
line.version = tag.tag
line.level = line.level || "info"
line.timestamp = parse_timestamp(string(line.time) ?? "", "%+") ?? .timestamp
del(line.time)
. = line
`

/** Few values each: a stream for every combination of them. */
const LOKI_LABELS = ['service', 'namespace', 'pod', 'version', 'level']

const SINKS: Readonly<Record<LogStore, object>> = {
  loki: {
    type: 'loki',
    inputs: ['lines'],
    endpoint: `\${LOKI_URL:-http://loki:3100}`,
    labels: Object.fromEntries(LOKI_LABELS.map((name) => [name, `{{ ${name} }}`])),
    out_of_order_action: 'accept',
    encoding: { codec: 'json', except_fields: [...LOKI_LABELS, 'timestamp'] },
    buffer: { type: 'disk', max_size: 268_435_488 },
  },
  elasticsearch: {
    type: 'elasticsearch',
    inputs: ['lines'],
    endpoints: [`\${ELASTICSEARCH_URL:-http://elasticsearch:9200}`],
    auth: { strategy: 'basic', user: `\${ELASTICSEARCH_USER:-}`, password: `\${ELASTICSEARCH_PASSWORD:-}` },
    mode: 'data_stream',
    data_stream: { type: 'logs', dataset: 'ctr', namespace: 'default' },
    buffer: { type: 'disk', max_size: 268_435_488 },
  },
}

/** The whole of it. */
export function vectorFile(store: LogStore): object {
  return {
    data_dir: '/var/lib/vector',
    sources: { pods: { type: 'kubernetes_logs', extra_label_selector: 'app.kubernetes.io/name=ctr' } },
    transforms: { lines: { type: 'remap', inputs: ['pods'], source: REMAP } },
    sinks: { [store]: SINKS[store] },
  }
}
