/**
 * A row that ClickHouse refuses, as it goes to the dead letters. Its raw data is the row as JSONEachRow, so that it can be put in its place
 * when what was wrong is mended: `INSERT INTO ctr_results FORMAT JSONEachRow <rawData>`. The version decides, as always, if it is still the
 * newest.
 */
import type { ParkedRow } from '../sink/deliver.ts'
import type { OutputRecord } from './output.ts'

/** `writer` names this engine; `now`: wall time, ms. */
export function refusedRow(row: ParkedRow, writer: string, now: number): OutputRecord {
  const { tenant, productId, windowStart, windowEnd, task, impressions, clicks, ctr, version, emittedAt } = row
  const json = JSON.stringify({
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
  })
  return {
    kind: 'row',
    writer,
    topic: '',
    partition: task,
    offset: -1,
    envelope: undefined,
    reason: 'ROW_REFUSED',
    message: `ClickHouse refuses the row for what it holds: ${row.reason}`,
    bytes: Buffer.from(json),
    truncated: false,
    eventTime: windowStart,
    createdAt: now,
  }
}

/** As ClickHouse reads it: 2024-01-02 03:04:05.678. */
function timeText(ms: number): string {
  return new Date(ms).toISOString().replace('T', ' ').replace('Z', '')
}
