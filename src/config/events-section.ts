/**
 * What the configuration says of events: where their values are and what they mean. The section `events` is for all topics;
 * `kafka.topics[].events` has the same keys and goes over it, key by key, for one.
 */
import { z } from 'zod'
import { pathOf } from './field-path.ts'
import { choice, defaulted, flagWithoutDefault, integerWithoutDefault, listWithoutDefault, shareWithoutDefault, text } from './fields.ts'
import { LIMITS } from './limits.ts'
import { patternFault } from './time-pattern.ts'

/** A path has at most so many keys, and a value as many places. */
const PATHS_MAX = 8

/** A place in an event, described. */
export const path = text(
  'A key, or keys from the outside in, apart by dots; a key that holds a dot in double quotes; [] behind an array.',
  {
    max: 512,
  },
).superRefine((value, context) => {
  const found = pathOf(value)
  if (found !== undefined && found.steps.length + (found.element?.length ?? 0) <= PATHS_MAX) return
  const remedy = 'write product_id, payload.after.sku, data."product.id" or items[].item_id'
  const message = found === undefined ? 'is no path' : `has more than ${PATHS_MAX} keys`
  context.addIssue({ code: 'custom', message, params: { remedy } })
})
const paths = (what: string) => listWithoutDefault(`${what}; of several places the first that is there and not null.`, path, PATHS_MAX)
const wordList = (what: string) => listWithoutDefault(what, text('A value.', { max: 256 }), 100)

const ZONE = /^(?:UTC|[+-](?:[01]\d|2[0-3]):[0-5]\d|[A-Za-z][A-Za-z0-9_+-]*(?:\/[A-Za-z0-9_+-]+)*)$/
const ZONE_REMEDY = 'write UTC, +02:00, -09:30 or a name such as Europe/Berlin'

const zone = text('Zone of times that name none: UTC, an offset, or a name of the IANA, whose clocks may be set.', {
  pattern: ZONE,
  remedy: ZONE_REMEDY,
}).superRefine((value, context) => {
  if (/^[+-]/.test(value) || isZone(value)) return
  context.addIssue({ code: 'custom', message: 'is no zone that is known', params: { remedy: ZONE_REMEDY } })
})

function isZone(timeZone: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone })
    return true
  } catch {
    return false
  }
}

const pattern = text('A pattern of strptime, such as %Y%m%dT%H%M%S%z.', { max: 128 }).superRefine((value, context) => {
  const fault = patternFault(value)
  const remedy = 'write a list of patterns such as "%d.%m.%Y %H:%M:%S"'
  if (fault !== undefined) context.addIssue({ code: 'custom', message: fault, params: { remedy } })
})
const FORMATS_MAX = 8
const EVENTS_PER_RECORD = { min: 1, max: LIMITS.eventsPerRecordMax }

/** Envelopes whose fields are known. */
const ENVELOPES = ['none', 'connect', 'debezium', 'cloudevents', 'segment'] as const

const KEYS = {
  envelope: choice('What wraps the events, which says where the fields are that `fields` does not name.', ENVELOPES),
  fields: {
    product: paths('Where the product id is'),
    user: paths('Where the user id is; only with user.required'),
    type: paths('Where the type is, which says impression or click'),
    time: paths('Where the time is'),
  },
  type: choice('All events are of this type, and `fields.type` is not looked at.', ['impression', 'click']),
  types: {
    impression: wordList('Types that are impressions.'),
    click: wordList('Types that are clicks.'),
    other: choice('What becomes of events of other types: left out and counted as that, or invalid.', ['ignore', 'invalid']),
    caseSensitive: flagWithoutDefault('Upper and lower case of types differ.'),
  },
  product: { numbers: flagWithoutDefault('A product id may be an integer; its decimal digits are the id.') },
  user: { required: flagWithoutDefault('An event without a user id, a text that is not empty, is invalid.') },
  time: {
    unit: choice('Unit of times that are numbers; auto tells it by the size of each: below 1e11 s, 1e14 ms, 1e17 us, else ns.', [
      'auto',
      's',
      'ms',
      'us',
      'ns',
    ]),
    zone,
    formats: listWithoutDefault('Patterns of strptime that times are tried by, in turn, before all else.', pattern, FORMATS_MAX),
    source: choice('Where the time is: in a field, or it is the timestamp of the Kafka record.', ['field', 'record']),
  },
  click: {
    field: paths('Where an impression says whether it was clicked, by true or 1; it is then counted as both'),
  },
  maxPerRecord: integerWithoutDefault('A record of more events, those of a path into an array, is invalid.', EVENTS_PER_RECORD),
  empty: choice('What becomes of records without a value.', ['ignore', 'invalid']),
  alarmNotCounted: shareWithoutDefault('A larger share of the records of a minute that is invalid, late or ignored is told as degraded.'),
  onNothingCounted: choice('What happens at alarmNotCounted besides: reading goes on, or the topic is read no further until a restart.', [
    'continue',
    'hold',
  ]),
}

const DESCRIPTIONS = {
  fields: 'Where the values are; by default as `envelope` has them.',
  types: 'Which types are counted as what.',
  product: 'Which products are allowed.',
  user: 'Which users are allowed.',
  time: 'How times are read.',
  click: 'Clicks that are no events of their own.',
} as const

