/** `ctr load`: produces generated events to Kafka, shows how fast, and checks at the end that the topics hold what was sent. */
import { CODEC } from '../batch/codec.ts'
import { loadConfig } from '../config/load.ts'
import { type LoadProgress, type LoadResult, produceLoad } from '../load/produce.ts'
import { createLogger } from '../log.ts'
import { formatCount, formatSpan } from '../text.ts'
import { LOAD_PROFILES } from './load-options.ts'
import type { LoadOptions } from './options.ts'
import { listenForStop } from './signals.ts'

const PRODUCTS = 1000
const PLAIN_LINE_MS = 5000

/** Runs the verb; gives the exit code. Throws CtrError for a wrong configuration, a dead broker or a refused password. */
export async function loadVerb(options: LoadOptions): Promise<number> {
  const sets = [...options.set]
  if (options.brokers !== undefined) sets.push(`kafka.brokers=${JSON.stringify(options.brokers.split(','))}`)
  if (options.topics !== undefined) sets.push(`kafka.topics=${JSON.stringify(options.topics.split(','))}`)
  const config = loadConfig({ file: options.config, sets })
  const { brokers, clientId, connectionTimeout, requestTimeout, security } = config.kafka
  const profile = options.profile === undefined ? undefined : LOAD_PROFILES[options.profile]
  const rate = options.rate ?? profile?.rate ?? 0
  const stop = listenForStop()
  const progress = progressLine(rate)
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
        products: options.products ?? profile?.products ?? PRODUCTS,
        productsPerMinute: options.newProducts,
        skew: options.popularity === 'uniform' ? 0 : options.skew,
        users: options.users,
        clickShare: options.clicks,
        disorderMs: options.disorder,
        lateShare: options.late,
        lateByMs: options.lateBy,
        invalidShare: options.invalid,
        duplicateShare: options.duplicates,
        keys: options.keys,
        userIds: options.userIds,
        eventBytes: options.eventBytes,
      },
      rate,
      count: options.count,
      durationMs: options.duration,
      codec: CODEC[options.codec],
      batchBytes: options.batchBytes,
      threads: options.threads,
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
  const { events, seconds, impressions, clicks, invalid, duplicates } = result
  const { latencyMs, cpuSeconds, threads, partitions, complete } = result
  const [p50, p99, max] = [latencyMs.p50, latencyMs.p99, latencyMs.max].map((ms) => ms.toFixed(1))
  const repeated = duplicates === 0 ? '' : `; ${formatCount(duplicates)} of them repeat the one before`
  const cpu = events > 0 ? ((cpuSeconds * 1e6) / events).toFixed(2) : '-'
  const lines = [
    `${formatCount(events)} events in ${formatSpan(seconds * 1000)}: ${formatCount(seconds > 0 ? events / seconds : 0)} events/s`,
    `  ${formatCount(impressions)} impressions, ${formatCount(clicks)} clicks, ${formatCount(invalid)} invalid${repeated}`,
    `  acknowledged after ${p50} ms (p50), ${p99} ms (p99), ${max} ms at most`,
    `  ${cpu} CPU s per million events, ${threads} thread${threads === 1 ? '' : 's'}`,
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
