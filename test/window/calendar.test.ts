/** Windows of the calendar, held against what clocks show, minute by minute. */
import { describe, expect, test } from 'vitest'
import { CALENDAR_LONGEST_MS, type Calendar } from '../../src/config/calendar.ts'
import { windowsOf } from '../../src/window/windows.ts'

const MINUTE = 60_000
const DAY = 1440 * MINUTE

/** Zones and weeks in which their clocks change: by an hour, by half an hour, at midnight, and in one that has left out a day. */
const CHANGES: readonly (readonly [zone: string, from: string])[] = [
  ['Europe/Berlin', '2026-03-26'],
  ['Europe/Berlin', '2026-10-22'],
  ['America/New_York', '2026-03-05'],
  ['America/New_York', '2026-10-29'],
  ['Asia/Kolkata', '2026-01-01'],
  ['Australia/Lord_Howe', '2026-04-02'],
  ['Australia/Lord_Howe', '2026-10-01'],
  ['America/Sao_Paulo', '2018-11-01'],
  ['America/Sao_Paulo', '2019-02-14'],
  ['America/Havana', '2026-10-29'],
  ['America/St_Johns', '2006-10-26'],
  ['Pacific/Apia', '2011-12-27'],
  ['Antarctica/Troll', '2026-10-22'],
]

const windows = (unit: Calendar['unit'], zone: string, weekStart: Calendar['weekStart'] = 'monday') =>
  windowsOf({ windowSize: CALENDAR_LONGEST_MS[unit], calendar: { unit, zone, weekStart }, outOfOrderness: 3, allowedLateness: 5 })

/** Edges that windows have within a span, going from one to the next. */
function edges(of: ReturnType<typeof windows>, from: number, to: number): number[] {
  const found: number[] = []
  for (let at = of.sliceEnd(of.sliceStart(from)); at < to; at = of.sliceEnd(at)) found.push(at)
  return found
}

/** The date that clocks show, as text that sorts. */
function dateOf(zone: string) {
  const clock = new Intl.DateTimeFormat('en-CA', { timeZone: zone, year: 'numeric', month: '2-digit', day: '2-digit' })
  return (time: number) => clock.format(time)
}

/** Instants at which clocks show a date for the first time that is later than all before. */
function newDates(zone: string, from: number, to: number, isStart: (date: string) => boolean): number[] {
  const show = dateOf(zone)
  const found: number[] = []
  let latest = show(from)
  let started = true
  for (let time = from; time < to; time += MINUTE) {
    const date = show(time)
    if (date <= latest) continue
    started = isStart(date) || [...between(latest, date)].some(isStart)
    if (started) found.push(time)
    latest = date
  }
  return found
}

function* between(a: string, b: string): Generator<string> {
  for (let day = Date.parse(a) + DAY; day < Date.parse(b); day += DAY) yield new Date(day).toISOString().slice(0, 10)
}

describe.each(CHANGES)('%s from %s on', (zone, from) => {
  const start = Date.parse(from)
  const end = start + 8 * DAY

  test('a day begins when clocks first show it', () => {
    // In St. John's clocks went back at a minute past midnight: either midnight is one.
    const tolerance = zone === 'America/St_Johns' ? 60 * MINUTE : 0
    const want = newDates(zone, start, end, () => true)
    const got = edges(windows('day', zone), start, end)
    expect(got.length).toBe(want.length)
    for (const [i, edge] of got.entries()) expect(Math.abs(edge - want[i]!)).toBeLessThanOrEqual(tolerance)
  })

  test.each(['sunday', 'monday', 'thursday'] as const)('a week begins on %s', (weekStart) => {
    const number = ['sunday', 'monday', 'tuesday', 'wednesday', 'thursday'].indexOf(weekStart)
    const days = edges(windows('day', zone), start, end)
    const show = dateOf(zone)
    const of = windows('week', zone, weekStart)
    for (const edge of edges(of, start, end)) expect(days).toContain(edge)
    for (const day of days) {
      const isFirst = new Date(show(day)).getUTCDay() === number
      if (isFirst) expect(of.sliceStart(day)).toBe(day)
    }
  })

  test('an hour begins where clocks show a full one, or are changed by part of one', () => {
    const minute = new Intl.DateTimeFormat('en-US', { timeZone: zone, minute: 'numeric' })
    const shownMinute = (time: number) => Number(minute.format(time))
    const got = edges(windows('hour', zone), start, end)
    const want: number[] = []
    for (let time = start + MINUTE; time < end; time += MINUTE) {
      const [before, now] = [shownMinute(time - MINUTE), shownMinute(time)]
      if (now === 0 || now !== (before + 1) % 60) want.push(time)
    }
    const first = windows('hour', zone).sliceStart(start)
    expect(got.filter((edge) => edge > first)).toEqual(want)
  })
})

test('a month begins on its first day, whatever its length', () => {
  const of = windows('month', 'Europe/Berlin')
  const got = edges(of, Date.parse('2023-12-15'), Date.parse('2024-05-15')).map((edge) => new Date(edge).toISOString())
  expect(got).toEqual(
    ['2023-12-31T23', '2024-01-31T23', '2024-02-29T23', '2024-03-31T22', '2024-04-30T22'].map((text) => `${text}:00:00.000Z`),
  )
})

describe.each(['hour', 'day', 'week', 'month'] as const)('every %s', (unit) => {
  test.each(['Europe/Berlin', 'Australia/Lord_Howe', 'Pacific/Apia', 'UTC'])('of %s is found from any time in it, in any order', (zone) => {
    const of = windows(unit, zone)
    const from = Date.parse('2011-12-01')
    const times = Array.from({ length: 600 }, (_, i) => from + ((i * 7919) % 600) * (unit === 'hour' ? 17 * MINUTE : DAY / 3) + i)
    for (const time of times) {
      const start = of.sliceStart(time)
      const end = of.sliceEnd(start)
      expect(start <= time && time < end && end - start <= CALENDAR_LONGEST_MS[unit]).toBe(true)
      expect([of.sliceStart(start), of.sliceStart(end - 1), of.startOf(end), of.windowStart(end)]).toEqual([start, start, start, start])
      expect([of.startUpTo(time), of.startFrom(start), of.startFrom(start + 1)]).toEqual([start, start, end])
      expect([of.firstEnd(end), of.lastEnd(end)]).toEqual([end, end])
    }
  })
})

test('a day is due at its end, closed and purged with its lateness, and late by its own partition', () => {
  const of = windows('day', 'Europe/Berlin')
  const end = of.sliceEnd(of.sliceStart(Date.parse('2026-10-25T10:00Z')))
  expect(end - of.startOf(end)).toBe(25 * 60 * MINUTE)
  expect([end - 1, end].map((time) => of.isDue(end, time))).toEqual([false, true])
  expect([end + 4, end + 5].map((time) => end <= of.purgedUpTo(time))).toEqual([false, true])
  expect([of.lateAt(end), of.partlyAt(end)]).toEqual([end + 8, end + 8])
  expect([end - 2, end - 1, end, end + 3, end + 4].map((time) => of.isStep(time, time + 1))).toEqual([false, true, false, false, true])
  expect([of.isStep(Number.NEGATIVE_INFINITY, 1), of.isStep(1, Number.POSITIVE_INFINITY), of.isStep(1, 1)]).toEqual([true, true, false])
  for (const drift of [0, DAY, 9 * DAY]) expect(of.openMax(drift)).toBeGreaterThanOrEqual(Math.ceil(drift / (23 * 60 * MINUTE)) + 1)
})
