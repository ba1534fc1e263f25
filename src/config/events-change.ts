/**
 * Whether what the configuration says of events has changed so that records which were counted may count no more. A window that is open
 * over such a change could be written with less than it has, and the row with more would stay.
 */
import { EVENTS_DEFAULT, type EventsConfig } from './events-section.ts'

/** The change, in words with both values; undefined when none can take anything away. */
export function shrinkingChange(before: EventsConfig, now: EventsConfig): string | undefined {
  for (const [key, fits] of Object.entries(WIDENS)) {
    const [was, is] = [keyValue(before, key), keyValue(now, key)]
    if (write(was) === write(is) || fits?.(was, is, now) === true) continue
    return `events.${key} ${write(was)}, now ${write(is)}`
  }
  return undefined
}

type Fits = (was: unknown, is: unknown, now: EventsConfig) => boolean

const hasAll: Fits = (was, is) => Array.isArray(was) && Array.isArray(is) && was.every((one) => is.includes(one))
const becomes =
  (value: boolean): Fits =>
  (_, is) =>
    is === value
const always: Fits = () => true

/** By key, which changes leave counted what was counted; of the others none does. */
const WIDENS: { readonly [key: string]: Fits | undefined } = {
  envelope: undefined,
  'fields.product': undefined,
  'fields.type': undefined,
  'fields.time': undefined,
  // Nobody reads a user that is not required.
  'fields.user': (_, __, { user }) => !user.required,
  type: undefined,
  'types.impression': hasAll,
  'types.click': hasAll,
  'types.other': always,
  'types.caseSensitive': becomes(false),
  'product.numbers': becomes(true),
  'user.required': becomes(false),
  'time.unit': undefined,
  'time.zone': undefined,
  // Another one may read otherwise what was read.
  'time.formats': undefined,
  'time.source': undefined,
  'click.field': undefined,
  maxPerRecord: (was, is) => Number(is) >= Number(was),
  empty: always,
  alarmNotCounted: always,
  onNothingCounted: always,
}

/** Every key there is, so that a new one is not forgotten: a test holds it against the section. */
export const CHANGE_KEYS: readonly string[] = Object.keys(WIDENS)

function keyValue(config: EventsConfig, key: string): unknown {
  const [section = '', name] = key.split('.')
  const value = (config as Readonly<Record<string, unknown>>)[section]
  return name === undefined ? value : (value as Readonly<Record<string, unknown>>)[name]
}

function write(value: unknown): string {
  if (value === undefined) return 'not given'
  return Array.isArray(value) ? value.join(', ') : String(value)
}

/** What was kept of a version that has fewer keys is filled up with the defaults. */
export function keptEvents(kept: object): EventsConfig {
  const given = kept as Partial<EventsConfig>
  return {
    ...EVENTS_DEFAULT,
    ...given,
    types: { ...EVENTS_DEFAULT.types, ...given.types },
    product: { ...EVENTS_DEFAULT.product, ...given.product },
    user: { ...EVENTS_DEFAULT.user, ...given.user },
    time: { ...EVENTS_DEFAULT.time, ...given.time },
    click: { ...EVENTS_DEFAULT.click, ...given.click },
  }
}
