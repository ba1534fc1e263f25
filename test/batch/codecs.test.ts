import { gunzipSync, zstdDecompressSync } from 'node:zlib'
import fc from 'fast-check'
import snappy from 'snappyjs'
import { describe, expect, test } from 'vitest'
import { CODEC } from '../../src/batch/codec.ts'
import { compress } from '../../src/batch/compress.ts'
import { decompress } from '../../src/batch/decompress.ts'
import { KEPT_MAX_BYTES, OutputPool } from '../../src/batch/output-pool.ts'
import { CtrError } from '../../src/errors.ts'

const packed = [
  ['gzip', CODEC.gzip],
  ['snappy', CODEC.snappy],
  ['lz4', CODEC.lz4],
  ['zstd', CODEC.zstd],
] as const

const MAX_BYTES = 64 * 1024 * 1024

function unpack(codec: number, bytes: Uint8Array, pool = new OutputPool()): Uint8Array {
  const out = decompress(codec, bytes, MAX_BYTES, pool)
  if (out === undefined) throw new Error('it is taken for too large')
  return out
}

/** Bytes as events look: repetition near and far, with something random in between. */
const texts = fc
  .array(fc.oneof(fc.constantFrom('{"product_id":"p-0001"', ',"event_type":"click"}', 'a'.repeat(300)), fc.string({ maxLength: 20 })), {
    maxLength: 400,
  })
  .map((parts) => Buffer.from(parts.join('')))

function corrupt(codec: number, bytes: Uint8Array): CtrError {
  try {
    unpack(codec, bytes)
  } catch (error) {
    if (error instanceof CtrError) return error
    throw error
  }
  throw new Error('it was accepted')
}

describe.each(packed)('%s', (_name, codec) => {
  test('gives back what was put in, whatever the size', () => {
    fc.assert(
      fc.property(fc.oneof(texts, fc.uint8Array({ maxLength: 3_000 })), (bytes) => {
        expect(Buffer.compare(unpack(codec, compress(codec, bytes)), bytes)).toBe(0)
      }),
    )
  })

  test('gives back several blocks and blocks that do not shrink', () => {
    const random = Buffer.from(Array.from({ length: 70_000 }, (_, at) => (Math.imul(at, 0x9e3779b1) >>> 13) & 255))
    const bytes = Buffer.concat([random, Buffer.alloc(200_000, 'abcdefg'), random])
    expect(Buffer.compare(unpack(codec, compress(codec, bytes)), bytes)).toBe(0)
  })

  test('every truncation is refused as corrupt', () => {
    const whole = compress(codec, Buffer.from('{"product_id":"p-0001"}'.repeat(20)))
    // Framed snappy is a list of blocks without an end mark: cut right after its header it is a valid empty list.
    for (let size = codec === CODEC.snappy ? 17 : 0; size < whole.length; size++) {
      expect(corrupt(codec, whole.subarray(0, size)).code).toBe('CTR_KAFKA_CORRUPT_BATCH')
    }
  })

  test('mutated bytes are refused or give some bytes, and never anything else', () => {
    const whole = compress(codec, Buffer.from(Array.from({ length: 200 }, (_, at) => `{"n":${at}}`).join('')))
    fc.assert(
      fc.property(fc.nat(whole.length - 1), fc.nat(255), (at, value) => {
        const mutated = Buffer.from(whole)
        mutated[at] = value
        try {
          expect(unpack(codec, mutated)).toBeInstanceOf(Uint8Array)
        } catch (error) {
          expect(error).toMatchObject({ code: 'CTR_KAFKA_CORRUPT_BATCH' })
        }
      }),
      { numRuns: 1_000 },
    )
  })

  test('a result shares no memory with its input', () => {
    const input = compress(codec, Buffer.from('x'.repeat(100)))
    const output = unpack(codec, input)
    input.fill(0)
    expect(Buffer.from(output).toString()).toBe('x'.repeat(100))
  })
})

test('no codec copies', () => {
  const bytes = Buffer.from('as is')
  const copy = unpack(CODEC.none, bytes)
  bytes.fill(0)
  expect(Buffer.from(copy).toString()).toBe('as is')
})

test('an unknown codec is named', () => {
  expect(corrupt(5, Buffer.from('x')).message).toContain('codec 5')
})

test('raw snappy without framing is understood too', () => {
  const bytes = Buffer.from('raw snappy '.repeat(1_000))
  expect(Buffer.compare(unpack(CODEC.snappy, snappy.compress(new Uint8Array(bytes))), bytes)).toBe(0)
})

test('gzip and zstd are the real ones', () => {
  const bytes = Buffer.from('hello')
  expect(gunzipSync(compress(CODEC.gzip, bytes)).toString()).toBe('hello')
  expect(zstdDecompressSync(compress(CODEC.zstd, bytes)).toString()).toBe('hello')
})

test('an lz4 frame written by hand from the specification decodes', () => {
  const block = Buffer.concat([Buffer.from([0x68]), Buffer.from('Hello '), Buffer.from([6, 0, 0x50]), Buffer.from('ello!')])
  const frame = Buffer.concat([Buffer.from('04224d18604082', 'hex'), Buffer.from([block.length, 0, 0, 0]), block, Buffer.alloc(4)])
  expect(Buffer.from(unpack(CODEC.lz4, frame)).toString()).toBe('Hello Hello Hello ello!')
})

/** Notes the largest buffer that was asked for. */
class WatchedPool extends OutputPool {
  largest = 0

  override take(size: number): Buffer {
    this.largest = Math.max(this.largest, size)
    return super.take(size)
  }
}

