/** `ctr run`: the pipeline on Kafka, until a signal or, with --until-end, up to where the partitions end at the start. */
import { systemClock } from '../clock.ts'
import { loadConfig } from '../config/load.ts'
import type { Config } from '../config/schema.ts'
import { kafkaSource } from '../kafka/kafka-source.ts'
import { createLogger, type Logger } from '../log.ts'
import { createRegistry } from '../metrics/registry.ts'
import { openOutput } from '../output/open-output.ts'
import { DEAD_LETTERS } from '../output/output.ts'
import { assemble } from '../run/assemble.ts'
import { clientOptions, sourceOptions } from '../run/clients.ts'
import { keepState, savepointActions } from '../run/keep-state.ts'
import type { Pipeline } from '../run/pipeline.ts'
import { type Run, supervise } from '../run/supervisor.ts'
import { watchOver } from '../run/watchdog.ts'
import { startServer } from '../server/http.ts'
import type { RunOptions } from './options.ts'
import { listenForStop } from './signals.ts'
import { renderSummary } from './summary.ts'

/** A client that hears nothing for so long is not ready; brokers may hold a fetch that finds nothing for kafka.maxWait. */
const SILENCE_MIN_MS = 10_000
const SILENCE_PER_MAX_WAIT = 3

/** Runs the verb; returns the exit code. */
export async function runVerb(options: RunOptions): Promise<number> {
  const config = loadConfig({ file: options.config, sets: options.set })
  const log = createLogger(config.log)
  const stop = listenForStop()
  const failing = new AbortController()
  const started = Date.now()
  let pipeline: Pipeline | undefined
  const supervisor = supervise({
    start: () => {
      // What the user has asked for is for the first run; the next ones go on from what it has left.
      const again = pipeline !== undefined
      const settings = again ? { ...config, kafka: { ...config.kafka, startFrom: 'committed' as const } } : config
      const run = startRun(settings, again ? { ...options, wish: { ...options.wish, from: 'latest' } } : options, log)
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
  const server = await startServer({ ...config.http, registry: createRegistry(read), read, savepoints }).catch(async (error: unknown) => {
    failing.abort()
    await supervisor.finished.catch(() => {})
    throw error
  })
  log.info({ url: server.url }, 'health and metrics')
  const onStop = () => log.info({ signal: stop.signal.reason }, 'stopping')
  if (stop.signal.aborted) onStop()
  else stop.signal.addEventListener('abort', onStop)
  try {
    await supervisor.finished
    const lines = renderSummary(supervisor.stats(), { elapsedMs: Date.now() - started })
    if (options.untilEnd) process.stdout.write(`${lines.join('\n')}\n`)
    return 0
  } finally {
    await server.close()
    stop.dispose()
  }
}

/** A pipeline on Kafka with everything of its own, watched. */
function startRun(config: Config, { untilEnd, wish }: RunOptions, log: Logger): { pipeline: Pipeline; watched: Run } {
  const source = kafkaSource(sourceOptions(config, untilEnd, log))
  const { deadLetter, kafka, watchdog } = config
  const target = deadLetter.topic === undefined ? { file: deadLetter.file ?? '' } : { topic: deadLetter.topic }
  const outputs = { deadLetters: openOutput(target, DEAD_LETTERS, log, () => clientOptions(config, log)) }
  const topics = kafka.topics.map(({ name }) => name)
  const formats = kafka.topics.map(({ format }) => format)
  const checkpoints = keepState(config, wish, log)
  const pipeline = assemble(config, { source, topics, formats, outputs, bounded: untilEnd, checkpoints, log })
  const watched = watchOver(pipeline, {
    stallTimeout: watchdog.stallTimeout,
    silence: Math.max(SILENCE_MIN_MS, SILENCE_PER_MAX_WAIT * kafka.maxWait),
    reconnect: source.reconnect?.bind(source),
    log,
    clock: systemClock,
  })
  return { pipeline, watched }
}
