import { gunzipSync, gzipSync, zstdDecompressSync } from 'node:zlib'
import fc from 'fast-check'
import snappy from 'snappyjs'
import { describe, expect, test } from 'vitest'
import { CODEC } from '../../src/batch/codec.ts'
import { compress } from '../../src/batch/compress.ts'
import { DECOMPRESSED_MAX_BYTES, decompress } from '../../src/batch/decompress.ts'
import { OutputPool } from '../../src/batch/output-pool.ts'
import { CtrError } from '../../src/errors.ts'

const packed = [
  ['gzip', CODEC.gzip],
  ['snappy', CODEC.snappy],
  ['lz4', CODEC.lz4],
  ['zstd', CODEC.zstd],
] as const

/** Bytes as events look: repetition near and far, with something random in between. */
const texts = fc
  .array(fc.oneof(fc.constantFrom('{"product_id":"p-0001"', ',"event_type":"click"}', 'a'.repeat(300)), fc.string({ maxLength: 20 })), {
    maxLength: 400,
  })
  .map((parts) => Buffer.from(parts.join('')))

function corrupt(codec: number, bytes: Uint8Array): CtrError {
  try {
    decompress(codec, bytes)
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
        expect(Buffer.compare(decompress(codec, compress(codec, bytes)), bytes)).toBe(0)
      }),
    )
  })

  test('gives back several blocks and blocks that do not shrink', () => {
    const random = Buffer.from(Array.from({ length: 70_000 }, (_, at) => (Math.imul(at, 0x9e3779b1) >>> 13) & 255))
    const bytes = Buffer.concat([random, Buffer.alloc(200_000, 'abcdefg'), random])
    expect(Buffer.compare(decompress(codec, compress(codec, bytes)), bytes)).toBe(0)
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
          expect(decompress(codec, mutated)).toBeInstanceOf(Uint8Array)
        } catch (error) {
          expect(error).toMatchObject({ code: 'CTR_KAFKA_CORRUPT_BATCH' })
        }
      }),
      { numRuns: 1_000 },
    )
  })

  test('a result shares no memory with its input', () => {
    const input = compress(codec, Buffer.from('x'.repeat(100)))
    const output = decompress(codec, input)
    input.fill(0)
    expect(Buffer.from(output).toString()).toBe('x'.repeat(100))
  })
})

test('no codec copies', () => {
  const bytes = Buffer.from('as is')
  const copy = decompress(CODEC.none, bytes)
  bytes.fill(0)
  expect(Buffer.from(copy).toString()).toBe('as is')
})

test('an unknown codec is named', () => {
  expect(corrupt(5, Buffer.from('x')).message).toContain('codec 5')
})

test('raw snappy without framing is understood too', () => {
  const bytes = Buffer.from('raw snappy '.repeat(1_000))
  expect(Buffer.compare(decompress(CODEC.snappy, snappy.compress(new Uint8Array(bytes))), bytes)).toBe(0)
})

test('gzip and zstd are the real ones', () => {
  const bytes = Buffer.from('hello')
  expect(gunzipSync(compress(CODEC.gzip, bytes)).toString()).toBe('hello')
  expect(zstdDecompressSync(compress(CODEC.zstd, bytes)).toString()).toBe('hello')
})

test('an lz4 frame written by hand from the specification decodes', () => {
  const block = Buffer.concat([Buffer.from([0x68]), Buffer.from('Hello '), Buffer.from([6, 0, 0x50]), Buffer.from('ello!')])
  const frame = Buffer.concat([Buffer.from('04224d18604082', 'hex'), Buffer.from([block.length, 0, 0, 0]), block, Buffer.alloc(4)])
  expect(Buffer.from(decompress(CODEC.lz4, frame)).toString()).toBe('Hello Hello Hello ello!')
})

describe('what decompresses to more than the limit is refused', () => {
  test('gzip', () => {
    const bomb = gzipSync(Buffer.alloc(DECOMPRESSED_MAX_BYTES + 1), { level: 1 })
    expect(corrupt(CODEC.gzip, bomb).code).toBe('CTR_KAFKA_CORRUPT_BATCH')
  })
  test('snappy that only claims to', () => {
    expect(corrupt(CODEC.snappy, Buffer.from([0xff, 0xff, 0xff, 0xff, 0x0f, 0])).message).toContain('at most')
  })
  test('a length of 36 bits', () => {
    expect(corrupt(CODEC.snappy, Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff, 0x7f])).message).toContain('no length')
  })
})

test('buffers that are given back are used again, and only those that came from the pool', () => {
  const pool = new OutputPool()
  const bytes = Buffer.from('{"product_id":"p-0001"}'.repeat(20_000))
  for (const [, codec] of packed) {
    const first = decompress(codec, compress(codec, bytes), pool)
    expect(Buffer.compare(first, bytes)).toBe(0)
    pool.giveBack(first)
    const second = decompress(codec, compress(codec, bytes), pool)
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
    expect(() => decompress(codec, whole.subarray(0, cut), pool)).toThrow()
    expect(decompress(codec, whole, pool).length).toBe(Array.from({ length: 5_000 }, (_, at) => `{"n":${at}}`).join('').length)
  }
})
