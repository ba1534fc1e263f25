/** How checkpoints are written: one at a time, none after it was given up, and with a store that is slow, hangs or loses answers. */
import v8 from 'node:v8'
import vm from 'node:vm'
import { describe, expect, test } from 'vitest'
import { Book } from '../../src/checkpoint/book.ts'
import { buffersOf } from '../../src/checkpoint/snapshot.ts'
import { decodeTask } from '../../src/checkpoint/task-object-reader.ts'
import type { Cut } from '../../src/checkpoint/writer.ts'
import { CtrError } from '../../src/errors.ts'
import type { ObjectStore } from '../../src/store/object-store.ts'
import { type MemoryStore, memoryStore } from '../support/memory-store.ts'
import { FACTS, plainPanes, shardCopy } from '../support/task-copies.ts'

const START = 1_700_000_000_000
const TASKS = [0, 1, 2]

/** A book with one worker, and a store whose calls go through `around`. */
function bench(around: (memory: MemoryStore) => Partial<ObjectStore> = () => ({})) {
  const memory = memoryStore()
  const warnings: string[] = []
  const done: number[] = []
  const time = { now: START }
  const book = new Book({
    group: 'g',
    writer: 'test',
    writerId: '0000000a',
    workers: 1,
    retain: 2,
    rules: FACTS.rules,
    open: async () => ({ ...memory, ...around(memory) }),
    warn: (message) => warnings.push(message),
    done: ({ number, shards }) => {
      if (shards.length === TASKS.length) done.push(number)
      // Its worker makes the next copy in this memory.
      for (const buffer of buffersOf(shards)) new Uint8Array(buffer).fill(0xee)
    },
    now: () => time.now,
  })
  const begin = (number: number, tasks: Cut['tasks'] = TASKS.map((task) => changed(task))) => {
    time.now += 10_000
    book.begin({ number, createdAt: time.now, savepoint: null, tasks })
    return copy(number)
  }
  const copy = (number: number) => {
    const panes = [{ start: 0, end: 10_000, dirty: true, emitted: false, cells: { a: [number, 1] } as const }]
    const shards = TASKS.map((task) => shardCopy(task, { products: ['a'], panes }))
    book.copied({ number, worker: 0, shards, pausedMs: number })
    return new WeakRef(shards)
  }
  const keys = (part: string) => [...memory.objects.keys()].filter((key) => key.startsWith(`g/${part}/`))
  return { book, memory, warnings, done, begin, keys }
}

const changed = (task: number) => ({ task, published: null, partitions: [], copied: true, object: null })
const settle = () => new Promise((resolve) => setImmediate(resolve))
const lost = () => new CtrError('CTR_CHECKPOINT_STORE', 'the answer got lost', { retriable: true })

/** A `put` that waits for the test, or for its signal when `heeds`; what it was asked for. */
function gated(heeds: boolean) {
  const asked: string[] = []
  const gate = Promise.withResolvers<void>()
  const around = (memory: MemoryStore): Partial<ObjectStore> => ({
    async put(key, bytes, options) {
      asked.push(key)
      const { promise, reject } = Promise.withResolvers<never>()
      promise.catch(() => {})
      if (heeds) options?.signal?.addEventListener('abort', () => reject(options.signal?.reason))
      await Promise.race([gate.promise, promise])
      return await memory.put(key, bytes, options)
    },
  })
  return { asked, gate, around }
}

