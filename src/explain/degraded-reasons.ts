/** What each reason of `degraded` means (src/degraded.ts), and what to do about it. */
import { DEGRADED, type DegradedCode } from '../degraded.ts'
import { READY, type Words } from './words.ts'

/** Beside what the list of reasons says itself. */
type MoreWords = Omit<Words, 'means' | 'commands' | 'more'> & { readonly commands?: readonly string[] }

const LATER = 'Results of its task come later.'
const NO_HARM = 'Nothing yet.'

const WORDS: { readonly [code in DegradedCode]: MoreWords } = {
  alignment: {
    notice: `${LATER} The partition goes on when the slowest one has come up or is idle.`,
    keys: ['time.maxDrift', 'time.idleTimeout'],
  },
  openTransaction: {
    notice: LATER,
    commands: ['kafka-transactions.sh --bootstrap-server HOST:PORT find-hanging --broker-id N'],
    keys: ['time.openTransaction.hold'],
  },
  hangingTransaction: {
    notice: 'Windows are closed without what the transaction holds; its events may be late.',
    commands: [
      'kafka-transactions.sh --bootstrap-server HOST:PORT find-hanging --broker-id N',
      'kafka-transactions.sh --bootstrap-server HOST:PORT abort --topic TOPIC --partition N --start-offset OFFSET',
    ],
    keys: ['time.openTransaction.hold', 'time.allowedLateness'],
  },
  recordsLost: {
    notice: 'Counts are too small by what Kafka had deleted.',
    commands: ['kafka-configs.sh --bootstrap-server HOST:PORT --describe --entity-type topics --entity-name TOPIC', 'ctr doctor'],
    keys: ['kafka.startFrom', 'checkpoint.storage'],
  },
  topicRemade: {
    notice: `${NO_HARM} A restart needs the checkpoints until those windows are closed.`,
    commands: ['ctr checkpoint list'],
    keys: ['checkpoint.storage'],
  },
  schemaUnknown: {
    notice: `${LATER} Nothing is passed over: the partition goes on by itself once the registry has the schema.`,
    commands: ['ctr doctor', 'ctr config check --connect', 'curl SCHEMA_REGISTRY/schemas/ids/ID'],
    keys: ['schemaRegistry.url', 'schemaRegistry.unknownAfter', 'kafka.topics[].framing'],
  },
  schemaRegistry: {
    notice: `${LATER} Partitions whose schemas are known go on.`,
    commands: ['ctr doctor', 'ctr config check --connect'],
    keys: ['schemaRegistry.url', 'schemaRegistry.auth', 'schemaRegistry.tls', 'schemaRegistry.requestTimeout'],
  },
  schemaChanged: {
    notice: 'What was kept first is used. Records written by the other schema may be invalid, or have the wrong values.',
    commands: ['curl SCHEMA_REGISTRY/schemas/ids/ID'],
    keys: ['schemaRegistry.url'],
  },
  held: {
    notice: 'The topic has no new rows. Others go on.',
    commands: ['ctr letters stats', 'ctr config check --sample 500'],
    keys: ['events.onNothingCounted', 'events.alarmNotCounted'],
  },
  stateNear: { notice: NO_HARM, keys: ['state.maxProducts', 'products.match.pattern', 'window.size', 'time.allowedLateness'] },
  stateFull: {
    notice: 'Results come later, for less is read.',
    keys: ['state.maxProducts', 'products.match.pattern', 'window.size', 'time.allowedLateness'],
  },
  clockAhead: {
    notice: 'Windows in the future hold these events. No other event is late by them.',
    keys: ['time.maxJump', 'time.futureTolerance'],
  },
  farWindows: {
    notice: 'Windows far ahead are too small by the offsets that are named.',
    commands: ['ctr checkpoint list'],
    keys: ['checkpoint.storage'],
  },
  lateness: {
    notice: 'Events are missing in the counts; the message names the one that moved the time furthest.',
    commands: ['ctr letters stats --late'],
    keys: ['time.outOfOrderness', 'time.allowedLateness', 'late.topic', 'late.file'],
  },
  timeStands: { notice: LATER, commands: ['ctr letters stats'], keys: ['time.maxJump', 'time.idleTimeout', 'events.time.unit'] },
  invalid: {
    notice: 'What a producer sends is missing in the counts.',
    commands: ['ctr letters stats', 'ctr letters list'],
    keys: ['events.fields.product', 'events.fields.type', 'events.fields.time'],
  },
  notCounted: {
    notice: 'What a producer sends is missing in the counts.',
    commands: ['ctr letters stats', 'ctr letters list'],
    keys: ['events.alarmNotCounted', 'events.types.other'],
  },
  lag: {
    notice: 'Results come later and later.',
    commands: ['ctr plan --rate 100k --products 1M --window 1m'],
    keys: ['engine.workers', 'kafka.fetchBytesPerPartition'],
  },
  expired: {
    notice: 'Rows of old windows are not to be seen: they expire as they are written.',
    commands: ['ctr schema plan'],
    keys: ['clickhouse.retention.results'],
  },
  refresh: {
    notice: 'Roll-ups of minutes, hours and days stand still; windows themselves do not.',
    commands: ['ctr schema refresh', 'ctr schema diff'],
    keys: ['clickhouse.rollUps.interval'],
  },
}

/** By code, in the order of the list in src/degraded.ts. */
export const DEGRADED_REASONS: Readonly<Record<string, Words>> = Object.fromEntries(
  Object.entries(DEGRADED).map(([code, means]) => {
    const { commands = [], ...words } = WORDS[code as DegradedCode]
    const seen = `The process works, but ${means}.`
    return [code, { ...words, means: seen, commands: [READY, ...commands], more: 'operations.md#when-something-is-in-the-way' }]
  }),
)
