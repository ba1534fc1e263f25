import { expect, test } from 'vitest'
import { byThread, type Collection, garbageOf, type HeapSample, pauseQuantile, readTrace } from '../../perf/gc-trace.ts'

/** A line as V8 13.6 writes it, shortened. */
const line = (isolate: string, at: number, gc: string, before: number, after: number) =>
  `[77:${isolate}] ${String(at).padStart(8)} ms: pause=1.5 mutator=3.0 gc=${gc} reduce_memory=0 scavenge=0.30 ` +
  `start_object_size=${before} end_object_size=${after} start_memory_size=9 allocated=5 `

test('every collection of the process is read, and nothing else', () => {
  const text = ['hello', line('0x1000:0', 12, 's', 300, 100), line('0x7f00:1', 40, 'mc', 900, 200), line('0x1:0', 1, 's', 1, 1)].join('\n')
  expect(readTrace(text.replace('[77:0x1:0]', '[78:0x1:0]'), 77)).toEqual([
    { isolate: '0x1000:0', at: 12, full: false, pauseMs: 1.5, before: 300, after: 100 },
    { isolate: '0x7f00:1', at: 40, full: true, pauseMs: 1.5, before: 900, after: 200 },
  ])
})

test('a line that is torn is not passed over', () => {
  expect(() => readTrace(line('0x1000:0', 12, 's', 300, 100).slice(0, 90), 77)).toThrow("can't be read")
})

const one = (isolate: string, at: number, full: boolean, before: number, after: number): Collection => ({
  isolate,
  at,
  full,
  pauseMs: at,
  before,
  after,
})
const MIB = 2 ** 20
const TRACE = [
  one('b', 10, true, 9 * MIB, 8 * MIB),
  one('a', 20, true, 7 * MIB, 6 * MIB),
  one('b', 15, true, 8 * MIB, 8 * MIB),
  one('a', 50, false, 9 * MIB, 7 * MIB),
  // Full and soon after another, but that was none that was asked for.
  one('a', 51, true, 7 * MIB, 5 * MIB),
]
const MAIN = { thread: 0, name: 'main', at: 1020 }
const SINK = { thread: 1, name: 'sink', at: 2015 }

test('an isolate is known by the collections its thread began with, and so is its clock', () => {
  const found = byThread(TRACE, [MAIN, SINK])
  expect(found.get(0)?.map(({ at }) => at)).toEqual([1020, 1050, 1051])
  expect(found.get(1)?.map(({ at }) => at)).toEqual([2010, 2015])
})

test('isolates that are not the threads are refused', () => {
  expect(() => byThread(TRACE, [MAIN])).toThrow("can't be told apart")
  expect(() => byThread(TRACE.slice(0, 1), [MAIN, SINK])).toThrow('2 threads were started')
})

test('allocated is what the heap has grown by and what was freed, between the first and the last sample of the span', () => {
  const sample = (at: number, used: number, external = 0): HeapSample => ({ thread: 0, at, used, external })
  const samples = [sample(990, 0), sample(1030, 8 * MIB, 5), sample(1040, 1, 9), sample(1060, 6 * MIB, 7), sample(1090, 0)]
  const collections = byThread(TRACE, [MAIN, SINK]).get(0) ?? []
  const other = { thread: 1, at: 1035, used: 1, external: 1 }
  expect(garbageOf(MAIN, collections, [...samples, other], { from: 1000, to: 1080 })).toEqual({
    name: 'main',
    seconds: 0.03,
    allocatedBytes: (6 - 8 + 2 + 2) * MIB,
    collections: 2,
    fullCollections: 1,
    pausesMs: [50, 51],
    external: [5, 9],
  })
  expect(() => garbageOf(MAIN, collections, samples.slice(0, 2), { from: 1000, to: 1080 })).toThrow('too short')
})

test('no pauses are no pause', () => {
  expect([pauseQuantile([], 0.99), pauseQuantile([1, 3], 0.5)]).toEqual([0, 2])
})
