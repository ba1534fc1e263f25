import fc from 'fast-check'
import { expect, test } from 'vitest'
import { FramePool } from '../../src/kafka/frame-pool.ts'
import { FrameAssembler } from '../../src/kafka/frame-socket.ts'

function response(size: number, seed: number): Buffer {
  const bytes = Buffer.alloc(4 + size)
  bytes.writeInt32BE(size)
  for (let at = 4; at < bytes.length; at++) bytes[at] = (at * 31 + seed) & 255
  return bytes
}

/** Reads `stream` as a socket would: at most `piece` bytes at a time, never more than there is room for. */
function feed(assembler: FrameAssembler, stream: Buffer, pieces: () => number): void {
  for (let at = 0; at < stream.length; ) {
    const target = assembler.target()
    expect(target.length).toBeGreaterThan(0)
    const count = Math.min(pieces(), target.length, stream.length - at)
    stream.copy(target, 0, at, at + count)
    assembler.advance(count)
    at += count
  }
}

test('responses of every size come out whole, however the bytes arrive', () => {
  const sizes = fc.array(
    fc.oneof(fc.integer({ min: 4, max: 50 }), fc.integer({ min: 60_000, max: 70_000 }), fc.integer({ min: 4, max: 300_000 })),
    {
      maxLength: 8,
    },
  )
  const pieces = fc.array(fc.oneof(fc.integer({ min: 1, max: 7 }), fc.integer({ min: 1, max: 200_000 })), { minLength: 1, maxLength: 40 })
  fc.assert(
    fc.property(sizes, pieces, (wanted, cuts) => {
      const sent = wanted.map(response)
      const got: Buffer[] = []
      const pool = new FramePool()
      const assembler = new FrameAssembler(pool, (bytes) => {
        got.push(Buffer.from(bytes))
        pool.frameOf(bytes)?.release()
      })
      let turn = 0
      // Single bytes would make large streams slow: after forty small cuts the rest comes in large ones.
      feed(assembler, Buffer.concat(sent), () => (turn < 40 ? cuts[turn++ % cuts.length]! : 100_000))
      expect(got.length).toBe(sent.length)
      got.forEach((bytes, at) => {
        expect(bytes.equals(sent[at]!)).toBe(true)
      })
    }),
    { numRuns: 150 },
  )
})

test.each([3, -1, 2 ** 30])('a length of %i is refused and the protocol named', (length) => {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(length)
  const assembler = new FrameAssembler(new FramePool(), () => {})
  bytes.copy(assembler.target())
  expect(() => assembler.advance(4)).toThrow('kafka.security.protocol')
})

test('a large response is read into the frame given back before, a kept one stays as it is', () => {
  const pool = new FramePool()
  const frames = [1, 2, 3].map((seed) => {
    let got: Buffer | undefined
    const assembler = new FrameAssembler(pool, (bytes) => {
      got = bytes
    })
    feed(assembler, response(100_000, seed), () => 30_000)
    const frame = pool.frameOf(got!)!
    if (seed === 1) frame.release()
    return { frame, got: got! }
  })
  expect(frames[1]!.frame).toBe(frames[0]!.frame)
  expect(frames[2]!.frame).not.toBe(frames[1]!.frame)
  expect(frames[1]!.got.equals(response(100_000, 2))).toBe(true)
  expect(frames[0]!.frame.generation).toBe(1)
})

test('a frame returns at its last release, and releasing it once more is a bug', () => {
  const pool = new FramePool()
  const frame = pool.take(70_000)!
  frame.retain()
  frame.release()
  expect(frame.generation).toBe(0)
  frame.release()
  expect(frame.generation).toBe(1)
  expect(() => frame.release()).toThrow('once per holder')
  expect(pool.take(65_536)).toBe(frame)
  expect(pool.take(65_535)).toBeUndefined()
})

test('only a handful of free frames are kept, the largest ones', () => {
  const pool = new FramePool()
  const frames = [100_000, 200_000, 400_000, 800_000, 1_600_000, 3_200_000].map((size) => pool.take(size)!)
  for (const frame of frames) frame.release()
  const again = [70_000, 70_000, 70_000, 70_000, 70_000].map((size) => pool.take(size)!)
  expect(
    again
      .filter((frame) => frames.includes(frame))
      .map(({ bytes }) => bytes.length)
      .toSorted((one, other) => one - other),
  ).toEqual([524_288, 1_048_576, 2_097_152, 4_194_304])
})
