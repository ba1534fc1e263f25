/**
 * One insert of rows. It either resolves, and then ClickHouse has the rows, or throws, and then it may have them or not: the same rows can
 * always be sent again.
 *
 * The rows go as RowBinary behind a header that names their columns and types (RowBinaryWithNamesAndTypes). ClickHouse holds the header
 * against the table, so that a column altered meanwhile is a refusal: without it, rows of other types would be read as garbage.
 */
import { Readable } from 'node:stream'
import type { ClickHouseClient } from '@clickhouse/client'
import { unacknowledged } from '../clickhouse/connect.ts'
import { type WantedSettings, withSettings } from '../clickhouse/settings.ts'
import { CtrError } from '../errors.ts'
import { type Table, WINDOW_NAME } from '../tables/columns.ts'

/** Defaults differ between versions, so what matters is said: an answer means the rows are written, and equal blocks are not dropped. */
export const INSERT_SETTINGS: WantedSettings = {
  async_insert: { value: 0, needed: 'else an insert is acknowledged before it is written, and rows are lost when the server ends' },
  insert_deduplicate: { value: 0, needed: 'else an insert like an earlier one is dropped, and never acknowledged as written' },
  // Rows of many days: each is a partition, and 100 at once are refused by default, for ever.
  max_partitions_per_insert_block: { value: 0 },
  input_format_with_names_use_header: { value: 1, needed: 'else values go into other columns' },
  input_format_with_types_use_header: { value: 1, needed: 'else rows of a column that was altered are read as garbage' },
}

/** How rows go into one table: made once, used by every insert. */
export interface InsertForm {
  readonly query: string
  /** Before the first row. */
  readonly header: Uint8Array
}

/**
 * The form of a table; `known` are the table's own names for its columns' types where they differ from ours (LowCardinality). `named`: its
 * rows end with the name of their windows.
 */
export function insertForm(
  { name, columns }: Table,
  known: readonly string[] = columns.map(([, type]) => type),
  named = false,
): InsertForm {
  const more = named ? [WINDOW_NAME] : []
  const names = [...columns, ...more].map(([column]) => column)
  const types = [...known, ...more.map(([, type]) => type)]
  return {
    query: `INSERT INTO ${name} (${names.join(', ')}) FORMAT RowBinaryWithNamesAndTypes`,
    header: Buffer.concat([Buffer.from([names.length]), ...[...names, ...types].map(shortText)]),
  }
}

/** Whole rows to insert, and how many they are. */
export interface Insert {
  readonly bytes: Uint8Array
  readonly count: number
}

/**
 * Sends the rows and waits for the acknowledgement: an answer that is empty and says that as many were written, or more, as views and
 * distributed tables count theirs too. The memory may be reused when the promise settles.
 */
export async function insertRows(client: ClickHouseClient, form: InsertForm, rows: Insert, signal?: AbortSignal): Promise<void> {
  const { bytes, count } = rows
  const { stream, summary } = await withSettings(client, INSERT_SETTINGS, (settings) =>
    client.exec({
      query: form.query,
      values: Readable.from([form.header, bytes], { objectMode: false }),
      // How long HTTP waits is no setting that a profile could forbid.
      clickhouse_settings: { ...settings, wait_end_of_query: 1 },
      ...(signal === undefined ? {} : { abort_signal: signal }),
    }),
  )
  let answer = ''
  // Reading the answer to its end gives the socket back.
  for await (const chunk of stream) if (answer.length < ANSWER_SHOWN) answer += String(chunk)
  if (answer !== '') {
    const what = `something answers an insert with ${JSON.stringify(answer.slice(0, ANSWER_SHOWN))}, where ClickHouse answers with nothing`
    throw new CtrError('CTR_CLICKHOUSE_UNREACHABLE', `clickhouse.url: ${what}; check what stands before it`, { retriable: true })
  }
  if (summary === undefined) throw unacknowledged('an insert')
  if (!(Number(summary.written_rows) >= count)) {
    const what = `of ${count} rows ClickHouse says that it has written ${summary.written_rows}`
    const remedy = "check the settings of the user's profile, and what stands before it; the rows are sent again"
    throw new CtrError('CTR_CLICKHOUSE_REFUSED', `clickhouse.url: ${what}; ${remedy}`, { retriable: true })
  }
}

const ANSWER_SHOWN = 200

/** Below 128 bytes a length is one byte. */
function shortText(text: string): Buffer {
  const bytes = Buffer.from(text)
  return Buffer.concat([Buffer.from([bytes.length]), bytes])
}
