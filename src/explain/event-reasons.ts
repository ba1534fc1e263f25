/** What each reason means why a record is not counted (src/format/reasons.ts, src/window/ledger.ts), and what to do about it. */
import { REASON_TEXT, REASONS, type Reason } from '../format/reasons.ts'
import { TERMS, type TermName } from '../window/ledger.ts'
import { READY, type Words } from './words.ts'

const NOT_COUNTED = 'The event is missing in the counts of its product.'
const EVENTS = 'events.md'

/** Words of a reason that has a text for dead letters already. */
interface LetterWords {
  readonly remedy: string
  readonly keys: readonly string[]
  readonly notice?: string
}

const INVALID: { readonly [reason in Exclude<Reason, 'VALID'>]: LetterWords } = {
  EMPTY: { remedy: 'A tombstone of a compacted topic is one.', keys: ['events.empty'] },
  TOO_LARGE: { remedy: 'Send less in a record.', keys: [] },
  NOT_UTF8: { remedy: 'Mend the encoding of the producer.', keys: [] },
  NOT_JSON: {
    remedy: 'Look at the bytes: a binary format, a prefix of a serializer, or text that was cut off.',
    keys: ['kafka.topics[].format', 'events.envelope'],
  },
  FRAME: {
    remedy: 'Look at the first bytes of a record: 0 is the frame of Confluent, 3 that of Glue, { is plain JSON.',
    keys: ['kafka.topics[].framing', 'kafka.topics[].format'],
  },
  SCHEMA_UNKNOWN: {
    remedy: 'Put the schema into the registry, and let the records wait for it; or its file into the folder of schemas, and start anew.',
    keys: ['schemaRegistry.url', 'schemaRegistry.unknownAfter', 'kafka.topics[].schemaFile'],
  },
  SCHEMA_MISMATCH: {
    remedy: 'Say where values are in this schema. It is told once for each schema, in the log.',
    keys: ['events.fields.product', 'events.fields.type', 'events.fields.time', 'kafka.topics[].format'],
  },
  NOT_AVRO: {
    remedy: 'The record was written by another schema than the one that it names, or is damaged.',
    keys: ['kafka.topics[].format'],
  },
  NOT_PROTOBUF: {
    remedy: 'The record was written by another schema than the one that it names, or is damaged.',
    keys: ['kafka.topics[].format', 'kafka.topics[].schemaMessage'],
  },
  NOT_OBJECT: { remedy: 'A list, or JSON within a text, is one.', keys: ['events.envelope'] },
  PRODUCT: { remedy: 'Say where your producer has the product.', keys: ['events.fields.product', 'events.product.numbers'] },
  USER: { remedy: 'Say where your producer has the user, or require none.', keys: ['events.fields.user', 'events.user.required'] },
  TYPE: {
    remedy: 'Say where your producer has the type, and which types count as what.',
    keys: ['events.fields.type', 'events.types.impression', 'events.types.click', 'events.types.other'],
  },
  CLICK: { remedy: 'Say where your producer has the flag of a clicked impression.', keys: ['events.click.field'] },
  TOO_MANY: {
    remedy: 'Allow more, or send fewer in a record.',
    keys: ['events.maxPerRecord', 'engine.ringBytes'],
    notice: 'All events of the record are missing.',
  },
  TIME: {
    remedy: 'Say where your producer has the time, and in which unit.',
    keys: ['events.fields.time', 'events.time.unit', 'events.time.zone'],
  },
  TIME_RANGE: { remedy: 'Say in which unit the numbers are.', keys: ['events.time.unit'] },
  TOO_OLD: { remedy: 'Say in which unit the numbers are, or from when on events count.', keys: ['time.oldest', 'events.time.unit'] },
  FUTURE: {
    remedy: 'Mend the clock of the producer, or allow more.',
    keys: ['time.futureTolerance', 'time.wallClockGuard'],
    notice: `${NOT_COUNTED} It moves no watermark, so no other event is late by it.`,
  },
  BATCH_TOO_LARGE: {
    remedy: 'Send smaller batches. All records of one count as invalid, in one letter.',
    keys: ['kafka.maxBatchBytes'],
    notice: 'All events of the batch are missing.',
  },
  CORRUPT_BATCH: {
    remedy: 'The log of a broker is damaged. All records of the batch count as invalid, in one letter.',
    keys: ['kafka.checkCrc', 'kafka.onCorruptBatch'],
    notice: 'All events of the batch are missing.',
  },
}

const LEDGER = 'ctr query "SELECT * FROM ctr_ledger ORDER BY cut_at DESC LIMIT 10"'

const OTHERS = {
  LATE: {
    means: `The event was ${meansOf('late')}: it ended time.allowedLateness before the watermark of the event's own partition.`,
    notice: `${NOT_COUNTED} With late.topic or late.file it is kept.`,
    commands: [READY, 'ctr letters stats --late', LEDGER],
    keys: ['time.allowedLateness', 'time.outOfOrderness', 'time.idleTimeout', 'late.topic', 'late.file'],
    more: 'results.md#late-events',
  },
  IGNORED: {
    means: `The record is ${meansOf('ignored')}: it is left out on purpose, and in no dead letter.`,
    notice: 'Nothing, when it is meant so. Else a type that should count is missing.',
    commands: [LEDGER, 'ctr config print'],
    keys: ['events.types.impression', 'events.types.click', 'events.types.other', 'events.empty'],
    more: EVENTS,
  },
  ROW_REFUSED: {
    means: 'ClickHouse refuses a row for what it holds: a constraint, a column or a materialized view of yours does not take its value.',
    notice: 'A product is missing in a window, until its row is inserted: the letter holds it.',
    commands: ['ctr letters list --reason ROW_REFUSED', 'ctr schema diff'],
    keys: ['deadLetter.topic', 'deadLetter.file'],
    more: 'results.md#dead-letters',
  },
  EARLIER: {
    means: 'Invalid records of which only the sum is known: those before the offsets that a start without a checkpoint went on from.',
    notice: 'Nothing. The reasons were counted by the process before.',
    commands: [LEDGER],
    keys: ['checkpoint.storage'],
    more: 'results.md#the-ledger',
  },
} as const satisfies Readonly<Record<string, Words>>

/** By reason, in the order of the checks; then what else becomes of records and rows. */
export const EVENT_REASONS: Readonly<Record<string, Words>> = {
  ...Object.fromEntries(REASONS.filter((reason) => reason !== 'VALID').map((reason) => [reason, invalid(reason)])),
  ...OTHERS,
}

function invalid(reason: Exclude<Reason, 'VALID'>): Words {
  const { remedy, keys, notice = NOT_COUNTED } = INVALID[reason]
  const means = `The record is invalid: ${REASON_TEXT[reason]}. ${remedy}`
  return { means, notice, commands: [`ctr letters list --reason ${reason}`, LEDGER], keys: [...keys, 'deadLetter.perReason'], more: EVENTS }
}

function meansOf(term: TermName): string {
  return TERMS.find(({ name }) => name === term)?.means ?? ''
}
