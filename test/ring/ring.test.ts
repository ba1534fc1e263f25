import { describe, expect, test } from 'vitest'
import { BugError } from '../../src/assert.ts'
import { Random } from '../../src/load/random.ts'
import { putBarrier, putCheckpoint, putTick } from '../../src/ring/blocks.ts'
import {
  BLOCK,
  createRing,
  HEADER_BYTES,
  HEADER_COUNT,
  HEADER_KIND,
  HEADER_LENGTH,
  RING_HEADER_BYTES,
  ringFill,
} from '../../src/ring/layout.ts'
import { RingReader } from '../../src/ring/ring-reader.ts'
import { RingWriter } from '../../src/ring/ring-writer.ts'
import { Rings } from '../../src/ring/rings.ts'

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

describe('a put to all rings', () => {
  const setUp = () => {
    const memory = [createRing(4096), createRing(4096), createRing(4096)]
    const writers = memory.map((ring) => new RingWriter(ring))
    const fillMiddle = () => {
      while (writers[1]!.tryPut(BLOCK.tick, 0)) {}
    }
    return { memory, writers, rings: new Rings(writers), reader: new RingReader(memory[1]!), fillMiddle }
  }

  test('reaches all or none, and says which one was full', () => {
    const { memory, rings, reader, fillMiddle } = setUp()
    fillMiddle()
    expect(putTick(rings)).toBe(false)
    expect(putBarrier(rings, 1)).toBe(false)
    expect(rings.fullRing).toBe(1)
    expect(memory.map(ringFill)).toEqual([0, 1, 0])
    reader.next()
    reader.release()
    expect(putBarrier(rings, 1)).toBe(true) // one that didn't go in has not used up its number
  })

  test('takes barriers in the order of their numbers only', () => {
    const { rings } = setUp()
    expect(putBarrier(rings, 2)).toBe(true)
    expect(() => putBarrier(rings, 2)).toThrow('barriers are numbered in the order in which they are put {"number":2,"last":2}')
    expect(() => putCheckpoint(rings, 1, [])).toThrow(BugError)
    expect(putCheckpoint(rings, 3, [])).toBe(true)
  })
})

describe('a writer takes', () => {
  const open = (kind: (typeof BLOCK)[keyof typeof BLOCK], payloadWords: number) => {
    const writer = new RingWriter(createRing(4096))
    writer.tryOpen(kind, 0, payloadWords)
    return writer
  }

  test.each([
    ['no more than the block was opened with', BLOCK.rows, 10, [11]],
    ['no more than that, though its last words would be padding', BLOCK.rows, 9, [10]],
    ['no less than nothing', BLOCK.rows, 10, [-1]],
    ['no more events than fit', BLOCK.events, 10, [10, 6]],
    ['no more cells than fit', BLOCK.restore, 12, [12, 3]],
    ['no more bytes than fit', BLOCK.product, 3, [3, 0, 0, 13]],
    ['no negative count', BLOCK.events, 10, [10, -1]],
    ['no negative number of bytes', BLOCK.product, 10, [10, 0, 0, -1]],
  ] as const)('%s', (_, kind, payloadWords, [words, count = 0, aux = 0, bytes = 0]) => {
    expect(() => open(kind, payloadWords).close(words, count, aux, bytes)).toThrow('a block takes no more than it was opened with')
  })

  test.each([
    [BLOCK.rows, 10, [10]],
    [BLOCK.rows, 10, [0]],
    [BLOCK.events, 10, [10, 5]],
    [BLOCK.restore, 12, [12, 2]],
    [BLOCK.product, 3, [3, 0, 0, 12]],
  ] as const)('what just fits: kind %i, %i words', (kind, payloadWords, [words, count = 0, aux = 0, bytes = 0]) => {
    expect(() => open(kind, payloadWords).close(words, count, aux, bytes)).not.toThrow()
  })

  test('no block of a size below nothing', () => {
    expect(() => open(BLOCK.rows, -1)).toThrow('a block fits half the ring')
  })
})

describe('a reader refuses a block', () => {
  /** 256 words, of which a block of 100 words of payload takes 112; `spoil` gets the words from its header on. */
  const next = (spoil: (words: Int32Array) => void) => {
    const ring = createRing(4096)
    const writer = new RingWriter(ring)
    writer.tryOpen(BLOCK.events, 0, 100)
    writer.close(100, 50, 0, 400)
    spoil(new Int32Array(ring, RING_HEADER_BYTES))
    return new RingReader(ring).next()
  }

  test.each([
    ['shorter than its header', HEADER_LENGTH, 0],
    ['shorter than its header', HEADER_LENGTH, -112],
    ['that is not aligned', HEADER_LENGTH, 111],
    ['longer than what is published', HEADER_LENGTH, 120],
    ['of an unknown kind', HEADER_KIND, Object.keys(BLOCK).length],
    ['of an unknown kind', HEADER_KIND, -1],
    ['with more events than fit', HEADER_COUNT, 53],
    ['with a negative count', HEADER_COUNT, -1],
    ['with more bytes than fit', HEADER_BYTES, 417],
    ['with a negative number of bytes', HEADER_BYTES, -1],
  ])('%s: word %i is %i', (_, word, value) => {
    expect(() => next((words) => void words.set([value], word))).toThrow(
      'a block lies within what is published and holds what its header says {"length":',
    )
  })

  test.each([
    ['with as many events as fit', HEADER_COUNT, 52],
    ['with as many bytes as fit', HEADER_BYTES, 416],
    ['of the last kind, and with nothing', HEADER_KIND, 6],
  ])('but not one %s: word %i is %i', (_, word, value) => {
    expect(next((words) => void words.set([value], word))).toBe(true)
  })

  test('that runs over the end of the ring', () => {
    const ring = createRing(4096)
    new Int32Array(ring, 0, 128).set([1016], 32) // the tail: 8 words before the end
    new Int32Array(ring, 0, 128).set([1032], 0)
    new Int32Array(ring, RING_HEADER_BYTES).set([16, BLOCK.tick], 1016)
    expect(() => new RingReader(ring).next()).toThrow('a block lies within what is published')
  })
})

test('each side of a ring is taken once', () => {
  const ring = createRing(4096)
  new RingWriter(ring)
  new RingReader(ring)
  expect(() => new RingWriter(ring)).toThrow('each side of a ring is taken once, by one thread {"side":"writer"}')
  expect(() => new RingReader(ring)).toThrow('each side of a ring is taken once, by one thread {"side":"reader"}')
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
      if (!writer.tryOpen(BLOCK.checkpoint, step, words)) continue
      const used = random.below(words + 1)
      for (let i = 0; i < used; i++) writer.words[writer.payload + i] = step * 31 + i
      writer.close(used, used)
      sent.push([step, used])
    } else if (reader.next()) {
      const [task, used] = sent.shift()!
      expect([reader.task, reader.count]).toEqual([task, used])
      const wrong = reader.words.subarray(reader.payload, reader.payload + used!).findIndex((word, i) => word !== ((task! * 31 + i) | 0))
      if (wrong >= 0) expect.fail(`word ${wrong} of block ${task} is another`)
      if (random.chance(0.7)) reader.release()
    } else {
      expect(sent).toEqual([])
      reader.release()
    }
  }
})
