/** Whatever workers held comes back as a naive merge has it, and damaged bytes are refused: no crash, no other data. */
import { crc32 } from 'node:zlib'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { encodeTask } from '../../src/checkpoint/task-object.ts'
import { decodeTask } from '../../src/checkpoint/task-object-reader.ts'
import { CtrError } from '../../src/errors.ts'
import { FACTS, type PlainShard, plainPanes, shardCopy } from '../support/task-copies.ts'

const count = fc.oneof(
  { weight: 4, arbitrary: fc.nat(300) },
  { weight: 1, arbitrary: fc.nat(0xffff_ffff) },
  { weight: 1, arbitrary: fc.maxSafeNat().map((value) => Math.floor(value / 64)) },
)

const NOTHING: readonly [number, number] = [0, 0]
const PAIR: fc.Arbitrary<readonly [number, number]> = fc.tuple(count, count)

/** Shards that share no product, windows that they do share. */
const shards: fc.Arbitrary<PlainShard[]> = fc
  .array(fc.uniqueArray(fc.option(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 12 })), { maxLength: 12 }), { maxLength: 3 })
  .chain((names) =>
    fc.tuple(
      ...names.map((own, shard) => {
        const products = own.map((name) => (name === null ? null : `${shard}${name}`))
        const cells = fc.tuple(...products.map(() => fc.oneof(fc.constant(NOTHING), PAIR)))
        const pane = fc.record({ start: fc.nat(5), dirty: fc.boolean(), emitted: fc.boolean(), cells }).map((drawn) => ({
          start: drawn.start * 10_000,
          end: drawn.start * 10_000 + 10_000,
          dirty: drawn.dirty,
          emitted: drawn.emitted,
          cells: Object.fromEntries(products.flatMap((name, i) => (name === null ? [] : [[name, drawn.cells[i] ?? NOTHING]]))),
        }))
        return fc.uniqueArray(pane, { maxLength: 4, selector: ({ start }) => start }).map((panes) => ({ products, panes }))
      }),
    ),
  )

/** The same of windows that overlap: what a window has counted may be corrections of some that were missed, by the drawn numbers. */
const overlapping: fc.Arbitrary<PlainShard[]> = fc
  .tuple(shards, fc.array(fc.nat(3), { minLength: 1, maxLength: 20 }), fc.nat(50_000))
  .map(([plain, missed, emittedUpTo]) => {
    let next = 0
    return plain.map((shard) => ({
      ...shard,
      emittedUpTo,
      panes: shard.panes.map((pane) => {
        const groups = new Map<number, [string, readonly [number, number]][]>()
        for (const [name, pair] of Object.entries(pane.cells)) {
          const number = missed[next++ % missed.length]!
          if (number > 0 && pair[0] + pair[1] > 0) groups.set(number, [...(groups.get(number) ?? []), [name, pair]])
        }
        const corrections = Object.fromEntries([...groups].map(([number, cells]) => [number, Object.fromEntries(cells)]))
        return groups.size === 0 ? pane : { ...pane, corrections }
      }),
    }))
  })

const encode = (plain: readonly PlainShard[]) =>
  encodeTask(
    FACTS,
    plain.map((shard) => shardCopy(FACTS.task, shard)),
  )

/** The panes of all shards put together, one window after the other, with nothing but objects. */
function naive(plain: readonly PlainShard[]) {
  const all = plain.flatMap(({ panes }) => panes)
  const starts = [...new Set(all.map(({ start }) => start))].sort((a, b) => a - b)
  return starts.map((start) => {
    const same = all.filter((pane) => pane.start === start)
    const cells = Object.fromEntries(same.flatMap((pane) => Object.entries(pane.cells).filter(([, [a, b]]) => a + b > 0)))
    return {
      start,
      end: start + 10_000,
      dirty: same.some(({ dirty }) => dirty),
      emitted: same.every(({ emitted }) => emitted),
      total: Object.values(cells).reduce((sum, [a, b]) => sum + a + b, 0),
      cells,
      ...naiveCorrections(same),
    }
  })
}

function naiveCorrections(panes: readonly PlainShard['panes'][number][]): Pick<PlainShard['panes'][number], 'corrections'> {
  const all = panes.flatMap(({ corrections = {} }) => Object.entries(corrections))
  const groups = [...new Set(all.map(([missed]) => missed))].map((missed) => {
    return [missed, Object.assign({}, ...all.filter(([other]) => other === missed).map(([, cells]) => cells))] as const
  })
  return groups.length === 0 ? {} : { corrections: Object.fromEntries(groups) }
}

test('corrections come back too, and up to where all shards with a window had written them', () => {
  fc.assert(
    fc.property(overlapping, (plain) => {
      const encoded = encode(plain)
      const task = decodeTask(encoded.bytes, { ...encoded, key: 'k', bytes: encoded.bytes.length })
      expect(plainPanes(task)).toEqual(naive(plain))
      expect(task.emittedUpTo).toBe(plain.find(({ panes }) => panes.length > 0)?.emittedUpTo)
    }),
    { numRuns: 400 },
  )
})

