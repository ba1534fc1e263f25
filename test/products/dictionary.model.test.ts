import { describe, expect, test } from 'vitest'
import { hashProduct } from '../../src/format/hash.ts'
import { PARSED_MAX, ParsedEvents } from '../../src/format/parsed-events.ts'
import { EventSlot } from '../../src/format/slot.ts'
import { Random } from '../../src/load/random.ts'
import { Dictionary } from '../../src/products/dictionary.ts'
import { expectSame } from '../support/expect-same.ts'

const SEED = Number(process.env.CTR_TEST_SEED ?? Date.now() % 1_000_000_007)

describe(`the dictionary behaves like a Map, seed ${SEED}`, () => {
  test.each([1, 3])('with %i workers, products coming and going', (workers) => {
    const random = new Random(SEED)
    const dictionary = new Dictionary(workers)
    const model = new Map<string, { code: number; worker: number; end: number }>()
    const used = new Set<string>()
    for (let step = 0; step < 60_000; step++) {
      const name = `p-${random.below(4000)}${random.chance(0.1) ? 'x'.repeat(random.below(250)) : ''}`
      const bytes = Buffer.from(`##${name}##`)
      const [start, end] = [2, 2 + name.length]
      const hash = hashProduct(bytes, start, end)
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
      let entry = dictionary.find(hash, bytes, view, start, end)
      const known = model.get(name)
      expectSame([name, entry >= 0], [name, known !== undefined])
      if (known === undefined) {
        const worker = dictionary.workerFor(hash)
        const id = dictionary.nextIdOf(worker)
        entry = dictionary.insert(hash, bytes, start, end)
        expectSame([dictionary.workerOf(entry), dictionary.codeOf(entry)], [worker, id * 2])
        expectSame([id, used.has(`${worker}/${id}`)], [id, false])
        used.add(`${worker}/${id}`)
        model.set(name, { code: id * 2, worker, end: 0 })
      }
      const state = model.get(name)!
      expectSame([dictionary.workerOf(entry), dictionary.codeOf(entry)], [state.worker, state.code])
      const window = step + random.below(1000)
      dictionary.touch(entry, window)
      state.end = Math.max(state.end, window)
      if (step % 500 === 499) sweep(dictionary, model, used, step - 3000)
    }
    expect(dictionary.size).toBe(model.size)
  })
})

function sweep(
  dictionary: Dictionary,
  model: Map<string, { code: number; worker: number; end: number }>,
  used: Set<string>,
  horizon: number,
): void {
  const gone = new Set<string>()
  dictionary.sweep(horizon, 1_000_000, (worker, id) => {
    gone.add(`${worker}/${id}`)
    return true
  })
  for (const [name, { code, worker, end }] of model) {
    const key = `${worker}/${code >> 1}`
    expectSame([name, gone.has(key)], [name, end <= horizon])
    if (gone.has(key)) {
      model.delete(name)
      used.delete(key)
    }
  }
}

test(`many products are found at once as one by one, in small and large dictionaries, seed ${SEED}`, () => {
  const random = new Random(SEED)
  const dictionary = new Dictionary(3)
  const parsed = new ParsedEvents()
  const slot = new EventSlot()
  for (let round = 0; round < 600; round++) {
    // Lengths on both sides of what fits a row and an entry; some are the beginning of another.
    const names = Array.from({ length: PARSED_MAX }, () => {
      const name = `p${random.below(40_000)}`
      return random.chance(0.3) ? name.padEnd(1 + random.below(40), 'x') : name
    })
    const bytes = new Uint8Array(Buffer.from(names.join('')))
    const view = new DataView(bytes.buffer)
    parsed.count = 0
    let start = 0
    for (const name of names) {
      slot.ints.set([start, start + name.length, hashProduct(bytes, start, start + name.length), 0])
      parsed.add(slot, bytes, 0, false, 0)
      start += name.length
    }
    dictionary.findAll(parsed, bytes, view)
    const found = Array.from(parsed.entries)
    start = 0
    for (const [i, name] of names.entries()) {
      const end = start + name.length
      const hash = hashProduct(bytes, start, end)
      const entry = dictionary.find(hash, bytes, view, start, end)
      if (names.indexOf(name) === i) {
        expectSame([name, found[i]], [name, entry])
        if (entry < 0) dictionary.insert(hash, bytes, start, end)
      }
      start = end
    }
  }
  expect(dictionary.size).toBeGreaterThan(20_000)
})

