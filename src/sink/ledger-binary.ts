/**
 * Rows of ctr_ledger and ctr_ledger_windows as RowBinary, in the column order of LEDGER and LEDGER_WINDOWS (schema.ts). All integers are
 * little-endian, texts and maps begin with their length as a varint, times are i64 ms. A few rows at each checkpoint: nothing here is hot.
 */
import { entriesOf, type LedgerRow, sumOf, TERM_NAMES, TERMS, type WindowLedgerRow } from '../window/ledger.ts'
import { VERSION_UNIT } from './row-binary.ts'

/** One row per partition and last offset. A partition without an event yet has its time in 1970. */
export function encodeLedger(tenant: string, rows: readonly LedgerRow[], cutAt: number): Uint8Array {
  return joined(
    rows.map(({ topic, partition, last, totals, deadLettered, maxEventTime }) => {
      const sums = TERM_NAMES.map((name) => sumOf(totals, name))
      const maps = TERMS.filter(({ reasons }) => reasons).map(({ name }) => entriesOf(totals, name))
      return [
        text(tenant),
        text(topic),
        uint32(partition),
        ...[totals.first, last, totals.read, ...sums, deadLettered].map(int64),
        ...maps.flatMap((entries) => [varint(entries.length), ...entries.flatMap(([entry, count]) => [text(entry), int64(count)])]),
        int64(maxEventTime ?? 0),
        int64(cutAt),
      ]
    }),
  )
}

/** One row per window and task; the version is made as those of results are, so that of two counts of a window the larger stays. */
export function encodeWindows(tenant: string, revision: number, rows: readonly WindowLedgerRow[], cutAt: number): Uint8Array {
  return joined(
    rows.map(({ task, start, end, events }) => [
      text(tenant),
      uint32(task),
      ...[start, end, events, revision * VERSION_UNIT + events, cutAt].map(int64),
    ]),
  )
}

function joined(rows: readonly (readonly Buffer[])[]): Uint8Array {
  return new Uint8Array(Buffer.concat(rows.flat()))
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
