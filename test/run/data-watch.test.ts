import { expect, test } from 'vitest'
import { Degradations } from '../../src/degraded.ts'
import { REASON, REASONS } from '../../src/format/reasons.ts'
import { DataWatch } from '../../src/run/data-watch.ts'
import { namesIn } from '../../src/source/source.ts'
import { Partition } from '../../src/window/partition.ts'

const MINUTE = 60_000
const TOPICS = ['impressions', 'clicks']
const WATCHED = TOPICS.map((name) => ({ name, alarmNotCounted: 0.5 }))

function watched(held: number[] = []) {
  let now = 0
  const log = { info() {}, warn() {} }
  const degradations = new Degradations(log, () => now)
  const topics = WATCHED.map((topic, i) => ({ ...topic, holds: held.length > 0 && i === held[0] }))
  const watch = new DataWatch(
    topics,
    namesIn(TOPICS),
    degradations,
    log,
    () => now,
    (topic) => void held.push(topic),
  )
  const partitions = [0, 1].map((number) => new Partition(1, number, { position: 0, maxEventTime: undefined }, REASONS, 0))
  /** A minute later, after so much was read of the first partition, and the second has so many records to read. */
  const minute = (read: number, invalid: number, lag = 0) => {
    const [one, other] = partitions
    one!.read += read
    if (invalid > 0) one!.refuse(REASON.TYPE, invalid)
    other!.endOffset = other!.position + lag
    now += MINUTE
    watch.look(partitions)
    return degradations.reasons.map(({ code, subject }) => `${code} ${subject}`)
  }
  return { minute, degradations, partitions }
}

test.each([
  [1_000, 100, []],
  [1_000, 101, ['invalid clicks']],
  [99, 99, []],
  [100, 11, ['invalid clicks']],
])('of %i records in a minute %i are invalid: %j', (read, invalid, reasons) => {
  expect(watched().minute(read, invalid)).toEqual(reasons)
})

test('it says how many, of what, and where to look, and is over with a minute that is better', () => {
  const { minute, degradations } = watched()
  minute(1_000, 300)
  expect(degradations.reasons[0]?.message).toBe(
    '30 % of the 1,000 records of clicks in the last minute are invalid, most of them TYPE; the dead letters show them',
  )
  expect(minute(1_000, 0)).toEqual([])
})

test('a lag that has grown for five minutes in a row is told, until it grows no more', () => {
  const { minute, degradations } = watched()
  for (const lag of [1_000, 2_000, 3_000, 4_000, 5_000]) expect(minute(6_000, 0, lag)).toEqual([])
  expect(minute(6_000, 0, 6_000)).toEqual(['lag clicks'])
  expect(degradations.reasons[0]?.message).toMatch(/^the lag of clicks has grown for 5 minutes, to 6,000 records; 100 a second are read/)
  expect(minute(6_000, 0, 6_001)).toEqual(['lag clicks'])
  expect(minute(6_000, 0, 6_001)).toEqual([])
})

test('a small lag, one that shrinks in between, and one of other partitions than before are none', () => {
  const small = watched()
  for (let lag = 1; lag < 20; lag++) expect(small.minute(6_000, 0, lag * 50)).toEqual([])
  const shrinking = watched()
  for (let i = 1; i < 20; i++) expect(shrinking.minute(60, 0, i % 4 === 0 ? 0 : i * 1_000)).toEqual([])
  const moving = watched()
  for (let i = 1; i < 20; i++) {
    if (i % 4 === 0) moving.partitions.push(new Partition(1, i, { position: 0, maxEventTime: undefined }, REASONS, 0))
    expect(moving.minute(60, 0, i * 1_000)).toEqual([])
  }
})

test.each([
  [{ ignored: 51 }, /^51 % of the 100 records of clicks in the last minute are not counted: 51 are ignored, .*events\.types says/],
  [{ late: 31, ignored: 20 }, /20 are ignored, 0 invalid, 31 late; raise time\.outOfOrderness/],
  [{ invalid: 60 }, /60 invalid, 0 late; the dead letters show why/],
  [{ ignored: 30, late: 20 }, undefined],
])(
  'of 100 records %j are not counted',
  ({ ignored = 0, late = 0, invalid = 0 }: { ignored?: number; late?: number; invalid?: number }, message) => {
    const { minute, degradations, partitions } = watched()
    partitions[0]!.ignored = ignored
    partitions[0]!.late = late
    minute(100, invalid)
    const [reason] = degradations.reasons.filter(({ code }) => code === 'notCounted')
    if (message === undefined) expect(reason).toBeUndefined()
    else expect(reason?.message).toMatch(message)
    minute(1_000, 0)
    expect(degradations.reasons.filter(({ code }) => code === 'notCounted')).toEqual([])
  },
)

test('a topic that is to be held is held when too little of it counts, and says so from then on', () => {
  const held = [1]
  const { minute, degradations } = watched(held)
  minute(1_000, 500)
  expect(held).toEqual([1])
  minute(1_000, 501)
  minute(0, 0)
  expect(held).toEqual([1, 1])
  const reasons = degradations.reasons.filter(({ code }) => code === 'held')
  expect(reasons).toMatchObject([{ subject: 'clicks' }])
  expect(reasons[0]!.message).toMatch(/^clicks is read no further: 50 % of the 1,000 records .*; the dead letters show why.*restart with/)
})
