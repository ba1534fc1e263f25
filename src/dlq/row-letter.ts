/**
 * A row that ClickHouse refuses, as a dead letter. Its raw data is the row as JSONEachRow, so that it can be put in its place when what was
 * wrong is mended: `INSERT INTO ctr_results FORMAT JSONEachRow <rawData>`. The version decides, as always, if it is still the newest.
 */
import type { ParkedRow } from '../sink/deliver.ts'
import type { DeadLetter } from './dead-letter.ts'

/** `source` names this engine; `now`: wall time, ms. */
export function rowLetter(row: ParkedRow, source: string, now: number): DeadLetter {
  const { tenant, productId, windowStart, windowEnd, task, impressions, clicks, ctr, version, emittedAt } = row
  return {
    source,
    rawTopic: '',
    partition: task,
    offset: -1,
    errorCode: 'ROW_REFUSED',
    errorMessage: `ClickHouse refuses the row for what it holds: ${row.reason}`,
    rawData: JSON.stringify({
      tenant,
      product_id: productId,
      window_start: timeText(windowStart),
      window_end: timeText(windowEnd),
      task,
      impressions,
      clicks,
      ctr,
      version,
      emitted_at: timeText(emittedAt),
    }),
    rawEncoding: 'utf8',
    rawTruncated: false,
    eventTimeMillisUtc: windowStart,
    createdAtUtc: new Date(now).toISOString(),
  }
}

/** As ClickHouse reads it: 2024-01-02 03:04:05.678. */
function timeText(ms: number): string {
  return new Date(ms).toISOString().replace('T', ' ').replace('Z', '')
}
