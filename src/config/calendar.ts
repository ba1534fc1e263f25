/** What a calendar's windows may be: plain data, so that it can go to another thread. */
import { DAY, HOUR } from './units.ts'

/** In the order of their lengths. */
export const CALENDAR_UNITS = ['hour', 'day', 'week', 'month'] as const
/** A week may begin with any; in the order of their numbers. */
export const WEEKDAYS = ['sunday', 'monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday'] as const

/** Units of a time zone. */
export interface Calendar {
  readonly unit: (typeof CALENDAR_UNITS)[number]
  /** As in the IANA database. */
  readonly zone: string
  readonly weekStart: (typeof WEEKDAYS)[number]
}

/** Clocks are put back by two hours at most, and never twice within a month. */
const PUT_BACK_MS = 2 * HOUR

/** How long one of each unit can be. */
export const CALENDAR_LONGEST_MS: Readonly<Record<Calendar['unit'], number>> = {
  hour: HOUR,
  day: DAY + PUT_BACK_MS,
  week: 7 * DAY + PUT_BACK_MS,
  month: 31 * DAY + PUT_BACK_MS,
}

/** Whether there is a time zone of that name. */
export function isTimeZone(zone: string): boolean {
  try {
    new Intl.DateTimeFormat('en-US', { timeZone: zone })
    return true
  } catch {
    return false
  }
}
