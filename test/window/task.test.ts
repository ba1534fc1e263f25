import { describe, expect, test } from 'vitest'
import { Partition } from '../../src/window/partition.ts'
import { isHeldOpen, isIdle, Task, type TimeRules } from '../../src/window/task.ts'

const RULES: TimeRules = {
  windowSize: 10,
  outOfOrderness: 5,
  allowedLateness: 5,
  idleTimeout: 100,
  maxDrift: 50,
  maxJump: Number.POSITIVE_INFINITY,
}

function partitionAt(topicIndex: number, position: number, maxEventTime: number | undefined, now = 0): Partition {
  return new Partition(topicIndex, 0, { position, maxEventTime }, ['VALID', 'EMPTY', 'TYPE'], now)
}

function taskOf(...times: (number | undefined)[]): Task {
  const task = new Task(0, RULES)
  times.forEach((time, i) => void task.partitions.push(partitionAt(i, 0, time)))
  return task
}

describe("a task's watermark", () => {
  test('is that of its slowest partition, less the out-of-orderness', () => expect(taskOf(100, 70, 90).watermark()).toBe(65))
  test('waits for a partition that has had no record', () => expect(taskOf(100, undefined).watermark()).toBe(Number.NEGATIVE_INFINITY))

  test('is not held by idle or ended partitions', () => {
    const task = taskOf(100, undefined, 20)
    task.partitions[1]!.idle = true
    task.partitions[2]!.ended = true
    expect(task.watermark()).toBe(95)
  })

  test('never goes back, also when an idle partition awakes', () => {
    const task = taskOf(100, 50)
    task.partitions[1]!.idle = true
    task.publish(task.watermark())
    task.partitions[1]!.idle = false
    expect(task.watermark()).toBe(95)
    task.partitions[0]!.idle = true
    task.partitions[1]!.idle = true
    expect(task.watermark()).toBe(95)
  })

  test.each([
    [99, false],
    [100, true],
    [104, true],
    [105, true],
  ])('after 95 is worth telling at %i: %s', (watermark, worth) => {
    const task = taskOf()
    task.publish(95)
    expect(task.mustPublish(watermark)).toBe(worth)
  })

  test('is worth telling once when a window closes and once when it is purged', () => {
    const task = taskOf()
    task.publish(100)
    expect([101, 104, 105].map((watermark) => task.mustPublish(watermark))).toEqual([false, false, true])
    expect(task.mustPublish(100)).toBe(false)
  })
})

describe('alignment', () => {
  test('pauses what is more than maxDrift ahead, and resumes it when the others have come up', () => {
    const task = taskOf(150, 100, 151)
    expect(task.alignment().pause.map(({ topicIndex }) => topicIndex)).toEqual([2])
    task.partitions[2]!.paused = true
    task.partitions[1]!.maxEventTime = 101
    const { pause, resume } = task.alignment()
    expect([pause, resume.map(({ topicIndex }) => topicIndex)]).toEqual([[], [2]])
  })

  test('holds the others near the first window while a partition has had no record', () => {
    const task = taskOf(150, undefined)
    task.partitions[0]!.enterWindow(90, 100, 0, Number.NEGATIVE_INFINITY, 0)
    expect(task.alignment().pause.length).toBe(1)
    task.partitions[0]!.maxEventTime = 140
    expect(task.alignment().pause.length).toBe(0)
  })

  test('lets a lone partition run when the others are idle', () => {
    const task = taskOf(1000, 10)
    task.partitions[1]!.idle = true
    task.partitions[0]!.paused = true
    expect(task.alignment().resume.length).toBe(1)
  })
})

describe('a partition is idle', () => {
  const partition = () => {
    const it = partitionAt(0, 7, undefined, 1000)
    it.endOffset = 7
    it.endOffsetHeardAt = 1100
    return it
  }
  test('after the timeout, when its position is known to be the end', () => expect(isIdle(partition(), 1100, 100)).toBe(true))
  test('and an open transaction holds it for the time there is', () => {
    const open = partition()
    open.hearEnd(open.endOffset, open.endOffset + 5, 1_000)
    expect(open.openSince).toBe(1_000)
    expect(open.idleSince).toBeUndefined()
    expect([isHeldOpen(open, 1_099, 100), isHeldOpen(open, 1_100, 100), isHeldOpen(open, 1_000)]).toEqual([true, false, false])
    // The same one still, heard again with and without what is written.
    open.hearEnd(open.endOffset, open.endOffset + 9, 1_050)
    open.hearEnd(open.endOffset, undefined, 1_060)
    expect([open.openSince, open.highWatermark - open.endOffset]).toEqual([1_000, 9])
    // It has ended and the next one is open.
    open.hearEnd(open.endOffset + 4, open.endOffset + 9, 1_070)
    expect(open.openSince).toBe(1_070)
    open.hearEnd(open.highWatermark, undefined, 1_080)
    expect(open.openSince).toBeUndefined()
  })
  test('not before', () => expect(isIdle(partition(), 1099, 100)).toBe(false))
  test('not while it lags', () => {
    const lagging = partition()
    lagging.endOffset = 8
    expect(isIdle(lagging, 5000, 100)).toBe(false)
  })
  test('not while it is paused', () => {
    const paused = partition()
    paused.paused = true
    expect(isIdle(paused, 5000, 100)).toBe(false)
  })
  test('not when the end was heard before the timeout had passed', () => {
    const stale = partition()
    stale.endOffsetHeardAt = 1099
    expect(isIdle(stale, 5000, 100)).toBe(false)
  })
})

