/**
 * What records of a topic say of themselves: how they are encoded, where the values of an event are, what their types and times mean. From
 * that the mapping that counts most of them, as `kafka.topics[].events` has it. A pure function of the records.
 */
import { areDaysFirst, zoneOf } from './clock-zone.ts'
import { type FieldSeen, FieldsSeen, parseValue, pathText } from './fields-seen.ts'
import { type Encoding, encodingOf, schemaIdOf } from './frames.ts'
import {
  arrayOf,
  clickFlag,
  type Found,
  idFields,
  productFields,
  type SeenTypes,
  timeFields,
  typeField,
  typesOf,
  userFields,
} from './roles.ts'
import type { SampledRecord } from './sampled-record.ts'
import { clickFor, meaningOf } from './words.ts'
import type { FramedReading } from './written-values.ts'

/** Envelopes that `events.envelope` names. */
export type Envelope = 'none' | 'connect' | 'debezium' | 'cloudevents' | 'segment'

/** `kafka.topics[].events`, as it is to be written; what is as by default is left out. */
export interface EventsMapping {
  envelope?: Exclude<Envelope, 'none'>
  fields?: { product?: string[]; user?: string[]; type?: string[]; time?: string[] }
  type?: 'impression' | 'click'
  click?: { field: string }
  types?: { impression?: string[]; click?: string[] }
  time?: { zone?: string; formats?: string[]; source?: 'record' }
}

/** What was found in the records of one topic. */
export interface Inferred {
  readonly records: number
  readonly empty: number
  /** By encoding, the commonest first. */
  readonly encodings: readonly (readonly [Encoding, number])[]
  /** Of Confluent frames. */
  readonly schemaIds: readonly number[]
  readonly envelope: Envelope
  readonly product: Found
  readonly user: Found
  readonly id: Found
  readonly time: Found
  readonly type: FieldSeen | undefined
  readonly flag: FieldSeen | undefined
  readonly types: SeenTypes | undefined
  /** All events are of this type: the topic's name says so, or a flag tells clicks. */
  readonly fixedType: 'impression' | 'click' | undefined
  /** Nothing says what is an impression and what a click: impressions are assumed. */
  readonly isTypeGuessed: boolean
  readonly zone: string
  /** No field holds a time. */
  readonly isTimeOfRecord: boolean
  readonly arrays: ReadonlyMap<string, number>
  /** Fields that hold JSON as text. */
  readonly nested: readonly string[]
  readonly fields: readonly FieldSeen[]
  readonly mapping: EventsMapping
}

/** Looks at the records of a topic; `reading` is of those whose values are behind frames. */
export function infer(topic: string, records: readonly SampledRecord[], reading?: FramedReading): Inferred {
  const seen = new FieldsSeen()
  const encodings = new Map<Encoding, number>()
  const schemaIds = new Set<number>()
  const envelopes = new Map<Envelope, number>()
  let empty = 0
  let objects = 0
  for (const [number, { value, headers }] of records.entries()) {
    if (value === null || value.length === 0) {
      empty++
      continue
    }
    const read = reading?.objects[number]
    const encoding = reading !== undefined && read !== undefined ? reading.format : encodingOf(value, headers)
    encodings.set(encoding, (encodings.get(encoding) ?? 0) + 1)
    if (encoding === 'confluent' || encoding === 'confluent json') schemaIds.add(value[0] === 0 ? schemaIdOf(value) : 0)
    const object = read ?? (encoding === 'json' && reading === undefined ? objectIn(value) : undefined)
    if (object === undefined) continue
    objects++
    seen.add(number, object)
    const envelope = envelopeOf(object)
    envelopes.set(envelope, (envelopes.get(envelope) ?? 0) + 1)
  }
  const envelope = [...envelopes].toSorted(([, a], [, b]) => b - a)[0]?.[0] ?? 'none'
  const roles = rolesOf(topic, seen.all, objects, reading === undefined)
  const zone = roles.time.length === 0 ? 'UTC' : zoneOf(roles.time, records)
  const isTimeOfRecord = roles.time.length === 0 && roles.product.length > 0
  return {
    records: records.length,
    empty,
    encodings: [...encodings].toSorted(([, a], [, b]) => b - a),
    schemaIds: [...schemaIds],
    envelope,
    ...roles,
    zone,
    isTimeOfRecord,
    arrays: seen.arrays,
    nested: seen.all.filter(({ nested, values }) => nested > values / 2).map(({ steps }) => pathText(steps)),
    fields: seen.all,
    mapping: mappingOf({ ...roles, envelope, zone, isTimeOfRecord, daysFirst: areDaysFirst(roles.time, records) }),
  }
}

function objectIn(value: Uint8Array): object | undefined {
  const parsed = parseValue(value)
  return parsed.kind === 'object' ? parsed.value : undefined
}

type Roles = Pick<Inferred, 'product' | 'user' | 'id' | 'time' | 'type' | 'flag' | 'types' | 'fixedType' | 'isTypeGuessed'>

