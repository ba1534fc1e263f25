/**
 * The metrics as a Prometheus registry. Nothing is counted here: each scrape takes one snapshot of the pipeline, so that all its numbers
 * belong together.
 */
import type { Registry as PromRegistry } from 'prom-client'
import { type Clock, systemClock } from '../clock.ts'
import { METRICS, type Metric, type Sample } from './metrics.ts'
import type { PipelineStats } from './stats.ts'

export interface Registry {
  readonly contentType: string
  /** Prometheus' text exposition of one snapshot. */
  expose(): Promise<string>
}

/** As prom-client names what it writes. */
const CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

/** The engine's metrics and those of the process, made when they are first asked for. `read` is called once per scrape. */
export function createRegistry(read: () => PipelineStats, clock: Clock = systemClock): Registry {
  let snapshot: { stats: PipelineStats; now: number } | undefined
  let made: Promise<PromRegistry> | undefined
  return {
    contentType: CONTENT_TYPE,
    expose: async () => {
      made ??= makeRegistry(({ samples }) => (snapshot === undefined ? [] : samples(snapshot.stats, snapshot.now)))
      const registry = await made.catch((error: unknown) => {
        // The next scrape tries again.
        made = undefined
        throw error
      })
      snapshot = { stats: read(), now: clock() }
      return registry.metrics()
    },
  }
}

async function makeRegistry(samplesOf: (metric: Metric) => readonly Sample[]): Promise<PromRegistry> {
  const { collectDefaultMetrics, Registry: Prometheus } = await import('prom-client')
  const registry = new Prometheus()
  collectDefaultMetrics({ register: registry })
  for (const definition of METRICS) {
    const { name, type, help } = definition
    const values = () => samplesOf(definition).map(({ labels, value, suffix = '' }) => ({ labels, value, metricName: name + suffix }))
    const metric = { name, help, type, aggregator: 'sum', get: () => ({ name, help, type, values: values() }) }
    // prom-client asks of a metric no more than `get`, but its types know only its own classes.
    registry.registerMetric(metric as unknown as Parameters<PromRegistry['registerMetric']>[0])
  }
  return registry
}
