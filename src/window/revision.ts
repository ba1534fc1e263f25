/**
 * Which revision the rows of a window carry. A view takes the highest one of a window alone, so a window has the same revision in all tasks
 * and in every process: it follows from its start and the configuration, from nothing else.
 */

import type { Windows } from './windows.ts'

/** As `sink` of the configuration says. Plain data, so that it can go to other threads. */
export interface RevisionRule {
  readonly revision: number
  /** Windows that start before it, ms, carry the revision before; undefined: all carry `revision`. */
  readonly revisionFrom?: number | undefined
}

/** The revision of the window that starts at `start`, ms. */
export function revisionOf({ revision, revisionFrom }: RevisionRule, start: number): number {
  return revisionFrom !== undefined && start < revisionFrom ? revision - 1 : revision
}

/** The start of the first window from `first` to `last`, both starts in ms, that has another revision by one rule than by the other. */
export function firstRevised(
  a: RevisionRule,
  b: RevisionRule,
  first: number,
  last: number,
  windows: Pick<Windows, 'startFrom'>,
): number | undefined {
  // Each rule has one step at most, so what differs anywhere differs at the first window or at the one that a step comes to.
  const steps = [a.revisionFrom, b.revisionFrom].flatMap((step) => (step === undefined ? [] : [windows.startFrom(step)]))
  const starts = [first, ...steps.filter((start) => start > first && start <= last).toSorted((x, y) => x - y)]
  return starts.find((start) => revisionOf(a, start) !== revisionOf(b, start))
}
