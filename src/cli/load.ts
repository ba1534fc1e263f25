/** `ctr load`: produces generated events to Kafka, shows how fast, and checks at the end that the topics hold what was sent. */
import { loadConfig } from '../config/load.ts'
import { createLogger } from '../metrics/log.ts'
import { formatCount, formatSpan } from './format.ts'
import type { LoadOptions } from './options.ts'
import { type LoadProgress, type LoadResult, produceLoad } from './produce-load.ts'
import { listenForStop } from './signals.ts'

const CODECS: Record<LoadOptions['codec'], number> = { none: 0, gzip: 1, snappy: 2, lz4: 3, zstd: 4 }
/** Generated late events are older than any default lateness forgives. */
const LATE_BY_MS = 60_000
const PLAIN_LINE_MS = 5000

/** Runs the verb; gives the exit code. Throws CtrError for a wrong configuration, a dead broker or a refused password. */
export async function loadVerb(options: LoadOptions): Promise<number> {
  const sets = [...options.set]
  if (options.brokers !== undefined) sets.push(`kafka.brokers=${JSON.stringify(options.brokers.split(','))}`)
  if (options.topics !== undefined) sets.push(`kafka.topics=${JSON.stringify(options.topics.split(','))}`)
  const config = loadConfig({ file: options.config, sets })
  const { brokers, clientId, connectionTimeout, requestTimeout, security } = config.kafka
  const stop = listenForStop()
  const progress = progressLine(options.rate)
  try {
    const result = await produceLoad({
      kafka: {
        brokers,
        clientId,
        connectionTimeoutMs: connectionTimeout,
        requestTimeoutMs: requestTimeout,
        security,
        logger: createLogger(config.log),
      },
      topics: config.kafka.topics.map(({ name }) => name),
      partitions: options.partitions,
      // Record times follow event times: those far in the past would fall to the broker's retention at once.
      topicConfig: options.startTime === undefined ? {} : { 'retention.ms': '-1' },
      generate: {
        seed: options.seed,
        products: options.products,
        disorderMs: options.disorder,
        lateShare: options.late,
        lateByMs: LATE_BY_MS,
        invalidShare: options.invalid,
      },
      rate: options.rate,
      count: options.count,
      durationMs: options.duration,
      codec: CODECS[options.codec],
      batchBytes: options.batchBytes,
      startTime: options.startTime,
      signal: stop.signal,
      onProgress: progress.show,
    })
    progress.end()
    for (const line of describe(result)) console.log(line)
    return result.complete ? 0 : 1
  } finally {
    progress.end()
    stop.dispose()
  }
}

/** What a finished load has to say, line by line. */
export function describe(result: LoadResult): string[] {
  const { events, seconds, impressions, clicks, invalid, partitions, complete } = result
  const lines = [
    `${formatCount(events)} events in ${formatSpan(seconds * 1000)}: ${formatCount(seconds > 0 ? events / seconds : 0)} events/s`,
    `  ${formatCount(impressions)} impressions, ${formatCount(clicks)} clicks, ${formatCount(invalid)} invalid`,
  ]
  for (const { topic, partition, startOffset, endOffset, sent } of partitions) {
    const grown = endOffset - startOffset
    const wrong = grown === sent ? '' : `  <- the end offset grew by ${formatCount(grown)}`
    lines.push(`  ${topic}/${partition}: ${formatCount(sent)} records, end offset ${formatCount(endOffset)}${wrong}`)
  }
  if (!complete) lines.push('The end offsets did not grow by exactly what was sent: does something else write to these topics?')
  return lines
}

/** A line that is drawn over itself on a terminal, and a line now and then elsewhere; on stderr, since the result goes to stdout. */
function progressLine(rate: number): { show: (progress: LoadProgress) => void; end: () => void } {
  const terminal = process.stderr.isTTY
  let last: LoadProgress = { events: 0, seconds: 0 }
  let plainFrom = 0
  let drawn = false
  const show = (progress: LoadProgress) => {
    const reached = (progress.events - last.events) / Math.max(progress.seconds - last.seconds, 0.001)
    last = progress
    const wanted = rate === 0 ? '' : ` of ${formatCount(rate)}`
    const text = `${formatSpan(progress.seconds * 1000)}  ${formatCount(progress.events)} events  ${formatCount(reached)}${wanted} events/s`
    if (terminal) process.stderr.write(`\r\x1b[K${text}`)
    else if (progress.seconds * 1000 - plainFrom >= PLAIN_LINE_MS) {
      plainFrom = progress.seconds * 1000
      process.stderr.write(`${text}\n`)
    }
    drawn = terminal
  }
  const end = () => {
    if (drawn) process.stderr.write('\r\x1b[K')
    drawn = false
  }
  return { show, end }
}
