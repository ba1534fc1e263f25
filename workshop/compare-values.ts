/**
 * Sets the parsers of framed formats against each other over made-up values: whatever the compiled reader is sure of must be what the exact
 * parser says, and that must be what a library of the format says, whose values are judged by the exact parser of JSON.
 *
 * Where a library strays from its specification it is not asked:
 *   avsc         takes numbers of any length, and lengths below zero, and counts as far as a count says (LENIENT)
 *   protobufjs   takes fields of another kind for those of the schema, and of messages that come twice the last one: it judges no values
 *                that are damaged
 * Nor where the format's own rules say more than its values do: SCHEMA_MISMATCH, and in Avro text that is not UTF-8.
 */
import { isDeepStrictEqual } from 'node:util'
import { AVRO } from '../src/format/avro-format.ts'
import { type EventRules, eventRules } from '../src/format/event-rules.ts'
import { fieldTree } from '../src/format/field-tree.ts'
import { FramedFormat } from '../src/format/framed-format.ts'
import { ExactJson } from '../src/format/json-exact.ts'
import { JsonFormat } from '../src/format/json-format.ts'
import { PROTOBUF } from '../src/format/proto-format.ts'
import { IGNORED, REASON, REASONS } from '../src/format/reasons.ts'
import type { SchemaFormat } from '../src/format/schema-format.ts'
import { EventSlot, SLOT_CLICK, SLOT_PRODUCT_END, SLOT_PRODUCT_START } from '../src/format/slot.ts'
import { AvroCases } from './avro-cases.ts'
import { avscSays, avscType } from './avro-oracle.ts'
import { bothParsers, type Said } from './both-parsers.ts'
import { EventMutator, MUTATED_MAX_BYTES } from './mutate.ts'
import { eventsWith, PLAIN_RULES } from './plain-rules.ts'
import { ProtoCases } from './proto-cases.ts'
import { protobufjsSays, protobufjsType } from './proto-oracle.ts'

/** What a comparison has seen. */
export interface ValuesCompared {
  values: number
  /** By verdict of the exact parser; of the fast one, where it was sure, as `fast VALID` and so on; and how many a library judged. */
  readonly seen: Map<string, number>
  /** The first difference; the comparison ends there. */
  difference: string | undefined
}

/** How many values are made, and how many of each schema at most: of one that can't be read a single one. */
export interface ValuesWanted {
  readonly seed: number
  readonly count: number
  readonly valuesEach: number
  readonly onProgress?: (done: number) => void
}

const PROGRESS_EVERY = 100_000
const PATHS = { product: ['payload.after.sku', 'sku'], type: 'meta.kind', time: ['payload.ts', 'timestamp'] }

/** What schemas are read by, in turn, but for the last rules, which are of the names that a format's values have. */
const RULES = [
  {},
  { fields: PATHS, user: { required: true } },
  { envelope: 'debezium', types: { other: 'invalid' }, time: { unit: 'ms', zone: '+02:00' } },
  { type: 'click', product: { numbers: false }, fields: { product: ['properties.product_id', 'sku'], time: 'properties.ts' } },
] as const
const AVRO_TYPES = { click: ['click', '1', 'true'], impression: ['impression', '0', 'VIEW'], caseSensitive: true }
const PROTOBUF_TYPES = { click: ['CLICK', '1', 'true'], impression: ['IMPRESSION', '0', 'false'], caseSensitive: true }
const AVRO_RULES = rulesOf({ time: { zone: '-09:30', unit: 's' }, types: AVRO_TYPES })
const PROTOBUF_RULES = rulesOf({ time: { unit: 's' }, types: PROTOBUF_TYPES })

const LENIENT = /a number has too many bytes|length -\d+ run past|is within itself|items run past|cut off within a number/

function rulesOf(last: Parameters<typeof eventsWith>[0]): readonly EventRules[] {
  return [...RULES, last].map((words) => eventRules(eventsWith(words)))
}

/** Avro: the compiled reader, the exact parser and avsc. */
export function compareAvro(wanted: ValuesWanted): ValuesCompared {
  const cases = new AvroCases(wanted.seed)
  return compare(wanted, (turn) => {
    const rules = AVRO_RULES[turn % AVRO_RULES.length]!
    const schema = cases.schema(fieldTree(rules.places, rules.emptyAt).root)
    const text = JSON.stringify(schema)
    const format = formatOf(AVRO, rules, text)
    const type = avscType(schema)
    const json = new ExactJson(rules)
    return (isDamaged) => {
      const whole = type.toBuffer(cases.value(schema))
      const value = Buffer.concat([Buffer.from([0, 0, 0, 0, 17]), isDamaged ? cases.damaged(whole) : whole])
      const said = bothParsers(format, value)
      const { verdict } = said.exact
      const isLenient = verdict === 'NOT_AVRO' && LENIENT.test(format.detail ?? '')
      if (verdict === 'SCHEMA_MISMATCH' || verdict === 'NOT_UTF8' || isLenient) return { ...said, value, schema: text }
      const says = avscSays(type, schema, value.subarray(5), json, rules)
      return { ...said, value, schema: text, oracle: typeof says === 'string' ? { verdict: 'NOT_AVRO' } : says }
    }
  })
}

