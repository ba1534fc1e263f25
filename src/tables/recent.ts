/**
 * Rows in the order of time, ctr_recent: those that were inserted of late, or whose windows are of late. What asks for the last minutes
 * reads only them. Rows that were sent again, or have grown, are one here as in ctr_results, by key and version.
 */
import type { Feed, StoredTable } from './objects.ts'
import { expiresAfter } from './retention.ts'

const TIME = "DateTime64(3, 'UTC')"

/** A row lives for retention.recent after its insert and after its window: which windows are whole here says marks.ts. */
export const RECENT_TABLE: StoredTable = {
  kind: 'table',
  name: 'ctr_recent',
  columns: [
    ['tenant', 'String'],
    ['product_id', 'String'],
    ['window_start', TIME],
    ['window_end', TIME],
    ['task', 'UInt32'],
    ['window', 'LowCardinality(String)'],
    ['impressions', 'UInt64'],
    ['clicks', 'UInt64'],
    ['version', 'UInt64'],
    ['inserted_at', TIME],
  ],
  indexes: ['inserted_at_range inserted_at TYPE minmax GRANULARITY 1'],
  newest: 'version',
  partitionBy: 'toYYYYMMDD(window_start)',
  primaryKey: ['tenant', 'window', 'window_start', 'product_id'],
  orderBy: ['tenant', 'window', 'window_start', 'product_id', 'window_end', 'task'],
  expires: ({ recent }) => expiresAfter('greatest(inserted_at, window_end)', recent),
  spread: 'product',
}

/** The only table that an insert feeds beside its own: one more would cost as much again. */
export const RECENT_FEED: Feed = {
  kind: 'feed',
  name: 'ctr_recent_feed',
  to: RECENT_TABLE.name,
  query: ({ here }) => `SELECT ${RECENT_TABLE.columns.map(([name]) => name).join(', ')} FROM ${here('ctr_results')}`,
}
