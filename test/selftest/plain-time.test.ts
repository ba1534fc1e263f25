/** Times by patterns and of zones: the plain reading, the exact parser and the fast reader agree, and Temporal says the same of zones. */
import { execFileSync } from 'node:child_process'
import { describe, expect, test } from 'vitest'
import { patternFault } from '../../src/config/time-pattern.ts'
import { Zone } from '../../src/format/zone.ts'
import { Random } from '../../src/load/random.ts'
import { ofZone } from '../../src/selftest/plain-time.ts'
import { readings } from '../support/readings.ts'

const pick = <T>(random: Random, list: readonly T[]) => list[random.below(list.length)]!
const T = Date.UTC(2024, 10, 28, 13, 20)
const HOUR = 3_600_000

describe('a time by patterns', () => {
  test.each<[readonly string[], string, number | 'TIME' | 'TIME_RANGE']>([
    [['%Y%m%dT%H%M%S%z'], '"20241128T132000Z"', T],
    [['%Y%m%dT%H%M%S%z'], '"20241128T152000+0200"', T],
    [['%a, %d %b %Y %H:%M:%S %Z'], '"Thu, 28 Nov 2024 13:20:00 GMT"', T],
    [['%A, %d. %B %Y %R'], '"thursday, 28. NOVEMBER 2024 13:20"', T],
    [['%d.%m.%Y %H:%M'], '"28.11.2024 13:20"', T],
    [['%d.%m.%Y %H:%M'], '"8.1.2024 3:05"', Date.UTC(2024, 0, 8, 3, 5)],
    [['%y%m%d%H'], '14102100', Date.UTC(2014, 9, 21)],
    [['%y%m%d%H'], '"14102100"', Date.UTC(2014, 9, 21)],
    [['%Y%m%d%H%M%S'], '20241128132000', T],
    [['%D %T.%f'], '"11/28/24 13:20:00.1239999"', T + 123],
    [['%e %b %Y %I:%M%p'], '" 5 Nov 2024 12:30AM"', Date.UTC(2024, 10, 5, 0, 30)],
    [['%e %b %Y %I:%M%p'], '"15 Nov 2024 12:30pm"', Date.UTC(2024, 10, 15, 12, 30)],
    [['%Y-%jT%T%z'], '"2024-333T13:20:00Z"', T],
    [['%Y/%m/%d'], '"2024/11/28"', T - 13 * HOUR - 20 * 60_000],
    [['%Y', '%F'].slice(1), '"2024-11-28"', T - 13 * HOUR - 20 * 60_000],
    [['%d/%m/%Y', '%m/%d/%Y'], '"11/28/2024"', Date.UTC(2024, 10, 28)],
    [['100%% %F é'], '"100% 2024-11-28 é"', Date.UTC(2024, 10, 28)],
    [['%F'], '1732800000', T],
    [['%F'], '"2024-11-28T13:20:00Z"', T],
    [['%F'], '"2024-02-30"', 'TIME'],
    [['%F'], '"1969-12-31"', 'TIME_RANGE'],
    [['%F %H'], '"2024-11-28 24"', 'TIME'],
    [['%F %I %p'], '"2024-11-28 13 pm"', 'TIME'],
    [['%F%z'], '"2024-11-28+25:00"', 'TIME'],
    [['%Y-%j'], '"2023-366"', 'TIME'],
    [['%F'], '"2024-11-28 "', 'TIME'],
    [['%F'], '"2024-11-2\\u0038"', Date.UTC(2024, 10, 28)],
    [['%F'], '" 2024-11-28"', 'TIME'],
  ])('%j: %s is %s', (formats, written, want) => {
    for (const fault of formats.map(patternFault)) expect(fault).toBeUndefined()
    const read = readings({ time: { formats: [...formats] } }, { formats })
    const { event, verdict } = read(`{"product_id":"p","event_type":"view","timestamp":${written}}`)
    expect(typeof event === 'string' ? verdict : event.time).toBe(want)
  })

  test.each([
    ['%Q', /%Q, which is not known/],
    ['%', /which is not known/],
    ['%H:%M', /no year/],
    ['%Y %d', /needs %m and %d/],
    ['%Y %m %d %j', /needs %m and %d/],
    ['%F %m', /says twice/],
    ['%y %F', /says twice/],
    ['%F %I', /%I and %p/],
    ['%F\t%T', /characters/],
  ])('the pattern %j is none', (pattern, fault) => expect(patternFault(pattern)).toMatch(fault))

  test('changed at random at one place, is what the plain reading says', () => {
    const random = new Random(7)
    const patterns = ['%a, %d %b %Y %H:%M:%S %Z', '%y%m%d%H', '%e.%m.%Y %I:%M %p%z', '%Y-%jT%T.%f']
    const examples = ['Thu, 28 Nov 2024 13:20:00 GMT', '14102100', ' 8.11.2024 01:20 PM+02:00', '2024-333T13:20:00.123456']
    const read = readings({ time: { formats: [...patterns], zone: 'Europe/Berlin' } }, { formats: patterns, zone: 'Europe/Berlin' })
    let valid = 0
    for (let i = 0; i < 1500; i++) {
      const example = pick(random, examples)
      const at = random.below(example.length)
      const text = example.slice(0, at) + pick(random, [...'0123456789 :+-.ZaAPMmn', '']) + example.slice(at + random.below(2))
      const value = `{"product_id":"p","event_type":"view","timestamp":${JSON.stringify(text)}}`
      if (read(value).verdict === 'VALID') valid++
    }
    expect(valid).toBeGreaterThan(300)
  })
})

