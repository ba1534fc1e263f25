/** What is remembered of the totals, second by second; columns of `history`. */
export const HISTORY_SERIES = [
  'recordsPerSecond',
  'impressionsPerSecond',
  'clicksPerSecond',
  'latePerSecond',
  'invalidPerSecond',
  'ignoredPerSecond',
  'rowsPerSecond',
  'ctr',
  'lagRecords',
  'behindSeconds',
  'watermarkLagSeconds',
  'delaySeconds',
  'rowsPending',
  'backpressureShare',
  'activeProducts',
  'openPanes',
  'rssBytes',
  'coresUsed',
] as const
/** Of one of these columns. */
export type HistorySeries = (typeof HISTORY_SERIES)[number]
