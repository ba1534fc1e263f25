/**
 * How late events are: the watermark of their own partition less the end of their window, in 64 buckets of which each is a quarter wider
 * than the one before. Only events behind that end are counted, so that one in time costs nothing; whether there was still room for it
 * (`time.allowedLateness`) does not matter here.
 */
import type { HistogramStats } from '../histogram.ts'

const BUCKETS = 64
const FIRST_MS = 1
const WIDER = 1.28

/** Upper bounds, ms; the last bucket has none: from 1 ms to some two months. */
const BOUNDS_MS: readonly number[] = Array.from({ length: BUCKETS - 1 }, (_, i) => FIRST_MS * WIDER ** i)
const LOG_WIDER = Math.log(WIDER)

/** Of a partition, or of all of a topic. */
export class Lateness {
  readonly #counts = new Float64Array(BUCKETS)
  #sumMs = 0

  /** So many events, each `ms` (0 or more) behind. */
  add(ms: number, events: number): void {
    const bucket = ms <= FIRST_MS ? 0 : Math.min(BUCKETS - 1, Math.ceil(Math.log(ms / FIRST_MS) / LOG_WIDER))
    this.#counts[bucket]! += events
    this.#sumMs += ms * events
  }

  /** Adds what another one has counted. */
  join(other: Lateness): void {
    for (let i = 0; i < BUCKETS; i++) this.#counts[i]! += other.#counts[i]!
    this.#sumMs += other.#sumMs
  }

  /** In seconds. */
  stats(): HistogramStats {
    return { bounds: BOUNDS_MS.map((ms) => ms / 1000), counts: Array.from(this.#counts), sum: this.#sumMs / 1000 }
  }
}
