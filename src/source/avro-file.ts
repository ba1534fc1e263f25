/**
 * Reads an Avro object container file, block after block; memory is that of the largest block, as it is and unpacked.
 *
 *   file    | "Obj" 1 | metadata | sync 16 | block … |
 *   block   | count | size | size bytes: count values, packed as avro.codec says | sync 16 |
 *
 * The metadata is a map of Avro from texts to bytes, with the schema and the codec; count and size are its longs. Snappy has the CRC-32 of
 * the unpacked bytes behind it, big-endian.
 *
 * A block is handed over when it is whole: the sync marker behind it is the file's, it can be unpacked, and it holds so many values and
 * nothing else. What is wrong fails with CTR_INPUT and the byte at which the block begins. A file that was cut off between two blocks looks
 * like a whole one.
 */
import { crc32, inflateRawSync } from 'node:zlib'
import { CODEC } from '../batch/codec.ts'
import { decompress } from '../batch/decompress.ts'
import { CtrError } from '../errors.ts'
import { AVRO_MAGIC } from './input-kind.ts'
import type { TakeLine } from './line-sorter.ts'

/** What is to be known of the values by their schema. */
export interface AvroValues {
  /** Where the value that begins at `at` ends, at `end` at most; -1 for one that doesn't. */
  readonly endOf: (bytes: Uint8Array, at: number, end: number) => number
}

/** What is read, and how. */
export interface AvroReading {
  readonly chunks: AsyncIterable<Buffer>
  /** Called once with the schema's text. Throws CTR_INPUT for one that can't be used. */
  readonly open: (schema: string) => AvroValues
  readonly blockMaxBytes: number
  readonly goesOn: () => boolean
}

const SYNC_BYTES = 16
const METADATA_MAX_BYTES = 16 * 1024 * 1024
const LONG_BYTES = 10
const CRC_BYTES = 4

type Unpack = (packed: Buffer, maxBytes: number) => Uint8Array | undefined

/** By the name in avro.codec; undefined from one says that more would come out than may. */
const CODECS: ReadonlyMap<string, Unpack> = new Map<string, Unpack>([
  ['null', (packed) => packed],
  ['deflate', (packed, maxOutputLength) => inflateRawSync(packed, { maxOutputLength })],
  ['zstandard', (packed, maxBytes) => decompress(CODEC.zstd, packed, maxBytes)],
  ['snappy', unsnappy],
])

/** Gives the values to `take`, one after the other, while it `goesOn`. Rejects with CTR_INPUT for what is no such file, or damaged. */
export async function readAvroFile({ chunks, open, blockMaxBytes, goesOn }: AvroReading, take: TakeLine): Promise<void> {
  const bytes = new ByteFeed(chunks)
  await bytes.take(AVRO_MAGIC.length, 'its head')
  const metadata = await readMetadata(bytes)
  const sync = Buffer.from(await bytes.take(SYNC_BYTES, 'its head'))
  const codec = metadata.get('avro.codec')?.toString() ?? 'null'
  const unpack = CODECS.get(codec)
  if (unpack === undefined) {
    const remedy = `avro-tools recodec --codec zstandard FILE OTHER writes it anew`
    throw new CtrError(
      'CTR_INPUT',
      `is an Avro file with the codec ${codec}, of which only ${[...CODECS.keys()].join(', ')} are read; ${remedy}`,
    )
  }
  const values = open(metadata.get('avro.schema')?.toString() ?? '')
  while (goesOn() && (await bytes.hasMore())) {
    const block = new Block(bytes.position)
    const count = await bytes.long(block.name)
    const size = await bytes.long(block.name)
    if (!(count >= 0 && size >= 0)) throw block.damaged(`it says that it has ${count} values in ${size} bytes`)
    if (size > blockMaxBytes) throw block.tooLarge(`${size}`, blockMaxBytes)
    const packed = await bytes.take(size + SYNC_BYTES, block.name)
    if (!packed.subarray(size).equals(sync)) throw block.damaged("the sync marker behind it is not the file's")
    await handOver(block.unpacked(unpack, packed.subarray(0, size), blockMaxBytes), { block, count, values, take, goesOn })
  }
}

interface Handing {
  readonly block: Block
  readonly count: number
  readonly values: AvroValues
  readonly take: TakeLine
  readonly goesOn: () => boolean
}

async function handOver(bytes: Buffer, { block, count, values, take, goesOn }: Handing): Promise<void> {
  const { length } = bytes
  // A value without bytes is no event, and would be without end.
  if (count > length) throw block.damaged(`it says that it has ${count} values in ${length} bytes`)
  const ends: number[] = []
  let at = 0
  for (let i = 0; i < count; i++) {
    at = values.endOf(bytes, at, length)
    if (at < 0) throw block.damaged(`value ${i + 1} of its ${count} is not of the file's schema`)
    ends.push(at)
  }
  if (at !== length) throw block.damaged(`${length - at} bytes lie behind its ${count} values`)
  let start = 0
  for (const end of ends) {
    const taken = take(bytes, start, end)
    if (taken !== undefined) await taken
    if (!goesOn()) return
    start = end
  }
}

