import { expect, test } from 'vitest'
import { Closings, createClosings } from '../../src/window/closings.ts'
import { Lateness } from '../../src/window/lateness.ts'

test('an event is in the first bucket whose bound it does not pass, and buckets add up', () => {
  const lateness = new Lateness()
  const { bounds } = lateness.stats()
  expect([bounds.length, bounds[0]]).toEqual([63, 0.001])
  bounds.forEach((bound, i) => {
    const one = new Lateness()
    one.add(bound * 1000 * 0.999, 1)
    one.add(bound * 1000 * 1.001, 2)
    const { counts } = one.stats()
    expect([i, counts[i], counts[i + 1]]).toEqual([i, 1, 2])
    lateness.join(one)
  })
  lateness.add(0, 5)
  lateness.add(1e12, 7)
  const { counts } = lateness.stats()
  expect([counts.length, counts[0], counts[63], counts.reduce((sum, count) => sum + count, 0)]).toEqual([64, 6, 9, 63 * 3 + 12])
})

test('closings are found by task and window, and one that was overwritten is not taken for another', () => {
  const memory = createClosings()
  const [main, sink] = [new Closings(memory), new Closings(memory)]
  main.note(3, 60_000, 59_000, 59_005)
  expect([sink.find(3, 60_000), sink.closedAt, sink.publishedAt]).toEqual([true, 59_000, 59_005])
  expect([sink.find(3, 70_000), sink.find(4, 60_000), sink.find(0, 0)]).toEqual([false, false, false])
  let found = 0
  for (let task = 0; task < 5000; task++) main.note(task, 1_800_000_000_000, task, task)
  for (let task = 0; task < 5000; task++) if (sink.find(task, 1_800_000_000_000)) found += sink.closedAt === task ? 1 : Number.NaN
  expect(found).toBeGreaterThan(1000)
})
