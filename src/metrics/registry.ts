/**
 * The metrics as a Prometheus registry. Nothing is counted here: each scrape takes one snapshot of the pipeline, so that all its numbers
 * belong together.
 */
import { collectDefaultMetrics, Registry as PromRegistry } from 'prom-client'
import { type Clock, systemClock } from '../clock.ts'
import { METRICS } from './metrics.ts'
import type { PipelineStats } from './stats.ts'

export interface Registry {
  readonly contentType: string
  /** Prometheus' text exposition of one snapshot. */
  expose(): Promise<string>
}

/** The engine's metrics and those of the process. `read` is called once per scrape. */
export function createRegistry(read: () => PipelineStats, clock: Clock = systemClock): Registry {
  const registry = new PromRegistry()
  collectDefaultMetrics({ register: registry })
  let snapshot: { stats: PipelineStats; now: number } | undefined
  for (const { name, type, help, samples } of METRICS) {
    const metric = {
      name,
      help,
      type,
      aggregator: 'sum',
      get: () => ({
        name,
        help,
        type,
        values: (snapshot === undefined ? [] : samples(snapshot.stats, snapshot.now)).map(({ labels, value, suffix = '' }) => ({
          labels,
          value,
          metricName: name + suffix,
        })),
      }),
    }
    // prom-client asks of a metric no more than `get`, but its types know only its own classes.
    registry.registerMetric(metric as unknown as Parameters<PromRegistry['registerMetric']>[0])
  }
  return {
    contentType: registry.contentType,
    expose: () => {
      snapshot = { stats: read(), now: clock() }
      return registry.metrics()
    },
  }
}
