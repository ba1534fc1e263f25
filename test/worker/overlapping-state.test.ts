import { describe, expect, test } from 'vitest'
import { CopyMemory } from '../../src/checkpoint/copy-memory.ts'
import { encodeTask } from '../../src/checkpoint/task-object.ts'
import { decodeTask } from '../../src/checkpoint/task-object-reader.ts'
import { Random } from '../../src/load/random.ts'
import { createRing } from '../../src/ring/layout.ts'
import { RingReader } from '../../src/ring/ring-reader.ts'
import { RingWriter } from '../../src/ring/ring-writer.ts'
import { readRows } from '../../src/ring/row-blocks.ts'
import type { Pane } from '../../src/window/pane.ts'
import { windowsOf } from '../../src/window/windows.ts'
import { Emission } from '../../src/worker/emission.ts'
import { OverlappingState, type WindowRows } from '../../src/worker/overlapping-state.ts'
import { TaskState } from '../../src/worker/task-state.ts'
import { createWorkerStats } from '../../src/worker/worker-stats.ts'
import { readRow } from '../../workshop/read-row.ts'
import { repetitions } from '../support/effort.ts'
import { FACTS } from '../support/task-copies.ts'

const RULES = { windowSize: 21, windowSlide: 9, outOfOrderness: 0, allowedLateness: 5 }
const PRODUCTS = 40

/** What is written, as `end: id=impressions+clicks …`, with * behind the end of a window that is written for the first time. */
function stateOf(rules = RULES) {
  const written: string[] = []
  const newest = new Map<string, number>()
  let window = ''
  let end = 0
  const rows: WindowRows = {
    begin: (_, start, at, first) => {
      expect(at - start).toBe(rules.windowSize)
      window = `${at}${first ? '*' : ''}:`
      end = at
    },
    row: (id, impressions, clicks) => {
      window += ` ${id}=${impressions}+${clicks}`
      const key = `${id}@${end}`
      expect(impressions + clicks).toBeGreaterThanOrEqual(newest.get(key) ?? 1)
      newest.set(key, impressions + clicks)
    },
    end: () => void (window.endsWith(':') || written.push(window)),
  }
  const windows = windowsOf(rules)
  const state = new OverlappingState(0, windows, rows)
  for (let id = 0; id < PRODUCTS; id++) state.addProduct(id, Buffer.from(`p${id}`), 0, `p${id}`.length)
  const add = (time: number, id = 0, click = 0) => state.panes.add(Int32Array.of((id << 1) | click, time), 0, 1, 0)
  const correct = (time: number, missed: number, id = 0, click = 0) =>
    state.correct({ words: Int32Array.of((id << 1) | click), at: 0, count: 1, start: windows.sliceStart(time), missed })
  return { state, windows, add, correct, newest, since: () => written.splice(0) }
}

describe('windows [0, 21), [9, 30), [18, 39), … with lateness 5', () => {
  test('are written once each, from what they have in common', () => {
    const { state, add, since } = stateOf()
    add(13, 1)
    add(20, 2, 1)
    state.onWatermark(20)
    expect(since()).toEqual([])
    state.onWatermark(21)
    expect(since()).toEqual(['21*: 1=1+0 2=0+1'])
    add(29, 3)
    state.onWatermark(35)
    expect(since()).toEqual(['30*: 1=1+0 2=0+1 3=1+0'])
    state.onWatermark(100)
    expect([since(), state.panes.open]).toEqual([['39*: 2=0+1 3=1+0', '48*: 3=1+0'], []])
  })

  test('are written again at a tick for what changed, and not for the rest', () => {
    const { state, add, since } = stateOf()
    add(13, 1)
    add(13, 2)
    state.onWatermark(30)
    since()
    add(14, 1)
    expect(since()).toEqual([])
    state.onTick()
    state.onTick()
    // [0, 21) was closed at 26.
    expect(since()).toEqual(['30: 1=2+0'])
  })

  test('are written a last time when they are closed, before any tick', () => {
    const { state, add, since } = stateOf()
    add(13, 1)
    state.onWatermark(21)
    add(14, 1)
    state.onWatermark(25)
    expect(since()).toEqual(['21*: 1=1+0'])
    state.onWatermark(26)
    expect(since()).toEqual(['21: 1=2+0'])
  })

  test('take a correction from the first window on that it has not missed', () => {
    const { state, add, correct, since } = stateOf()
    add(19, 1)
    correct(19, 1, 1, 1)
    correct(19, 2, 2)
    state.onWatermark(100)
    // The slice [18, 21) is in the windows that end at 21, 30 and 39.
    expect(since()).toEqual(['21*: 1=1+0', '30*: 1=1+1', '39*: 1=1+1 2=1+0'])
  })

  test('that were written take a correction at the next tick, unless they have missed it', () => {
    const { state, add, correct, since } = stateOf()
    add(19, 1)
    state.onWatermark(30)
    since()
    correct(19, 2, 1)
    state.onTick()
    expect(since()).toEqual([])
    correct(19, 1, 1)
    state.onTick()
    expect(since()).toEqual(['30: 1=2+0'])
    state.onWatermark(39)
    expect(since()).toEqual(['39*: 1=3+0'])
  })

  test('of a quiet task are written by the clock, and go on from there', () => {
    const { state, add, since } = stateOf()
    add(19, 1)
    state.onQuiet(31)
    expect([since(), state.panes.open.length]).toEqual([['21*: 1=1+0', '30*: 1=1+0'], 1])
    add(19, 2)
    state.onTick()
    expect(since()).toEqual(['21: 2=1+0', '30: 2=1+0'])
    state.onQuiet(1000)
    expect(since()).toEqual(['39*: 1=1+0 2=1+0'])
    add(100, 1)
    state.onWatermark(102)
    expect(since()).toEqual(['102*: 1=1+0'])
  })

  test('are all written at the end of a bounded run', () => {
    const { state, add, since } = stateOf()
    add(19, 1)
    state.onWatermark(21)
    add(18, 1)
    state.onEnd()
    expect(since()).toEqual(['21*: 1=1+0', '21: 1=2+0', '30*: 1=2+0', '39*: 1=2+0'])
  })
})

