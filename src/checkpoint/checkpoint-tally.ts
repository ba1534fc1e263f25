/** Counts of checkpoints, for metrics and /readyz. */
import type { HistogramStats } from '../histogram.ts'
import type { Written } from './writer.ts'

/** Upper bounds of checkpoint durations, s. */
const DURATION_BOUNDS: readonly number[] = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 600]

/** Totals since start, and the last complete checkpoint. */
export interface CheckpointStats {
  readonly enabled: boolean
  readonly completed: number
  readonly failures: number
  readonly durationSeconds: HistogramStats
  /** Of the last complete one, null before the first. */
  readonly lastId: string | null
  /** Of the last complete one; cells are live (product, window) pairs. */
  readonly bytes: number
  readonly cells: number
  /** The longest that a worker stood still for it. */
  readonly pausedSeconds: number
  /** Since the last complete one was cut, or since the start. */
  readonly ageSeconds: number
}

export class CheckpointTally {
  readonly #enabled: boolean
  readonly #counts = new Array<number>(DURATION_BOUNDS.length + 1).fill(0)
  #sum = 0
  #completed = 0
  #failures = 0
  #failuresInARow = 0
  #last: Written | undefined
  #lastAt: number

  constructor(enabled: boolean, now: number) {
    this.#enabled = enabled
    this.#lastAt = now
  }

  /** It took `ms` from its cut to its manifest, until `now`. */
  completed(written: Written, ms: number, now: number): void {
    const bucket = DURATION_BOUNDS.findIndex((bound) => ms / 1000 <= bound)
    const at = bucket < 0 ? DURATION_BOUNDS.length : bucket
    this.#counts[at] = (this.#counts[at] ?? 0) + 1
    this.#sum += ms / 1000
    this.#completed++
    this.#failuresInARow = 0
    this.#last = written
    this.#lastAt = now - ms
  }

  /** Gives how many have failed in a row. */
  failed(): number {
    this.#failures++
    return ++this.#failuresInARow
  }

  stats(now: number): CheckpointStats {
    return {
      enabled: this.#enabled,
      completed: this.#completed,
      failures: this.#failures,
      durationSeconds: { bounds: DURATION_BOUNDS, counts: [...this.#counts], sum: this.#sum },
      lastId: this.#last?.id ?? null,
      bytes: this.#last?.bytes ?? 0,
      cells: this.#last?.cells ?? 0,
      pausedSeconds: (this.#last?.pausedMs ?? 0) / 1000,
      ageSeconds: Math.max(0, now - this.#lastAt) / 1000,
    }
  }
}
