import { expect, test } from 'vitest'
import { inflowBench, NOW } from '../support/inflow-bench.ts'

test('a topic that is held is read no further, and its deliveries are given up when the run ends; others are read', async () => {
  const { owned, upkeep, broadcasts, assign, feed } = inflowBench()
  assign(0, 0)
  assign(1, 0)
  feed(0, 0, NOW)
  upkeep.hold(0)
  let over = false
  const held = feed(0, 1, NOW)!.then(() => {
    over = true
  })
  expect(feed(1, 0, NOW)).toBeUndefined()
  await upkeep.maintain()
  await new Promise((resolve) => setTimeout(resolve, 120))
  expect(over).toBe(false)
  // It is not for want of room, which would hide that others stand still.
  expect(broadcasts.waiting).toBe(0)
  expect(owned.partitions.map(({ position }) => position)).toEqual([1, 1])
  upkeep.letGo()
  await held
  expect(owned.partitions.map(({ position }) => position)).toEqual([1, 1])
})
