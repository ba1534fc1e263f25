/** The tables that the engine inserts into. Their first columns are those it writes (columns.ts). */
import { DAY } from '../config/units.ts'
import { INPUTS, LEDGER, LEDGER_WINDOWS, RESULTS, WINDOW_NAME } from './columns.ts'
import type { Feed, StoredTable, TableColumn } from './objects.ts'
import { expiresAfter, reconciledMs } from './retention.ts'

const TIME = "DateTime64(3, 'UTC')"

/** One row for each window, product and task; `window` is the name of the windows, empty but for those
 * that overlap: whatever adds windows up reads those without a name. */
export const RESULTS_TABLE: StoredTable = {
  kind: 'table',
  name: RESULTS.name,
  columns: [...RESULTS.columns, ['inserted_at', TIME, 'DEFAULT now64(3)'], WINDOW_NAME],
  indexes: ['inserted_at_range inserted_at TYPE minmax GRANULARITY 1'],
  newest: 'version',
  partitionBy: 'toYYYYMMDD(window_start)',
  orderBy: ['tenant', 'product_id', 'window_start', 'window_end', 'task', 'window'],
  primaryKey: ['tenant', 'product_id', 'window_start', 'window_end', 'task'],
  expires: ({ results }) => expiresAfter('window_end', results),
  spread: 'product',
}

/** The book of inputs. A number is claimed by a row that has not ended, and counts from the row on that has; both may be sent again. */
export const INPUTS_TABLE: StoredTable = {
  kind: 'table',
  name: INPUTS.name,
  columns: [...INPUTS.columns, ['at', TIME, 'DEFAULT now64(3)']],
  newest: 'ended',
  orderBy: ['number', 'run'],
  spread: 'copy',
}

/** Engines of version 1 do not write the last two, and nobody writes the last one yet. */
const LEDGER_COLUMNS: readonly TableColumn[] = [
  ...LEDGER.columns.filter(([name]) => name !== 'ignored'),
  ['ignored', 'UInt64', 'DEFAULT 0'],
  ['duplicate', 'UInt64', 'DEFAULT 0'],
]

/** Rows of every checkpoint; an hour's last one stays in LEDGER_HOURLY_TABLE. */
const LEDGER_KEPT_MS = 2 * DAY

/** A row says all of [first_offset, last_offset], and the same whoever wrote it, so the newest of several is as good as any. */
export const LEDGER_TABLE: StoredTable = {
  kind: 'table',
  name: LEDGER.name,
  columns: LEDGER_COLUMNS,
  newest: 'cut_at',
  orderBy: ['tenant', 'topic', 'partition', 'first_offset', 'last_offset'],
  expires: () => expiresAfter('cut_at', LEDGER_KEPT_MS),
  spread: 'copy',
}

/** Of each partition and hour the row that says most; of rows of one span the one that was cut last. */
export const LEDGER_HOURLY_TABLE: StoredTable = {
  kind: 'table',
  name: 'ctr_ledger_hourly',
  columns: [
    ...LEDGER_COLUMNS,
    ['hour', "DateTime('UTC')", 'DEFAULT toStartOfHour(cut_at)'],
    ['newest', 'UInt128', 'DEFAULT bitShiftLeft(toUInt128(last_offset), 64) + toUInt64(toUnixTimestamp64Milli(cut_at))'],
  ],
  newest: 'newest',
  orderBy: ['tenant', 'topic', 'partition', 'first_offset', 'hour'],
  expires: ({ ledger }) => expiresAfter('hour', ledger),
  spread: 'copy',
}

/** What is written of the ledger, into its hours. */
export const LEDGER_HOURLY_FEED: Feed = {
  kind: 'feed',
  name: 'ctr_ledger_hourly_feed',
  to: LEDGER_HOURLY_TABLE.name,
  query: ({ here }) => `SELECT ${LEDGER_COLUMNS.map(([name]) => name).join(', ')}
FROM ${here(LEDGER.name)}`,
}

/** A window that was rebuilt in part after a restart has fewer events, and so a lower version, than when it was whole. */
export const LEDGER_WINDOWS_TABLE: StoredTable = {
  kind: 'table',
  name: LEDGER_WINDOWS.name,
  columns: LEDGER_WINDOWS.columns,
  newest: 'version',
  orderBy: ['tenant', 'window_start', 'window_end', 'task'],
  expires: (retention) => expiresAfter('window_end', reconciledMs(retention)),
  spread: 'copy',
}
