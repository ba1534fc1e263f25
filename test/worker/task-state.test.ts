import { describe, expect, test } from 'vitest'
import { BugError } from '../../src/assert.ts'
import type { Pane } from '../../src/window/pane.ts'
import { windowsOf } from '../../src/window/windows.ts'
import { TaskState } from '../../src/worker/task-state.ts'

/** Windows of 10 ms, lateness 5; `emit` does what the real one does to a pane. */
function stateOf() {
  const state = new TaskState(0, windowsOf({ windowSize: 10, outOfOrderness: 0, allowedLateness: 5 }))
  state.addProduct(0, Buffer.from('p'), 0, 1)
  const emitted: string[] = []
  const emit = (_: TaskState, pane: Pane) => {
    emitted.push(`${pane.start}:${pane.total}`)
    pane.emitted ??= new Uint32Array(64)
    pane.dirty = false
  }
  const add = (time: number) => state.panes.add(Int32Array.of(0, time), 0, 1, 0)
  const since = () => emitted.splice(0)
  return { state, emit, add, since }
}

test("a task's watermark may stay where it is, and never falls", () => {
  const { state, emit } = stateOf()
  state.onWatermark(10, emit)
  state.onWatermark(10, emit)
  expect(() => state.onWatermark(9, emit)).toThrow('a task\'s watermark never falls {"task":0,"watermark":9,"last":10}')
})

describe('a window is emitted', () => {
  test('when the watermark reaches its end, once', () => {
    const { state, emit, add, since } = stateOf()
    add(1)
    state.onWatermark(9, emit)
    expect(since()).toEqual([])
    state.onWatermark(10, emit)
    state.onWatermark(11, emit)
    expect(since()).toEqual(['0:1'])
  })

  test('again after a late change, at the next tick, not before and only once', () => {
    const { state, emit, add, since } = stateOf()
    add(1)
    state.onWatermark(10, emit)
    add(2)
    add(3)
    state.onWatermark(12, emit)
    expect(since()).toEqual(['0:1'])
    state.onTick(emit)
    state.onTick(emit)
    expect(since()).toEqual(['0:3'])
  })

  test('not at a tick before its end', () => {
    const { state, emit, add, since } = stateOf()
    add(1)
    state.onTick(emit)
    expect(since()).toEqual([])
  })

  test('a last time when it is purged, if it changed', () => {
    const { state, emit, add, since } = stateOf()
    add(1)
    state.onWatermark(10, emit)
    add(2)
    state.onWatermark(15, emit)
    expect(since()).toEqual(['0:1', '0:2'])
    expect(state.panes.open).toEqual([])
  })

  test('at once when the watermark passes end and lateness in one step', () => {
    const { state, emit, add, since } = stateOf()
    add(1)
    state.onWatermark(100, emit)
    expect([since(), state.panes.open]).toEqual([['0:1'], []])
  })

  test('in a quiet task when its end has passed on the wall clock, without being purged', () => {
    const { state, emit, add, since } = stateOf()
    add(1)
    add(11)
    state.onQuiet(10, emit)
    expect([since(), state.panes.open.length]).toEqual([['0:1'], 2])
    add(2)
    state.onQuiet(10, emit)
    expect(since()).toEqual(['0:2'])
  })

  test('at the end of a bounded run, whatever its end', () => {
    const { state, emit, add, since } = stateOf()
    add(1)
    add(99)
    state.onEnd(emit)
    expect(since()).toEqual(['0:1', '90:1'])
  })
})

describe('a product', () => {
  test('is not forgotten while an open window holds it', () => {
    const { state, emit, add } = stateOf()
    add(1)
    expect(() => state.removeProduct(0)).toThrow(BugError)
    state.onWatermark(100, emit)
    state.removeProduct(0)
    expect(state.products.size).toBe(0)
  })

  test('that would share its id with another ends the process', () => {
    const { state } = stateOf()
    expect(() => state.addProduct(0, Buffer.from('q'), 0, 1)).toThrow(/an id names one product/)
    expect(() => state.removeProduct(7)).toThrow(BugError)
  })

  test('that was never announced ends the process when it is emitted', () => {
    expect(() => stateOf().state.products.startOf(5)).toThrow(/a counted id names a product/)
  })
})
