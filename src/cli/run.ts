/** `ctr run`: the pipeline on Kafka, until a signal or, with --until-end, up to where the partitions end at the start. */
import { systemClock } from '../clock.ts'
import { loadConfig } from '../config/load.ts'
import type { Config } from '../config/schema.ts'
import { CtrError } from '../errors.ts'
import type { Access } from '../kafka/access.ts'
import { kafkaSource } from '../kafka/kafka-source.ts'
import type { Logger } from '../log.ts'
import { createRegistry } from '../metrics/registry.ts'
import { openLate, openOutput, sectionTarget } from '../output/open-output.ts'
import { DEAD_LETTERS } from '../output/output.ts'
import { privacyOf } from '../privacy/privacy.ts'
import { assemble } from '../run/assemble.ts'
import { clientOptions, sourceOptions } from '../run/clients.ts'
import { startHttpServer } from '../run/http-server.ts'
import { keepState, marksCheck, savepointActions } from '../run/keep-state.ts'
import { interrupted } from '../run/left-undone.ts'
import { stateLimits } from '../run/memory-plan.ts'
import type { Pipeline } from '../run/pipeline.ts'
import type { PipelineOptions } from '../run/pipeline-options.ts'
import { type Run, supervise } from '../run/supervisor.ts'
import { watchOver } from '../run/watchdog.ts'
import { openView } from './attached.ts'
import { endingFault, expiredFault, outcomesOf, type Remedies } from './ending.ts'
import type { RunOptions } from './options.ts'
import { rollUpAtEnd } from './roll-up-at-end.ts'
import { listenForStop } from './signals.ts'
import { renderSummary } from './summary.ts'
import { version } from './version.ts'

/** A client that hears nothing for so long is not ready; brokers may hold a fetch that finds nothing for kafka.maxWait. */
const SILENCE_MIN_MS = 10_000
const SILENCE_PER_MAX_WAIT = 3

const REMEDIES: Remedies = {
  invalid: 'the dead letters say why; check kafka.topics and their formats',
  late: 'raise time.outOfOrderness or time.allowedLateness',
}

/** Runs the verb; returns the exit code. */
export async function runVerb(options: RunOptions): Promise<number> {
  const config = loadConfig({ file: options.config, sets: options.set })
  stateLimits(config) // These throw before anything is opened.
  privacyOf(config)
  checkReset(options.reset, config)
  const view = openView(options, config.log)
  const { log } = view
  log.info({ config: options.config ?? 'defaults' }, 'configuration')
  const stop = listenForStop()
  const failing = new AbortController()
  const started = Date.now()
  let pipeline: Pipeline | undefined
  let asked = options
  const access = { proven: false }
  const supervisor = supervise({
    start: () => {
      if (pipeline?.hasCommitted) asked = goOn(options)
      const run = startRun(config, asked, { access, stop: stop.signal, log })
      pipeline = run.pipeline
      return run.watched
    },
    // Its summary counts one run, up to the ends of that run's start: whoever started it starts it again.
    policy: options.untilEnd ? { ...config.restart, attempts: 0 } : config.restart,
    log,
    clock: systemClock,
    signal: AbortSignal.any([stop.signal, failing.signal]),
  })
  const read = () => supervisor.stats()
  const savepoints = savepointActions(config, () => pipeline)
  const metrics = createRegistry(read)
  const server = await startHttpServer({ config, version: version(), metrics, read, savepoints, log }).catch(async (error: unknown) => {
    failing.abort()
    await supervisor.finished.catch(() => {})
    throw error
  })
  log.info({ url: server.url }, 'health and metrics')
  view.follow(server, stop.signal, 'stopping: what was read is written first; Ctrl-C again ends it at once')
  const onStop = () => {
    log.info({ signal: stop.signal.reason }, 'stopping')
    server.keep()
  }
  if (stop.signal.aborted) onStop()
  else stop.signal.addEventListener('abort', onStop)
  try {
    await supervisor.finished
    if (!options.untilEnd && !view.attached) return 0
    const stats = supervisor.stats()
    view.close()
    process.stdout.write(`${renderSummary(stats, { elapsedMs: Date.now() - started }).join('\n')}\n`)
    if (!options.untilEnd) return 0
    if (pipeline?.complete !== true) throw interrupted(String(stop.signal.reason))
    const outcomes = outcomesOf(stats, ({ topic }) => topic)
    const { limits } = options
    const fault = endingFault(outcomes, limits, REMEDIES) ?? expiredFault(stats, config.clickhouse.retention.results, limits)
    if (fault !== undefined) throw new CtrError('CTR_INPUT', fault)
    return 0
  } finally {
    view.close()
    await server.close()
    stop.dispose()
  }
}

/**
 * Where a run begins that follows another one in this process, which has left marks: there, and not once more where the user has asked the
 * first one to. Before it has left any, nothing of that has come about.
 */
function goOn(options: RunOptions): RunOptions {
  return { ...options, wish: { ...options.wish, from: 'latest' }, reset: undefined }
}

/** A revision holds for whole windows, so what is counted anew must begin with one. */
function checkReset(reset: RunOptions['reset'], { sink }: Config): void {
  if (typeof reset !== 'number' || sink.revision === 0 || sink.revisionFrom !== undefined) return
  const remedy = 'set sink.revisionFrom to the start of the first window that is to be counted anew'
  throw new CtrError('CTR_USAGE', `--reset ${new Date(reset).toISOString()} with sink.revision ${sink.revision}: ${remedy}`)
}

/** A pipeline on Kafka with everything of its own, watched. */
function startRun(
  config: Config,
  { untilEnd, wish, reset }: RunOptions,
  { access, stop, log }: { readonly access: Access; readonly stop: AbortSignal; readonly log: Logger },
): { pipeline: Pipeline; watched: Run } {
  const source = kafkaSource(sourceOptions(config, { bounded: untilEnd, reset, access }, log))
  const { deadLetter, kafka, watchdog } = config
  const client = () => clientOptions(config, log)
  const outputs = { deadLetters: openOutput(sectionTarget(deadLetter), DEAD_LETTERS, log, client), ...openLate(config.late, log, client) }
  const topics = kafka.topics.map(({ name }) => name)
  const checkpoints = keepState(config, wish, log)
  const checkMarks = marksCheck(config, wish)
  const rollUp: PipelineOptions['rollUpAtEnd'] = async (sink) => {
    if (sink.rollUp !== undefined) await rollUpAtEnd(config, log, stop, sink.rollUp.bind(sink, stop))
  }
  const pipeline = assemble(config, { source, topics, outputs, bounded: untilEnd, checkpoints, checkMarks, rollUpAtEnd: rollUp, log })
  const watched = watchOver(pipeline, {
    stallTimeout: watchdog.stallTimeout,
    silence: Math.max(SILENCE_MIN_MS, SILENCE_PER_MAX_WAIT * kafka.maxWait),
    reconnect: source.reconnect?.bind(source),
    log,
    clock: systemClock,
  })
  return { pipeline, watched }
}
