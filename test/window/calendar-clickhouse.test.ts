/** Days of five zones in which clocks change, and the hours, weeks and months around them: where ClickHouse's own functions have them. */
import { expect, test } from 'vitest'
import { CALENDAR_LONGEST_MS } from '../../src/config/calendar.ts'
import { windowsOf } from '../../src/window/windows.ts'
import { sharedClickHouse } from '../support/shared-clickhouse.ts'

const clickhouse = await sharedClickHouse()
const HOUR = 3_600_000

const START_OF = {
  hour: (time: string, zone: string) => `toStartOfHour(toTimeZone(${time}, '${zone}'))`,
  day: (time: string, zone: string) => `toStartOfDay(toTimeZone(${time}, '${zone}'))`,
  week: (time: string, zone: string) => `toDateTime(toStartOfWeek(toTimeZone(${time}, '${zone}'), 1), '${zone}')`,
  month: (time: string, zone: string) => `toDateTime(toStartOfMonth(toTimeZone(${time}, '${zone}')), '${zone}')`,
} as const

test.each([
  ['Europe/Berlin', '2026-03-25', '2026-10-21'],
  ['America/New_York', '2026-03-04', '2026-10-28'],
  ['Australia/Sydney', '2026-04-01', '2026-09-30'],
  ['America/Santiago', '2025-04-02', '2025-09-03'],
  ['Asia/Kolkata', '2026-01-01', '2026-07-01'],
])('%s', async (zone, ...weeks) => {
  for (const unit of ['hour', 'day', 'week', 'month'] as const) {
    const windows = windowsOf({
      windowSize: CALENDAR_LONGEST_MS[unit],
      calendar: { unit, zone, weekStart: 'monday' },
      outOfOrderness: 0,
      allowedLateness: 0,
    })
    for (const week of weeks) {
      const from = Date.parse(week)
      const time = `toDateTime(${from / 1000} + 450 * number, 'UTC')`
      const rows = await clickhouse.rows<{ at: number; start: number }>(
        `SELECT toUnixTimestamp(${time}) AS at, toUnixTimestamp(${START_OF[unit](time, zone)}) AS start
         FROM numbers(${(8 * 24 * HOUR) / 450_000})`,
      )
      expect(rows.length).toBe(1536)
      const wrong = rows.filter(({ at, start }) => windows.sliceStart(at * 1000) !== start * 1000)
      const shown = wrong.slice(0, 3).map(({ at, start }) => [at, start * 1000, windows.sliceStart(at * 1000)])
      expect(shown, `${unit} of ${zone}`).toEqual([])
    }
  }
})
