/** Rules of what is said of records and events, and of what else must fit to it. */
import { type EventsConfig, elementsMaxOf, eventsConfigOf } from './events-section.ts'
import { pathOf } from './field-path.ts'
import { LIMITS } from './limits.ts'
import type { Breach, ConfigRule } from './rule.ts'
import type { Config } from './schema.ts'
import { formatSize } from './units.ts'

/** What contradicts itself in what is said of events; the path is within that section. */
function eventsFault({ fields, types, click }: EventsConfig): Breach | undefined {
  const fold = (word: string) => (types.caseSensitive ? word : word.toLowerCase())
  const clicks = new Set(types.click.map(fold))
  const both = types.impression.find((word) => clicks.has(fold(word)))
  if (both !== undefined)
    return { path: ['types', 'click'], message: `has ${both}, as events.types.impression has`, remedy: 'leave it in one of the two' }
  const owner = new Map<string, string>()
  for (const [field, places = []] of Object.entries(fields)) {
    for (const place of places) {
      const other = owner.get(place)
      if (other !== undefined && other !== field)
        return { path: ['fields', field], message: `names ${place}, as events.fields.${other} does`, remedy: 'name another place' }
      owner.set(place, field)
    }
  }
  return arraysFault(fields, click)
}

/** Of the topic whose records may have most; 0 when all are one event. */
function elementsMax({ events, kafka }: Config): number {
  return Math.max(0, ...kafka.topics.map((topic) => elementsMaxOf(eventsConfigOf(events, topic.events))))
}

/** Paths into arrays lead into one array, and products are in its elements. */
function arraysFault(fields: EventsConfig['fields'], click: EventsConfig['click']): Breach | undefined {
  const paths = [...Object.entries(fields).map(([field, places = []]) => ({ path: ['fields', field], places }))]
  const all = [...paths, { path: ['click', 'field'], places: click.field ?? [] }].flatMap(({ path, places }) =>
    places.flatMap((place) => {
      const found = pathOf(place)
      return found === undefined ? [] : [{ path, place, array: found.element && JSON.stringify(found.steps) }]
    }),
  )
  const into = all.filter(({ array }) => array !== undefined)
  const [first] = into
  if (first === undefined) return undefined
  const other = into.find(({ array }) => array !== first.array)
  if (other !== undefined)
    return { path: other.path, message: `leads into another array (${other.place}) than ${first.place}`, remedy: 'name one array' }
  const products = all.filter(({ path }) => path.join('.') === 'fields.product')
  if (products.length > 0 && products.every(({ array }) => array !== undefined)) return undefined
  const remedy = `put it into the array of ${first.place} at all its places`
  return { path: ['fields', 'product'], message: 'must be in the elements when another field is', remedy }
}

/** What contradicts itself in what is said of a topic's records; the path is within the topic. */
function formatFault({ format, framing, schemaFile, schemaMessage }: Config['kafka']['topics'][number]): Breach | undefined {
  const isJson = format === 'json' || format === 'json-schema'
  const withFormat = `but its format is ${format}`
  if (format === 'json' && framing !== undefined)
    return { path: ['framing'], message: `is ${framing}, ${withFormat}`, remedy: 'write format: json-schema, or remove it' }
  if (isJson && schemaFile !== undefined)
    return { path: ['schemaFile'], message: `is given, ${withFormat}, which needs no schema`, remedy: 'remove it' }
  if (schemaMessage !== undefined && (format !== 'protobuf' || schemaFile === undefined))
    return { path: ['schemaMessage'], message: 'has no effect without format: protobuf and schemaFile', remedy: 'remove it' }
  if (!isJson && framing === 'none' && schemaFile === undefined)
    return { path: ['framing'], message: 'is none, so nothing says the schema', remedy: 'name it by schemaFile' }
  return undefined
}

/** Of the sections `events` and `kafka.topics`. */
export const EVENTS_RULES: readonly ConfigRule[] = [
  {
    keys: ['events', 'kafka.topics'],
    check: ({ events, kafka }) => {
      for (const [index, topic] of kafka.topics.entries()) {
        const fault = eventsFault(eventsConfigOf(events, topic.events))
        if (fault === undefined) continue
        const path = topic.events === undefined ? ['events'] : ['kafka', 'topics', index, 'events']
        return { ...fault, path: [...path, ...fault.path] }
      }
      return undefined
    },
  },
  {
    keys: ['kafka.topics'],
    check: ({ kafka }) => {
      for (const [index, topic] of kafka.topics.entries()) {
        const fault = formatFault(topic)
        if (fault !== undefined) return { ...fault, path: ['kafka', 'topics', index, ...fault.path] }
      }
      return undefined
    },
  },
  {
    keys: ['events', 'kafka.topics'],
    check: ({ events, kafka }) => {
      for (const [index, topic] of kafka.topics.entries()) {
        if (elementsMaxOf(eventsConfigOf(events, topic.events)) === 0) continue
        if (topic.format === 'json') continue
        const what = 'and its records may be several events, by an array or events.click.field'
        const remedy = 'only records of format json may; leave the array or the field out'
        return { path: ['kafka', 'topics', index, 'format'], message: `is ${topic.format}, ${what}`, remedy }
      }
      return undefined
    },
  },
  {
    keys: ['events', 'kafka.topics', 'state.maxProducts'],
    check: (config) => {
      const { maxProducts } = config.state
      const most = elementsMax(config)
      if (maxProducts === 'auto' || maxProducts >= most) return undefined
      const message = `is less than the products that a record of events.maxPerRecord (${most}) events may have: it would wait for ever`
      return { path: ['state', 'maxProducts'], message, remedy: `raise it to ${most}, or lower events.maxPerRecord` }
    },
  },
  {
    keys: ['events', 'kafka.topics', 'engine.ringBytes'],
    check: (config) => {
      const { engine } = config
      const most = elementsMax(config)
      const needed = most * LIMITS.elementRingBytes + LIMITS.recordRingBytes
      if (most === 0 || engine.ringBytes >= needed) return undefined
      const message = `holds no record of events.maxPerRecord (${most}) events`
      return { path: ['engine', 'ringBytes'], message, remedy: `raise it to ${formatSize(needed)}, or lower events.maxPerRecord` }
    },
  },
]
