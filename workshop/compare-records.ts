/**
 * Sets the readers of records that may be several events against each other, and the exact one against the plain reading: over records made
 * of pieces that are right, wrong and odd.
 */
import { eventRules } from '../src/format/event-rules.ts'
import { hashProduct } from '../src/format/hash.ts'
import { JsonRecords } from '../src/format/json-records.ts'
import { LENGTH_SHIFT, ROW_BITS, ROW_HASH, ROW_START, ROW_WORDS } from '../src/format/parsed-events.ts'
import { REASON, UNSURE } from '../src/format/reasons.ts'
import { RecordEvents } from '../src/format/record-events.ts'
import { EventSlot } from '../src/format/slot.ts'
import { Random } from '../src/load/random.ts'
import { LEFT_OUT, PLAIN_EVENTS, type PlainElement, type PlainEventRules, readPlainRecord } from '../src/selftest/plain-event.ts'
import { CLICKS } from '../src/window/measures.ts'
import { nameOf } from './compare-parsers.ts'
import { eventsWith } from './plain-rules.ts'

/** A mapping, and the same to the plain reading. */
export interface Mapping {
  readonly events: Parameters<typeof eventsWith>[0]
  readonly plain: Partial<PlainEventRules>
}

/** What a record is, by a reader of the engine: as readPlainRecord says it. */
export type ReadRecord = readonly PlainElement[] | string

/** Readers of the engine by a mapping. Undefined: not sure. */
export function recordReaders({ events }: Mapping) {
  const format = new JsonRecords(eventRules(eventsWith(events)))
  const [found, slot] = [new RecordEvents(format.elementsMax), new EventSlot()]
  const readBy = (way: 'read' | 'readByShape' | 'readFast' | 'readExact') => (value: Uint8Array) => {
    const bytes = new Uint8Array(Buffer.concat([Buffer.from('xyz'), value, Buffer.from('"}]}')]))
    const end = 3 + value.length
    const verdict = format[way]({ bytes, view: new DataView(bytes.buffer), record: 1, start: 3, end, older: false }, found, slot)
    if (verdict === UNSURE) return undefined
    return verdict === REASON.VALID ? elementsOf(found, found.isExact ? found.products : bytes) : nameOf(verdict)
  }
  return { shaped: readBy('read'), byShape: readBy('readByShape'), fast: readBy('readFast'), exact: readBy('readExact') }
}

function elementsOf(found: RecordEvents, bytes: Uint8Array): PlainElement[] {
  const byElement = new Map<number, PlainElement>()
  for (let i = 0; i < found.count; i++) {
    const row = i * ROW_WORDS
    const [start, bits] = [found.rows[row + ROW_START]!, found.rows[row + ROW_BITS]!]
    const end = start + (bits >> LENGTH_SHIFT)
    if (found.rows[row + ROW_HASH] !== hashProduct(bytes, start, end)) throw new Error(`the hash of event ${i} is not that of its product`)
    const product = Buffer.from(bytes.subarray(start, end)).toString()
    const event = { product, kind: (bits & CLICKS) === 0 ? ('impressions' as const) : ('clicks' as const), time: found.times[i]! }
    const element = found.elements[i]!
    byElement.set(element, [...((byElement.get(element) as PlainElement & object) ?? []), event])
  }
  for (let i = 0; i < found.bad; i++) byElement.set(found.badElements[i]!, nameOf(found.badReasons[i]!))
  const elements = [...byElement].toSorted(([a], [b]) => a - b).map(([, element]) => element)
  // Those that are left out have no number.
  return [...elements, ...Array.from({ length: found.ignoredElements }, () => LEFT_OUT)]
}