/** `severally`: a record may be several events. */
function rolesOf(topic: string, fields: readonly FieldSeen[], objects: number, severally: boolean): Roles {
  const type = typeField(fields, objects)
  const types = type === undefined ? undefined : typesOf(type)
  const flagged = severally ? clickFlag(fields) : undefined
  // Where clicks have a type of their own a flag says something else.
  const flag = types === undefined || types.click.length === 0 ? flagged : undefined
  const relevant = relevantOf(fields, type, types)
  const product = productFields(fields, { relevant, near: type?.steps, array: type && arrayOf(type) })
  const near = product[0]?.steps
  const array = product[0] && arrayOf(product[0])
  const time = timeFields(withoutArrays(fields, array), { relevant, near, array })
  const named = meaningOf(topic)?.kind
  const isTypeGuessed = type === undefined && flag === undefined && named === undefined
  const fixedType = type !== undefined ? undefined : flag !== undefined || isTypeGuessed ? 'impression' : named
  const user = userFields(withoutArrays(fields, array), { relevant, near, array })
  return { product, user, id: idFields(withoutArrays(fields, undefined), { relevant }), time, type, flag, types, fixedType, isTypeGuessed }
}

/** A time or user within an array can be meant only when the product is in it, too. */
function withoutArrays(fields: readonly FieldSeen[], array: string | undefined): readonly FieldSeen[] {
  return fields.filter((field) => arrayOf(field) === undefined || arrayOf(field) === array)
}

/** The records of types that are counted; all, when nothing tells types apart. */
function relevantOf(fields: readonly FieldSeen[], type: FieldSeen | undefined, types: SeenTypes | undefined): ReadonlySet<number> {
  if (type === undefined || types === undefined) return new Set(fields.flatMap(({ records }) => [...records]))
  if (arrayOf(type) !== undefined) return type.records
  const counted = new Set([...types.impression, ...types.click].map((text) => text.toLowerCase()))
  return new Set([...type.first].flatMap(([record, text]) => (counted.has(text.toLowerCase()) ? record : [])))
}

function envelopeOf(value: object): Envelope {
  const has = (key: string, inside: object = value) => Object.hasOwn(inside, key)
  const payload = (value as { readonly payload?: unknown }).payload
  const inner = typeof payload === 'object' && payload !== null ? payload : undefined
  const isChange = (one: object) => has('op', one) && (has('after', one) || has('before', one))
  if (isChange(value) || (inner !== undefined && isChange(inner))) return 'debezium'
  if (has('specversion') && has('source')) return 'cloudevents'
  if (has('payload') && has('schema') && Object.keys(value).length <= 3) return 'connect'
  if (has('messageId') && (has('anonymousId') || has('userId')) && (has('properties') || has('context'))) return 'segment'
  return 'none'
}

interface Chosen extends Roles {
  readonly envelope: Envelope
  readonly zone: string
  readonly isTimeOfRecord: boolean
  readonly daysFirst: boolean
}

function mappingOf({
  envelope,
  product,
  user,
  type,
  time,
  flag,
  types,
  fixedType,
  zone,
  isTimeOfRecord,
  daysFirst,
}: Chosen): EventsMapping {
  const mapping: EventsMapping = {}
  if (envelope !== 'none') mapping.envelope = envelope
  const paths = (found: Found) => found.map(({ steps }) => pathText(steps))
  const fields: EventsMapping['fields'] = {}
  if (product.length > 0) fields.product = paths(product)
  if (user.length > 0) fields.user = paths(user)
  if (type !== undefined) fields.type = paths([type])
  if (time.length > 0) fields.time = paths(time)
  if (Object.keys(fields).length > 0) mapping.fields = fields
  if (fixedType !== undefined) mapping.type = fixedType
  if (flag !== undefined) mapping.click = { field: pathText(flag.steps) }
  const wanted = types === undefined ? undefined : wantedTypes(types, flag !== undefined)
  if (wanted !== undefined) mapping.types = wanted
  const formats = patternsOf(time, daysFirst)
  if (formats.length > 0) mapping.time = { formats }
  if (zone !== 'UTC') mapping.time = { ...mapping.time, zone }
  if (isTimeOfRecord) mapping.time = { ...mapping.time, source: 'record' }
  return mapping
}

/** Days beyond the twelfth month tell that days stand first; so may the times of the records. */
function patternsOf(time: Found, daysFirst: boolean): string[] {
  const patterns = [...new Set(time.flatMap(({ patterns }) => [...patterns]))]
  if (!daysFirst) return patterns
  return [...new Set(patterns.map((pattern) => pattern.replace(/^%m\/%d/, '%d/%m')))]
}

/** What was not seen may come: where there are no clicks yet, what they will be called is a guess beside the usual words. */
function wantedTypes({ impression, click }: SeenTypes, isFlagged: boolean): EventsMapping['types'] {
  const types: NonNullable<EventsMapping['types']> = {}
  if (impression.length > 0) types.impression = [...impression]
  if (click.length > 0) types.click = [...click]
  else if (!isFlagged) types.click = [...new Set(['click', 'clicks', ...impression.flatMap((one) => clickFor(one) ?? [])])]
  return types
}
