/** What a self-test has found. */
export interface SelftestVerdict {
  readonly passed: boolean
  readonly seed: number
  readonly pods: number
  readonly seconds: number
  /** Acknowledged by the brokers, and read back. */
  readonly events: number
  readonly counted: number
  readonly late: number
  readonly invalid: number
  readonly ignored: number
  readonly kills: number
  /** Of them, those before the pipeline had begun to count. */
  readonly killsEarly: number
  /** Of ctr_results and of ctr_windows. */
  readonly rows: number
  readonly windows: number
  readonly rowsDiffering: number
  readonly deadLetters: number
  /** From a SIGKILL to the first rows of the next process; null when none lived that long. */
  readonly recoveryMs: { readonly times: number; readonly p50: number; readonly max: number } | null
  /** What is wrong, one line each. */
  readonly faults: readonly string[]
}

/** Median and largest; null of nothing. */
export function recoveryOf(times: readonly number[]): SelftestVerdict['recoveryMs'] {
  const sorted = times.toSorted((a, b) => a - b)
  const [p50, max] = [sorted[(sorted.length - 1) >> 1], sorted.at(-1)]
  return p50 === undefined || max === undefined ? null : { times: sorted.length, p50: Math.round(p50), max: Math.round(max) }
}
