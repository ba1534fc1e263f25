/** Files that are no plain lines: arrays, values over many lines, tables, compressed ones, and those that are not read. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type ReplaySourceOptions, replaySource } from '../../src/source/replay-source.ts'
import { CollectingHandler } from '../support/collecting-handler.ts'

let directory = ''
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'ctr-inputs-'))
})
afterAll(() => rmSync(directory, { recursive: true, force: true }))

function file(name: string, content: string | Buffer): string {
  const path = join(directory, name)
  writeFileSync(path, content)
  return path
}

const noAvro = () => expect.unreachable('there is no file of Avro')

async function replay(options: Omit<ReplaySourceOptions, 'numbers' | 'avro'>): Promise<{ values: string[]; failures: unknown[] }> {
  const handler = new CollectingHandler()
  const source = replaySource({ numbers: async () => [0], avro: noAvro, ...options })
  await source.start(handler)
  await handler.ended()
  await source.close()
  return { values: (handler.records.get('0/0') ?? []).map(({ value }) => value?.toString() ?? 'null'), failures: handler.failures }
}

const inChunks = (bytes: Buffer, size: number) =>
  Readable.from(Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) => bytes.subarray(i * size, (i + 1) * size)))

describe('JSON that is no lines', () => {
  test.each([
    ['an array', '[{"a":1},{"b":"]"}]', ['{"a":1}', '{"b":"]"}']],
    ['an array over lines', '\n[\n  {"a": 1},\n  {"b": [2, {"c": "\\"}"}]}\n]\n', ['{"a": 1}', '{"b": [2, {"c": "\\"}"}]}']],
    ['an empty array', '[]', []],
    ['a byte order mark and an array', '\ufeff[{"a":1}]', ['{"a":1}']],
    ['arrays behind each other', '[{"a":1}]\n[{"b":2},{"c":3}]', ['{"a":1}', '{"b":2}', '{"c":3}']],
    [
      'objects over several lines',
      '{\n  "a": 1\n}\n{\n  "b": {\n    "c": 2\n  }\n}\n',
      ['{\n  "a": 1\n}', '{\n  "b": {\n    "c": 2\n  }\n}'],
    ],
    ['an array of other values', '[1, "x,]", true , null,-2e3]', ['1', '"x,]"', 'true', 'null', '-2e3']],
  ])('%s is its values, however its bytes come', async (_, text, expected) => {
    const bytes = Buffer.from(text)
    for (const size of [1, 2, 3, 7, bytes.length]) {
      expect(await replay({ files: ['-'], stdin: inChunks(bytes, size) }), `chunks of ${size}`).toEqual({ values: expected, failures: [] })
    }
  })

  test.each([
    ['is cut off between values', '[{"a":1},', /the file ends within an array, at byte 9: it is cut off/],
    ['is cut off in a value', '[{"a":1},{"b"', /ends within an array/],
    ['lacks a comma', '[{"a":1} {"b":2}]', /byte 9 is "\{", which does not fit/],
    ['has a comma too many', '[{"a":1},,{"b":2}]', /byte 9 is ","/],
    ['is closed twice', '[{"a":1}]]', /byte 9 is "\]"/],
  ])('an array that %s fails', async (_, text, message) => {
    const { failures } = await replay({ files: [file('broken.json', text)] })
    expect(failures).toMatchObject([{ code: 'CTR_INPUT', message: expect.stringMatching(message) }])
  })

  test('arrays of anything come back as JSON.stringify writes their elements', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.jsonValue({ maxDepth: 3 }), { minLength: 1, maxLength: 8 }),
        fc.integer({ min: 1, max: 9 }),
        async (values, size) => {
          const bytes = Buffer.from(JSON.stringify(values, null, size % 2))
          const found = await replay({ files: ['-'], stdin: inChunks(bytes, size) })
          expect(found.failures).toEqual([])
          expect(found.values.map((value) => JSON.parse(value) as unknown)).toEqual(JSON.parse(JSON.stringify(values)))
        },
      ),
      { numRuns: 100 },
    )
  })
})

describe('CSV', () => {
  const csv = (text: string | Buffer, more: object = {}) => replay({ files: [file('table.csv', text)], csv: true, ...more })

  test.each([
    [
      'commas',
      'product_id,event_type,n\np1,click,7\np2,view,\n',
      ['{"product_id":"p1","event_type":"click","n":"7"}', '{"product_id":"p2","event_type":"view"}'],
    ],
    ['semicolons and CRLF', 'a;b\r\n1;2\r\n', ['{"a":"1","b":"2"}']],
    ['tabs, and a byte order mark', '\ufeffa\tb\n1\t2', ['{"a":"1","b":"2"}']],
    ['quotes', 'a,"b, c"\n"x ""y""","line\nbreak"\n', ['{"a":"x \\"y\\"","b, c":"line\\nbreak"}']],
    ['a quote within a cell', 'size,b\n5" screen,2\n', ['{"size":"5\\" screen","b":"2"}']],
    ['a column without a name, and blank lines', 'a,,b\n1,2,3\n\n', ['{"a":"1","b":"3"}']],
    ['a row with a cell too many or too few: as it stands', 'a,b\n1,2,3\n4\n5,6\n', ['1,2,3', '4', '{"a":"5","b":"6"}']],
    ['a head alone', 'a,b\n', []],
  ])('%s', async (_, text, expected) => {
    expect(await csv(text)).toEqual({ values: expected, failures: [] })
  })

  test('keeps every byte, also those that are not UTF-8', async () => {
    const handler = new CollectingHandler()
    const bytes = Buffer.concat([Buffer.from('naïve,b\n'), Buffer.of(0xe9, 0x2c, 0xff), Buffer.from('é✓\n')])
    const source = replaySource({ numbers: async () => [0], avro: noAvro, files: [file('bytes.csv', bytes)], csv: true })
    await source.start(handler)
    await handler.ended()
    const [record] = handler.records.get('0/0') ?? []
    expect(record?.value).toEqual(
      Buffer.concat([Buffer.from('{"naïve":"'), Buffer.of(0xe9), Buffer.from('","b":"'), Buffer.of(0xff), Buffer.from('é✓"}')]),
    )
    await source.close()
  })

  test('with another separator than the head has most of', async () => {
    expect((await csv('a,x|b,y\n1|2\n', { separator: '|' })).values).toEqual(['{"a,x":"1","b,y":"2"}'])
  })

  test.each([
    ['a name twice', 'a,b,a\n1,2,3\n', /table\.csv: the head of the CSV has "a" twice/],
    ['a quote that is not closed', 'a,b\n1,"2\n3,4\n', /table\.csv is no CSV that can be read/],
  ])('%s fails', async (_, text, message) => {
    expect((await csv(text)).failures).toMatchObject([{ code: 'CTR_INPUT', message: expect.stringMatching(message) }])
  })

  test('a hundred thousand rows come in their order, in any chunks', async () => {
    const rows = Array.from({ length: 100_000 }, (_, i) => `p${i},${i % 7 === 0 ? '"a, b"' : 'x'}`)
    const { values, failures } = await csv(`id,v\n${rows.join('\n')}\n`)
    expect(failures).toEqual([])
    expect(values.map((value) => (JSON.parse(value) as { id: string }).id)).toEqual(rows.map((row) => row.split(',')[0]))
  })
})

describe('compressed files', () => {
  const lines = Array.from({ length: 20_000 }, (_, i) => `{"n":${i}}`)
  const text = Buffer.from(lines.join('\n'))

  test.each([
    ['.zst', 'lines.jsonl.zst', zstdCompressSync(text)],
    ['zstd under another name', 'lines.dat', zstdCompressSync(text)],
    ['gzip under another name', 'lines.log', gzipSync(text)],
    [
      'zstd of several frames',
      'frames.zst',
      Buffer.concat([text.subarray(0, 5000), text.subarray(5000, 90_000), text.subarray(90_000)].map((part) => zstdCompressSync(part))),
    ],
  ])('%s', async (_, name, bytes) => {
    expect(await replay({ files: [file(name, bytes)] })).toEqual({ values: lines, failures: [] })
    for (const size of [1000, 7]) expect((await replay({ files: ['-'], stdin: inChunks(bytes, size) })).values).toEqual(lines)
  })

  test('frames of every form that the library writes', async () => {
    for (const size of [0, 1, 100, 255, 256, 65_791, 65_792, 300_000]) {
      for (const contents of [Buffer.alloc(size, 0x61), Buffer.from(Array.from({ length: size }, (_, i) => 33 + ((i * i * 31) % 90)))]) {
        for (const flags of [{}, { params: { 201: 1 } }, { params: { 200: 0 } }]) {
          const frames = Buffer.concat([zstdCompressSync(contents, flags), zstdCompressSync(Buffer.from('\nlast'), flags)])
          const { values } = await replay({ files: [file('forms.zst', frames)] })
          expect(values.at(-1), `${size} ${JSON.stringify(flags)}`).toBe('last')
          expect(values.slice(0, -1).join('').length).toBe(contents.length)
        }
      }
    }
  })

  test('frames that are to be skipped are', async () => {
    const skipped = Buffer.concat([Buffer.of(0x5a, 0x2a, 0x4d, 0x18, 5, 0, 0, 0), Buffer.from('hello')])
    const bytes = Buffer.concat([skipped, zstdCompressSync(Buffer.from('a\n')), skipped, zstdCompressSync(Buffer.from('b'))])
    expect((await replay({ files: [file('skipped.zst', bytes)] })).values).toEqual(['a', 'b'])
  })

  test.each([
    ['is cut off', zstdCompressSync(text).subarray(0, 200), /cut off/],
    ['has something behind it', Buffer.concat([zstdCompressSync(text), Buffer.from('junk')]), /not zstd data, or damaged/],
    ['is none', Buffer.from('{"a":1}\n'), /not zstd data, or damaged/],
  ])('a .zst that %s fails', async (_, bytes, message) => {
    const { failures } = await replay({ files: [file('broken.zst', bytes)] })
    expect(failures).toMatchObject([{ code: 'CTR_INPUT', message: expect.stringMatching(message) }])
  })
})

describe('what is not read is named, with what to do', () => {
  /** The head of an archive's first file. */
  const zip = (name: string) =>
    file('a.zip', Buffer.concat([Buffer.from('PK\x03\x04'), Buffer.alloc(22), Buffer.from(`\x0f\x00\x00\x00${name}`)]))
  test.each([
    ['Parquet', () => file('a.parquet', 'PAR1\x15\x04'), /a\.parquet is Parquet, which is not read; duckdb/],
    ['Excel', () => zip('xl/workbook.xml'), /is an Excel workbook, which is not read; save its sheet as CSV/],
    ['zip', () => zip('events.jsonl'), /is a zip archive, which is not read; unzip -p/],
    ['bzip2', () => file('a.bz2', 'BZh91AY&SY'), /a\.bz2 is bzip2/],
    ['xz in gzip', () => file('a.gz', gzipSync(Buffer.of(0xfd, 0x37, 0x7a, 0x58, 0x5a, 0))), /a\.gz is xz/],
    ['UTF-16', () => file('a.jsonl', Buffer.from('\ufeff{"a":1}', 'utf16le')), /a\.jsonl is UTF-16 text, which is not read; iconv/],
    ['HTML', () => file('a.html', '<!doctype html>'), /XML or HTML/],
    [
      'a table',
      () => file('a.csv', 'product_id,event_type,timestamp\np1,click,1\n'),
      /a\.csv looks like CSV with a head of names; --csv reads it/,
    ],
  ])('%s', async (_, path, message) => {
    const { values, failures } = await replay({ files: [path()] })
    expect([values, failures]).toEqual([[], [expect.objectContaining({ code: 'CTR_INPUT', message: expect.stringMatching(message) })]])
  })

  test('lines of JSON that are damaged are no table', async () => {
    const { values } = await replay({ files: [file('damaged.jsonl', '"a":1,"b":2}\n{"a":1,"b":2}\n')] })
    expect(values).toEqual(['"a":1,"b":2}', '{"a":1,"b":2}'])
  })
})
