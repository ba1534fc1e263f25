import { describe, expect, test } from 'vitest'
import { BugError } from '../../src/assert.ts'
import { Random } from '../../src/load/random.ts'
import { tryBroadcast } from '../../src/ring/broadcast.ts'
import { BLOCK, createRing, RING_HEADER_BYTES, ringFill } from '../../src/ring/layout.ts'
import { RingReader } from '../../src/ring/ring-reader.ts'
import { RingWriter } from '../../src/ring/ring-writer.ts'

const SEED = Number(process.env.CTR_TEST_SEED ?? Date.now() % 1_000_000_007)

describe('a ring', () => {
  test('is rounded up to a power of two, at least 4 KiB', () => {
    expect(createRing(1).byteLength - RING_HEADER_BYTES).toBe(4096)
    expect(createRing(4096).byteLength - RING_HEADER_BYTES).toBe(4096)
    expect(createRing(4097).byteLength - RING_HEADER_BYTES).toBe(8192)
  })

  test('hands over a block as it was written, header and payload', () => {
    const ring = createRing(4096)
    const writer = new RingWriter(ring)
    const reader = new RingReader(ring)
    expect(writer.tryOpen(BLOCK.events, 7, 4)).toBe(true)
    writer.words.set([1, -2, 3, -4], writer.payload)
    expect(reader.next()).toBe(false) // nothing is seen before it is closed
    writer.close(4, 2, 3, 5, 1.5e12)
    expect(reader.next()).toBe(true)
    const { kind, task, count, aux, byteLength, time, payload } = reader
    expect({ kind, task, count, aux, byteLength, time }).toEqual({
      kind: BLOCK.events,
      task: 7,
      count: 2,
      aux: 3,
      byteLength: 5,
      time: 1.5e12,
    })
    expect([...reader.words.subarray(payload, payload + 4)]).toEqual([1, -2, 3, -4])
    expect(reader.next()).toBe(false)
  })

  test('is full when it is full, not before, and has room again after release', () => {
    const ring = createRing(4096) // 1024 words: 128 blocks without payload
    const writer = new RingWriter(ring)
    const reader = new RingReader(ring)
    for (let i = 0; i < 128; i++) expect(writer.tryPut(BLOCK.tick, 0, i)).toBe(true)
    expect(writer.tryPut(BLOCK.tick, 0)).toBe(false)
    expect(ringFill(ring)).toBe(1)
    expect(reader.next()).toBe(true)
    expect(writer.tryPut(BLOCK.tick, 0)).toBe(false) // read, but not given back
    expect(reader.held).toBe(8)
    reader.release()
    expect(writer.tryPut(BLOCK.tick, 0)).toBe(true)
    expect(writer.tryPut(BLOCK.tick, 0)).toBe(false)
  })

  test('takes the largest block whatever its position, and refuses a larger one as a bug', () => {
    const ring = createRing(4096)
    const writer = new RingWriter(ring)
    const reader = new RingReader(ring)
    for (let i = 0; i < 300; i++) {
      expect(writer.tryOpen(BLOCK.rows, i, writer.payloadMaxWords)).toBe(true)
      writer.close(i % 2 === 0 ? writer.payloadMaxWords : 3)
      expect(reader.next()).toBe(true)
      expect(reader.task).toBe(i)
      reader.release()
    }
    expect(() => writer.tryOpen(BLOCK.rows, 0, writer.payloadMaxWords + 1)).toThrow(BugError)
  })

  test('forgets an abandoned block', () => {
    const ring = createRing(4096)
    const writer = new RingWriter(ring)
    const reader = new RingReader(ring)
    writer.tryOpen(BLOCK.events, 1, 100)
    writer.abandon()
    writer.tryPut(BLOCK.tick, 2)
    expect(reader.next()).toBe(true)
    expect([reader.kind, reader.task]).toEqual([BLOCK.tick, 2])
    expect(() => writer.close(0)).toThrow(BugError)
    expect(() => writer.abandon()).toThrow(BugError)
  })

  test('goes on where positions pass 2^31 and 2^32', () => {
    for (const position of [0x7fff_fff0, -16]) {
      const ring = createRing(4096)
      new Int32Array(ring, 0, 128).set([position], 0)
      new Int32Array(ring, 0, 128).set([position], 32)
      const writer = new RingWriter(ring)
      const reader = new RingReader(ring)
      for (let i = 0; i < 1000; i++) {
        expect(writer.tryPut(BLOCK.tick, i)).toBe(true)
        expect(reader.next()).toBe(true)
        expect(reader.task).toBe(i)
        reader.release()
      }
    }
  })
})

test('a broadcast reaches all rings or none', () => {
  const rings = [createRing(4096), createRing(4096), createRing(4096)]
  const writers = rings.map((ring) => new RingWriter(ring))
  while (writers[1]!.tryPut(BLOCK.tick, 0)) {}
  expect(tryBroadcast(writers, BLOCK.barrier, 0, 1, 0)).toBe(1)
  expect(rings.map(ringFill)).toEqual([0, 1, 0])
  const reader = new RingReader(rings[1]!)
  reader.next()
  reader.release()
  expect(tryBroadcast(writers, BLOCK.barrier, 0, 1, 0)).toBe(-1)
})

test(`any mix of blocks comes out in order and whole, seed ${SEED}`, () => {
  const random = new Random(SEED)
  const ring = createRing(8192)
  const writer = new RingWriter(ring)
  const reader = new RingReader(ring)
  const sent: number[][] = []
  for (let step = 0; step < 50_000; step++) {
    if (random.chance(0.5)) {
      const words = random.below(200)
      if (!writer.tryOpen(BLOCK.events, step, words)) continue
      const used = random.below(words + 1)
      for (let i = 0; i < used; i++) writer.words[writer.payload + i] = step * 31 + i
      writer.close(used, used)
      sent.push([step, used])
    } else if (reader.next()) {
      const [task, used] = sent.shift()!
      expect([reader.task, reader.count]).toEqual([task, used])
      // Asking `expect` of millions of words would take most of the time.
      for (let i = 0; i < used!; i++) {
        const word = (task! * 31 + i) | 0
        if (reader.words[reader.payload + i] !== word) expect(reader.words[reader.payload + i]).toBe(word)
      }
      if (random.chance(0.7)) reader.release()
    } else {
      expect(sent).toEqual([])
      reader.release()
    }
  }
})
