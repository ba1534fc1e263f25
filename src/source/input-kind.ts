/** What a file is, by its first bytes. */

/** What such a file begins with. */
export const AVRO_MAGIC = 'Obj\x01'

/** How it is compressed, as far as that is undone here. */
export type Packing = 'gzip' | 'zstd' | 'none'

/** How records follow each other in it. */
export type Layout = 'lines' | 'values' | 'csv' | 'avro'

const at = (bytes: Buffer, offset: number, ...magic: number[]) => magic.every((byte, i) => bytes[offset + i] === byte)
const textAt = (bytes: Buffer, offset: number, text: string) => bytes.subarray(offset, offset + text.length).toString('latin1') === text

/** By its name, which must then be true, or else by its bytes. */
export function packingOf(name: string, bytes: Buffer): Packing {
  if (name.endsWith('.gz') || at(bytes, 0, 0x1f, 0x8b)) return 'gzip'
  return /\.zstd?$/.test(name) || at(bytes, 0, 0x28, 0xb5, 0x2f, 0xfd) ? 'zstd' : 'none'
}

/** Files that are no text: what they are, and what to do. */
const OTHERS: readonly (readonly [is: (bytes: Buffer) => boolean, what: string, remedy: string])[] = [
  [(b) => textAt(b, 0, 'PAR1'), 'Parquet', "duckdb -c \"COPY (FROM 'FILE') TO 'events.jsonl' (FORMAT json)\" makes JSON lines of it"],
  [(b) => textAt(b, 0, 'ORC'), 'ORC', 'orc-contents FILE makes JSON lines of it'],
  [(b) => textAt(b, 0, 'ARROW1'), 'Arrow', 'write it as JSON lines instead'],
  [(b) => textAt(b, 0, 'PK\x03\x04') && b.includes('xl/'), 'an Excel workbook', 'save its sheet as CSV, and read that with --csv'],
  [
    (b) => textAt(b, 0, 'PK'),
    'a zip archive',
    'unzip -p FILE | ctr replay --input NAME - reads what is in it (of an Excel workbook save the sheet as CSV)',
  ],
  [(b) => at(b, 0, 0xd0, 0xcf, 0x11, 0xe0), 'an Office document', 'save it as CSV, and read that with --csv'],
  [(b) => textAt(b, 0, 'BZh'), 'bzip2', 'bzcat FILE | ctr replay --input NAME -'],
  [(b) => at(b, 0, 0xfd, 0x37, 0x7a, 0x58, 0x5a), 'xz', 'xzcat FILE | ctr replay --input NAME -'],
  [(b) => at(b, 0, 0x04, 0x22, 0x4d, 0x18), 'lz4', 'lz4cat FILE | ctr replay --input NAME -'],
  [(b) => at(b, 0, 0xff, 0x06, 0x00, 0x00, 0x73), 'snappy', 'unpack it first'],
  [(b) => at(b, 0, 0x37, 0x7a, 0xbc, 0xaf), 'a 7z archive', '7z x -so FILE | ctr replay --input NAME -'],
  [(b) => textAt(b, 257, 'ustar'), 'a tar archive', 'tar -xOf FILE | ctr replay --input NAME - reads what is in it'],
  [(b) => textAt(b, 0, 'SQLite format 3'), 'an SQLite database', 'sqlite3 -json FILE "SELECT …" makes JSON of it'],
  [(b) => textAt(b, 0, '%PDF'), 'a PDF', 'it holds no events'],
  [(b) => at(b, 0, 0xff, 0xfe) || at(b, 0, 0xfe, 0xff), 'UTF-16 text', 'iconv -f UTF-16 -t UTF-8 FILE makes UTF-8 of it'],
  [(b) => /^\s*<[!?a-zA-Z]/.test(b.subarray(0, 64).toString('latin1')), 'XML or HTML', 'write it as JSON lines instead'],
]

/** What a file is that can't be read, with what to do; undefined for one that may be text. */
export function otherKind(bytes: Buffer): { readonly what: string; readonly remedy: string } | undefined {
  const found = OTHERS.find(([is]) => is(bytes))
  return found && { what: found[1], remedy: found[2] }
}

/** An object container file of Avro. */
export function isAvroFile(bytes: Buffer): boolean {
  return textAt(bytes, 0, AVRO_MAGIC)
}

/** Of text. Whatever is no array and no object over several lines is lines. */
export function layoutOf(bytes: Buffer): 'lines' | 'values' {
  const text = bytes.toString('latin1').replace(/^\xef\xbb\xbf/, '')
  return /^\s*\[/.test(text) || /^\s*\{[ \t]*\r?\n\s/.test(text) ? 'values' : 'lines'
}

const SEPARATORS = [',', ';', '\t', '|']

/** What separates the cells of a table, by its first line. */
export function separatorOf(bytes: Buffer): string {
  const [line = ''] = bytes.toString('latin1').split('\n')
  const plain = line.replaceAll(/"(?:[^"]|"")*"/g, '')
  const counts = SEPARATORS.map((separator) => plain.split(separator).length)
  return SEPARATORS[counts.indexOf(Math.max(...counts))] ?? ','
}

/** Whether text looks like a table with a head of names: then it is no JSON that was damaged. */
export function looksLikeTable(bytes: Buffer): boolean {
  const [head = '', row = ''] = bytes
    .toString('latin1')
    .replace(/^\xef\xbb\xbf/, '')
    .split(/\r?\n/)
  const cells = (line: string) => line.split(separatorOf(Buffer.from(head, 'latin1'))).length
  const names = head.split(separatorOf(Buffer.from(head, 'latin1')))
  return (
    names.length > 1 &&
    names.every((name) => /^\s*"?[A-Za-z_@][\w .@-]*"?\s*$/.test(name)) &&
    !row.startsWith('{') &&
    cells(row) === names.length
  )
}
