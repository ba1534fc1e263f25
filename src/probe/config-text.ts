/** The configuration that is proposed, as the text of ctr.yaml, with what was found beside what follows from it; and its variables. */
import { Document, stringify, visit } from 'yaml'
import { formatDuration } from '../config/units.ts'
import { formatCount, formatSpan } from '../text.ts'
import type { EventsMapping } from './infer.ts'
import { proposedDisorder, proposedWindow, type TopicReport } from './report.ts'

/** What the proposal is made from. */
export interface Proposal {
  readonly reports: readonly TopicReport[]
  /** host:port, comma-separated. */
  readonly brokers: string
  /** `kafka.security` where it is not the default, without secrets. */
  readonly security?: object | undefined
  /** `schemaRegistry`, without secrets; left out where no topic needs one. */
  readonly registry?: WrittenRegistry | undefined
  /** Where the JSON Schema lies, from the configuration's folder. */
  readonly schema: string
  readonly today: string
}

/** Where schemas are. */
export interface WrittenRegistry {
  readonly url: string
  readonly auth?: object | undefined
  readonly tls?: object | undefined
}

/** The text of ctr.yaml. It loads with no variable set. */
export function configText({ reports, brokers, security, registry, schema, today }: Proposal): string {
  const records = reports.reduce((sum, { records }) => sum + records, 0)
  const of = `${formatCount(records)} records of ${reports.map(({ topic }) => topic).join(' and ')}`
  const partitions = new Set(reports.map((report) => report.partitions))
  return `${[
    `# yaml-language-server: $schema=${schema}`,
    `# Proposed by ctr init from the last ${of}, ${today}. Every key has a default and a meaning: docs/configuration.md.`,
    `# What ${placeholder('NAME', 'value')} names comes from the environment, else it is the value; .env.example lists them.`,
    '',
    'kafka:',
    `  brokers: \${KAFKA_BROKERS:${brokers}}`,
    '  # Processes of the same group share the work. Another name begins anew.',
    '  groupId: ctr',
    ...(partitions.size > 1 ? UNEQUAL : []),
    ...(security === undefined ? [] : indented(stringify({ security }), 2)),
    '  topics:',
    ...reports.flatMap((report) => indented(topicText(report), 4)),
    ...(registry === undefined ? [] : registryText(registry)),
    '',
    'window:',
    `  # ${rateComment(reports)}`,
    `  size: ${formatDuration(proposedWindow(reports))}`,
    '',
    'time:',
    `  # An event may come so long behind newer ones of its partition. In the sample it was ${disorderComment(reports)} at most.`,
    `  outOfOrderness: ${formatDuration(proposedDisorder(reports))}`,
    '  # For so long after its end a window is still corrected; what comes later is late, and counted as that.',
    `  allowedLateness: ${formatDuration(Math.max(5000, proposedDisorder(reports)))}`,
    ...futureText(reports),
    '',
    'clickhouse:',
    '  # Without an address ClickHouse runs embedded, in ./.ctr/clickhouse.',
    `  url: ${placeholder('CLICKHOUSE_URL')}`,
    `  username: ${placeholder('CLICKHOUSE_USERNAME', 'default')}`,
    `  password: ${placeholder('CLICKHOUSE_PASSWORD')}`,
    '  database: ctr',
  ].join('\n')}\n`
}

/** Whether a topic is of a format whose schemas a registry has. */
export function namesSchemas(reports: readonly TopicReport[]): boolean {
  return reports.some(({ format }) => format === 'avro' || format === 'protobuf')
}

function registryText({ url, auth, tls }: WrittenRegistry): string[] {
  return [
    '',
    'schemaRegistry:',
    '  # What records name are the schemas that they were written with.',
    `  url: ${placeholder('SCHEMA_REGISTRY_URL', url)}`,
    ...(auth === undefined ? [] : indented(stringify({ auth }), 2)),
    ...(tls === undefined ? [] : indented(stringify({ tls }), 2)),
  ]
}

function placeholder(name: string, value = ''): string {
  return `$\{${name}:${value}}`
}

const UNEQUAL = [
  '  # The topics differ in their number of partitions: what is counted is right, but impressions and clicks of a product can be in',
  '  # several rows of ctr_results. Read the views, which add them up, or give all topics as many partitions.',
  '  onUnequalPartitions: read',
]

/** The topic as it is to stand in `kafka.topics`. */
export function topicText({ topic, format, mapping, inferred, clicks, impressions, records }: TopicReport): string {
  const asIs = mapping === undefined && records > 0 ? '  # the engine takes its records as they are' : ''
  const lines = [`- name: ${stringify(topic).trim()}${asIs}`]
  if (format !== 'json') lines.push(`  format: ${format}`)
  if (mapping === undefined) return `${lines.join('\n')}\n`
  lines.push('  events:')
  const put = (comment: string | undefined, part: EventsMapping) => {
    if (comment !== undefined) lines.push(`    # ${comment}`)
    lines.push(...indented(written(withSingles(part)), 4))
  }
  const { envelope, fields, type, click, types, time } = mapping
  if (envelope !== undefined) put('What wraps the events; records without what it should hold are ignored.', { envelope })
  if (fields !== undefined) put('Where the values are: keys from the outside in; of several places the first that is there.', { fields })
  if (type !== undefined) put(inferred.isTypeGuessed ? 'A guess: nothing in the records says so.' : 'All of them.', { type })
  if (click !== undefined) put('Where this is true or 1 the impression was clicked, too.', { click })
  const others = inferred.types?.other.length ?? 0
  const rest = others === 0 ? '' : `; ${formatCount(others)} other${others === 1 ? ' is' : 's are'} ignored`
  const guess = clicks === 0 && types?.click !== undefined ? ' No click was seen: what they are called is a guess.' : ''
  const none = impressions === 0 ? ' No impression was seen.' : ''
  if (types !== undefined) put(`Which types count, in upper or lower case${rest}.${guess}${none}`, { types })
  if (time !== undefined) put(timeComment(time), { time })
  return `${lines.join('\n')}\n`
}

