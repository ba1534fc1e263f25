/**
 * Runs cases through the engine itself: its formats, its time, its windows and workers, with records from memory and rows into
 * it. All cases go through one pipeline, each with partitions of its own, so that none knows of another.
 */
import type { Config } from '../config/schema.ts'
import { DAY } from '../config/units.ts'
import { CtrError } from '../errors.ts'
import type { Logger } from '../log.ts'
import type { PartitionStats, PipelineStats } from '../metrics/stats.ts'
import type { Output } from '../output/output.ts'
import { assemble } from '../run/assemble.ts'
import type { Pipeline } from '../run/pipeline.ts'
import { TERM_NAMES } from '../window/ledger.ts'
import { bytesOf, CASE_PARTITIONS_MAX, type TrialCase } from './cases.ts'
import { problemsOf, type TrialOutcome, type TrialRow } from './judge.ts'
import { RowCollector } from './row-collector.ts'
import { type TrialRecord, TrialSource } from './trial-source.ts'

/** A case, and what is not as it expects. */
export interface TrialResult {
  readonly name: string
  readonly place: string
  readonly problems: readonly string[]
}

/**
 * Whoever tries cases sits there, or CI does: unlike a run, this does not wait for a registry to come back. What won't come by waiting ends
 * a bounded run after 30 s, and says more.
 */
const SCHEMA_MAX_MS = 32_000

/** Every case in its turn. Throws CtrError, also when a record has waited `schemaMaxMs` for its schema. */
export async function runCases(
  config: Config,
  cases: readonly TrialCase[],
  log: Logger,
  schemaMaxMs = SCHEMA_MAX_MS,
): Promise<readonly TrialResult[]> {
  const topics = config.kafka.topics.map(({ name }) => name)
  const records = cases.flatMap((one, i) => one.events.map((event) => recordOf(one, i, event, topics)))
  const fates: string[] = []
  let pipeline: Pipeline | undefined
  let before: PipelineStats | undefined
  const stuck = { afterMs: schemaMaxMs, why: () => whyStuck((pipeline as Pipeline).stats()) }
  const source = new TrialSource(records, stuck, (place) => {
    const now = (pipeline as Pipeline).stats()
    fates[place] = fateOf(records[place] as TrialRecord, topics, before, now)
    before = now
  })
  let sink: RowCollector | undefined
  pipeline = assemble(alone(config), {
    source,
    topics,
    outputs: { deadLetters: nowhere() },
    bounded: true,
    log,
    sink: (rings) => {
      sink = new RowCollector(rings)
      return sink
    },
  })
  void pipeline.start()
  await pipeline.finished
  const rows = sink?.rows ?? []
  let at = 0
  return cases.map((one, i) => {
    const outcome: TrialOutcome = { fates: fates.slice(at, at + one.events.length), rows: rowsOf(rows, i) }
    at += one.events.length
    return { name: one.name, place: one.place, problems: problemsOf(one, outcome) }
  })
}

/** Nothing waits for the wall clock or for another partition, which changes no result, and one worker is enough. */
function alone(config: Config): Config {
  return {
    ...config,
    engine: { ...config.engine, workers: 1 },
    time: { ...config.time, idleTimeout: DAY, maxDrift: Number.MAX_SAFE_INTEGER },
  }
}

function recordOf(one: TrialCase, i: number, event: TrialCase['events'][number], topics: readonly string[]): TrialRecord {
  const topicIndex = event.topic === undefined ? 0 : topics.indexOf(event.topic)
  if (topicIndex < 0) {
    const what = `${one.place}: ${one.name}: topic ${event.topic} is none of kafka.topics`
    throw new CtrError('CTR_USAGE', `${what}, which are ${topics.join(', ')}`)
  }
  return { topicIndex, partition: i * CASE_PARTITIONS_MAX + event.partition, time: event.time, value: bytesOf(event), after: one.after }
}

/** undefined when nothing waits for a schema. */
function whyStuck({ schemas, degraded }: PipelineStats): CtrError | undefined {
  if ((schemas?.waiting ?? 0) === 0) return undefined
  const told = degraded.find(({ code }) => code.startsWith('schema'))?.message ?? 'a record waits for its schema'
  const remedy = 'Avro and Protobuf without kafka.topics[].schemaFile need the registry: start it, or name a file with the schema'
  return new CtrError('CTR_REGISTRY_UNREACHABLE', `${told}; ${remedy}`)
}

/** The one term, or of the invalid the one reason, that has grown by the record. */
function fateOf(
  { topicIndex, partition }: TrialRecord,
  topics: readonly string[],
  before: PipelineStats | undefined,
  now: PipelineStats,
): string {
  const of = (stats: PipelineStats | undefined): PartitionStats | undefined => {
    return stats?.partitions.find((each) => each.partition === partition && each.topic === topics[topicIndex])
  }
  const [old, current] = [of(before), of(now)]
  const term = TERM_NAMES.find((name) => (current?.[name] ?? 0) > (old?.[name] ?? 0))
  if (term !== 'invalid') return term ?? 'not read'
  const earlier = new Map(before?.invalid.map(({ reason, count }) => [reason, count]))
  return now.invalid.find(({ reason, count }) => count > (earlier.get(reason) ?? 0))?.reason ?? term
}

/** The windows of a case, all its partitions together, in the order of time, then of products. */
function rowsOf(rows: RowCollector['rows'], i: number): TrialRow[] {
  const sums = new Map<string, TrialRow>()
  for (const { productId: product, windowStart: start, windowEnd: end, task, impressions, clicks } of rows) {
    if (Math.floor(task / CASE_PARTITIONS_MAX) !== i) continue
    const key = JSON.stringify([product, start, end])
    const known = sums.get(key)
    sums.set(key, { product, start, end, impressions: impressions + (known?.impressions ?? 0), clicks: clicks + (known?.clicks ?? 0) })
  }
  return [...sums.values()].sort((a, b) => a.start - b.start || a.end - b.end || (a.product < b.product ? -1 : 1))
}

/** Takes all and keeps nothing: why a record is invalid, the counters say. */
function nowhere(): Output {
  const atOnce = async () => undefined
  return { full: false, put: () => undefined, room: atOnce, delivered: atOnce, close: atOnce }
}
