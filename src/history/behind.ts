/**
 * How long a partition is behind, in time. Offsets alone tell it: the next record to read was the last one there was when the end of the
 * partition stood at that offset, and where the end stood when is remembered. So it needs no look at records, and does not depend on their
 * times.
 */

/** Where the end of a partition stood, in steps of time. */
export interface Ends {
  readonly stepMs: number
  /** How many steps are remembered. */
  readonly steps: number
  /** Where it stood in the middle of a step, which is counted from the epoch; NaN where that is not known. */
  at(step: number): number
}

/**
 * How long ago the end passed `position`, ms: 0 when nothing is left to read, at least the age of the oldest end when it lies further back,
 * and undefined when nothing is known. Between two ends it is taken for a straight line.
 */
export function behindMs(ends: Ends, position: number, endOffset: number, now: number): number | undefined {
  if (position >= endOffset) return 0
  const current = Math.floor(now / ends.stepMs)
  let laterAt = now
  let later = endOffset
  let known = false
  // The current step has not seen its end.
  for (let step = current - 1; step > current - ends.steps; step--) {
    const offset = ends.at(step)
    if (Number.isNaN(offset)) continue
    const at = (step + 0.5) * ends.stepMs
    if (offset <= position) {
      const share = later > offset ? (position - offset) / (later - offset) : 0
      return now - (at + share * (laterAt - at))
    }
    laterAt = at
    later = offset
    known = true
  }
  return known ? now - laterAt : undefined
}
