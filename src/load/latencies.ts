/**
 * How long things took, as counts in buckets that each are 4 % wider than the one before: quantiles are right to 4 %, whatever the number
 * of samples, and those of several threads can be added.
 */

const GROWTH = 1.04
const MIN_MS = 0.05
const BUCKETS = 400

/** ms. */
export interface LatencyFigures {
  readonly p50: number
  readonly p99: number
  readonly max: number
}

export class Latencies {
  /** Of bucket i: samples up to MIN_MS * GROWTH^i; the last one has all that are longer. */
  readonly counts: Float64Array<ArrayBuffer>
  maxMs: number

  /** What another thread has counted, or nothing yet. */
  constructor(counts = new Float64Array(BUCKETS), maxMs = 0) {
    this.counts = counts
    this.maxMs = maxMs
  }

  add(ms: number): void {
    const bucket = ms <= MIN_MS ? 0 : Math.min(Math.ceil(Math.log(ms / MIN_MS) / Math.log(GROWTH)), BUCKETS - 1)
    this.counts[bucket] = (this.counts[bucket] ?? 0) + 1
    if (ms > this.maxMs) this.maxMs = ms
  }

  /** Adds the samples of another. */
  merge(other: Latencies): void {
    for (let i = 0; i < BUCKETS; i++) this.counts[i] = (this.counts[i] ?? 0) + (other.counts[i] ?? 0)
    this.maxMs = Math.max(this.maxMs, other.maxMs)
  }

  /** ms; 0 of nothing. */
  quantile(share: number): number {
    const total = this.counts.reduce((sum, count) => sum + count, 0)
    let seen = 0
    for (const [bucket, count] of this.counts.entries()) {
      seen += count
      if (count > 0 && seen >= total * share) return Math.min(MIN_MS * GROWTH ** bucket, this.maxMs)
    }
    return this.maxMs
  }

  figures(): LatencyFigures {
    return { p50: this.quantile(0.5), p99: this.quantile(0.99), max: this.maxMs }
  }
}
