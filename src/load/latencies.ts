/**
 * How long things took, in a histogram of Node's (HDR, three figures): quantiles are right to 0.1 % and a microsecond, whatever the number
 * of samples, and those of several threads can be added. The histogram rounds its longest sample too, so that one is kept beside it.
 */
import { createHistogram, type RecordableHistogram } from 'node:perf_hooks'

/** ms. */
export interface LatencyFigures {
  readonly p50: number
  readonly p99: number
  readonly max: number
}

export class Latencies {
  /** Samples in µs; as a message it arrives whole. */
  readonly histogram: RecordableHistogram
  maxMs: number

  /** What another thread has counted, or nothing yet. */
  constructor(histogram = createHistogram(), maxMs = 0) {
    this.histogram = histogram
    this.maxMs = maxMs
  }

  add(ms: number): void {
    this.histogram.record(Math.max(Math.round(ms * 1000), 1))
    if (ms > this.maxMs) this.maxMs = ms
  }

  /** Adds the samples of another. */
  merge(other: Latencies): void {
    this.histogram.add(other.histogram)
    this.maxMs = Math.max(this.maxMs, other.maxMs)
  }

  /** ms; 0 of nothing. */
  quantile(share: number): number {
    return this.histogram.count === 0 ? 0 : Math.min(this.histogram.percentile(share * 100) / 1000, this.maxMs)
  }

  figures(): LatencyFigures {
    return { p50: this.quantile(0.5), p99: this.quantile(0.99), max: this.maxMs }
  }
}
