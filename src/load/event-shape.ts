/** Where generated events have their values: in which envelope, under which keys, and what their types are called. Plain data. */
import { CtrError } from '../errors.ts'

/** The values that an event has. */
export const FIELD_NAMES = ['id', 'user', 'product', 'type', 'time', 'session'] as const
/** One of them. */
export type FieldName = (typeof FIELD_NAMES)[number]

/** As `events.envelope` names them. */
export const LOAD_ENVELOPES = ['none', 'connect', 'debezium', 'cloudevents', 'segment'] as const
/** One of them. */
export type LoadEnvelope = (typeof LOAD_ENVELOPES)[number]

/** What a load can be told of the shape of its events. */
export interface EventShape {
  readonly envelope: LoadEnvelope
  /** Keys from the outside in, of the fields that are elsewhere than the envelope has them. */
  readonly fields: { readonly [field in FieldName]?: readonly string[] | undefined }
  /** What impressions and clicks are called. */
  readonly types: readonly [impression: string, click: string]
  /** How times are written: in ms when absent and the envelope has no dates; in seconds; as a date with the offset of a zone. */
  readonly times?: 's' | 'zoned' | undefined
  /** Products are integers. */
  readonly productNumbers?: boolean | undefined
}

/** What is made when nobody says anything. */
export const PLAIN_SHAPE: EventShape = { envelope: 'none', fields: {}, types: ['impression', 'click'] }

/** A value of an event, JSON that stays as it is, or an object. */
export type JsonTree = FieldName | { readonly json: string } | { readonly keys: Map<string, JsonTree> }

const PLAIN: { readonly [field in FieldName]: string } = {
  id: 'event_id',
  user: 'user_id',
  product: 'product_id',
  type: 'event_type',
  time: 'timestamp',
  session: 'session_id',
}

type Places = readonly (readonly [path: readonly string[], value: JsonTree])[]

/** The event as an object, and whether its time is a date. Throws CTR_USAGE when two values can't both be where they should. */
export function shapeTree({ envelope, fields, times }: EventShape, camel: boolean): { readonly tree: JsonTree; readonly isDate: boolean } {
  const key = (field: FieldName) => (camel ? PLAIN[field].replaceAll(/_(.)/g, (_, letter: string) => letter.toUpperCase()) : PLAIN[field])
  const tree = { keys: new Map<string, JsonTree>() }
  for (const [path, value] of placesOf(envelope, key)) {
    const own = typeof value === 'string' ? fields[value] : undefined
    put(tree, own ?? path, value)
  }
  return { tree, isDate: times === 'zoned' || envelope === 'cloudevents' || envelope === 'segment' }
}

function placesOf(envelope: LoadEnvelope, key: (field: FieldName) => string): Places {
  const within = (...around: readonly string[]): Places => FIELD_NAMES.map((field) => [[...around, key(field)], field])
  const json = (path: string, value: unknown): Places[number] => [[path], { json: JSON.stringify(value) }]
  switch (envelope) {
    case 'none':
      return within()
    case 'connect':
      return [json('schema', { type: 'struct', name: 'ctr.load', optional: false, fields: [] }), ...within('payload')]
    case 'debezium':
      return [json('before', null), ...within('after'), json('source', { connector: 'ctr-load', table: 'events' }), json('op', 'c')]
    case 'cloudevents':
      return [
        json('specversion', '1.0'),
        [['id'], 'id'],
        json('source', '/ctr/load'),
        [['type'], 'type'],
        [['time'], 'time'],
        json('datacontenttype', 'application/json'),
        ...(['user', 'product', 'session'] as const).map((field): Places[number] => [['data', key(field)], field]),
      ]
    case 'segment':
      return [
        json('type', 'track'),
        [['messageId'], 'id'],
        [['event'], 'type'],
        [['userId'], 'user'],
        [['timestamp'], 'time'],
        ...(['product', 'session'] as const).map((field): Places[number] => [['properties', key(field)], field]),
      ]
  }
}

function put(tree: { readonly keys: Map<string, JsonTree> }, path: readonly string[], value: JsonTree): void {
  const [first = '', ...rest] = path
  const known = tree.keys.get(first)
  if (rest.length === 0) {
    if (known !== undefined) throw taken(path)
    tree.keys.set(first, value)
    return
  }
  if (known !== undefined && (typeof known === 'string' || 'json' in known)) throw taken(path)
  const inside = known ?? { keys: new Map<string, JsonTree>() }
  tree.keys.set(first, inside)
  put(inside, rest, value)
}

function taken(path: readonly string[]): CtrError {
  return new CtrError('CTR_USAGE', `--fields: ${path.join('.')} is another value's place already; name another`)
}