test('a product that a correction holds is not forgotten', () => {
  const { state, correct } = stateOf()
  correct(19, 1, 3)
  expect(() => state.removeProduct(3)).toThrow('a forgotten product has no open pane')
  state.onWatermark(100)
  state.removeProduct(3)
})

test('with a slide of their own length they are tumbling windows: the same rows, byte for byte', () => {
  for (let seed = 1; seed <= repetitions({ unit: 20, all: 50, long: 500 }); seed++) {
    const rules = { windowSize: 10, windowSlide: 10, outOfOrderness: 0, allowedLateness: seed % 3 === 0 ? 0 : 7 }
    const tumbling = writingState(rules, false)
    const sliding = writingState(rules, true)
    const random = new Random(seed)
    let watermark = Number.NEGATIVE_INFINITY
    for (let step = 0, now = 200; step < 300; step++) {
      now += random.below(3)
      const kind = random.below(20)
      const time = now - random.below(25)
      const code = random.below(PRODUCTS * 2)
      if (kind === 0) watermark = Math.max(watermark, now - 10 - random.below(10))
      for (const { state, emit } of [tumbling, sliding]) {
        if (kind === 0) state.onWatermark(watermark, emit)
        else if (kind === 1) state.onTick(emit)
        else if (kind === 2) state.onQuiet(now - 5, emit)
        else if (time - (time % 10) + 10 + rules.allowedLateness > watermark) state.panes.add(Int32Array.of(code, time), 0, 1, 0)
      }
    }
    for (const { state, emit } of [tumbling, sliding]) state.onEnd(emit)
    const want = tumbling.newest()
    expect(want.size).toBeGreaterThan(PRODUCTS)
    expect(sliding.newest(), `seed ${seed}`).toEqual(want)
  }
})

/** A state whose rows are written as a worker writes them; `newest` has the bytes of each row that wins. */
function writingState(rules: Parameters<typeof windowsOf>[0], overlapping: boolean) {
  const ring = createRing(8 * 1024 * 1024)
  const emission = new Emission(new RingWriter(ring), 'default', { revision: 3 }, new Float64Array(createWorkerStats()))
  const windows = windowsOf(rules)
  const rows: WindowRows = {
    begin: (task, start, end, first) => emission.beginWindow(task, start, end, first, 77),
    row: (id, impressions, clicks) => emission.row(id, impressions, clicks),
    end: () => emission.endWindow(),
  }
  const state: TaskState | OverlappingState = overlapping ? new OverlappingState(0, windows, rows) : new TaskState(0, windows)
  for (let id = 0; id < PRODUCTS; id++) state.addProduct(id, Buffer.from(`p${id}`), 0, `p${id}`.length)
  const newest = () => {
    const found = new Map<string, { version: number; bytes: string }>()
    const reader = new RingReader(ring)
    while (reader.next()) {
      const { bytes, start, end } = readRows(reader)
      for (let at = start; at < end; ) {
        const { row, end: next } = readRow(bytes, at)
        const key = `${row.product}@${row.windowEnd}`
        if (row.version >= (found.get(key)?.version ?? 0))
          found.set(key, { version: row.version, bytes: Buffer.from(bytes.subarray(at, next)).toString('hex') })
        at = next
      }
    }
    return new Map([...found].map(([key, { bytes }]) => [key, bytes] as const).toSorted())
  }
  return { state, emit: (task: TaskState, pane: Pane) => emission.emit(task, pane, 77), newest }
}

