/**
 * What is wrong with an expression in PromQL, by Prometheus' own grammar and the engine's metrics: it does not parse, or names a metric or
 * a label that is not there; a counter is looked at as it is, or a gauge as a rate; a quantile has lost its buckets.
 */
import { parser } from '@prometheus-io/lezer-promql'
import { collectDefaultMetrics, Registry } from 'prom-client'
import { METRICS } from '../../src/metrics/metrics.ts'
import { RECORDED } from '../../src/monitoring/recorded.ts'
import { labelsOf } from '../../workshop/stats.ts'

/** A series that expressions may name. */
interface Known {
  readonly counter: boolean
  readonly labels: readonly string[]
}

/** What Prometheus adds to every series that it scrapes. */
const OF_TARGETS = ['namespace', 'job', 'instance']

/** Counters that are looked at as they are, and why. */
export const COUNTERS_AS_THEY_ARE: Readonly<Record<string, string>> = {
  ctr_restore_fallbacks_total: 'it counts at the start of a process, before the first scrape: no increase is ever seen',
}

/** All series there are: the engine's, those of its process, Prometheus' own, and those that the rules record. */
export async function knownSeries(): Promise<ReadonlyMap<string, Known>> {
  const known = new Map<string, Known>()
  for (const metric of METRICS) {
    const labels = [...labelsOf(metric).filter((label) => label !== 'le'), ...OF_TARGETS]
    if (metric.type !== 'histogram') known.set(metric.name, { counter: metric.type === 'counter', labels })
    else
      for (const part of ['bucket', 'sum', 'count'])
        known.set(`${metric.name}_${part}`, { counter: true, labels: part === 'bucket' ? [...labels, 'le'] : labels })
  }
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  for (const { name, type, values } of await registry.getMetricsAsJSON()) {
    known.set(name, {
      counter: String(type) === 'counter',
      labels: [...values.flatMap(({ labels }) => Object.keys(labels)), ...OF_TARGETS],
    })
  }
  known.set('up', { counter: false, labels: OF_TARGETS })
  known.set('ALERTS', { counter: false, labels: ['alertname', 'alertstate', 'severity', ...OF_TARGETS] })
  for (const { record } of RECORDED) known.set(record, { counter: false, labels: ['namespace', 'job'] })
  return known
}

/** An expression, as far as the rules look at it. */
export interface Query {
  readonly faults: readonly string[]
  readonly metrics: readonly string[]
  /** Of each selector, the labels that it matches. */
  readonly selectors: readonly { readonly metric: string; readonly matched: readonly string[] }[]
  /** Labels that its result may have. */
  readonly labels: ReadonlySet<string>
}

type Node = ReturnType<typeof parser.parse>['topNode']

/** All nodes of these names below one. */
function below(node: Node, ...names: string[]): Node[] {
  return names.flatMap((name) => {
    const found: Node[] = []
    node.cursor().iterate((at) => {
      if (at.name === name) found.push(at.node)
    })
    return found
  })
}

/** The name of the function whose argument a selector is, through offsets and ranges. */
function functionAround(selector: Node, textOf: (node: Node | null) => string): string | undefined {
  let node = selector.parent
  while (node !== null && ['MatrixSelector', 'OffsetExpr'].includes(node.name)) node = node.parent
  const call = node?.name === 'FunctionCallBody' ? node.parent : null
  return call?.name === 'FunctionCall' ? textOf(call.getChild('FunctionIdentifier')) : undefined
}

/** Looks at an expression. Grafana's variable for ranges is taken for five minutes. */
export function readQuery(expr: string, known: ReadonlyMap<string, Known>): Query {
  const text = expr.replaceAll('$__rate_interval', '5m')
  const textOf = (node: Node | null) => (node === null ? '' : text.slice(node.from, node.to))
  const top = parser.parse(text).topNode
  const faults: string[] = below(top, '⚠').map((node) => `does not parse near "${text.slice(node.from, node.from + 20)}"`)
  const labels = new Set(below(top, 'StringLiteral').map((node) => textOf(node).slice(1, -1)))
  const selectors = below(top, 'VectorSelector').map((selector) => {
    const metric = textOf(selector.getChild('Identifier'))
    const matched = below(selector, 'LabelName').map(textOf)
    const series = known.get(metric)
    if (series === undefined) faults.push(`no metric ${metric}`)
    for (const label of series?.labels ?? []) labels.add(label)
    for (const label of matched) if (series?.labels.includes(label) === false) faults.push(`${metric} has no label ${label}`)
    const around = functionAround(selector, textOf)
    const asRate = around === 'rate' || around === 'increase'
    if (series?.counter === true && !asRate && !(metric in COUNTERS_AS_THEY_ARE))
      faults.push(`counter ${metric} outside of rate and increase`)
    if (series?.counter === false && asRate) faults.push(`gauge ${metric} in ${around}`)
    return { metric, matched }
  })
  const grouped = below(top, 'GroupingLabels').flatMap((node) => below(node, 'LabelName').map(textOf))
  for (const label of grouped) if (!labels.has(label)) faults.push(`no label ${label} to group by`)
  for (const quantile of below(top, 'HistogramQuantile')) faults.push(...quantileFaults(quantile, textOf))
  return { faults, metrics: selectors.map(({ metric }) => metric), selectors, labels }
}

/** `quantile` is the name within a call of histogram_quantile. */
function quantileFaults(quantile: Node, textOf: (node: Node | null) => string): string[] {
  const call = quantile.parent?.parent ?? null
  if (call === null) return ['histogram_quantile is not called']
  const names = below(call, 'VectorSelector').map((node) => textOf(node.getChild('Identifier')))
  const faults = names.filter((name) => !name.endsWith('_bucket')).map((name) => `histogram_quantile of ${name}, which has no buckets`)
  const groups = below(call, 'AggregateModifier').map((node) => below(node, 'LabelName').map(textOf))
  return [...faults, ...groups.filter((group) => !group.includes('le')).map(() => 'histogram_quantile over an aggregation without le')]
}
