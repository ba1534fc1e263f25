import { expect, test } from 'vitest'
import { Degradations } from '../../src/degraded.ts'
import { LossWatch } from '../../src/ingest/loss-watch.ts'
import { OwnedTasks } from '../../src/ingest/owned-tasks.ts'
import { ProductBudget } from '../../src/products/product-budget.ts'
import { namesIn } from '../../src/source/source.ts'
import { Partition } from '../../src/window/partition.ts'
import { RULES } from '../../workshop/memory-run.ts'

const NOW = 1_700_000_000_000
const MAX_JUMP = 600_000
const YEAR = 31_536_000_000
const SIZE = RULES.windowSize

/** A task with windows of a topic that was made again, whose partition stands at NOW. */
function bench() {
  const rules = { ...RULES, maxJump: MAX_JUMP, idleTimeout: 30_000 }
  const degradations = new Degradations({ info() {}, warn() {} }, () => NOW)
  const owned = new OwnedTasks(rules, 1, new ProductBudget())
  const task = owned.create(0)
  const partition = new Partition(0, 0, { position: 0, maxEventTime: NOW }, ['VALID'], MAX_JUMP)
  owned.add(task, partition)
  const watch = new LossWatch(owned, degradations, rules, namesIn(['a']))
  const told = () => {
    watch.look(NOW)
    return degradations.reasons.map(({ code, message }) => `${code}: ${message}`)
  }
  return { task: task.time, partition, told }
}

test('a topic that was made again is told for as long as its near windows are open, whatever a wrong clock has opened', () => {
  const { task, told } = bench()
  const end = NOW - (NOW % SIZE) + SIZE
  const far = end + YEAR - (YEAR % SIZE)
  task.addOrphans([end, far].map((one) => ({ end: one, events: 1 })))
  expect(told()).toEqual([expect.stringContaining(`topicRemade: a topic of task 0 was deleted and made again: its open windows up to `)])
  expect(told()[0]).toContain(new Date(end).toISOString())
  task.publish(end + SIZE * 100)
  expect([told(), task.orphansUntil]).toEqual([[], far])
})

test.each([
  [MAX_JUMP, 1],
  [MAX_JUMP + SIZE, 0],
])('a window %i ms ahead is told %i times', (ahead, times) => {
  const { task, partition, told } = bench()
  task.addOrphans([{ end: partition.maxEventTime + ahead + SIZE, events: 1 }])
  expect(told()).toHaveLength(times)
})

test('while no time is known none is far', () => {
  const { task, partition, told } = bench()
  partition.maxEventTime = Number.NEGATIVE_INFINITY
  task.addOrphans([{ end: NOW + YEAR, events: 1 }])
  expect(told()).toHaveLength(1)
})
