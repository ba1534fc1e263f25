/** Files of Avro as avsc writes them, with the codecs that it lacks. */
import { crc32, deflateRaw, zstdCompressSync } from 'node:zlib'
import avsc from 'avsc'
import snappy from 'snappyjs'

export interface AvroFileOptions {
  readonly codec?: string
  /** Bytes of values from which on a block is written. */
  readonly blockSize?: number
}

type Done = (error: Error | null, bytes?: Buffer) => void

const CODECS = {
  null: (bytes: Buffer, done: Done) => done(null, bytes),
  deflate: (bytes: Buffer, done: Done) => deflateRaw(bytes, done),
  zstandard: (bytes: Buffer, done: Done) => done(null, zstdCompressSync(bytes)),
  snappy: (bytes: Buffer, done: Done) => {
    const crc = Buffer.alloc(4)
    crc.writeUInt32BE(crc32(bytes))
    done(null, Buffer.concat([snappy.compress(bytes), crc]))
  },
  // Not what it says, for files that nobody reads.
  bzip2: (bytes: Buffer, done: Done) => done(null, bytes),
}

/** An object container file with these values. */
export async function avroFile(schema: object, values: readonly unknown[], options: AvroFileOptions = {}): Promise<Buffer> {
  const { codec = 'null', blockSize = 256 } = options
  const encoder = new avsc.streams.BlockEncoder(schema as never, { codec, blockSize, codecs: CODECS, writeHeader: 'always' } as never)
  const chunks: Buffer[] = []
  const ended = new Promise<void>((resolve, reject) => {
    encoder.on('data', (chunk: Buffer) => chunks.push(chunk))
    encoder.on('end', resolve)
    encoder.on('error', reject)
  })
  for (const value of values) encoder.write(value)
  encoder.end()
  await ended
  return Buffer.concat(chunks)
}
