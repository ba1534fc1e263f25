/**
 * One insert of RowBinary rows. It either resolves, and then ClickHouse has the rows, or throws, and then it may have them or not: the same
 * rows can always be sent again.
 */
import { Readable } from 'node:stream'
import type { ClickHouseClient, ClickHouseSettings } from '@clickhouse/client'
import { ROW_COLUMNS } from './row-binary.ts'

/** Defaults differ between versions, so what matters is said: an answer means the rows are written, and equal blocks are not dropped. */
const SETTINGS: ClickHouseSettings = {
  async_insert: 0,
  insert_deduplicate: 0,
  wait_end_of_query: 1,
}

/** Sends `bytes` (rows of writeRow, whole) and waits for the acknowledgement. The memory may be reused when the promise settles. */
export async function insertRows(client: ClickHouseClient, bytes: Uint8Array, signal?: AbortSignal): Promise<void> {
  const { stream } = await client.exec({
    query: `INSERT INTO ctr_results (${ROW_COLUMNS}) FORMAT RowBinary`,
    values: Readable.from([bytes], { objectMode: false }),
    clickhouse_settings: SETTINGS,
    ...(signal === undefined ? {} : { abort_signal: signal }),
  })
  for await (const _ of stream) {
    // An answer without an error is empty; reading it gives the socket back.
  }
}