/** Protobuf: the compiled reader, the exact parser and protobufjs. */
export function compareProtobuf(wanted: ValuesWanted): ValuesCompared {
  const cases = new ProtoCases(wanted.seed)
  return compare(wanted, (turn) => {
    const rules = PROTOBUF_RULES[turn % PROTOBUF_RULES.length]!
    const { text, message } = cases.file(fieldTree(rules.places, rules.emptyAt).root)
    const format = formatOf(PROTOBUF, rules, text)
    const type = protobufjsType(text, `shop.v1.${message.name}`)
    const json = new ExactJson(rules)
    return (isDamaged) => {
      const whole = cases.value(message)
      const value = Buffer.concat([Buffer.from([0, 0, 0, 0, 17, 0]), isDamaged ? cases.damaged(whole) : whole])
      const said = bothParsers(format, value)
      if (isDamaged || said.exact.verdict === 'SCHEMA_MISMATCH') return { ...said, value, schema: text }
      const says = protobufjsSays(type, value.subarray(6), json)
      return { ...said, value, schema: text, oracle: typeof says === 'string' ? { verdict: 'NOT_PROTOBUF' } : says }
    }
  })
}

/** JSON behind a frame: shapes and reader, and the exact parser over the value without its frame. */
export function compareFramedJson(wanted: ValuesWanted): ValuesCompared {
  const mutator = new EventMutator(wanted.seed)
  const bytes = Buffer.alloc(2 * MUTATED_MAX_BYTES)
  const exact = new ExactJson(PLAIN_RULES)
  return compare(wanted, () => {
    const format = new JsonFormat(PLAIN_RULES, 'confluent')
    return () => {
      const value = Buffer.from(bytes.subarray(0, mutator.next(bytes, 5)))
      const said = bothParsers(format, value)
      return { ...said, value, schema: '', ...(value.length > 5 ? { oracle: exactSays(exact, value) } : {}) }
    }
  })
}

/** What was said of a value. */
interface Judged {
  readonly exact: Said
  readonly fast: Said | undefined
  readonly oracle?: Said
  readonly value: Buffer
  readonly schema: string
}

/** Every third value is damaged where `next` is told to. */
function compare(
  { seed, count, valuesEach, onProgress }: ValuesWanted,
  open: (turn: number) => (isDamaged: boolean) => Judged,
): ValuesCompared {
  const compared: ValuesCompared = { values: 0, seen: new Map(), difference: undefined }
  for (let turn = 0; compared.values < count; turn++) {
    const next = open(turn)
    for (let i = 0; i < valuesEach && compared.values < count; i++) {
      const judged = next(i % 3 === 2)
      const difference = differenceIn(judged, compared.seen)
      if (difference !== undefined) {
        compared.difference = `seed ${seed}, schema ${turn}, value ${i}: ${difference}\n${judged.schema}\n${judged.value.toString('hex')}`
        return compared
      }
      if (++compared.values % PROGRESS_EVERY === 0) onProgress?.(compared.values)
      if (judged.exact.verdict === 'SCHEMA_MISMATCH') break
    }
  }
  return compared
}

function differenceIn({ exact, fast, oracle }: Judged, seen: ValuesCompared['seen']): string | undefined {
  const note = (what: string) => void seen.set(what, (seen.get(what) ?? 0) + 1)
  note(exact.verdict)
  if (fast !== undefined) note(`fast ${fast.verdict}`)
  if (oracle !== undefined) note('judged')
  const others = [
    ['the fast one', fast],
    ['the oracle', oracle],
  ] as const
  const other = others.find(([, said]) => said !== undefined && !isDeepStrictEqual(said, exact))
  return other && `exact says ${JSON.stringify(exact)} and ${other[0]} ${JSON.stringify(other[1])}`
}

function formatOf(format: SchemaFormat, rules: EventRules, text: string): FramedFormat {
  const schemas = { find: () => ({ type: format.type, text, references: [] }), unfit: () => {} }
  return new FramedFormat(format, rules, 'confluent', { schemas, file: undefined, message: '' })
}

const slot = new EventSlot()

function exactSays(exact: ExactJson, value: Uint8Array): Said {
  const verdict = exact.parse(value, 5, value.length, slot)
  if (verdict === IGNORED) return { verdict: 'IGNORED' }
  if (verdict !== REASON.VALID) return { verdict: REASONS[verdict]! }
  const product = Buffer.from(slot.product.subarray(slot.ints[SLOT_PRODUCT_START]!, slot.ints[SLOT_PRODUCT_END]!)).toString()
  return { verdict: 'VALID', product, click: slot.ints[SLOT_CLICK] === 1, time: slot.time[0]! }
}
