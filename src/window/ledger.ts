/**
 * Totals of one partition over a span of its offsets: every record read is counted, late or invalid. They depend on the records alone (for
 * partitions that don't go idle), so totals from the same first offset to the same last one are equal whoever computed them, and however
 * often: they may be written again at any time.
 */

/** Plain data: it goes into commit metadata, manifests and the table ctr_ledger. */
export interface LedgerTotals {
  /** Where the span begins: the first offset ever read of the partition by this group, as far as it is known. */
  readonly first: number
  readonly read: number
  readonly counted: number
  readonly late: number
  /** By reason; reasons without a record are left out. */
  readonly invalid: Readonly<Record<string, number>>
}

/** One row of ctr_ledger before it has a tenant: totals up to and including offset `last`. Times in ms. */
export interface LedgerRow {
  readonly topic: string
  readonly partition: number
  readonly last: number
  readonly totals: LedgerTotals
  /** Invalid records that are in dead letters. */
  readonly deadLettered: number
  readonly maxEventTime: number | undefined
}

/** One row of ctr_ledger_windows: the events that main counted into a window that is closed for good. Times in ms. */
export interface WindowLedgerRow {
  readonly task: number
  readonly start: number
  readonly end: number
  readonly events: number
}