describe('a checkpoint that is given up', () => {
  test.each([
    ['abandoned', (book: Book) => book.abandon(1)],
    ['followed by the next', (book: Book) => book.begin({ number: 2, createdAt: START, savepoint: null, tasks: [] })],
    ['closed', (book: Book) => book.close()],
  ])('since it is %s aborts its writing and writes no more', async (_, giveUp) => {
    const { asked, gate, around } = gated(true)
    const { book, begin, keys } = bench(around)
    begin(1)
    const completing = book.complete(1)
    completing.catch(() => {})
    await expect.poll(() => asked).toHaveLength(1)
    const done = giveUp(book)
    await expect(completing).rejects.toMatchObject({ code: 'CTR_CHECKPOINT_FAILED', message: 'checkpoint 1 was given up' })
    gate.resolve()
    await done
    await settle()
    expect([asked.length, keys('objects')]).toEqual([1, []])
    await book.close()
  })

  test('stops before its next object though the store heeds no abort', async () => {
    const { asked, gate, around } = gated(false)
    const { book, begin, keys } = bench(around)
    begin(1)
    await expect.poll(() => asked).toHaveLength(1)
    book.abandon(1)
    gate.resolve()
    await settle()
    expect([asked.length, keys('objects').length]).toEqual([1, 1])
  })

  test('holds back the next until its writing has settled, so that a store that hangs has one write', async () => {
    const { asked, gate, around } = gated(false)
    const { book, begin, keys } = bench(around)
    for (let number = 1; number <= 10; number++) {
      begin(number)
      await settle()
      if (number < 10) book.abandon(number)
    }
    expect(asked).toHaveLength(1)
    const completing = book.complete(10)
    gate.resolve()
    expect(await completing).toMatchObject({ id: expect.stringMatching(/-10$/), pausedMs: 10 })
    expect(keys('objects').filter((key) => !/-10\.ctr$/.test(key))).toHaveLength(1)
    await book.close()
  })

  test('but whose manifest gets through is complete, and leaves the next one alone', async () => {
    const manifest = Promise.withResolvers<void>()
    const { book, begin, keys } = bench((memory) => ({
      async put(key, bytes, options) {
        if (key.endsWith('-5.json')) await manifest.promise
        return await memory.put(key, bytes, options)
      },
    }))
    begin(5)
    const fifth = book.complete(5)
    await expect.poll(() => keys('objects')).toHaveLength(3)
    begin(6)
    manifest.resolve()
    expect((await fifth).id).toMatch(/-5$/)
    expect((await book.complete(6)).id).toMatch(/-6$/)
    await book.close()
  })
})

test('copies are let go of when they are written, before the checkpoint is complete', async () => {
  v8.setFlagsFromString('--expose-gc')
  const collect = vm.runInNewContext('gc') as () => void
  const { book, begin, keys } = bench()
  const copies = begin(3)
  await expect.poll(() => keys('objects')).toHaveLength(3)
  await expect
    .poll(() => {
      collect()
      return copies.deref()
    })
    .toBeUndefined()
  expect(await book.complete(3)).toMatchObject({ pausedMs: 3, cells: 3 })
})

test('the memory of copies is given back when they are written, once, and also when they can not be written', async () => {
  let full = false
  const { book, memory, begin, done, keys } = bench((there) => ({
    put: async (key, bytes, options) => {
      if (full) throw lost()
      return await there.put(key, bytes, options)
    },
  }))
  begin(3)
  await expect.poll(() => done).toEqual([3])
  expect(await book.complete(3)).toMatchObject({ pausedMs: 3, cells: 3 })
  for (const key of keys('objects')) {
    const task = decodeTask(memory.objects.get(key) ?? new Uint8Array())
    expect(plainPanes(task)).toMatchObject([{ cells: { a: [3, 1] } }])
  }
  full = true
  begin(4)
  await expect(book.complete(4)).rejects.toThrow('the answer got lost')
  expect(done).toEqual([3, 4])
})

describe('what is referred to again', () => {
  const again = (objects: Awaited<ReturnType<Book['complete']>>['objects']): Cut['tasks'] =>
    objects.map(({ task, object }) => ({ task, published: null, partitions: [], copied: false, object }))

  test('is looked for by one listing, which the removing behind it uses too', async () => {
    const lists: string[] = []
    const { book, begin } = bench((memory) => ({
      async list(prefix) {
        lists.push(prefix)
        return await memory.list(prefix)
      },
    }))
    begin(1)
    const { objects } = await book.complete(1)
    await settle()
    await settle()
    lists.length = 0
    begin(2, again(objects))
    await book.complete(2)
    await settle()
    await book.close()
    expect(lists).toEqual(['g/objects/', 'g/checkpoints/', 'g/savepoints/'])
  })

  test.each([
    ['the store was emptied', (memory: MemoryStore) => memory.objects.clear(), [0, 1, 2]],
    [
      'one was cut off',
      (memory: MemoryStore) => {
        const key = [...memory.objects.keys()].find((one) => one.startsWith('g/objects/1/')) ?? ''
        memory.objects.set(key, new Uint8Array(3))
      },
      [1],
    ],
  ])('is missing when %s: then nothing is called complete', async (_, harm, tasks) => {
    const { book, memory, begin, keys } = bench()
    begin(1)
    const { objects } = await book.complete(1)
    harm(memory)
    begin(2, again(objects))
    await expect(book.complete(2)).rejects.toMatchObject({ excuse: { kind: 'missing', tasks } })
    expect(keys('checkpoints').filter((key) => /-2\.json$/.test(key))).toEqual([])
    begin(3)
    expect((await book.complete(3)).id).toMatch(/-3$/)
    await book.close()
  })
})