test('a sweep that is refused removes nothing and goes on there next time', () => {
  const dictionary = new Dictionary(1)
  for (let i = 0; i < 10; i++) {
    const bytes = Buffer.from(`p${i}`)
    dictionary.insert(hashProduct(bytes, 0, 2), bytes, 0, 2)
  }
  let allowed = 4
  expect(dictionary.sweep(1, 100, () => allowed-- > 0)).toBe(false)
  expect(dictionary.size).toBe(6)
  expect(dictionary.sweep(1, 100, () => true)).toBe(true)
  expect(dictionary.size).toBe(0)
})

test('memory is bounded by the products that live, not by those that ever did', () => {
  const dictionary = new Dictionary(2)
  let most = 0
  for (let i = 0; i < 300_000; i++) {
    const bytes = Buffer.from(`product-${i}`)
    const hash = hashProduct(bytes, 0, bytes.length)
    dictionary.touch(dictionary.insert(hash, bytes, 0, bytes.length), i)
    if (i % 100 === 0) dictionary.sweep(i - 1000, 2000, () => true)
    most = Math.max(most, dictionary.size)
  }
  expect(most).toBeLessThan(3000)
  expect(dictionary.sizeBytes).toBeLessThan(1024 * 1024)
})

test('after a burst memory is given back, and the products that stayed are found, under the ids they had', () => {
  const dictionary = new Dictionary(2)
  const insert = (name: string, end: number) => {
    const bytes = Buffer.from(name)
    const entry = dictionary.insert(hashProduct(bytes, 0, bytes.length), bytes, 0, bytes.length)
    dictionary.touch(entry, end)
    return dictionary.codeOf(entry)
  }
  const find = (name: string) => {
    const bytes = Buffer.from(name)
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    const entry = dictionary.find(hashProduct(bytes, 0, bytes.length), bytes, view, 0, bytes.length)
    return entry < 0 ? undefined : dictionary.codeOf(entry)
  }
  const codes = new Map<string, number>()
  for (let i = 0; i < 200_000; i++) {
    const stays = i % 100 === 0
    const name = `${stays ? 'one-that-is-longer-than-an-entry' : 'p'}-${i}`
    const code = insert(name, stays ? 2000 : 1000)
    if (stays) codes.set(name, code)
  }
  const most = dictionary.sizeBytes
  while (dictionary.size > codes.size) expect(dictionary.sweep(1500, 20_000, () => true)).toBe(true)
  expect(dictionary.sizeBytes).toBeLessThan(most / 10)
  for (const [name, code] of codes) expect([name, find(name)]).toEqual([name, code])
  expect(find('p-1')).toBeUndefined()
  for (let i = 0; i < 5000; i++) insert(`new-${i}`, 3000)
  expect(find('new-4999')).toBeDefined()
  expect(dictionary.size).toBe(codes.size + 5000)
})

test('the lowest free id is given out first', () => {
  const dictionary = new Dictionary(1)
  const insert = (name: string, end: number) => {
    const bytes = Buffer.from(name)
    const entry = dictionary.insert(hashProduct(bytes, 0, bytes.length), bytes, 0, bytes.length)
    dictionary.touch(entry, end)
    return dictionary.codeOf(entry) >> 1
  }
  for (let i = 0; i < 100; i++) insert(`p${i}`, i === 70 || i === 3 || i === 40 ? 1 : 2)
  dictionary.sweep(1, 1000, () => true)
  expect([insert('a', 2), insert('b', 2), insert('c', 2), insert('d', 2)]).toEqual([3, 40, 70, 100])
})
