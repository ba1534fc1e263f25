/** What bench/formats.ts compares, what is promised of it, and how it is shown. */
import { type EventShape, PLAIN_SHAPE } from '../src/load/event-shape.ts'
import type { GenerateOptions } from '../src/load/generate.ts'
import { formatCount } from '../src/text.ts'
import type { Run } from '../workshop/backlog.ts'
import type { MadeFormat } from '../workshop/format-topics.ts'
import { median, significant, table } from '../workshop/report.ts'

export interface Kind {
  readonly name: string
  readonly what: string
  readonly format: MadeFormat
  readonly generate: Partial<GenerateOptions>
  /** What the configuration says of it. */
  readonly sets: readonly string[]
  /** Kinds of which this is the same make the same rows. */
  readonly rows: string
  /** The peer reads the topics of this kind. */
  readonly reads?: string
}

/** A kind and what was measured of it. */
export interface MeasuredKind {
  readonly name: string
  readonly what: string
  /** Mean size of a record's value. */
  readonly valueBytes: number
  readonly runs: readonly Run[]
}

/** Of the kinds that make the rows of the events as generated. */
export const SAME_ROWS = 'same'

const BASE = 'json'
const PEER = 'kafkajs-avro'
const PLAIN: Kind = { name: BASE, what: 'JSON as generated', format: 'json', generate: {}, sets: [], rows: SAME_ROWS }

const shaped = (shape: Partial<EventShape>) => ({ shape: { ...PLAIN_SHAPE, ...shape } })
const nested = (key: string) => ['payload', 'after', key]

const KINDS: readonly Kind[] = [
  PLAIN,
  { ...PLAIN, name: 'json-schema', what: 'JSON behind the frame of Confluent', format: 'json-schema' },
  { ...PLAIN, name: 'avro', what: 'Avro, each field a union with null', format: 'avro' },
  { ...PLAIN, name: 'protobuf', what: 'Protobuf, each field optional', format: 'protobuf' },
  {
    ...PLAIN,
    name: PEER,
    what: 'kafkajs eachBatch, @kafkajs/confluent-schema-registry (avsc), Map; no sink',
    format: 'avro',
    reads: 'avro',
  },
  {
    ...PLAIN,
    name: 'path',
    what: 'JSON, values under paths of three keys',
    generate: shaped({ fields: { product: nested('sku'), type: nested('kind'), time: nested('at') } }),
    sets: ['product', 'type', 'time'].map((field, i) => `events.fields.${field}=payload.after.${['sku', 'kind', 'at'][i]}`),
  },
  { ...PLAIN, name: 'numbers', what: 'JSON, products that are integers', generate: shaped({ productNumbers: true }), rows: 'numbers' },
  {
    ...PLAIN,
    name: 'ignored',
    what: 'JSON, 30 % of a type that is ignored',
    generate: { invalidShare: 0.3, invalidKinds: ['other-type'] },
    rows: 'ignored',
  },
  { ...PLAIN, name: 'seconds', what: 'JSON, times in epoch seconds', generate: shaped({ times: 's' }) },
  { ...PLAIN, name: 'zoned', what: 'JSON, times as ISO dates with a zone', generate: shaped({ times: 'zoned' }) },
]

/** What is promised: so many times what the other one does, in events or bytes per second. */
const PROMISES: readonly (readonly [name: string, measure: 'events' | 'bytes', other: string, least: number])[] = [
  ['avro', 'events', BASE, 1],
  ['avro', 'events', PEER, 10],
  ['protobuf', 'events', BASE, 0.9],
  ['json-schema', 'events', BASE, 0.9],
  ['path', 'bytes', BASE, 0.8],
  ['numbers', 'bytes', BASE, 0.8],
  ['ignored', 'bytes', BASE, 0.9],
  ['seconds', 'bytes', BASE, 0.8],
  ['zoned', 'bytes', BASE, 0.8],
]

/** The kinds of these names, comma-separated, and those that they need; '' for all. */
export function kindsOf(names: string): readonly Kind[] {
  const wanted = names.split(',').filter((name) => name !== '')
  const unknown = wanted.find((name) => !KINDS.some((kind) => kind.name === name))
  if (unknown !== undefined) throw new Error(`--only ${unknown}: not one of ${KINDS.map(({ name }) => name).join(', ')}`)
  if (wanted.length === 0) return KINDS
  const needed = new Set([BASE, ...wanted, ...KINDS.flatMap(({ name, reads }) => (wanted.includes(name) ? (reads ?? []) : []))])
  return KINDS.filter(({ name }) => needed.has(name))
}

/** What a person reads: medians over the rounds; ratios to another kind are of the runs of the same round. */
export function renderKinds(kinds: readonly MeasuredKind[], events: number): string {
  const byName = new Map(kinds.map((kind) => [kind.name, kind]))
  const base = byName.get(BASE)
  const rows = kinds.map((kind) => [
    kind.name,
    kind.valueBytes.toFixed(0),
    formatCount(median(kind.runs.map(({ seconds }) => events / seconds))),
    formatCount(median(kind.runs.map(({ seconds }) => (events * kind.valueBytes) / seconds / 1e6))),
    significant(median(kind.runs.map((run) => (readingOf(run) * 1e6) / events))),
    formatCount(median(kind.runs.map(({ peakRssBytes }) => peakRssBytes / 2 ** 20))),
    ...(['events', 'bytes', 'cpu'] as const).map((measure) => (base === undefined ? '-' : `${spread(ratios(kind, base, measure))}`)),
  ])
  const head = ['', 'bytes', 'events/s', 'MB/s', 'CPU s/M', 'peak MiB', 'events/s', 'bytes/s', 'CPU']
  const promises = PROMISES.flatMap(([name, measure, other, least]) => {
    const [one, of] = [byName.get(name), byName.get(other)]
    if (one === undefined || of === undefined) return []
    const found = median(ratios(one, of, measure))
    return `${found >= least ? 'met    ' : 'not met'}  ${name}: ${significant(found)} x the ${measure}/s of ${other}, wanted >= ${least}`
  })
  return [
    table(head, rows),
    '',
    `the last three: beside ${BASE}'s run of the same round, median (least to most of ${base?.runs.length ?? 0}); above 1 is better`,
    'events/s, MB/s of values, CPU: from the moment the engine runs to the last record read; CPU of the peer: of its whole process',
    ...kinds.map(({ name, what }) => `${name}: ${what}`),
    '',
    ...promises,
  ].join('\n')
}

/** CPU while it read; of who doesn't tell, of all its life. */
export function readingOf({ busyCpuSeconds, cpuSeconds }: Run): number {
  return busyCpuSeconds ?? cpuSeconds
}

function ratios(one: MeasuredKind, other: MeasuredKind, measure: 'events' | 'bytes' | 'cpu'): number[] {
  return one.runs.map((run, round) => {
    const against = other.runs[round]!
    if (measure === 'cpu') return readingOf(against) / readingOf(run)
    return (against.seconds / run.seconds) * (measure === 'bytes' ? one.valueBytes / other.valueBytes : 1)
  })
}

function spread(values: readonly number[]): string {
  return `${significant(median(values))} (${significant(Math.min(...values))} to ${significant(Math.max(...values))})`
}
