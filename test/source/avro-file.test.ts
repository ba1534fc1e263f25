import { Readable } from 'node:stream'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import avsc from 'avsc'
import { describe, expect, test } from 'vitest'
import { EVENTS_DEFAULT } from '../../src/config/events-section.ts'
import { FileSchemas } from '../../src/format/file-schemas.ts'
import { type ReplaySourceOptions, replaySource } from '../../src/source/replay-source.ts'
import { type AvroFileOptions, avroFile } from '../support/avro-file.ts'
import { CollectingHandler } from '../support/collecting-handler.ts'

const SCHEMA = {
  type: 'record',
  name: 'Event',
  fields: [
    { name: 'product_id', type: 'string' },
    { name: 'tags', type: { type: 'map', values: ['null', 'double'] } },
    { name: 'event_type', type: { type: 'enum', name: 'Type', symbols: ['impression', 'click'] } },
    { name: 'timestamp', type: { type: 'long', logicalType: 'timestamp-millis' } },
  ],
}
const TYPE = avsc.Type.forSchema(SCHEMA as never)
const EVENTS = Array.from({ length: 200 }, (_, i) => ({
  product_id: `p-${i % 7}`,
  tags: i % 3 === 0 ? {} : { weight: i / 3, none: null },
  event_type: i % 5 === 0 ? 'click' : 'impression',
  timestamp: 1_790_000_000_000 + ((i * 37) % 200) * 1000,
}))
const VALUES = EVENTS.map((event) => TYPE.toBuffer(event).toString('hex'))

const written = (options?: AvroFileOptions) => avroFile(SCHEMA, EVENTS, options)
const inChunks = (bytes: Buffer, size: number) =>
  Readable.from(Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) => bytes.subarray(i * size, (i + 1) * size)))

async function replay(bytes: Buffer, options: Partial<ReplaySourceOptions> = {}, size = bytes.length) {
  const handler = new CollectingHandler()
  const schemas = new FileSchemas(EVENTS_DEFAULT)
  const [numbers, avro] = [async () => [0], (schema: string) => schemas.open(schema)]
  const source = replaySource({ files: ['-'], stdin: inChunks(bytes, size), numbers, avro, ...options })
  await source.start(handler)
  await handler.ended()
  await source.close()
  const records = handler.records.get('0/0') ?? []
  return { values: records.map(({ value }) => value?.toString('hex')), failures: handler.failures as Error[] }
}

async function failure(bytes: Buffer, options?: Partial<ReplaySourceOptions>): Promise<string> {
  const { failures } = await replay(bytes, options)
  expect(failures).toMatchObject([{ code: 'CTR_INPUT' }])
  return failures[0]?.message ?? ''
}

/** Where the first block begins: behind the head's sync marker, which is the file's last 16 bytes. */
const firstBlock = (bytes: Buffer) => bytes.indexOf(bytes.subarray(-16)) + 16

describe('a file of Avro', () => {
  test.each(['null', 'deflate', 'zstandard', 'snappy'])('with the codec %s is its values, however its bytes come', async (codec) => {
    const bytes = await written({ codec })
    for (const size of [1, 7, 1000, bytes.length]) {
      const { values, failures } = await replay(bytes, {}, size)
      expect([failures, values], `chunks of ${size}`).toEqual([[], VALUES])
    }
  })

  test('may be packed by gzip and zstd, be one block, and have no values', async () => {
    const bytes = await written({ blockSize: 1 << 20 })
    for (const packed of [gzipSync(bytes), zstdCompressSync(bytes), bytes]) expect((await replay(packed)).values).toEqual(VALUES)
    expect(await replay(await avroFile(SCHEMA, []))).toMatchObject({ values: [], failures: [] })
  })

  test('is sorted by the times of its events on request', async () => {
    const sort = { keyOf: () => expect.unreachable('its records are not lines') }
    const { values } = await replay(await written(), { sort })
    const sorted = EVENTS.toSorted((a, b) => a.timestamp - b.timestamp).map((event) => TYPE.toBuffer(event).toString('hex'))
    expect(values).toEqual(sorted)
  })
})