/** As YAML, lists on one line. What records say is never a variable of the configuration: it is escaped. */
function written(part: object): string {
  const document = new Document(part)
  visit(document, {
    Seq: (_, list) => {
      list.flow = true
    },
    Scalar: (key, scalar) => {
      if (key !== 'key' && typeof scalar.value === 'string') scalar.value = scalar.value.replaceAll('${', () => '$${')
    },
  })
  return document.toString({ lineWidth: 0, flowCollectionPadding: false })
}

function timeComment({ zone, formats, source }: NonNullable<EventsMapping['time']>): string {
  if (source !== undefined) return "No field holds a time: Kafka's own of the record is taken."
  const zoned =
    zone === undefined
      ? ''
      : 'Times name no zone; the records tell this offset, which does not follow summer time: if the clock does, write Europe/Berlin or so.'
  return [formats === undefined ? '' : 'How times are written, as strptime has it.', zoned].filter((text) => text !== '').join(' ')
}

/** A list of one is its one. */
function withSingles(part: EventsMapping): object {
  const { fields } = part
  if (fields === undefined) return part
  return { fields: Object.fromEntries(Object.entries(fields).map(([field, places]) => [field, places.length === 1 ? places[0] : places])) }
}

function rateComment(reports: readonly TopicReport[]): string {
  const rate = reports.reduce((sum, { timing }) => sum + (timing.rate ?? 0), 0)
  if (rate === 0) return 'How fast records come is not known.'
  const shown = rate >= 1 ? `${formatCount(rate)} a second` : `${formatCount(rate * 3600)} an hour`
  return `Events are counted per product and window. Some ${shown} come.`
}

function disorderComment(reports: readonly TopicReport[]): string {
  return formatSpan(Math.max(0, ...reports.map(({ timing }) => timing.disorderMaxMs)))
}

function futureText(reports: readonly TopicReport[]): string[] {
  const tolerances = reports.flatMap(({ futureTolerance }) => futureTolerance ?? [])
  if (tolerances.length === 0) return []
  return [
    '  # Clocks of producers are ahead of their records by minutes; without this such events would be invalid (FUTURE).',
    `  futureTolerance: ${formatDuration(Math.max(...tolerances))}`,
  ]
}

function indented(text: string, spaces: number): string[] {
  return text
    .trimEnd()
    .split('\n')
    .map((line) => ' '.repeat(spaces) + line)
}

/** The variables of a schema registry. */
export interface RegistryVariables {
  readonly url: string
  readonly secrets: readonly string[]
}

/** The text of .env.example. */
export function environmentText(brokers: string, secrets: readonly string[], registry?: RegistryVariables): string {
  return `${[
    '# The variables of ctr.yaml. Copy this to .env, fill it in, and before a command: set -a; . ./.env; set +a',
    `KAFKA_BROKERS=${brokers}`,
    ...secrets.map((name) => `${name}=`),
    ...(registry === undefined ? [] : [`SCHEMA_REGISTRY_URL=${registry.url}`, ...registry.secrets.map((name) => `${name}=`)]),
    '# http://host:8123; empty for an embedded ClickHouse',
    'CLICKHOUSE_URL=',
    'CLICKHOUSE_USERNAME=default',
    'CLICKHOUSE_PASSWORD=',
  ].join('\n')}\n`
}
