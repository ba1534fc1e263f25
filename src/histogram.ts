/** Upper bounds ascending; counts has one more element than bounds (the last is +Inf). Not cumulative. */
export interface HistogramStats {
  readonly bounds: readonly number[]
  readonly counts: readonly number[]
  readonly sum: number
}