describe('what is wrong with it', () => {
  test('fails wherever it is cut off but between blocks', async () => {
    const bytes = await written({ codec: 'deflate', blockSize: 1024 })
    const sync = bytes.subarray(-16)
    const ends: number[] = []
    for (let at = bytes.indexOf(sync); at >= 0; at = bytes.indexOf(sync, at + 1)) ends.push(at + 16)
    expect(ends.length).toBeGreaterThan(4)
    // Less than its first four bytes are lines, as far as can be told.
    for (let length = 5; length < bytes.length; length += length % 3 === 0 ? 5 : 1) {
      if (ends.includes(length)) continue
      expect(await failure(bytes.subarray(0, length)), `${length} bytes`).toMatch(
        /^standard input: the file ends within (its head|the block at byte \d+): it is cut off$/,
      )
    }
    for (const length of ends) expect((await replay(bytes.subarray(0, length))).failures).toEqual([])
  })

  test.each(['deflate', 'zstandard', 'snappy', 'null'])('a sync marker with a wrong byte fails, with the codec %s', async (codec) => {
    const bytes = await written({ codec })
    const second = bytes.indexOf(bytes.subarray(-16), firstBlock(bytes))
    for (let i = 0; i < 16; i++) {
      const damaged = Buffer.from(bytes)
      damaged[second + i]! ^= 0x10
      expect(await failure(damaged)).toMatch(
        new RegExp(`the block at byte ${firstBlock(bytes)} is damaged: the sync marker behind it is not the file's; fetch the file again`),
      )
    }
  })

  test.each(['snappy'])('any wrong bit of a block with a checksum fails (%s)', async (codec) => {
    const bytes = await written({ codec, blockSize: 1 << 20 })
    for (let at = firstBlock(bytes); at < bytes.length; at += 13) {
      const damaged = Buffer.from(bytes)
      damaged[at]! ^= 1 << (at & 7)
      expect(await failure(damaged), `byte ${at}`).toMatch(/the block at byte \d+|cut off/)
    }
  })

  test('blocks that are not of the codec or of the schema that the file names fail', async () => {
    const plain = await written()
    const renamed = (to: string) =>
      Buffer.from(plain.toString('latin1').replace('\x08null', `${String.fromCharCode(2 * to.length)}${to}`), 'latin1')
    for (const codec of ['deflate', 'zstandard', 'snappy'])
      expect(await failure(renamed(codec))).toMatch(/is damaged: it can't be unpacked/)
    expect(await failure(renamed('bzip2'))).toMatch(
      /^standard input is an Avro file with the codec bzip2, of which only null, deflate, zstandard, snappy are read; avro-tools recodec/,
    )
    const shifted = Buffer.from(plain.toString('latin1').replace('"double"', '"string"'), 'latin1')
    expect(await failure(shifted)).toMatch(/is damaged: (value \d+ of its \d+ is not of the file's schema|\d+ bytes lie behind)/)
  })

  test('a block that says more than it has fails, and so does one beyond the bound', async () => {
    const bytes = await written({ blockSize: 64 })
    const at = firstBlock(bytes)
    const more = Buffer.from(bytes)
    more[at]! += 2
    expect(await failure(more)).toMatch(/is damaged: value 3 of its 3 is not/)
    more[at]! -= 4
    expect(await failure(more)).toMatch(/is damaged: \d+ bytes lie behind its 1 values/)
    more[at]! = 1
    expect(await failure(more)).toMatch(/is damaged: it says that it has -1 values in \d+ bytes/)
    more[at]! = 0x7e
    expect(await failure(more)).toMatch(/is damaged: (it says that it has 63 values|value)/)
    expect(await failure(await written({ blockSize: 4096 }), { lineMaxBytes: 1000 })).toMatch(
      /has \d+ bytes, where 1000 may be; write the file with smaller/,
    )
    const bomb = await avroFile(SCHEMA, [{ ...EVENTS[0], product_id: 'x'.repeat(100_000) }], { codec: 'deflate' })
    expect(await failure(bomb, { lineMaxBytes: 50_000 })).toMatch(/has more bytes, where 50000 may be/)
  })

  test('a schema that can not be of events is refused before a record is read', async () => {
    const other = { type: 'record', name: 'Other', fields: [{ name: 'sku', type: 'string' }] }
    expect(await failure(await avroFile(other, [{ sku: 'a' }]))).toMatch(
      /^standard input has a schema that can't be used: it has nothing at event_type.*\(events.fields.type\)/,
    )
    expect(await failure(await written(), { csv: true })).toMatch(/is an Avro file and no CSV; leave out --csv$/)
  })

  test('records that may be several events are refused', async () => {
    const schemas = new FileSchemas({ ...EVENTS_DEFAULT, click: { field: ['clicked'] } })
    expect(await failure(await written(), { avro: (schema) => schemas.open(schema) })).toMatch(/which only JSON may; avro-tools tojson/)
  })
})
