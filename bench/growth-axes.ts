/** What bench/growth.ts varies, one thing at a time, and how it shows what came of it. */

import { CODEC_NAMES } from '../src/batch/codec.ts'
import { EventEncoder, type EventEncoding } from '../src/load/event-formats.ts'
import { EventGenerator, GENERATE_DEFAULTS, type GenerateOptions } from '../src/load/generate.ts'
import { formatCount } from '../src/text.ts'
import type { EngineRun } from '../workshop/backlog.ts'
import { BACKLOG_FROM } from '../workshop/load.ts'
import { significant, table } from '../workshop/report.ts'

/** One way to run: what is in the topics, and how the engine is configured. */
export interface Point {
  readonly label: string
  readonly partitions: number
  readonly generate: Partial<GenerateOptions>
  /** Kafka's number. */
  readonly codec: number
  readonly sets: readonly string[]
}

export interface Axis {
  readonly name: string
  readonly what: string
  readonly points: readonly Point[]
}

/** Of a run, what is kept. */
export type GrowthRun = Pick<EngineRun, 'seconds' | 'busyCpuSeconds' | 'cpuSeconds' | 'peakRssBytes'>

/** A point and its runs. */
export interface Measured {
  readonly label: string
  /** Mean size of a record's value. */
  readonly bytesPerEvent: number
  readonly runs: readonly GrowthRun[]
}

export interface MeasuredAxis {
  readonly name: string
  readonly what: string
  readonly points: readonly Measured[]
}

const BASE: Point = { label: '', partitions: 4, generate: { products: 1000 }, codec: 0, sets: ['engine.workers=1'] }
const PRODUCTS = [1_000, 10_000, 100_000, 1_000_000, 10_000_000]
/** From here on a share of the products is rare enough for their distribution to matter. */
const UNIFORM_FROM = 100_000
const SIZE_DRAWS = 10_000

/** Each begins with what is plainest; whatever an axis does not vary is as in BASE. */
export const AXES: readonly Axis[] = [
  {
    name: 'partitions',
    what: 'partitions of each topic',
    points: [1, 2, 4, 8].map((partitions) => ({ ...BASE, label: String(partitions), partitions })),
  },
  {
    name: 'workers',
    what: 'worker threads',
    points: [1, 2, 3, 4].map((workers) => ({ ...BASE, label: String(workers), sets: [`engine.workers=${workers}`] })),
  },
  {
    name: 'products',
    what: 'products, by popularity',
    points: PRODUCTS.flatMap((products) =>
      (products < UNIFORM_FROM ? [1] : [1, 0]).map((skew) => ({
        ...BASE,
        label: `${formatCount(products)} ${skew === 0 ? 'uniform' : 'Zipf'}`,
        generate: { products, skew },
      })),
    ),
  },
  {
    name: 'size',
    what: 'bytes of an event; the smallest has no key that nobody knows',
    points: [0, 200, 300, 500, 1000].map((eventBytes) => ({
      ...BASE,
      label: eventBytes === 0 ? 'smallest' : String(eventBytes),
      generate: { ...BASE.generate, eventBytes },
    })),
  },
  {
    name: 'keys',
    what: 'spelling of keys',
    points: (['snake', 'camel', 'mixed'] as const).map((keys) => ({ ...BASE, label: keys, generate: { ...BASE.generate, keys } })),
  },
  { name: 'codec', what: 'compression', points: CODEC_NAMES.map((label, codec) => ({ ...BASE, label, codec })) },
  {
    name: 'crc',
    what: 'CRC-32C of every batch verified',
    points: [false, true].map((on) => ({ ...BASE, label: on ? 'on' : 'off', sets: [...BASE.sets, `kafka.checkCrc=${on}`] })),
  },
]

/** The axes of these names, comma-separated; '' for all. */
export function axesOf(names: string): readonly Axis[] {
  const wanted = names.split(',').filter((name) => name !== '')
  const unknown = wanted.find((name) => !AXES.some((axis) => axis.name === name))
  if (unknown !== undefined) throw new Error(`--axis ${unknown}: not one of ${AXES.map(({ name }) => name).join(', ')}`)
  return wanted.length === 0 ? AXES : AXES.filter(({ name }) => wanted.includes(name))
}

/** Mean size of the values that are generated so, and so encoded, from a sample: sizes differ by type and spelling only. */
export function valueBytesOf(generate: Partial<GenerateOptions>, encoding?: EventEncoding): number {
  const encoder = encoding && new EventEncoder(encoding)
  const generator = new EventGenerator(
    { ...GENERATE_DEFAULTS, ...generate },
    { products: Int32Array.of(0), owns: () => true, stream: 0, streams: 1 },
  )
  let bytes = 0
  for (let i = 0; i < SIZE_DRAWS; i++) {
    generator.next(BACKLOG_FROM)
    bytes += encoder?.encode(generator, 0)?.length ?? generator.valueBytes
  }
  return bytes / SIZE_DRAWS
}

/** The least of the rounds: what else runs on a machine can only add to it. */
export function bestOf(runs: readonly GrowthRun[]): GrowthRun {
  const least = (of: (run: GrowthRun) => number) => Math.min(...runs.map(of))
  return {
    seconds: least(({ seconds }) => seconds),
    busyCpuSeconds: least(({ busyCpuSeconds }) => busyCpuSeconds),
    cpuSeconds: least(({ cpuSeconds }) => cpuSeconds),
    peakRssBytes: least(({ peakRssBytes }) => peakRssBytes),
  }
}

/** A point's figures, in the order of GROWTH_HEAD. */
export function figuresOf({ bytesPerEvent, runs }: Measured, events: number): string[] {
  const { seconds, busyCpuSeconds, cpuSeconds, peakRssBytes } = bestOf(runs)
  return [
    bytesPerEvent.toFixed(0),
    formatCount(events / seconds),
    formatCount((events * bytesPerEvent) / seconds / 1e6),
    significant((busyCpuSeconds * 1e6) / events),
    significant((cpuSeconds * 1e6) / events),
    formatCount(peakRssBytes / 2 ** 20),
  ]
}

/** What a point's figures are. */
export const GROWTH_HEAD: readonly string[] = ['bytes', 'events/s', 'MB/s', 'CPU s/M', 'whole', 'peak MiB']

/** One axis as a person reads it; the last column is the rate in relation to the first point's. */
export function renderAxis({ name, what, points }: MeasuredAxis, events: number): string {
  const [first] = points
  const rows = points.map((point) => [
    point.label,
    ...figuresOf(point, events),
    first === undefined ? '-' : `${significant(bestOf(first.runs).seconds / bestOf(point.runs).seconds)} x`,
  ])
  return table([`${name}: ${what}`, ...GROWTH_HEAD, 'rate'], rows)
}