test('what was written comes back, merged as a naive twin merges it', () => {
  fc.assert(
    fc.property(shards, (plain) => {
      const encoded = encode(plain)
      const task = decodeTask(encoded.bytes, { ...encoded, key: 'k', bytes: encoded.bytes.length })
      expect(plainPanes(task)).toEqual(naive(plain))
      expect(task.facts).toEqual(FACTS)
      for (const { products } of task.panes) expect(products).toEqual(products.toSorted())
    }),
    { numRuns: 400 },
  )
})

const SAMPLE: PlainShard[] = [
  {
    products: ['a', 'b', null, 'long-name'],
    panes: [{ start: 0, end: 10_000, dirty: true, emitted: false, cells: { a: [1, 2], b: [300, 0] } }],
  },
  { products: ['c'], panes: [{ start: 0, end: 10_000, dirty: false, emitted: true, cells: { c: [70_000, 1] } }] },
]

const SAMPLES: readonly PlainShard[][] = [
  SAMPLE,
  SAMPLE.map((shard, i) => ({
    ...shard,
    emittedUpTo: 9_000 + i,
    panes: shard.panes.map((pane) => ({ ...pane, corrections: { 1: pane.cells, 7: pane.cells } })),
  })),
]

/** undefined when refused as it should be; anything else thrown fails the test. */
function read(bytes: Uint8Array): unknown {
  try {
    return decodeTask(bytes)
  } catch (error) {
    if (error instanceof CtrError && error.code === 'CTR_CHECKPOINT_CORRUPT' && error.message.startsWith('the task object: '))
      return undefined
    throw error
  }
}

test.each(SAMPLES)('every byte counts: one bit changed anywhere, or cut off anywhere, and the object is refused', (...sample) => {
  const { bytes } = encode(sample)
  for (let at = 0; at < bytes.length; at++) {
    for (let bit = 0; bit < 8; bit++) {
      const changed = Uint8Array.from(bytes)
      changed[at]! ^= 1 << bit
      expect(read(changed)).toBeUndefined()
    }
    expect(read(bytes.subarray(0, at))).toBeUndefined()
  }
  expect(read(Buffer.concat([bytes, Buffer.alloc(1)]))).toBeUndefined()
})

test.each(SAMPLES)('bytes changed, cut out or put in at random are refused', (...sample) => {
  const { bytes } = encode(sample)
  const edit = fc.record({ at: fc.nat(bytes.length), drop: fc.nat(40), put: fc.uint8Array({ maxLength: 40 }) })
  fc.assert(
    fc.property(fc.array(edit, { minLength: 1, maxLength: 4 }), (edits) => {
      let damaged = Buffer.from(bytes)
      for (const { at, drop, put } of edits) damaged = Buffer.concat([damaged.subarray(0, at), put, damaged.subarray(at + drop)])
      if (!damaged.equals(bytes)) expect(read(damaged)).toBeUndefined()
    }),
    { numRuns: 2000 },
  )
})

test('any bytes at all are refused', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      expect(read(bytes)).toBeUndefined()
    }),
  )
})

/** The same bytes with every checksum put right again. */
function reseal(bytes: Uint8Array): Uint8Array {
  const out = Buffer.from(bytes)
  const sections = out.readUInt32LE(8)
  let at = 16 + sections * 16
  for (let i = 0; i < sections; i++) {
    const size = out.readUInt32LE(16 + i * 16 + 4)
    out.writeUInt32LE(crc32(out.subarray(at, at + size)), 16 + i * 16 + 8)
    at += size
  }
  out.writeUInt32LE(crc32(Buffer.concat([out.subarray(0, 12), out.subarray(16, 16 + sections * 16)])), 12)
  return out
}

test.each(SAMPLES)(
  'nonsense with right checksums is refused or makes sense, and never crashes or takes memory it does not fill',
  (...sample) => {
    const { bytes } = encode(sample)
    const first = 16 + Buffer.from(bytes).readUInt32LE(8) * 16
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: first, max: bytes.length - 1 }), fc.nat(255)), { minLength: 1, maxLength: 4 }),
        (edits) => {
          const damaged = Uint8Array.from(bytes)
          for (const [at, value] of edits) damaged[at] = value
          const task = read(reseal(damaged)) as ReturnType<typeof decodeTask> | undefined
          for (const pane of task?.panes ?? []) {
            expect(pane.end).toBeGreaterThan(pane.start)
            expect(pane.total).toBe([...pane.impressions, ...pane.clicks].reduce((sum, value) => sum + value, 0))
            for (const { products } of [pane, ...(pane.corrections ?? [])])
              expect(Math.max(-1, ...products)).toBeLessThan(task?.products.count ?? 0)
          }
        },
      ),
      { numRuns: 3000 },
    )
  },
)