/** Where the readers differ, if they do. */
function differenceOfRecord(mapping: Mapping, readers: ReturnType<typeof recordReaders>, value: Uint8Array): string | undefined {
  const plain = readPlainRecord(value, { ...PLAIN_EVENTS, ...mapping.plain }, -1)
  const wanted = text(
    typeof plain === 'string' ? plain : [...plain.filter((one) => one !== LEFT_OUT), ...plain.filter((one) => one === LEFT_OUT)],
  )
  const exact = text(readers.exact(value) ?? 'not sure')
  if (exact !== wanted) return `exact says ${exact}, the plain reading ${wanted}`
  const shaped = text(readers.shaped(value) ?? 'not sure')
  if (shaped !== exact) return `by a shape it is ${shaped}, and exact says ${exact}`
  const fast = readers.fast(value)
  return fast === undefined || text(fast) === exact ? undefined : `the fast reader says ${text(fast)}, exact ${exact}`
}

const text = (read: ReadRecord) => JSON.stringify(read)

export const MAPPINGS: readonly Mapping[] = [
  {
    events: { fields: { product: 'items[].item_id', type: 'event_name', time: 'at' }, maxPerRecord: 5 },
    plain: { product: [['items', '[]', 'item_id']], type: [['event_name']], time: [['at']], maxPerRecord: 5 },
  },
  {
    events: {
      fields: { product: ['a.items[].item_id', 'a.items[].x.id'], type: ['a.items[].t', 'event_name'], time: ['a.items[].at', 'at'] },
      click: { field: ['a.items[].clicked', 'clicked'] },
      types: { other: 'invalid' },
    },
    plain: {
      product: [
        ['a', 'items', '[]', 'item_id'],
        ['a', 'items', '[]', 'x', 'id'],
      ],
      type: [['a', 'items', '[]', 't'], ['event_name']],
      time: [['a', 'items', '[]', 'at'], ['at']],
      click: [['a', 'items', '[]', 'clicked'], ['clicked']],
      otherTypes: 'invalid',
    },
  },
  {
    events: { fields: { product: 'items[]', time: 'at' }, type: 'impression', click: { field: 'clicked' }, maxPerRecord: 5 },
    plain: { product: [['items', '[]']], time: [['at']], fixedType: 'impression', click: [['clicked']], maxPerRecord: 5 },
  },
  {
    events: {
      fields: { product: 'item_id', type: 'event_name', time: 'at' },
      click: { field: ['clicked', 'x.c'] },
      user: { required: true },
    },
    plain: { product: [['item_id']], type: [['event_name']], time: [['at']], click: [['clicked'], ['x', 'c']], userRequired: true },
  },
  {
    events: {
      fields: { product: 'items[].item_id', type: 'event_name', time: 'items[].at' },
      click: { field: 'items[].clicked' },
      time: { unit: 's' },
    },
    plain: {
      product: [['items', '[]', 'item_id']],
      type: [['event_name']],
      time: [['items', '[]', 'at']],
      click: [['items', '[]', 'clicked']],
      unit: 's',
    },
  },
]

const IDS = [
  '"a"',
  '"b-2"',
  '7',
  '"a"',
  'null',
  '""',
  '1.5',
  '"\\u0061"',
  '"caf\xe9"',
  '"x\ty"',
  '{}',
  '["q"]',
  'true',
  `"${'y'.repeat(257)}"`,
]
const TYPES = ['"view"', '"view"', '"click"', '"cart"', 'null', '""', '"Cl\\u0069ck"', '3']
const AT = ['1732800000', '1732800000', '"2024-11-28T13:20:00Z"', '1732800007000', '0', 'null', '"x"', '1.7328e9']
const FLAGS = ['0', '1', 'true', 'false', 'null', '"1"', '"True"', '1.0', '2', '"x"', '{}', '01', '"tr\\u0075e"', '-0']
const ODD = ['NaN', '1', '"s"', 'null', '{"item_id":"in"}', '[]', '[{"item_id":"in"}]', '"\t"', '01', '{', '"']

/** Records of a seed have the same keys, and mostly elements of the same keys. */
const ALIKE = 30