describe('the low-water mark', () => {
  const none = { first: 0, read: 0, counted: 0, late: 0, invalid: {} }

  test('is the position when no window is open', () => {
    expect(partitionAt(0, 42, 99).lowWater()).toEqual({ offset: 42, maxEventTime: 99, totals: { ...none, first: 42 } })
    expect(partitionAt(0, 42, undefined).lowWater()).toEqual({ offset: 42, maxEventTime: undefined, totals: { ...none, first: 42 } })
  })

  test('is the first event of the open windows, with the time before it, until they are purged', () => {
    const partition = partitionAt(0, 0, 300)
    partition.position = 50
    partition.enterWindow(100, 110, 12, 95, 0)
    partition.enterWindow(100, 110, 13, 96, 0)
    partition.enterWindow(110, 120, 20, 101, 0)
    expect(partition.lowWater()).toEqual({ offset: 12, maxEventTime: 95, totals: none })
    partition.leaveWindows(110)
    expect(partition.lowWater()).toEqual({ offset: 20, maxEventTime: 101, totals: none })
    partition.leaveWindows(120)
    expect(partition.lowWater()).toEqual({ offset: 50, maxEventTime: 300, totals: none })
  })

  test('has the totals of what lies before it', () => {
    const totals = { first: 3, read: 10, counted: 7, late: 1, invalid: { TYPE: 2 } }
    const partition = new Partition(0, 0, { position: 13, maxEventTime: 90, totals }, ['VALID', 'EMPTY', 'TYPE'], 0)
    partition.read = 4
    partition.counted = 2
    partition.refuse(2, 1)
    partition.refuse(1, 1)
    partition.enterWindow(100, 110, 18, 95, 1)
    partition.read = 9
    partition.position = 22
    const before = { first: 3, read: 15, counted: 9, late: 1, invalid: { TYPE: 3, EMPTY: 1 } }
    expect(partition.lowWater()).toEqual({ offset: 18, maxEventTime: 95, totals: before })
    expect(partition.totals()).toEqual({ ...before, read: 19 })
  })
})

describe('what the committed mark said besides', () => {
  const topicId = 'A'.repeat(22)
  const facts = { topicId, idleSince: 1, candidates: 'a b' }
  const begun = (position: number) => new Partition(0, 0, { position, maxEventTime: 90, carried: { offset: 13, facts } }, [], 5, 0)

  test('holds at that offset; behind further records only the topic is still known', () => {
    const partition = begun(13)
    partition.hearEnd(13, 13, 5)
    expect(partition.lastRecordAt).toBe(1)
    partition.maxEventTime = 9
    expect(partition.lowWater()).toEqual({ offset: 13, maxEventTime: 9, totals: expect.anything(), facts })
    partition.position = 14
    partition.endOffset = 15
    partition.counted = 32
    expect(partition.lowWater().facts).toEqual({ topicId })
  })

  test('does not belong to the position of a checkpoint that lies further', () => {
    const partition = begun(20)
    expect(partition.lowWater().facts).toEqual({ topicId })
    expect(partition.lastRecordAt).toBe(5)
  })
})

describe('what went into windows', () => {
  test('is told once they are purged, summed over the partitions', () => {
    const task = taskOf(100, 100)
    const [one, other] = task.partitions
    one!.enterWindow(100, 110, 0, 0, 0).window.events = 5
    other!.enterWindow(100, 110, 0, 0, 0).window.events = 7
    other!.enterWindow(110, 120, 4, 0, 0).window.events = 2
    expect(task.openWindows()).toEqual([
      { task: 0, start: 100, end: 110, events: 12 },
      { task: 0, start: 110, end: 120, events: 2 },
    ])
    task.publish(114)
    expect(task.takeClosed()).toEqual([])
    task.publish(115)
    expect(task.takeClosed()).toEqual([{ task: 0, start: 100, end: 110, events: 12 }])
    expect(task.takeClosed()).toEqual([])
  })
})