/** Zeros, as blocks of the largest size there is, each a byte and a match as long as that. */
function lz4Bomb(size: number): Buffer {
  const blocks: Buffer[] = [Buffer.from([0x04, 0x22, 0x4d, 0x18, 0x60, 0x70, 0x73])]
  for (let left = size; left > 0; ) {
    const part = Math.min(left, 4 * 1024 * 1024)
    left -= part
    // A literal, a match of what is left of the block but five, and five literals, as a block must end.
    const match = part - 6 - 19
    const extra = Buffer.alloc(Math.floor(match / 255) + 1, 255)
    extra[extra.length - 1] = match % 255
    const block = Buffer.concat([Buffer.from([0x1f, 0, 1, 0]), extra, Buffer.from([0x50, 0, 0, 0, 0, 0])])
    const length = Buffer.alloc(4)
    length.writeUInt32LE(block.length)
    blocks.push(length, block)
  }
  return Buffer.concat([...blocks, Buffer.alloc(4)])
}

/** Zeros as one raw block: a literal and copies of up to 64 bytes from one before. */
function snappyBomb(size: number): Buffer {
  const out: number[] = []
  for (let n = size; ; n = Math.floor(n / 128)) {
    out.push(n > 127 ? (n % 128) + 128 : n)
    if (n < 128) break
  }
  out.push(0, 0)
  for (let left = size - 1; left > 0; left -= Math.min(left, 64)) out.push(((Math.min(left, 64) - 1) << 2) | 2, 1, 0)
  return Buffer.from(out)
}

const bombs = [
  ['gzip', CODEC.gzip, (size: number) => compress(CODEC.gzip, Buffer.alloc(size))],
  ['snappy', CODEC.snappy, snappyBomb],
  ['framed snappy', CODEC.snappy, (size: number) => compress(CODEC.snappy, Buffer.alloc(size))],
  ['lz4', CODEC.lz4, lz4Bomb],
  ['zstd', CODEC.zstd, (size: number) => compress(CODEC.zstd, Buffer.alloc(size))],
  ['no codec', CODEC.none, (size: number) => Buffer.alloc(size)],
] as const

describe.each(bombs)('%s, of which more than the bound would come out', (_name, codec, make) => {
  test.each([1_000, 65_536 - 16, KEPT_MAX_BYTES - 16, 5_000_000])(
    'is not decompressed beyond a bound of %i bytes, and is up to it',
    (maxBytes) => {
      for (const size of [maxBytes - 1, maxBytes]) {
        expect([size, decompress(codec, make(size), maxBytes)?.length]).toEqual([size, size])
      }
      const pool = new WatchedPool()
      expect(decompress(codec, make(maxBytes + 1), maxBytes, pool)).toBeUndefined()
      expect(decompress(codec, make(Math.max(200_000, maxBytes + 5_000)), maxBytes, pool)).toBeUndefined()
      // One buffer of the kept ones is tried before anything is known.
      expect(pool.largest).toBeLessThanOrEqual(Math.max(KEPT_MAX_BYTES, maxBytes))
      expect(decompress(codec, make(100), maxBytes, pool)?.length).toBe(100)
    },
  )

  test('takes no more memory than its size, and keeps none of it', () => {
    const pool = new WatchedPool()
    const size = 3 * KEPT_MAX_BYTES
    const out = decompress(codec, make(size), 2 * size, pool)
    expect(out?.length).toBe(size)
    expect(pool.largest).toBeLessThanOrEqual(size)
    pool.giveBack(out ?? Buffer.alloc(0))
    expect(pool.keptBytes).toBeLessThanOrEqual(2 * KEPT_MAX_BYTES)
  })
})

describe('snappy that claims more than its bytes can become', () => {
  test('takes no memory for it', () => {
    const pool = new WatchedPool()
    expect(() => decompress(CODEC.snappy, Buffer.from([0xff, 0xff, 0xff, 0x1f, 0]), 2 ** 27, pool)).toThrow("can't become")
    expect(pool.largest).toBe(0)
  })
  test('a length of 36 bits', () => {
    expect(corrupt(CODEC.snappy, Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff, 0x7f])).message).toContain('no length')
  })
})

test('buffers that are given back are used again, and only those that came from the pool', () => {
  const pool = new OutputPool()
  const bytes = Buffer.from('{"product_id":"p-0001"}'.repeat(20_000))
  for (const [, codec] of packed) {
    const first = unpack(codec, compress(codec, bytes), pool)
    expect(Buffer.compare(first, bytes)).toBe(0)
    pool.giveBack(first)
    const second = unpack(codec, compress(codec, bytes), pool)
    expect([codec, second.buffer === first.buffer]).toEqual([codec, true])
    expect(Buffer.compare(second, bytes)).toBe(0)
    pool.giveBack(second)
  }
  const foreign = Buffer.from('a small one lies in memory that it shares with others')
  pool.giveBack(foreign)
  expect(pool.take(16).buffer).not.toBe(foreign.buffer)
})

test.each(packed)('%s: after damaged input the next batch is read as if nothing had been', (_name, codec) => {
  const pool = new OutputPool()
  const whole = compress(codec, Buffer.from(Array.from({ length: 5_000 }, (_, at) => `{"n":${at}}`).join('')))
  for (let cut = 20; cut < whole.length; cut += 997) {
    expect(() => unpack(codec, whole.subarray(0, cut), pool)).toThrow()
    expect(unpack(codec, whole, pool).length).toBe(Array.from({ length: 5_000 }, (_, at) => `{"n":${at}}`).join('').length)
  }
})
