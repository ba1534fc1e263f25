import { expect, test } from 'vitest'
import { Degradations } from '../../src/degraded.ts'
import { ClockWatch } from '../../src/ingest/clock-watch.ts'
import { OwnedTasks } from '../../src/ingest/owned-tasks.ts'
import { ProductBudget } from '../../src/products/product-budget.ts'
import { namesIn } from '../../src/source/source.ts'
import { Partition } from '../../src/window/partition.ts'
import { RULES } from '../../workshop/memory-run.ts'

const NOW = 1_700_000_000_000
const JUMP = 600_000

/** Partition 0 of topics a and b, and what is told of them. */
function bench() {
  const rules = { ...RULES, maxJump: JUMP, maxDrift: 10_000, idleTimeout: 30_000 }
  const time = { now: NOW }
  const log: string[] = []
  const note = (_: unknown, message: string) => void log.push(message)
  const degradations = new Degradations({ info: note, warn: note }, () => time.now)
  const owned = new OwnedTasks(rules, 1, new ProductBudget())
  const task = owned.create(0)
  const [a, b] = [0, 1].map((topic) => {
    const partition = new Partition(topic, 0, { position: 0, maxEventTime: NOW }, ['VALID'], NOW, JUMP)
    owned.add(task, partition)
    return partition
  }) as [Partition, Partition]
  const watch = new ClockWatch(owned, degradations, rules, namesIn(['a', 'b']))
  watch.look(time.now)
  const look = (afterMs: number) => {
    time.now += afterMs
    watch.look(time.now)
    return degradations.reasons.map(({ code, subject, message }) => `${code} ${subject}: ${message}`)
  }
  return { a, b, watch, look, log, time }
}

function far(partition: Partition, time: number, offset: number): void {
  partition.read++
  partition.counted++
  partition.maxEventTime = partition.candidates.consider(time, partition.events, offset, partition.maxEventTime)
}

test('a partition whose events do not agree on a time names itself, from when they are, and what it takes', () => {
  const { a, look } = bench()
  for (let offset = 0; offset < 3; offset++) far(a, NOW + 3_600_000 + offset, offset)
  expect(look(9_999)).toEqual([])
  expect(look(1)).toEqual([
    'timeStands a/0: a/0 holds its task at 2023-11-14T22:13:20.000Z: 3 of its last 32 events are dated 2023-11-14T23:13:20.000Z or ' +
      "later, more than time.maxJump ahead, and move it when 25 do; if that is not a gap in the traffic, mend their producer's clock",
  ])
  a.maxEventTime += 1
  expect(look(100)).toEqual([])
})

test('one that has too few events for a first time says so, and one of which no record is valid too', () => {
  const { a, b, look } = bench()
  a.maxEventTime = Number.NEGATIVE_INFINITY
  look(0)
  a.counted = 3
  a.read = 3
  b.read = 5
  const [one, other] = look(10_000)
  expect(one).toContain('a/0 holds its task at no time yet: only 3 of the 8 events have come that its time begins with')
  expect(other).toContain('b/0 holds its task at 2023-11-14T22:13:20.000Z: none of the records that it brings is a valid event')
})

test.each(['idle', 'ended', 'paused'] as const)('one that is %s does not hold its task', (state) => {
  const { a, look } = bench()
  far(a, NOW + 3_600_000, 0)
  a[state] = true
  a.pausedAt = NOW + 10_000
  expect(look(10_000)).toEqual([])
})

test('one that nothing comes of is idle soon, and not told', () => {
  const { look } = bench()
  expect(look(25_000)).toEqual([])
})

test.each([
  [90, 10, false],
  [89, 11, true],
  [11, 9, false],
])('a minute of %i events in time and %i late is told: %s', (counted, late, told) => {
  const { a, look } = bench()
  Object.assign(a, { counted, late, furthestMs: 300_000, furthestOffset: 7 })
  expect(look(59_999)).toEqual([])
  const reasons = look(1)
  if (!told) return expect(reasons).toEqual([])
  expect(reasons).toEqual([
    `lateness a/0: ${late} of ${counted + late} events of the last minute of a/0 came too late, its time is 2023-11-14T22:13:20.000Z` +
      "; offset 7 moved it furthest lately, by 5 min 0 s: if that is dated wrongly, mend its producer's clock; " +
      'when they are dated rightly, raise time.outOfOrderness or time.allowedLateness',
  ])
  expect(look(60_000)).toEqual([])
})

test('events far ahead are told for a minute, with the last one; not where each is far ahead of the one before', () => {
  const { a, b, look } = bench()
  far(a, NOW + 3_600_000, 4)
  a.counted += 5
  far(b, NOW + 3_600_000, 4)
  a.idle = true
  b.idle = true
  expect(look(60_000)).toEqual([
    'clockAhead a/0: 1 of 6 events of the last minute of a/0 lie more than time.maxJump ahead of it, the last at offset 4, dated ' +
      '2023-11-14T23:13:20.000Z; they are counted in windows of their own and move no watermark unless most others agree; ' +
      'mend the clock of their producer',
  ])
  expect(look(60_000)).toEqual([])
})

test('a pause that lasts names both, and the event that moved the paused one furthest', () => {
  const { a, look } = bench()
  Object.assign(a, { paused: true, pausedAt: NOW, maxEventTime: NOW + 60_000, furthestMs: 50_000, furthestOffset: 12 })
  expect(look(10_000)).toEqual([
    'alignment a/0: a/0 is paused at 2023-11-14T22:14:20.000Z, more than time.maxDrift (10s) ahead of b/0, which stands at ' +
      '2023-11-14T22:13:20.000Z, until that comes up or counts as idle; offset 12 moved it furthest lately, by 50.0 s: ' +
      "if that is dated wrongly, mend its producer's clock",
  ])
})

test('a start without a checkpoint for windows far ahead is told for an hour', () => {
  const { a, b, watch, look, log, time } = bench()
  a.position = 9
  watch.begunByMark(a, { offset: 9, facts: { windowsFrom: 3 } }, time.now)
  watch.begunByMark(b, { offset: 9, facts: { windowsFrom: 3 } }, time.now)
  expect(log).toEqual([expect.stringContaining('a/0 begins at offset 9, without a checkpoint')])
  expect(look(3_599_999)).toEqual([expect.stringContaining('farWindows a/0: ')])
  expect(look(1)).toEqual([])
})
