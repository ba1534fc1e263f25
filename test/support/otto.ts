/** The real events kept under test/golden/otto, and the windows that they must give. */
import { readFileSync } from 'node:fs'

export type OttoOrder = 'sorted' | 'file-order'
export type OttoWindow = '10s' | '1m' | '1h'

export const OTTO_WINDOW_MS: Record<OttoWindow, number> = { '10s': 10_000, '1m': 60_000, '1h': 3_600_000 }

/** At least the span of event times, so that no order of the events makes one late. */
export const OTTO_SPAN_MS = 28 * 86_400_000

/** Path of the events file. */
export function ottoPath(order: OttoOrder): string {
  return new URL(`../golden/otto/events.${order}.jsonl`, import.meta.url).pathname
}

/** The events, one JSON text each. */
export function ottoEvents(order: OttoOrder): string[] {
  return readFileSync(ottoPath(order), 'utf8').trimEnd().split('\n')
}

/** Lines `start,end,product,impressions,clicks` of the expected windows, sorted. */
export function ottoExpected(window: OttoWindow): string[] {
  const lines = readFileSync(new URL(`../golden/otto/expected.${window}.csv`, import.meta.url), 'utf8')
    .trimEnd()
    .split('\n')
  return lines
    .slice(1)
    .map((line) => line.slice(0, line.lastIndexOf(',')))
    .sort()
}
