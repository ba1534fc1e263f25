/**
 * The text committed beside a group's offset: `{"v":1,"maxEventTime":1700000000000,"ledger":{"first":0,"read":12,"counted":10,"late":1,
 * "invalid":{"TYPE":1}},"lineage":2}`: the largest event time (ms) and the ledger's totals before that offset, and the lineage of the task.
 * Text of anybody else reads as "nothing known"; the ledger is left out by older versions, and a lineage of 0 by all.
 */
import type { LedgerTotals } from '../window/ledger.ts'

const VERSION = 1

/** What is known of the records before a committed offset. */
export interface OffsetMetadata {
  readonly maxEventTime: number | undefined
  readonly totals?: LedgerTotals | undefined
  readonly lineage?: number | undefined
}

/** The text for it. */
export function encodeOffsetMetadata({ maxEventTime, totals, lineage = 0 }: OffsetMetadata): string {
  return JSON.stringify({ v: VERSION, maxEventTime, ledger: totals, lineage: lineage === 0 ? undefined : lineage })
}

/** undefined when the text is not this engine's. */
export function decodeOffsetMetadata(text: string | null | undefined): OffsetMetadata | undefined {
  if (!text?.startsWith('{')) return undefined
  try {
    const { v, maxEventTime, ledger, lineage } = JSON.parse(text) as Record<string, unknown>
    if (v !== VERSION) return undefined
    const time = typeof maxEventTime === 'number' && Number.isSafeInteger(maxEventTime) ? maxEventTime : undefined
    const life = typeof lineage === 'number' && Number.isSafeInteger(lineage) && lineage > 0 ? lineage : undefined
    return { maxEventTime: time, totals: isTotals(ledger) ? ledger : undefined, lineage: life }
  } catch {
    return undefined
  }
}

function isTotals(value: unknown): value is LedgerTotals {
  if (typeof value !== 'object' || value === null) return false
  const { first, read, counted, late, invalid } = value as Record<string, unknown>
  if (typeof invalid !== 'object' || invalid === null) return false
  return [first, read, counted, late, ...Object.values(invalid)].every((count) => Number.isSafeInteger(count) && (count as number) >= 0)
}
