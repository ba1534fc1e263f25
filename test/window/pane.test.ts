import { describe, expect, test } from 'vitest'
import { BugError } from '../../src/assert.ts'
import { Random } from '../../src/load/random.ts'
import { cellOf, PAGE_COUNTS, PAGE_IDS } from '../../src/window/cells.ts'
import { type Pane, Panes } from '../../src/window/pane.ts'
import { windowsOf } from '../../src/window/windows.ts'

const SEED = Number(process.env.CTR_TEST_SEED ?? Date.now() % 1_000_000_007)

const windows = (windowSize: number) => windowsOf({ windowSize, outOfOrderness: 0, allowedLateness: 0 })

/** Pairs (id << 1 | click, time - base). */
function events(...pairs: [id: number, click: 0 | 1, relative: number][]): Int32Array {
  return Int32Array.from(pairs.flatMap(([id, click, relative]) => [(id << 1) | click, relative]))
}

const impressionsOf = ({ directory, counts }: Pane, id: number) => counts[cellOf(directory, id)]!
const clicksOf = ({ directory, counts }: Pane, id: number) => counts[cellOf(directory, id) + 1]!

describe('panes', () => {
  test('count impressions and clicks per product and window, in any order of times', () => {
    const panes = new Panes(windows(10_000))
    panes.add(events([0, 0, 0], [1, 1, 9_999], [0, 0, 10_000], [0, 1, -1], [0, 0, 5]), 0, 5, 1_000_000)
    const found = panes.open.map((pane) => {
      const cells = [0, 1].flatMap((id) => [impressionsOf(pane, id), clicksOf(pane, id)])
      return [pane.start, pane.end, pane.total, pane.dirty, ...cells]
    })
    expect(found).toEqual([
      [1_000_000, 1_010_000, 3, true, 2, 0, 0, 1],
      [1_010_000, 1_020_000, 1, true, 1, 0, 0, 0],
      [990_000, 1_000_000, 1, true, 0, 1, 0, 0],
    ])
  })

  test('make room for more products without losing counts, or totals that were emitted', () => {
    const panes = new Panes(windows(10))
    panes.reserve(PAGE_IDS)
    panes.add(events([PAGE_IDS - 1, 1, 0]), 0, 1, 0)
    const pane = panes.open[0]!
    pane.startEmitting()[cellOf(pane.directory, PAGE_IDS - 1) >> 1] = 1
    for (let page = 1; page < 20; page++) {
      panes.reserve(page * PAGE_IDS + 1)
      panes.add(events([page * PAGE_IDS, 0, 0]), 0, 1, 0)
    }
    expect([clicksOf(pane, PAGE_IDS - 1), impressionsOf(pane, PAGE_IDS), impressionsOf(pane, 19 * PAGE_IDS)]).toEqual([1, 1, 1])
    expect(pane.emitted!.length).toBe(pane.counts.length / 2)
    const emitted = [PAGE_IDS - 1, 19 * PAGE_IDS].map((id) => pane.emitted![cellOf(pane.directory, id) >> 1])
    expect(emitted).toEqual([1, 0])
  })

  test('have memory only for the products that lie near one that was counted', () => {
    const panes = new Panes(windows(10))
    panes.reserve(10_000_000)
    panes.add(events([0, 0, 0], [5_000_000, 0, 0], [9_999_999, 1, 0]), 0, 3, 0)
    const pane = panes.open[0]!
    expect([pane.pages, pane.counts.length]).toEqual([4, 4 * PAGE_COUNTS])
    expect([0, 1, 5_000_000, 9_999_999].map((id) => panes.holds(id))).toEqual([true, false, true, true])
  })

  test('use the memory of purged ones again, cleared', () => {
    const panes = new Panes(windows(10))
    panes.add(events([3, 0, 0]), 0, 1, 0)
    const first = panes.open[0]!
    const totals = first.startEmitting().fill(7)
    first.dirty = false
    panes.purge(first)
    panes.add(events([4, 1, 0]), 0, 1, 100)
    const second = panes.open[0]!
    expect(second.counts).toBe(first.counts)
    expect([second.emitted, second.startEmitting() === totals, totals.some((total) => total !== 0)]).toEqual([undefined, true, false])
    expect([3, 4, 5].flatMap((id) => [impressionsOf(second, id), clicksOf(second, id)])).toEqual([0, 0, 0, 1, 0, 0])
  })

  test('give memory back that a burst of products took', () => {
    const panes = new Panes(windows(10))
    panes.reserve(PAGE_IDS * 100)
    for (let page = 0; page < 100; page++) panes.add(events([page * PAGE_IDS, 0, 0]), 0, 1, 0)
    const sizes: number[] = []
    for (let window = 1; window < 4; window++) {
      const [pane] = panes.open
      pane!.dirty = false
      panes.purge(pane!)
      panes.add(events([0, 0, 0]), 0, 1, window * 10)
      sizes.push(panes.open[0]!.counts.length)
    }
    expect(sizes).toEqual([128 * PAGE_COUNTS, 2 * PAGE_COUNTS, 2 * PAGE_COUNTS])
  })

  test(`count like a Map, whatever the products and the order of windows, seed ${SEED}`, () => {
    const random = new Random(SEED)
    const panes = new Panes(windows(10), 3000)
    const model = new Map<string, number>()
    for (let block = 0; block < 400; block++) {
      const most = 1 + random.below(60_000)
      panes.reserve(60_001)
      const pairs = Array.from({ length: 1 + random.below(50) }, (): [number, 0 | 1, number] => [
        random.below(most),
        random.chance(0.3) ? 1 : 0,
        random.below(30),
      ])
      for (const [id, click, time] of pairs) {
        const key = `${Math.floor(time / 10)}/${id}/${click}`
        model.set(key, (model.get(key) ?? 0) + 1)
      }
      panes.add(events(...pairs), 0, pairs.length, 0)
    }
    const found = new Map<string, number>()
    for (const pane of panes.open) {
      for (let id = 0; id < 60_001; id++) {
        if (impressionsOf(pane, id) > 0) found.set(`${pane.start / 10}/${id}/0`, impressionsOf(pane, id))
        if (clicksOf(pane, id) > 0) found.set(`${pane.start / 10}/${id}/1`, clicksOf(pane, id))
      }
    }
    expect(panes.open.every(({ counts }) => counts instanceof Float64Array)).toBe(true)
    expect(found).toEqual(model)
  })

  test('are never purged while they hold something that was not emitted', () => {
    const panes = new Panes(windows(10))
    panes.add(events([3, 0, 0]), 0, 1, 0)
    expect(() => panes.purge(panes.open[0]!)).toThrow(BugError)
  })

  test.each([
    [9, false],
    [10, false],
    [11, true],
  ])('of %i events with a limit of 10 are wide: %s', (count, wide) => {
    const panes = new Panes(windows(10), 10)
    for (let i = 0; i < count; i++) panes.add(events([1, 0, 0]), 0, 1, 0)
    const pane = panes.open[0]!
    expect([pane.counts instanceof Float64Array, impressionsOf(pane, 1), pane.total]).toEqual([wide, count, count])
  })

  test('know which products they hold', () => {
    const panes = new Panes(windows(10))
    panes.add(events([1, 1, 0]), 0, 1, 0)
    expect([panes.holds(0), panes.holds(1)]).toEqual([false, true])
  })
})