/** A block by the byte at which it begins, for what is told of it. */
class Block {
  readonly name: string

  constructor(position: number) {
    this.name = `the block at byte ${position}`
  }

  unpacked(unpack: Unpack, packed: Buffer, maxBytes: number): Buffer {
    let bytes: Uint8Array | undefined
    try {
      bytes = unpack(packed, maxBytes)
    } catch (cause) {
      if ((cause as { code?: unknown }).code !== 'ERR_BUFFER_TOO_LARGE') throw this.damaged(`it can't be unpacked`, cause)
    }
    if (bytes === undefined) throw this.tooLarge('more', maxBytes)
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  }

  damaged(how: string, cause?: unknown): CtrError {
    const remedy = 'fetch the file again, or keep what is whole of it by avro-tools repair FILE OTHER'
    return new CtrError('CTR_INPUT', `${this.name} is damaged: ${how}; ${remedy}`, { cause })
  }

  tooLarge(bytes: string, maxBytes: number): CtrError {
    return new CtrError('CTR_INPUT', `${this.name} has ${bytes} bytes, where ${maxBytes} may be; write the file with smaller blocks`)
  }
}

async function readMetadata(bytes: ByteFeed): Promise<Map<string, Buffer>> {
  const what = 'its head'
  const metadata = new Map<string, Buffer>()
  const span = async () => {
    const length = await bytes.long(what)
    if (!(length >= 0 && bytes.position + length < METADATA_MAX_BYTES))
      throw new CtrError('CTR_INPUT', `is no Avro file: ${what} is damaged`)
    return Buffer.from(await bytes.take(length, what))
  }
  for (;;) {
    const count = await bytes.long(what)
    if (count === 0) return metadata
    // Of a negative count the size in bytes follows.
    if (count < 0) await bytes.long(what)
    for (let left = Math.abs(count); left > 0; left--) metadata.set((await span()).toString(), await span())
  }
}

/** Bytes of a stream, as many at once as are wanted. */
class ByteFeed {
  /** Of the next byte, in the stream. */
  position = 0
  readonly #chunks: AsyncIterator<Buffer>
  #bytes: Buffer = Buffer.alloc(0)
  #at = 0

  constructor(chunks: AsyncIterable<Buffer>) {
    this.#chunks = chunks[Symbol.asyncIterator]()
  }

  async hasMore(): Promise<boolean> {
    return (await this.#fill(1)) > 0
  }

  /** The next bytes, valid until the next call; fails when `what` is cut off before. */
  async take(size: number, what: string): Promise<Buffer> {
    if ((await this.#fill(size)) < size) throw new CtrError('CTR_INPUT', `the file ends within ${what}: it is cut off`)
    const start = this.#at
    this.#pass(size)
    return this.#bytes.subarray(start, start + size)
  }

  /** The next long of Avro, exact up to 2^53. */
  async long(what: string): Promise<number> {
    const there = await this.#fill(LONG_BYTES)
    let zigzag = 0
    for (let i = 0, worth = 1; i < there && i < LONG_BYTES; i++, worth *= 128) {
      const byte = this.#bytes[this.#at + i] ?? 0
      zigzag += (byte & 127) * worth
      if (byte > 127) continue
      this.#pass(i + 1)
      return zigzag % 2 === 0 ? zigzag / 2 : -(zigzag + 1) / 2
    }
    if (there < LONG_BYTES) throw new CtrError('CTR_INPUT', `the file ends within ${what}: it is cut off`)
    throw new CtrError('CTR_INPUT', `${what} is damaged: a number has too many bytes`)
  }

  #pass(size: number): void {
    this.#at += size
    this.position += size
  }

  /** Reads on until so many bytes are there, or all; returns how many are. */
  async #fill(size: number): Promise<number> {
    let there = this.#bytes.length - this.#at
    if (there >= size) return there
    const parts = [this.#bytes.subarray(this.#at)]
    while (there < size) {
      const { done, value } = await this.#chunks.next()
      if (done === true) break
      parts.push(value)
      there += value.length
    }
    this.#bytes = Buffer.concat(parts)
    this.#at = 0
    return there
  }
}

function unsnappy(packed: Buffer, maxBytes: number): Uint8Array | undefined {
  const end = packed.length - CRC_BYTES
  if (end < 0) throw new RangeError('no CRC')
  const bytes = decompress(CODEC.snappy, packed.subarray(0, end), maxBytes)
  if (bytes !== undefined && crc32(bytes) !== packed.readUInt32BE(end)) throw new RangeError('CRC-32 differs')
  return bytes
}
