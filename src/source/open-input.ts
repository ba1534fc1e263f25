/** A file, or standard input, as it is read: unpacked, and known by its first bytes. */
import { createReadStream } from 'node:fs'
import { pipeline, Readable } from 'node:stream'
import { createGunzip, createZstdDecompress } from 'node:zlib'
import { CtrError } from '../errors.ts'
import { isAvroFile, type Layout, layoutOf, looksLikeTable, otherKind, packingOf, separatorOf } from './input-kind.ts'
import { zstdFrames } from './zstd-frames.ts'

const READ_BYTES = 128 * 1024
/** To tell an archive of tar, the last of all. */
const LOOK_BYTES = 512
/** Of these the lines are looked at. */
const LOOKED_AT_BYTES = 64 * 1024

/** What was asked for. */
export interface InputOptions {
  /** A path, or - for standard input. */
  readonly file: string
  /** It is a table, whose cells are apart by `separator`, or what the head has most of. */
  readonly csv: boolean
  readonly separator: string | undefined
}

/** An input whose first bytes are known. */
export interface KnownInput {
  readonly chunks: AsyncIterable<Buffer>
  readonly layout: Layout
  /** Of CSV. */
  readonly separator: string
}

/** The bytes as they are there; to be destroyed when they are not read to their end. */
export function openBytes(file: string, stdin: Readable): Readable {
  return file === '-' ? stdin : createReadStream(file, { highWaterMark: READ_BYTES })
}

/** Looks at the first bytes. Rejects with CTR_INPUT for a kind of file that is not read, with what to do. */
export async function lookAtInput(raw: Readable, { file, csv, separator }: InputOptions): Promise<KnownInput> {
  const packed = await peeked(raw)
  const packing = packingOf(file, packed.first)
  const { first: all, chunks } = packing === 'none' ? packed : await peeked(unpacked(packing, packed.chunks))
  const first = all.subarray(0, LOOKED_AT_BYTES)
  if (isAvroFile(first)) {
    if (csv) throw new CtrError('CTR_INPUT', 'is an Avro file and no CSV; leave out --csv')
    return { chunks, layout: 'avro', separator: '' }
  }
  const other = otherKind(first)
  if (other !== undefined) throw new CtrError('CTR_INPUT', `is ${other.what}, which is not read; ${other.remedy}`)
  if (!csv && looksLikeTable(first)) throw new CtrError('CTR_INPUT', 'looks like CSV with a head of names; --csv reads it')
  return { chunks, layout: csv ? 'csv' : layoutOf(first), separator: separator ?? separatorOf(first) }
}

function unpacked(packing: 'gzip' | 'zstd', chunks: AsyncIterable<Buffer>): Readable {
  const unpacking = packing === 'gzip' ? createGunzip({ chunkSize: READ_BYTES }) : createZstdDecompress({ chunkSize: READ_BYTES })
  // pipeline carries a read error to the stream, where the reader sees it, and closes both.
  pipeline(Readable.from(packing === 'gzip' ? chunks : zstdFrames(chunks), { objectMode: false }), unpacking, () => {})
  return unpacking
}

/** The first bytes, and all of them, the first included. */
async function peeked(stream: Readable): Promise<{ first: Buffer; chunks: AsyncIterable<Buffer> }> {
  const iterator = stream[Symbol.asyncIterator]() as AsyncIterator<Buffer>
  let first: Buffer = Buffer.alloc(0)
  while (first.length < LOOK_BYTES) {
    const { done, value } = await iterator.next()
    if (done === true) break
    first = first.length === 0 ? value : Buffer.concat([first, value])
    // A pipe that says little is not waited for longer than its first line with something in it.
    if (/\S[^\n]+\n/.test(first.toString('latin1', 0, LOOK_BYTES))) break
  }
  return { first, chunks: joined(first, iterator) }
}

async function* joined(first: Buffer, rest: AsyncIterator<Buffer>): AsyncGenerator<Buffer> {
  if (first.length > 0) yield first
  for (;;) {
    const { done, value } = await rest.next()
    if (done === true) return
    yield value
  }
}
