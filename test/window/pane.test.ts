import { describe, expect, test } from 'vitest'
import { BugError } from '../../src/assert.ts'
import { Panes } from '../../src/window/pane.ts'

/** Pairs (id << 1 | click, time - base). */
function events(...pairs: [id: number, click: 0 | 1, relative: number][]): Int32Array {
  return Int32Array.from(pairs.flatMap(([id, click, relative]) => [(id << 1) | click, relative]))
}

describe('panes', () => {
  test('count impressions and clicks per product and window, in any order of times', () => {
    const panes = new Panes(10_000)
    panes.add(events([0, 0, 0], [1, 1, 9_999], [0, 0, 10_000], [0, 1, -1], [0, 0, 5]), 0, 5, 1_000_000)
    const found = panes.open.map(({ start, end, total, dirty, counts }) => [start, end, total, dirty, ...counts.subarray(0, 4)])
    expect(found).toEqual([
      [1_000_000, 1_010_000, 3, true, 2, 0, 0, 1],
      [1_010_000, 1_020_000, 1, true, 1, 0, 0, 0],
      [990_000, 1_000_000, 1, true, 0, 1, 0, 0],
    ])
  })

  test('make room for more products without losing counts', () => {
    const panes = new Panes(10)
    panes.reserve(64)
    panes.add(events([63, 1, 0]), 0, 1, 0)
    panes.open[0]!.emitted = new Uint32Array(64).fill(1)
    panes.reserve(65)
    panes.add(events([64, 0, 0]), 0, 1, 0)
    const { counts, emitted } = panes.open[0]!
    expect([counts[127], counts[128], counts.length, emitted!.length, emitted![63]]).toEqual([1, 1, 256, 128, 1])
  })

  test('use the memory of purged ones again, cleared', () => {
    const panes = new Panes(10)
    panes.add(events([3, 0, 0]), 0, 1, 0)
    const first = panes.open[0]!
    first.dirty = false
    panes.purge(first)
    panes.add(events([4, 1, 0]), 0, 1, 100)
    expect(panes.open[0]!.counts).toBe(first.counts)
    expect([...panes.open[0]!.counts.subarray(0, 10)]).toEqual([0, 0, 0, 0, 0, 0, 0, 0, 0, 1])
  })

  test('are never purged while they hold something that was not emitted', () => {
    const panes = new Panes(10)
    panes.add(events([3, 0, 0]), 0, 1, 0)
    expect(() => panes.purge(panes.open[0]!)).toThrow(BugError)
  })

  test.each([
    [9, false],
    [10, false],
    [11, true],
  ])('of %i events with a limit of 10 are wide: %s', (count, wide) => {
    const panes = new Panes(10, 10)
    for (let i = 0; i < count; i++) panes.add(events([1, 0, 0]), 0, 1, 0)
    expect([panes.open[0]!.counts instanceof Float64Array, panes.open[0]!.counts[2], panes.open[0]!.total]).toEqual([wide, count, count])
  })

  test('know which products they hold', () => {
    const panes = new Panes(10)
    panes.add(events([1, 1, 0]), 0, 1, 0)
    expect([panes.holds(0), panes.holds(1)]).toEqual([false, true])
  })
})
