/** From the configuration to a pipeline: what every verb that counts events has in common. */
import { systemClock } from '../clock.ts'
import { eventsConfigOf } from '../config/events-section.ts'
import type { Config } from '../config/schema.ts'
import { Degradations } from '../degraded.ts'
import type { TopicFormat } from '../format/format.ts'
import type { Schemas } from '../format/schemas.ts'
import type { Logger } from '../log.ts'
import { maskedOutputs } from '../output/masked-output.ts'
import type { Outputs } from '../output/output.ts'
import { privacyOf } from '../privacy/privacy.ts'
import { ProductRule } from '../products/product-rule.ts'
import { startSink } from '../sink/sink.ts'
import type { NameOfPartition, Source } from '../source/source.ts'
import { windowRules, windowsOf } from '../window/windows.ts'
import { certificateReader } from './certificates.ts'
import { stateLimits, workersOf } from './memory-plan.ts'
import { Pipeline } from './pipeline.ts'
import type { Checkpoints, PipelineOptions } from './pipeline-options.ts'
import { schemasOf } from './schemas.ts'

export interface Parts {
  readonly source: Source
  readonly topics: readonly string[]
  /** For what is told of partitions; by topic and number when not given. */
  readonly nameOf?: NameOfPartition
  /** Of files that bring theirs along: the records of all topics are of files then. */
  readonly fileSchemas?: Schemas | undefined
  readonly outputs: Outputs
  /** The source ends by itself. */
  readonly bounded: boolean
  /** Only sources that can begin anywhere have use for it. */
  readonly checkpoints?: Checkpoints | undefined
  readonly checkMarks?: PipelineOptions['checkMarks']
  readonly rollUpAtEnd?: PipelineOptions['rollUpAtEnd']
  /** Where source and outputs say what is wrong; the pipeline makes one when not given. */
  readonly degradations?: Degradations | undefined
  /** Where rows go; ClickHouse when not given. */
  readonly sink?: PipelineOptions['sink'] | undefined
  readonly log: Logger
}

/** How the configuration has the records of a topic read; of one that it does not name, as of all. */
function formatOfTopic({ kafka, events }: Config, name: string): TopicFormat {
  const topic = kafka.topics.find((one) => one.name === name)
  const { format = 'json', framing, schemaFile, schemaMessage } = topic ?? {}
  return { format, framing, schemaFile, schemaMessage, events: eventsConfigOf(events, topic?.events) }
}

/** Makes the pipeline; its workers and its sink start at once, the source when `start` is called. */
export function assemble(
  config: Config,
  { source, topics, nameOf, fileSchemas, outputs, bounded, checkpoints, checkMarks, log, ...parts }: Parts,
): Pipeline {
  const { time, kafka, engine, sink, clickhouse, tenant } = config
  const tellsWindows = config.log.level === 'debug' || config.log.level === 'trace'
  const windows = windowsOf(windowRules(config))
  if (windows.overlap) log.info({ window: windows.name }, OVERLAP)
  const privacy = privacyOf(config)
  const degradations = parts.degradations ?? new Degradations(log, systemClock)
  return new Pipeline({
    topics,
    nameOf,
    formats: topics.map((topic) => ({ ...formatOfTopic(config, topic), ofFiles: fileSchemas !== undefined })),
    schemas: schemasOf(config, log),
    fileSchemas,
    rules: {
      ...windowRules(config),
      idleTimeout: time.idleTimeout,
      openTransactionHold: time.openTransaction.hold,
      maxDrift: time.maxDrift,
      maxJump: time.maxJump,
      futureTolerance: time.futureTolerance,
      oldest: time.oldest,
      wallClockGuard: time.wallClockGuard,
      checkCrc: kafka.checkCrc,
      maxBatchBytes: kafka.maxBatchBytes,
      productRule: productRuleOf(config),
    },
    stateTtl: config.state.ttl,
    tenant,
    revision: sink.revision,
    revisionFrom: sink.revisionFrom,
    stateLimits: stateLimits(config),
    workers: workersOf(config),
    ringBytes: engine.ringBytes,
    emitInterval: sink.emitInterval,
    commitInterval: kafka.commitInterval,
    shutdownTimeout: config.shutdown.timeout,
    bounded,
    name: `ctr/${kafka.groupId}`,
    source,
    outputs: privacy === undefined ? outputs : maskedOutputs(outputs, privacy),
    privacy,
    lettersPerReason: config.deadLetter.perReason,
    checkpoints,
    checkMarks,
    rollUpAtEnd: parts.rollUpAtEnd,
    degradations,
    certificates: certificateReader(config, systemClock),
    sink:
      parts.sink ??
      ((rings, closings) =>
        startSink({
          rings,
          closings,
          tellsWindows,
          clickhouse,
          tenant,
          ...sink,
          windowName: windows.name,
          hidesRows: privacy !== undefined,
          degradations,
          logger: log,
        })),
    log,
    clock: systemClock,
  })
}

const OVERLAP =
  'windows overlap, so minutes, hours, days and months (roll-ups) hold none of them; read ctr_windows and ctr_latest, see docs/windows.md'

/** undefined when every product is counted for itself. */
function productRuleOf({ products: { match, other } }: Config): ProductRule | undefined {
  if (match === undefined) return undefined
  const pattern = match.pattern === undefined ? undefined : new RegExp(match.pattern, 'u')
  return new ProductRule({ match: { ...match, pattern }, other })
}