/** A record by the names that the mappings know, mostly right: its keys are drawn from `seed`, and its values from `values`. */
function makeRecord(seed: number, values: Random): Uint8Array {
  const form = new Random(seed)
  const pick = (list: readonly string[]) => list[Math.min(...Array.from({ length: 5 }, () => values.below(list.length)))]!
  const member = (random: Random, key: string, list: readonly string[], chance: number) =>
    random.chance(chance) ? [`"${key}":${pick(list)}`] : []
  const gap = form.chance(0.2) ? ' ' : ''
  const object = (members: readonly string[]) => `{${gap}${members.join(`${gap},`)}${gap}}`
  const element = () => {
    if (values.chance(0.02)) return pick([...IDS, ...ODD.slice(0, 8)])
    const random = values.chance(0.03) ? values : new Random(seed + 1)
    return object([
      ...member(random, 'pos', ODD.slice(0, 8), 0.2),
      ...member(random, 'item_id', IDS, 0.85),
      ...member(random, 't', TYPES, 0.3),
      ...member(random, 'at', AT, 0.3),
      ...member(random, 'clicked', FLAGS, 0.4),
      ...(random.chance(0.2) ? [`"x":${object(member(random, 'id', IDS, 0.8))}`] : []),
      ...member(random, 'item_id', IDS, 0.03),
    ])
  }
  const list = () => `[${gap}${Array.from({ length: values.below(7) }, element).join(`,${values.chance(0.1) ? '  ' : gap}`)}]`
  const items = () => `"items":${values.chance(0.97) ? list() : pick(ODD)}`
  const members = [
    ...member(form, 'event_name', TYPES, 0.95),
    ...member(form, 'user_id', ['"u"', '"v-2"', '""', '5'], 0.9),
    ...member(form, 'at', AT, 0.95),
    ...member(form, 'clicked', FLAGS, 0.5),
    ...member(form, 'item_id', IDS, 0.8),
    ...(form.chance(0.95) ? [form.chance(0.5) ? items() : `"a":${object([items()])}`] : []),
    ...(form.chance(0.3) ? [`"a":${object([items()])}`] : []),
    ...member(form, 'more', ODD, 0.1),
  ]
  if (form.chance(0.3)) members.reverse()
  const whole = object(members)
  return Buffer.from(values.chance(0.03) ? whole.slice(0, values.below(whole.length)) : whole, 'latin1')
}

export interface RecordComparison {
  compared: number
  /** Records of which the fast reader was sure, and a shape. */
  sure: number
  shaped: number
  /** By the exact reader: several events or elements, one letter or none as a whole, some bad elements. */
  several: number
  whole: number
  bad: number
  /** The first difference found. */
  difference: string | undefined
}

/** Compares over `count` records of a seed, by one of the mappings or by all in turn; stops at the first difference. */
export function compareRecords(count: number, seed: number, mappings = MAPPINGS): RecordComparison {
  const random = new Random(seed)
  const result: RecordComparison = { compared: 0, sure: 0, shaped: 0, several: 0, whole: 0, bad: 0, difference: undefined }
  let readers = mappings.map(recordReaders)
  for (let n = 0; n < count; n++) {
    const at = n % mappings.length
    const form = Math.floor(n / mappings.length / ALIKE)
    // Shapes are learned ever more seldom.
    if (n % (mappings.length * ALIKE) === 0) readers = mappings.map(recordReaders)
    const value = makeRecord(seed + form, random)
    const difference = differenceOfRecord(mappings[at]!, readers[at]!, value)
    if (difference !== undefined) {
      result.difference = `seed ${seed}, record ${n}: ${difference}\n${Buffer.from(value).toString('latin1')}`
      return result
    }
    const read = readers[at]!.exact(value)!
    result.compared++
    if (readers[at]!.byShape(value) !== undefined) result.shaped++
    if (readers[at]!.fast(value) !== undefined) result.sure++
    if (typeof read === 'string') result.whole++
    else if (read.length > 1 || read.some((one) => one.length > 1)) result.several++
    if (typeof read !== 'string' && read.some((one) => typeof one === 'string')) result.bad++
  }
  return result
}
