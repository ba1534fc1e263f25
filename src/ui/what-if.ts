/** What another `time.allowedLateness` would have meant, by the histogram of how late events came. */

/** As `quality` has it: upper bounds in seconds, and one more count than bounds. */
export interface LatenessHistogram {
  readonly upperBounds: readonly number[]
  readonly counts: readonly number[]
}

/** Events that came `seconds` or more behind the end of their window; within a bucket they are taken to lie evenly. */
export function lateBeyond({ upperBounds, counts }: LatenessHistogram, seconds: number): number {
  let beyond = 0
  for (const [i, count] of counts.entries()) {
    const low = i === 0 ? 0 : (upperBounds[i - 1] ?? 0)
    const high = upperBounds[i]
    // Of the last bucket nobody knows where its events lie: all of them beyond any bound.
    if (high === undefined || seconds <= low) beyond += count
    else if (seconds < high) beyond += (count * (high - seconds)) / (high - low)
  }
  return beyond
}

/** What is known of a topic and of the engine. */
export interface LatenessFacts {
  readonly records: number
  readonly lateness: LatenessHistogram
  readonly allowedSeconds: number
  /** From a window's beginning until it is closed for good, as it is now; null when the configuration is not known. */
  readonly openSeconds: number | null
  readonly stateBytes: number
}

/** In effect with another allowed lateness. */
export interface WhatIf {
  readonly lateRecords: number
  readonly lateShare: number
  /** How much longer windows stay open; negative: shorter. */
  readonly longerSeconds: number
  /** Memory grows with the windows that are open at once; null when nobody can tell. */
  readonly moreBytes: number | null
}

/** With an allowed lateness of `seconds`. */
export function whatIf({ records, lateness, allowedSeconds, openSeconds, stateBytes }: LatenessFacts, seconds: number): WhatIf {
  const lateRecords = lateBeyond(lateness, seconds)
  const longerSeconds = seconds - allowedSeconds
  return {
    lateRecords,
    lateShare: records === 0 ? 0 : Math.min(1, lateRecords / records),
    longerSeconds,
    moreBytes: openSeconds === null || openSeconds <= 0 ? null : (stateBytes * longerSeconds) / openSeconds,
  }
}

/** Stops of the slider, s: from nothing to a week, finer where it is usual. */
export const STOPS_SECONDS: readonly number[] = [
  0, 1, 2, 3, 5, 7, 10, 15, 20, 30, 45, 60, 90, 120, 180, 300, 450, 600, 900, 1200, 1800, 2700, 3600, 7200, 14_400, 28_800, 86_400, 604_800,
]

/** The stop that is nearest. */
export function stopOf(seconds: number): number {
  let best = 0
  for (const [i, stop] of STOPS_SECONDS.entries()) if (Math.abs(stop - seconds) < Math.abs((STOPS_SECONDS[best] ?? 0) - seconds)) best = i
  return best
}
