/**
 * One insert of rows. It either resolves, and then ClickHouse has the rows, or throws, and then it may have them or not: the same rows can
 * always be sent again.
 *
 * The rows go as RowBinary behind a header that names their columns and types (RowBinaryWithNamesAndTypes). ClickHouse holds the header
 * against the table, so that a column altered meanwhile is a refusal: without it, rows of other types would be read as garbage.
 */
import { Readable } from 'node:stream'
import type { ClickHouseClient, ClickHouseSettings } from '@clickhouse/client'
import type { Table } from '../clickhouse/schema.ts'
import { CtrError } from '../errors.ts'

/** Defaults differ between versions, so what matters is said: an answer means the rows are written, and equal blocks are not dropped. */
const SETTINGS: ClickHouseSettings = {
  async_insert: 0,
  insert_deduplicate: 0,
  wait_end_of_query: 1,
  input_format_with_names_use_header: 1,
  input_format_with_types_use_header: 1,
}

/** How rows go into one table: made once, used by every insert. */
export interface InsertForm {
  readonly query: string
  /** Before the first row. */
  readonly header: Uint8Array
}

/** The form of a table; `types` are the table's own names for its columns' types where they differ from ours (LowCardinality). */
export function insertForm({ name, columns }: Table, types: readonly string[] = columns.map(([, type]) => type)): InsertForm {
  const names = columns.map(([column]) => column)
  return {
    query: `INSERT INTO ${name} (${names.join(', ')}) FORMAT RowBinaryWithNamesAndTypes`,
    header: Buffer.concat([Buffer.from([columns.length]), ...[...names, ...types].map(shortText)]),
  }
}

/** Sends `bytes` (rows, whole) and waits for the acknowledgement. The memory may be reused when the promise settles. */
export async function insertRows(client: ClickHouseClient, form: InsertForm, bytes: Uint8Array, signal?: AbortSignal): Promise<void> {
  const { stream } = await client.exec({
    query: form.query,
    values: Readable.from([form.header, bytes], { objectMode: false }),
    clickhouse_settings: SETTINGS,
    ...(signal === undefined ? {} : { abort_signal: signal }),
  })
  let answer = ''
  // Reading the answer to its end gives the socket back.
  for await (const chunk of stream) if (answer.length < ANSWER_SHOWN) answer += String(chunk)
  if (answer !== '') {
    const what = `something answers an insert with ${JSON.stringify(answer.slice(0, ANSWER_SHOWN))}, where ClickHouse answers with nothing`
    throw new CtrError('CTR_CLICKHOUSE_UNREACHABLE', `clickhouse.url: ${what}; check what stands before it`, { retriable: true })
  }
}

const ANSWER_SHOWN = 200

/** Below 128 bytes a length is one byte. */
function shortText(text: string): Buffer {
  const bytes = Buffer.from(text)
  return Buffer.concat([Buffer.from([bytes.length]), bytes])
}
