/** What makes an event of a record, as the configuration says it: where its values are and what they mean. */
import { type EventsConfig, elementsMaxOf } from '../config/events-section.ts'
import { type FieldPath, pathOf } from '../config/field-path.ts'
import type { TimeReading } from './event-time.ts'
import { EventTypes } from './event-types.ts'
import { IGNORED, REASON } from './reasons.ts'
import { TimeFormats } from './time-format.ts'
import { Zone } from './zone.ts'

/** The fields, in the order in which they are checked: the first that is wrong says why an event is none. */
export const FIELDS = ['type', 'product', 'user', 'time'] as const
/** Positions in FIELDS. */
export const FIELD_TYPE = 0
export const FIELD_PRODUCT = 1
export const FIELD_USER = 2
export const FIELD_TIME = 3
/** Behind them: the click flag of an impression, and the array in which a record has several events. */
export const FIELD_CLICK = 4
export const FIELD_ARRAY = 5
export const FIELD_COUNT = 6

/** The keys of a value from the outside in. */
type Steps = readonly string[]
/** Places of a field, of which one that is elsewhere is undefined. */
type Places = readonly (Steps | undefined)[]

export interface EventRules {
  /** By field, the places of its value: the first that is there and not null has it. Those within elements are left empty. */
  readonly places: readonly Places[]
  /** The same of the places within an element of the array; undefined when there is none. */
  readonly elementPlaces: readonly Places[] | undefined
  /** How many elements a record may have, each of which may be an impression and a click; 0 when it is one event at most. */
  readonly elementsMax: number
  /** Where a null says that the record is as one without a value. */
  readonly emptyAt: readonly Steps[]
  /** 1 when all events are clicks, 0 when all are impressions, -1 when the type says it. */
  readonly click: number
  readonly types: EventTypes
  /** What a record with another type is: IGNORED or a reason. */
  readonly otherType: number
  /** What a record without a value is. */
  readonly empty: number
  readonly productNumbers: boolean
  readonly userRequired: boolean
  readonly time: TimeReading
  /** The time is the Kafka record's own, and no field is read for it. */
  readonly timeOfRecord: boolean
}

/** Places as they are written. */
type Written = { readonly [field in (typeof FIELDS)[number]]: readonly string[] }

const PLAIN: Written = {
  type: ['event_type', 'eventType'],
  product: ['product_id', 'productId'],
  user: ['user_id', 'userId'],
  time: ['timestamp'],
}

const ENVELOPES: { readonly [envelope in EventsConfig['envelope']]: { readonly places: Written; readonly emptyAt: readonly string[] } } = {
  none: { places: PLAIN, emptyAt: [] },
  connect: { places: within(['payload']), emptyAt: ['payload'] },
  // With and without the schema that Connect's JSON converter puts around it.
  debezium: { places: within(['after', 'payload.after']), emptyAt: ['after', 'payload.after'] },
  cloudevents: { places: { ...within(['data']), type: ['type'], time: ['time'] }, emptyAt: ['data'] },
  segment: {
    places: { ...within(['properties']), type: ['event'], user: ['userId', 'anonymousId'], time: ['timestamp'] },
    emptyAt: [],
  },
}

function within(prefixes: readonly string[]): Written {
  const put = (names: readonly string[]) => prefixes.flatMap((prefix) => names.map((name) => `${prefix}.${name}`))
  return { type: put(PLAIN.type), product: put(PLAIN.product), user: put(PLAIN.user), time: put(PLAIN.time) }
}

/** The rules that a configuration gives. */
export function eventRules(config: EventsConfig): EventRules {
  const { types } = config
  const zone = new Zone(config.time.zone)
  const { formats } = config.time
  const timeOfRecord = config.time.source === 'record'
  const envelope = ENVELOPES[config.envelope]
  const click = config.type === undefined ? -1 : config.type === 'click' ? 1 : 0
  const isRead = { type: click < 0, product: true, user: config.user.required, time: !timeOfRecord }
  const pathsOf = (field: (typeof FIELDS)[number]) => (isRead[field] ? paths(config.fields[field] ?? envelope.places[field]) : [])
  const all = [...FIELDS.map(pathsOf), paths(config.click.field ?? [])]
  const array = all.flat().find(({ element }) => element !== undefined)?.steps
  const outside = all.map((places) => places.map(({ steps, element }) => (element === undefined ? steps : undefined)))
  return {
    places: [...outside, array === undefined ? [] : [array]],
    elementPlaces: array && all.map((places) => places.map(({ element }) => element)),
    elementsMax: elementsMaxOf(config),
    emptyAt: paths(envelope.emptyAt).map(({ steps }) => steps),
    click,
    types: new EventTypes(types.impression, types.click, types.caseSensitive),
    otherType: types.other === 'ignore' ? IGNORED : REASON.TYPE,
    empty: config.empty === 'ignore' ? IGNORED : REASON.EMPTY,
    productNumbers: config.product.numbers,
    userRequired: config.user.required,
    time: { unit: config.time.unit, zone, formats: formats === undefined ? undefined : new TimeFormats(formats, zone) },
    timeOfRecord,
  }
}

function paths(texts: readonly string[]): readonly FieldPath[] {
  return texts.map((text) => pathOf(text) ?? { steps: [text], element: undefined })
}