const { fields, types, product, user, time, click, ...plain } = KEYS

/** The section `events`. */
export const eventsSection = z.strictObject({
  envelope: defaulted(plain.envelope, 'none', 'none'),
  fields: optional(fields, DESCRIPTIONS.fields).prefault({}).meta({ description: DESCRIPTIONS.fields }),
  type: plain.type.optional(),
  types: z
    .strictObject({
      impression: words(types.impression, ['impression', 'impressions', 'view', 'views']),
      click: words(types.click, ['click', 'clicks']),
      other: defaulted(types.other, 'ignore', 'ignore'),
      caseSensitive: defaulted(types.caseSensitive, false, false),
    })
    .prefault({})
    .meta({ description: DESCRIPTIONS.types }),
  product: z
    .strictObject({ numbers: defaulted(product.numbers, true, true) })
    .prefault({})
    .meta({ description: DESCRIPTIONS.product }),
  user: z
    .strictObject({ required: defaulted(user.required, false, false) })
    .prefault({})
    .meta({ description: DESCRIPTIONS.user }),
  time: z
    .strictObject({
      unit: defaulted(time.unit, 'auto', 'auto'),
      zone: defaulted(time.zone, 'UTC', 'UTC'),
      formats: time.formats.optional(),
      source: defaulted(time.source, 'field', 'field'),
    })
    .prefault({})
    .meta({ description: DESCRIPTIONS.time }),
  click: optional(click, DESCRIPTIONS.click).prefault({}).meta({ description: DESCRIPTIONS.click }),
  maxPerRecord: defaulted(plain.maxPerRecord, 1000, 1000),
  empty: defaulted(plain.empty, 'ignore', 'ignore'),
  alarmNotCounted: defaulted(plain.alarmNotCounted, 0.5, '50%'),
  onNothingCounted: defaulted(plain.onNothingCounted, 'continue', 'continue'),
})

/** The section `kafka.topics[].events`: the same keys, of which none has a default. */
export const topicEventsSection = z.strictObject({
  envelope: plain.envelope.optional(),
  fields: optional(fields, DESCRIPTIONS.fields).optional(),
  type: plain.type.optional(),
  types: optional(types, DESCRIPTIONS.types).optional(),
  product: optional(product, DESCRIPTIONS.product).optional(),
  user: optional(user, DESCRIPTIONS.user).optional(),
  time: optional(time, DESCRIPTIONS.time).optional(),
  click: optional(click, DESCRIPTIONS.click).optional(),
  maxPerRecord: plain.maxPerRecord.optional(),
  empty: plain.empty.optional(),
  alarmNotCounted: plain.alarmNotCounted.optional(),
  onNothingCounted: plain.onNothingCounted.optional(),
})

/** What the configuration says of the events of a topic. */
export type EventsConfig = z.output<typeof eventsSection>
type TopicEvents = z.output<typeof topicEventsSection>

/** What is taken without a word in the configuration. */
export const EVENTS_DEFAULT: EventsConfig = eventsSection.parse({})

/** The section `events` where the topic's own does not say otherwise. */
export function eventsConfigOf(all: EventsConfig, own: TopicEvents | undefined): EventsConfig {
  if (own === undefined) return all
  // Of another envelope the fields are others, too.
  const fields = own.envelope === undefined || own.envelope === all.envelope ? all.fields : {}
  return {
    envelope: own.envelope ?? all.envelope,
    fields: over(fields, own.fields),
    type: own.type ?? all.type,
    types: over(all.types, own.types),
    product: over(all.product, own.product),
    user: over(all.user, own.user),
    time: over(all.time, own.time),
    click: over(all.click, own.click),
    maxPerRecord: own.maxPerRecord ?? all.maxPerRecord,
    empty: own.empty ?? all.empty,
    alarmNotCounted: own.alarmNotCounted ?? all.alarmNotCounted,
    onNothingCounted: own.onNothingCounted ?? all.onNothingCounted,
  }
}

function over<T extends object>(all: T, own: { readonly [K in keyof T]?: T[K] | undefined } | undefined): T {
  const given = Object.entries(own ?? {}).filter(([, value]) => value !== undefined)
  return { ...all, ...Object.fromEntries(given) }
}

function optional<const S extends { readonly [key: string]: z.ZodType }>(shape: S, description: string) {
  const keys = Object.fromEntries(Object.entries(shape).map(([key, schema]) => [key, schema.optional()]))
  return z.strictObject(keys as { -readonly [K in keyof S]: z.ZodOptional<S[K]> }).meta({ description })
}

function words(schema: (typeof KEYS)['types']['click'], values: readonly string[]) {
  return schema.prefault([...values]).meta({ ...schema.meta(), field: { kind: 'list', default: values } })
}

/** How many elements a record may have that may be several events; 0 when it is one event at most. */
export function elementsMaxOf({ fields, click, maxPerRecord }: EventsConfig): number {
  if (Object.values(fields).some((places) => places?.some((place) => pathOf(place)?.element !== undefined))) return maxPerRecord
  return click.field === undefined ? 0 : 1
}
