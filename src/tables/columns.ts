/**
 * The columns that the engine writes, table by table: the header of an insert, where a column lies in a row, and the DDL (stored.ts) follow
 * from these lists.
 */
import { assert } from '../assert.ts'
import { TERM_NAMES, TERMS } from '../window/ledger.ts'

/**
 * A table the sink writes: the columns an insert fills, with the types RowBinary is written for. The DDL, the header of an insert and where
 * a column lies in a row all follow from this list.
 */
export interface Table {
  readonly name: string
  readonly columns: readonly (readonly [name: string, type: string])[]
}

const TIME = "DateTime64(3, 'UTC')"

/** Rows of windows; see row-binary.ts. */
export const RESULTS: Table = {
  name: 'ctr_results',
  columns: [
    ['tenant', 'String'],
    ['product_id', 'String'],
    ['window_start', TIME],
    ['window_end', TIME],
    ['task', 'UInt32'],
    ['impressions', 'UInt64'],
    ['clicks', 'UInt64'],
    ['ctr', 'Float64'],
    ['version', 'UInt64'],
    ['emitted_at', TIME],
  ],
}

/** The column behind those in rows of windows that have a name (RESULTS_TABLE), and its type. */
export const WINDOW_NAME = ['window', 'LowCardinality(String)'] as const

/** Totals of partitions: a column for each term of the ledger, and a map for each that has reasons; see ledger-binary.ts. */
export const LEDGER: Table = {
  name: 'ctr_ledger',
  columns: [
    ['tenant', 'String'],
    ['topic', 'String'],
    ['partition', 'UInt32'],
    ['first_offset', 'UInt64'],
    ['last_offset', 'UInt64'],
    ['read', 'UInt64'],
    ...TERM_NAMES.map((name) => [name, 'UInt64'] as const),
    ['dead_lettered', 'UInt64'],
    ...TERMS.filter(({ reasons }) => reasons).map(({ name }) => [`${name}_by_reason`, 'Map(String, UInt64)'] as const),
    ['max_event_time', TIME],
    ['cut_at', TIME],
  ],
}

/** Events counted into windows; see ledger-binary.ts. */
export const LEDGER_WINDOWS: Table = {
  name: 'ctr_ledger_windows',
  columns: [
    ['tenant', 'String'],
    ['task', 'UInt32'],
    ['window_start', TIME],
    ['window_end', TIME],
    ['events', 'UInt64'],
    ['version', 'UInt64'],
    ['cut_at', TIME],
  ],
}

/** Runs of the inputs of `ctr replay`; see inputs.ts. */
export const INPUTS: Table = {
  name: 'ctr_inputs',
  columns: [
    ['tenant', 'String'],
    ['number', 'UInt32'],
    ['run', 'String'],
    ['name', 'String'],
    ['bytes', 'UInt64'],
    ['hash', 'String'],
    ['ended', 'UInt8'],
  ],
}

/** Every table that is inserted into. */
export const TABLES: readonly Table[] = [RESULTS, LEDGER, LEDGER_WINDOWS, INPUTS]

/** Bytes of a value in RowBinary, by type; types that are not here take as many as the value needs. */
const WIDTHS_BYTES: Readonly<Record<string, number>> = { [TIME]: 8, UInt32: 4, UInt64: 8, Float64: 8 }

/** The columns of fixed width with which a row of a table ends. */
export interface FixedPart {
  /** The columns before it, all of them texts. */
  readonly texts: readonly string[]
  /** How many columns it has, and their bytes together. */
  readonly columns: number
  readonly bytes: number
  /** Where a column lies, in bytes from the first of them. */
  offsetOf(column: string): number
}

/** Of a table whose texts come first. */
export function fixedPart({ name, columns }: Table): FixedPart {
  const texts: string[] = []
  const offsets = new Map<string, number>()
  let bytes = 0
  for (const [column, type] of columns) {
    const width = WIDTHS_BYTES[type]
    assert(width === undefined ? type === 'String' && bytes === 0 : true, 'texts come before all else', { table: name, column, type })
    if (width === undefined) texts.push(column)
    else offsets.set(column, bytes)
    bytes += width ?? 0
  }
  const offsetOf = (column: string) => {
    const offset = offsets.get(column)
    assert(offset !== undefined, 'a column is one of its table, of fixed width', { table: name, column })
    return offset
  }
  return { texts, columns: offsets.size, bytes, offsetOf }
}
