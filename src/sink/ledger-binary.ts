/**
 * Rows of ctr_ledger and ctr_ledger_windows as RowBinary. Values are given by the names of their columns; order and types are those of the
 * tables (schema.ts). All integers are little-endian, texts and maps begin with their length as a varint, times are i64 ms. A few rows at
 * each checkpoint: nothing here is hot.
 */
import { assert } from '../assert.ts'
import { LEDGER, LEDGER_WINDOWS, type Table } from '../tables/columns.ts'
import { entriesOf, type LedgerRow, sumOf, TERM_NAMES, TERMS, type WindowLedgerRow } from '../window/ledger.ts'
import { type RevisionRule, revisionOf } from '../window/revision.ts'
import { versionOf } from './row-binary.ts'

type Value = string | number | Readonly<Record<string, number>>

/** One row per partition and last offset. A partition without an event yet has its time in 1970. */
export function encodeLedger(tenant: string, rows: readonly LedgerRow[], cutAt: number): Uint8Array {
  return encodeRows(
    LEDGER,
    rows.map(({ topic, partition, last, totals, deadLettered, maxEventTime }) => ({
      tenant,
      topic,
      partition,
      first_offset: totals.first,
      last_offset: last,
      read: totals.read,
      ...Object.fromEntries(TERM_NAMES.map((term) => [term, sumOf(totals, term)])),
      dead_lettered: deadLettered,
      ...Object.fromEntries(
        TERMS.filter(({ reasons }) => reasons).map(({ name }) => [`${name}_by_reason`, Object.fromEntries(entriesOf(totals, name))]),
      ),
      max_event_time: maxEventTime ?? 0,
      cut_at: cutAt,
    })),
  )
}

/** One row per window and task; the version is made as those of results are, so that of two counts of a window the larger stays. */
export function encodeWindows(tenant: string, rule: RevisionRule, rows: readonly WindowLedgerRow[], cutAt: number): Uint8Array {
  return encodeRows(
    LEDGER_WINDOWS,
    rows.map(({ task, start, end, events }) => ({
      tenant,
      task,
      window_start: start,
      window_end: end,
      events,
      version: versionOf(revisionOf(rule, start), events),
      cut_at: cutAt,
    })),
  )
}

function encodeRows({ name, columns }: Table, rows: readonly Readonly<Record<string, Value>>[]): Uint8Array {
  const encoded = rows.map((row) => {
    assert(Object.keys(row).length === columns.length, 'a row has the columns of its table', { table: name, row })
    return columns.map(([column, type]) => {
      const value = row[column]
      assert(value !== undefined, 'a row has the columns of its table', { table: name, column })
      return encodeValue(type, value)
    })
  })
  return new Uint8Array(Buffer.concat(encoded.flat()))
}

function encodeValue(type: string, value: Value): Buffer {
  if (typeof value === 'string') return text(value)
  if (typeof value === 'number') return type === 'UInt32' ? uint32(value) : int64(value)
  const entries = Object.entries(value)
  return Buffer.concat([varint(entries.length), ...entries.flatMap(([key, count]) => [text(key), int64(count)])])
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value)
  return Buffer.concat([varint(bytes.length), bytes])
}

function varint(value: number): Buffer {
  const bytes: number[] = []
  let rest = value
  for (; rest >= 0x80; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80)
  bytes.push(rest)
  return Buffer.from(bytes)
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return bytes
}

function int64(value: number): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigInt64LE(BigInt(value))
  return bytes
}