const KINDS = [
  { windowSize: 21, windowSlide: 9 },
  { windowSize: 20, windowSlide: 10 },
  { windowSize: 60, windowSlide: 1 },
  { windowSize: 10, windowSlide: 10 },
]

describe.each(KINDS)('whatever comes in whatever order: %o', (kind) => {
  const seeds = Array.from({ length: repetitions({ unit: 12, all: 40, long: 600 }) }, (_, i) => i + 1)

  test('the newest rows are the sums of what counts, restarts and all', () => {
    for (const seed of seeds) runRandomly(seed, { ...RULES, ...kind, allowedLateness: seed % 3 === 0 ? 0 : 7 })
  })
})

/** Steps of all kinds; each event is looked at window by window, against the watermark that a partition of its own might have. */
function runRandomly(seed: number, rules: typeof RULES): void {
  const random = new Random(seed)
  const { windowSize, windowSlide, allowedLateness } = rules
  const rows = new Map<string, number>()
  const want = new Map<string, number>()
  let at = stateOf(rules)
  let watermark = Number.NEGATIVE_INFINITY
  let now = 200
  for (let step = 0; step < 150; step++) {
    now += random.below(4)
    const kind = random.below(20)
    if (kind < 14) {
      const time = now - random.below(random.chance(0.2) ? 60 : 10)
      const own = Math.max(watermark, now - random.below(40))
      const id = random.below(PRODUCTS)
      const click = random.below(2)
      const ends: number[] = []
      for (let start = time - (time % windowSlide); start + windowSize > time; start -= windowSlide) ends.unshift(start + windowSize)
      const open = ends.filter((end) => end + allowedLateness > own)
      if (open.length === 0) continue
      if (open.length === ends.length) at.add(time, id, click)
      else at.correct(time, ends.length - open.length, id, click)
      for (const end of open) want.set(`${id}@${end}`, (want.get(`${id}@${end}`) ?? 0) + 1)
    } else if (kind < 17) {
      watermark = Math.max(watermark, now - 10 - random.below(30))
      at.state.onWatermark(watermark)
    } else if (kind === 17) at.state.onTick()
    else if (kind === 18) at.state.onQuiet(now - 5 + random.below(30))
    else at = restarted(at, rules, watermark, random.chance(0.3))
    for (const [key, count] of at.newest) rows.set(key, Math.max(count, rows.get(key) ?? 0))
  }
  at.state.onEnd()
  for (const [key, count] of at.newest) rows.set(key, Math.max(count, rows.get(key) ?? 0))
  expect([...rows].sort(), `seed ${seed}`).toEqual([...want].sort())
}

/** A new worker with what a checkpoint of the old one has; it may know nothing of what was written. */
function restarted(from: ReturnType<typeof stateOf>, rules: typeof RULES, watermark: number, forgetful: boolean) {
  const encoded = encodeTask({ ...FACTS, task: 0 }, [from.state.copy(new CopyMemory())])
  const { panes, products, emittedUpTo } = decodeTask(encoded.bytes)
  const to = stateOf(rules)
  const ids = Uint32Array.from({ length: products.count }, (_, i) => {
    return Number(
      Buffer.from(products.bytes.subarray(products.starts[i], products.starts[i + 1]))
        .toString()
        .slice(1),
    )
  })
  for (const pane of panes) {
    for (const cells of [pane, ...(pane.corrections ?? [])]) {
      const doubles = new Float64Array(cells.products.length * 3)
      const words = new Int32Array(doubles.buffer)
      for (const [i, product] of cells.products.entries()) {
        words[i * 6] = ids[product]!
        doubles.set([cells.impressions[i]!, cells.clicks[i]!], i * 3 + 1)
      }
      const block = { words, doubles, at: 0, count: cells.products.length, start: pane.start, dirty: pane.dirty, emitted: pane.emitted }
      if ('missed' in cells) to.state.restoreCorrections(block, cells.missed)
      else if (block.count > 0) to.state.panes.restore(pane.start, words, doubles, 0, block.count, pane.dirty, pane.emitted)
    }
  }
  if (emittedUpTo !== undefined && !forgetful) to.state.restoreEmitted(emittedUpTo)
  if (Number.isFinite(watermark)) to.state.onWatermark(watermark)
  return to
}
