/** `ctr load`: produces generated events to Kafka, shows how fast, and checks at the end that the topics hold what was sent. */
import { z } from 'zod'
import { CODEC } from '../batch/codec.ts'
import { systemClock } from '../clock.ts'
import type { Config } from '../config/schema.ts'
import { CtrError } from '../errors.ts'
import { type EventEncoding, LOAD_SCHEMAS, type LoadFormat } from '../load/event-formats.ts'
import { type EventShape, PLAIN_SHAPE } from '../load/event-shape.ts'
import { type LoadProgress, type LoadResult, produceLoad } from '../load/produce.ts'
import { createLogger } from '../log.ts'
import { RegistryClient } from '../registry/registry-client.ts'
import { formatCount, formatSpan } from '../text.ts'
import { loadWithBrokers } from './brokers.ts'
import { LOAD_PROFILES } from './load-options.ts'
import type { LoadOptions } from './options.ts'
import { openProgress, type WorkProgress } from './progress.ts'
import { listenForStop } from './signals.ts'

const PRODUCTS = 1000
const SCHEMA_TYPES: { readonly [format in LoadFormat]: string } = { avro: 'AVRO', 'json-schema': 'JSON', protobuf: 'PROTOBUF' }
const registeredSchema = z.object({ id: z.int() })
const PLAIN_LINE_MS = 5000
const STOPPING = 'stopping: what is sent is waited for and checked first; Ctrl-C again ends it at once'

/** Runs the verb; gives the exit code. Throws CtrError for a wrong configuration, a dead broker or a refused password. */
export async function loadVerb(options: LoadOptions): Promise<number> {
  const { config } = loadWithBrokers(options)
  const { brokers, clientId, connectionTimeout, requestTimeout, security } = config.kafka
  const profile = options.profile === undefined ? undefined : LOAD_PROFILES[options.profile]
  const rate = options.rate ?? profile?.rate ?? 0
  const stop = listenForStop()
  const progress = openProgress(options)
  const say = (line: string) => progress.say(`ctr load: ${line}`)
  if (options.count === undefined && options.duration === undefined) say('without --count or --duration it goes on until Ctrl-C')
  if (progress.shown) stop.signal.addEventListener('abort', () => say(STOPPING))
  const onProgress = progress.shown ? shownProgress(progress, rate, options) : plainProgress(rate)
  try {
    const encoding = await encodingOf(options, config)
    const result = await produceLoad({
      kafka: {
        brokers,
        clientId,
        connectionTimeoutMs: connectionTimeout,
        requestTimeoutMs: requestTimeout,
        security,
        logger: createLogger(config.log, progress.log),
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
        shape: shapeOf(options),
      },
      encoding,
      rate,
      count: options.count,
      durationMs: options.duration,
      codec: CODEC[options.codec],
      batchBytes: options.batchBytes,
      threads: options.threads,
      startTime: options.startTime,
      signal: stop.signal,
      onProgress,
      onForeign: say,
    })
    progress.end()
    for (const line of describe(result)) console.log(line)
    return result.complete ? 0 : 1
  } finally {
    progress.end()
    stop.dispose()
  }
}

/** Registers the schema of what is made for each topic, as Confluent's serializers do. Throws CtrError. */
async function encodingOf(
  { format = 'json', envelope, fields, eventBytes }: LoadOptions,
  config: Config,
): Promise<EventEncoding | undefined> {
  if (format === 'json') return undefined
  const { schemaRegistry, kafka } = config
  const isPlain = (envelope ?? PLAIN_SHAPE.envelope) === PLAIN_SHAPE.envelope && fields === undefined && eventBytes === 0
  if (!isPlain) throw new CtrError('CTR_USAGE', `--format ${format}: --envelope, --fields and --event-bytes are of JSON; leave them out`)
  if (schemaRegistry.url === undefined) {
    throw new CtrError('CTR_USAGE', `--format ${format} registers its schema: say where, by --schemaRegistry.url=http://HOST:8081`)
  }
  const client = new RegistryClient({ ...schemaRegistry, url: schemaRegistry.url }, systemClock)
  try {
    const schemaIds: number[] = []
    for (const { name } of kafka.topics) {
      const schema = { schema: LOAD_SCHEMAS[format], schemaType: SCHEMA_TYPES[format] }
      const answer = await client.post(`/subjects/${encodeURIComponent(`${name}-value`)}/versions`, schema)
      schemaIds.push(registeredSchema.parse(answer).id)
    }
    return { format, schemaIds }
  } finally {
    client.close()
  }
}

function shapeOf({ envelope, fields, types }: LoadOptions): EventShape {
  return { envelope: envelope ?? PLAIN_SHAPE.envelope, fields: fields ?? PLAIN_SHAPE.fields, types: types ?? PLAIN_SHAPE.types }
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

/** A line that is drawn over itself; on stderr, since the result goes to stdout. */
function shownProgress(progress: WorkProgress, rate: number, { count, duration }: LoadOptions): (progress: LoadProgress) => void {
  let last: LoadProgress = { events: 0, seconds: 0 }
  const unit = rate === 0 ? 'events' : `events, ${formatCount(rate)}/s wanted`
  progress.follow(() => {
    const shares = [(last.seconds * 1000) / (duration ?? Number.POSITIVE_INFINITY), last.events / (count ?? Number.POSITIVE_INFINITY)]
    const share = duration === undefined && count === undefined ? undefined : Math.min(1, Math.max(...shares))
    return { what: 'load', done: last.events, of: count, unit, share }
  })
  return (now) => {
    last = now
  }
}

/** A line now and then. */
function plainProgress(rate: number): (progress: LoadProgress) => void {
  let last: LoadProgress = { events: 0, seconds: 0 }
  let plainFrom = 0
  return (progress) => {
    const reached = (progress.events - last.events) / Math.max(progress.seconds - last.seconds, 0.001)
    last = progress
    if (progress.seconds * 1000 - plainFrom < PLAIN_LINE_MS) return
    plainFrom = progress.seconds * 1000
    const wanted = rate === 0 ? '' : ` of ${formatCount(rate)}`
    const text = `${formatSpan(plainFrom)}  ${formatCount(progress.events)} events  ${formatCount(reached)}${wanted} events/s`
    process.stderr.write(`${text}\n`)
  }
}
