/** What a pipeline is made of; assemble.ts puts it together from the configuration. */
import type { CheckpointPolicy } from '../checkpoint/coordinator.ts'
import type { Restorer } from '../checkpoint/restore.ts'
import type { CheckpointWriter } from '../checkpoint/writer.ts'
import type { Clock } from '../clock.ts'
import type { Degradations } from '../degraded.ts'
import type { TopicFormat } from '../format/format.ts'
import type { Schemas } from '../format/schemas.ts'
import type { IngestRules } from '../ingest/ingest.ts'
import type { CertificateStats } from '../metrics/stats.ts'
import type { Outputs } from '../output/output.ts'
import type { Privacy } from '../privacy/privacy.ts'
import type { StateLimits } from '../products/product-budget.ts'
import type { SchemaCache } from '../registry/schema-cache.ts'
import type { Sink } from '../sink/sink.ts'
import type { NameOfPartition, OfferedPartition, Source } from '../source/source.ts'
import type { StartWorkers } from '../worker/pool.ts'

/** pino fits. */
export interface PipelineLog {
  info(fields: Record<string, unknown>, message: string): void
  warn(fields: Record<string, unknown>, message: string): void
  error(fields: Record<string, unknown>, message: string): void
}

/** Times in ms, sizes in bytes. */
export interface PipelineOptions {
  readonly topics: readonly string[]
  /** For what is told of partitions; by topic and number when not given. */
  readonly nameOf?: NameOfPartition | undefined
  /** Of the records of each topic; json when not given. */
  readonly formats?: readonly TopicFormat[] | undefined
  /** Of formats whose records name one. */
  readonly schemas?: SchemaCache | undefined
  /** Of files that bring theirs along; then no other is asked for. */
  readonly fileSchemas?: Schemas | undefined
  readonly rules: IngestRules
  readonly stateTtl: number
  /** Of products and windows in memory; none when not given. */
  readonly stateLimits?: StateLimits | undefined
  readonly tenant: string
  readonly revision: number
  /** See RevisionRule. */
  readonly revisionFrom?: number | undefined
  readonly workers: number
  readonly ringBytes: number
  readonly emitInterval: number
  readonly commitInterval: number
  readonly shutdownTimeout: number
  /** How often idleness, watermarks and the dictionaries are looked after, ms; 100 when not given. */
  readonly maintainIntervalMs?: number
  /** Expired products are looked for in so many steps a round, one at every maintenance; 300 when not given. */
  readonly sweepsPerRound?: number
  /** The run ends by itself when the source has delivered all there is. */
  readonly bounded: boolean
  /** Named in every record of an output. */
  readonly name: string
  readonly source: Source
  readonly outputs: Outputs
  /** As `deadLetter.perReason`; unlimited when not given. */
  readonly lettersPerReason?: number | undefined
  /** What may leave of what records hold: outputs are masked by it already; all may, when not given. */
  readonly privacy?: Privacy | undefined
  /** Starts the sink that reads these row rings; the other memory is that of window/closings.ts. */
  readonly sink: (rowRings: readonly SharedArrayBuffer[], closings: SharedArrayBuffer) => Sink
  /** Without it, Kafka's low-water marks are all there is to start from. */
  readonly checkpoints?: Checkpoints | undefined
  /** Throws where tasks can't begin at the marks of their group; called with the partitions of tasks of which nothing else is kept. */
  readonly checkMarks?: ((offered: readonly OfferedPartition[]) => void) | undefined
  /** Where source and sink say what is wrong while they work; one of its own when not given. */
  readonly degradations?: Degradations | undefined
  /** How roll-ups are computed when all of a bounded run is written, by the sink, which stops after that. Does not reject. */
  readonly rollUpAtEnd?: ((sink: Sink) => Promise<void>) | undefined
  /** For the metrics; none when not given. */
  readonly certificates?: (() => readonly CertificateStats[]) | undefined
  readonly log: PipelineLog
  readonly clock: Clock
  /** ms that only grow, for intervals; those of the machine when not given. */
  readonly monotonic?: Clock
  /** Threads of its own when not given; simulations put others in their place. */
  readonly startWorkers?: StartWorkers
}

/** Where state is kept, and when. */
export interface Checkpoints {
  readonly policy: CheckpointPolicy
  readonly savepointOnStop: boolean
  /** Starts the writer for so many workers. */
  readonly writer: (workers: number) => CheckpointWriter
  readonly restorer: Pick<Restorer, 'find' | 'stats'>
}