describe('a zone', () => {
  test.each([
    ['Europe/Berlin', '2024-11-28 14:20:00', T],
    ['Europe/Berlin', '2024-07-01 02:00:00', Date.UTC(2024, 6, 1)],
    // Clocks are set forward: 02:30 is not shown, and is half an hour after the change.
    ['Europe/Berlin', '2024-03-31 01:59:59.999', Date.UTC(2024, 2, 31, 0, 59, 59, 999)],
    ['Europe/Berlin', '2024-03-31 02:00:00', Date.UTC(2024, 2, 31, 1)],
    ['Europe/Berlin', '2024-03-31 02:30:00', Date.UTC(2024, 2, 31, 1, 30)],
    ['Europe/Berlin', '2024-03-31 03:00:00', Date.UTC(2024, 2, 31, 1)],
    // Clocks are set back: 02:30 is shown twice, and is the first of the two.
    ['Europe/Berlin', '2024-10-27 01:59:59', Date.UTC(2024, 9, 26, 23, 59, 59)],
    ['Europe/Berlin', '2024-10-27 02:30:00', Date.UTC(2024, 9, 27, 0, 30)],
    ['Europe/Berlin', '2024-10-27 03:00:00', Date.UTC(2024, 9, 27, 2)],
    ['America/New_York', '2024-11-03 01:30:00', Date.UTC(2024, 10, 3, 5, 30)],
    ['Asia/Kolkata', '2024-11-28 18:50:00', T],
    ['Australia/Lord_Howe', '2024-10-06 02:15:00', Date.UTC(2024, 9, 5, 15, 45)],
    // A day that was left out.
    ['Pacific/Apia', '2011-12-30 12:00:00', Date.UTC(2011, 11, 30, 22)],
    ['Africa/Monrovia', '1972-01-07 00:44:29', Date.UTC(1972, 0, 7, 1, 28, 59)],
    ['Africa/Monrovia', '1972-01-07 00:44:31', Date.UTC(1972, 0, 7, 0, 44, 31)],
    ['europe/berlin', '2600-07-01 02:00:00', Date.UTC(2600, 6, 1)],
  ])('%s: %s', (zone, written, want) => {
    const read = readings({ time: { zone } }, { zone })
    expect(read(`{"product_id":"p","event_type":"view","timestamp":"${written}"}`).event).toMatchObject({ time: want })
    expect(read(`{"product_id":"p","event_type":"view","timestamp":"2024-11-28T13:20:00Z"}`).event).toMatchObject({ time: T })
  })

  const zones = ['Europe/Berlin', 'America/New_York', 'Africa/Casablanca', 'Asia/Gaza', 'Pacific/Apia', 'America/Sao_Paulo', 'Asia/Tehran']

  test('is what Temporal says, at random and near the changes', () => {
    const random = new Random(3)
    const asked = zones.flatMap((zone) =>
      Array.from({ length: 150 }, () => {
        // Most changes are in these months, at night.
        const month = pick(random, [2, 3, 8, 9, 10, random.below(12)])
        const wall = Date.UTC(1971 + random.below(130), month, 1 + random.below(31), random.below(5), random.below(60), random.below(60))
        return { zone, wall }
      }),
    )
    const script = `
      const asked = JSON.parse(require('node:fs').readFileSync(0, 'utf8'))
      const instant = ({ zone, wall }) =>
        Temporal.PlainDateTime.from(new Date(wall).toISOString().slice(0, -1))
          .toZonedDateTime(zone, { disambiguation: 'compatible' }).epochMilliseconds
      console.log(JSON.stringify(asked.map(instant)))`
    const told = execFileSync(process.execPath, ['--harmony-temporal', '-e', script], { input: JSON.stringify(asked), encoding: 'utf8' })
    const wanted = JSON.parse(told) as number[]
    const known = new Map(zones.map((zone) => [zone, new Zone(zone)]))
    const own = asked.map(({ zone, wall }) => wall - known.get(zone)!.eastAt(wall))
    const differing = asked.flatMap((one, i) => (own[i] === wanted[i] ? [] : [{ ...one, own: own[i], wanted: wanted[i] }]))
    expect(differing).toEqual([])
  })

  test('is what the plain reading says, in any order of times', () => {
    const random = new Random(4)
    for (const name of zones) {
      const zone = new Zone(name)
      for (let i = 0; i < 15; i++) {
        const wall = Date.UTC(1971 + random.below(600), random.below(12), random.below(31), random.below(24), random.below(60))
        expect([name, wall, wall - zone.eastAt(wall)]).toEqual([name, wall, ofZone(wall, name)])
      }
    }
  })
})
