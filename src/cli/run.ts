/** `ctr run`: the pipeline on Kafka, until a signal or, with --until-end, up to where the partitions end at the start. */
import { loadConfig } from '../config/load.ts'
import type { Config } from '../config/schema.ts'
import { fileOffice } from '../dlq/file-office.ts'
import { kafkaOffice } from '../dlq/kafka-office.ts'
import { type KafkaSourceOptions, kafkaSource } from '../kafka/kafka-source.ts'
import { createLogger, type Logger } from '../metrics/log.ts'
import { createRegistry } from '../metrics/registry.ts'
import { startServer } from '../server/http.ts'
import { assemble } from './assemble.ts'
import type { RunOptions } from './options.ts'
import { listenForStop } from './signals.ts'
import { renderSummary } from './summary.ts'

/** Runs the verb; returns the exit code. */
export async function runVerb(options: RunOptions): Promise<number> {
  const config = loadConfig({ file: options.config, sets: options.set })
  const log = createLogger(config.log)
  const stop = listenForStop()
  const source = kafkaSource(sourceOptions(config, options.untilEnd, log))
  const { deadLetter } = config
  const letters =
    deadLetter.topic === undefined
      ? fileOffice(deadLetter.file ?? '', log)
      : kafkaOffice({ ...clientOptions(config, log), topic: deadLetter.topic })
  const topics = config.kafka.topics.map(({ name }) => name)
  const pipeline = assemble(config, { source, topics, letters, bounded: options.untilEnd, log })
  const started = Date.now()
  const read = () => pipeline.stats()
  const server = await startServer({ ...config.http, registry: createRegistry(read), read }).catch(async (error: unknown) => {
    await pipeline.drain()
    throw error
  })
  log.info({ url: server.url }, 'health and metrics')
  const onStop = () => {
    log.info({ signal: stop.signal.reason }, 'stopping')
    void pipeline.drain()
  }
  if (stop.signal.aborted) onStop()
  else stop.signal.addEventListener('abort', onStop)
  try {
    void pipeline.start()
    await pipeline.finished
    const lines = renderSummary(pipeline.stats(), { elapsedMs: Date.now() - started })
    if (options.untilEnd) process.stdout.write(`${lines.join('\n')}\n`)
    return 0
  } finally {
    await server.close()
    stop.dispose()
  }
}

function sourceOptions(config: Config, bounded: boolean, logger: Logger): KafkaSourceOptions {
  const { kafka } = config
  return {
    ...clientOptions(config, logger),
    groupId: kafka.groupId,
    topics: kafka.topics.map(({ name }) => name),
    startFrom: kafka.startFrom,
    startTimestamp: kafka.startTimestamp,
    fetchBytesPerPartition: kafka.fetchBytesPerPartition,
    maxWaitMs: kafka.maxWait,
    sessionTimeoutMs: kafka.sessionTimeout,
    metadataMaxAgeMs: kafka.metadataMaxAge,
    onCorruptBatch: kafka.onCorruptBatch,
    bounded,
  }
}

function clientOptions({ kafka }: Config, logger: Logger) {
  return {
    brokers: kafka.brokers,
    clientId: kafka.clientId,
    connectionTimeoutMs: kafka.connectionTimeout,
    requestTimeoutMs: kafka.requestTimeout,
    security: kafka.security,
    logger,
  }
}
