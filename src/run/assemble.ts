/** From the configuration to a pipeline: what every verb that counts events has in common. */
import { availableParallelism } from 'node:os'
import { systemClock } from '../clock.ts'
import type { Config } from '../config/schema.ts'
import type { FormatName } from '../format/format.ts'
import type { Logger } from '../log.ts'
import type { Outputs } from '../output/output.ts'
import { startSink } from '../sink/sink.ts'
import type { Source } from '../source/source.ts'
import { windowRules } from '../window/windows.ts'
import { type Checkpoints, Pipeline } from './pipeline.ts'

export interface Parts {
  readonly source: Source
  readonly topics: readonly string[]
  /** Of the records of each topic; json when not given. */
  readonly formats?: readonly FormatName[]
  readonly outputs: Outputs
  /** The source ends by itself. */
  readonly bounded: boolean
  /** Only sources that can begin anywhere have use for it. */
  readonly checkpoints?: Checkpoints | undefined
  readonly log: Logger
}

/** Makes the pipeline; its workers and its sink start at once, the source when `start` is called. */
export function assemble(config: Config, { source, topics, formats, outputs, bounded, checkpoints, log }: Parts): Pipeline {
  const { time, kafka, engine, sink } = config
  return new Pipeline({
    topics,
    formats,
    rules: {
      ...windowRules(config),
      idleTimeout: time.idleTimeout,
      maxDrift: time.maxDrift,
      futureTolerance: time.futureTolerance,
      checkCrc: kafka.checkCrc,
    },
    stateTtl: config.state.ttl,
    tenant: config.tenant,
    revision: sink.revision,
    workers: workersOf(engine.workers, availableParallelism()),
    ringBytes: engine.ringBytes,
    emitInterval: sink.emitInterval,
    commitInterval: kafka.commitInterval,
    shutdownTimeout: config.shutdown.timeout,
    bounded,
    name: `ctr/${kafka.groupId}`,
    source,
    outputs,
    checkpoints,
    sink: (rings) => startSink({ rings, clickhouse: config.clickhouse, tenant: config.tenant, revision: sink.revision, logger: log }),
    log,
    clock: systemClock,
  })
}

/** One worker keeps up with main on two cores; more cores are shared out to workers, leaving one to main and one to the sink and the OS. */
const AUTO_WORKERS_MAX = 4

/** `auto` resolved for a machine with so many cores. */
function workersOf(workers: number | 'auto', cores: number): number {
  return workers === 'auto' ? Math.max(1, Math.min(AUTO_WORKERS_MAX, cores - 2)) : workers
}
