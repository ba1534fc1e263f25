/**
 * Rows of CSV as JSON objects: the head names the keys, each cell is a text, and an empty cell is no key at all. Bytes pass as they are, in
 * Rows of CSV as JSON objects: the head names the keys, each cell is a text, and an empty cell is no key at all. Bytes pass as they are, in
 * is no JSON, so it ends where other invalid events do.
 */
import type { Readable } from 'node:stream'
import { parse } from 'csv-parse'
import { CtrError } from '../errors.ts'
import type { TakeLine } from './line-sorter.ts'

interface Row {
  readonly record: readonly string[]
  readonly raw: string
}

/** Gives the rows behind the head to `take`, one after the other, while it `goesOn`. Throws CTR_INPUT for a table that can't be read. */
export async function readCsv(
  stream: Readable,
  separator: string,
  rowMaxBytes: number,
  take: TakeLine,
  goesOn: () => boolean,
): Promise<void> {
  const options = {
    bom: true,
    delimiter: separator,
    encoding: 'latin1',
    max_record_size: rowMaxBytes,
    raw: true,
    relax_column_count: true,
    relax_quotes: true,
    skip_empty_lines: true,
  } as const
  const rows = stream.compose(parse(options)) as AsyncIterable<Row>
  let keys: readonly string[] | undefined
  try {
    for await (const { record, raw } of rows) {
      if (keys === undefined) keys = headOf(record)
      else {
        const bytes = Buffer.from(record.length === keys.length ? objectOf(keys, record) : raw.replace(/\r?\n$/, ''), 'latin1')
        const taken = take(bytes, 0, bytes.length)
        if (taken !== undefined) await taken
      }
      if (!goesOn()) return
    }
  } catch (cause) {
    const { code = '', message = '' } = cause as { code?: string; message?: string }
    throw code.startsWith('CSV_') ? new CtrError('CTR_INPUT', `is no CSV that can be read: ${message}`, { cause }) : cause
  }
}

/** Keys as JSON, with their colons. */
function headOf(names: readonly string[]): string[] {
  const trimmed = names.map((name) => name.trim())
  const twice = trimmed.find((name, i) => name !== '' && trimmed.indexOf(name) !== i)
  if (twice !== undefined) {
    const name = Buffer.from(twice, 'latin1').toString()
    throw new CtrError('CTR_INPUT', `the head of the CSV has ${JSON.stringify(name)} twice; name each column once`)
  }
  return trimmed.map((name) => (name === '' ? '' : `${JSON.stringify(name)}:`))
}

function objectOf(keys: readonly string[], cells: readonly string[]): string {
  const members = cells.flatMap((cell, i) => (cell === '' || keys[i] === '' ? [] : `${keys[i]}${JSON.stringify(cell)}`))
  return `{${members.join(',')}}`
}