describe('removing what has expired', () => {
  test('keeps the store about as large as what is retained', async () => {
    const { book, begin, keys, warnings } = bench()
    for (let number = 1; number <= 20; number++) {
      begin(number)
      if (number % 5 === 0) book.abandon(number)
      else await book.complete(number)
      await settle()
      await settle()
    }
    await book.close()
    expect(keys('checkpoints')).toHaveLength(2)
    expect(keys('objects').length).toBeLessThanOrEqual(TASKS.length * 3)
    expect(warnings).toEqual([])
  })

  test('goes on behind a checkpoint that is complete, one pass at a time, and close waits for it', async () => {
    const gate = Promise.withResolvers<void>()
    let lists = 0
    const { book, begin, keys } = bench((memory) => ({
      async list(prefix, signal) {
        lists++
        await gate.promise
        return await memory.list(prefix, signal)
      },
    }))
    for (let number = 1; number <= 5; number++) {
      begin(number)
      await book.complete(number)
    }
    await settle()
    expect([lists, keys('checkpoints').length]).toEqual([1, 5])
    let closed = false
    const closing = book.close().then(() => {
      closed = true
    })
    await settle()
    expect(closed).toBe(false)
    gate.resolve()
    await closing
    expect(keys('checkpoints')).toHaveLength(2)
  })

  test('holds up nothing when it hangs or fails, not even the end', async () => {
    const { book, begin } = bench(() => ({ list: () => new Promise(() => {}) }))
    begin(1)
    await book.complete(1)
    await book.close()
    const failing = bench(() => ({ list: () => Promise.reject(lost()) }))
    failing.begin(1)
    await failing.book.complete(1)
    await failing.book.close()
    expect(failing.warnings).toEqual(['old checkpoints were not removed: CtrError: the answer got lost'])
  })

  test('spares what the next checkpoint refers to, though others have removed all that did so far', async () => {
    const listing = Promise.withResolvers<void>()
    const { book, begin, keys, memory } = bench((store) => ({
      async list(prefix, signal) {
        const found = await store.list(prefix, signal)
        if (prefix.includes('objects')) await listing.promise
        return found
      },
    }))
    begin(1)
    const { objects } = await book.complete(1)
    await settle()
    for (const key of keys('checkpoints')) memory.objects.delete(key)
    begin(
      2,
      objects.map((one) => ({ ...changed(one.task), copied: false, object: one.object })),
    )
    listing.resolve()
    await settle()
    await settle()
    await book.complete(2)
    await book.close()
    expect(keys('objects').sort()).toEqual(objects.map(({ object }) => object?.key))
  })

  test('spares the objects of a manifest that may still appear', async () => {
    const late: (() => Promise<boolean>)[] = []
    const { book, begin, keys, memory } = bench(() => ({
      async put(key, bytes, options) {
        if (!key.endsWith('-2.json')) return await memory.put(key, bytes, options)
        late.push(() => memory.put(key, bytes))
        throw lost()
      },
    }))
    for (const number of [1, 2, 3, 4, 5, 6]) {
      begin(number)
      await (number === 2 ? expect(book.complete(2)).rejects.toThrow('lost') : book.complete(number))
      await settle()
      await settle()
    }
    await book.close()
    for (const write of late) await write()
    expect(keys('objects').filter((key) => /-2\.ctr$/.test(key))).toHaveLength(3)
    expect(keys('objects').filter((key) => /-3\.ctr$/.test(key))).toHaveLength(0)
  })
})
