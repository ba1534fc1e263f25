/**
 * The answers of `/api/v1`, as schemas: what is sent, what `docs/openapi.json` says of it, and what the page and `ctr top` are written
 * against, is the same. A field keeps its name and meaning within v1; new ones may come. Units are in the names, times are ISO 8601 and
 * UTC, shares are 0 to 1, and what is not known is null.
 */
import { z } from 'zod'
import { TERM_NAMES } from '../window/ledger.ts'
import { HISTORY_SERIES, type HistorySeries } from './history-series.ts'

const whole = () => z.int().nonnegative()
const amount = () => z.number().nonnegative()
const share = () => z.number().min(0).max(1)
const time = () => z.iso.datetime()
const text = () => z.string()

/** Quantiles of a histogram, null while nothing has been observed; within a bucket they are interpolated. */
const quantiles = z.object({
  count: whole(),
  p50Seconds: amount().nullable(),
  p95Seconds: amount().nullable(),
  p99Seconds: amount().nullable(),
})

/** Clicks per impression with Wilson's interval of `clickhouse.intervals.level`; null without impressions. */
const ctr = z.object({
  impressions: whole(),
  clicks: whole(),
  ctr: amount().nullable(),
  lowCtr: share().nullable(),
  highCtr: share().nullable(),
  enough: z.boolean().meta({ description: 'Of clickhouse.intervals.minImpressions impressions at least.' }),
})

const histogram = z.object({
  upperBounds: z.array(z.number()).meta({ description: 'Ascending; the last bucket has none.' }),
  counts: z.array(whole()).meta({ description: 'One more than bounds, not cumulative.' }),
  sum: z.number(),
})

const recordCounts = z.object({ read: whole(), ...Object.fromEntries(TERM_NAMES.map((name) => [name, whole()])) } as Readonly<
  Record<'read' | (typeof TERM_NAMES)[number], z.ZodInt>
>)

const reasonCount = z.object({ reason: text(), records: whole() })

/** Something that is the matter, or that nothing is; src/diagnosis finds it. */
const cause = z.object({
  cause: text(),
  subject: text().meta({ description: 'Which one of them: `worker 2`, `clicks/3`; empty when there is one only.' }),
  severity: z.enum(['ok', 'info', 'warning', 'critical']),
  sentence: text(),
  remedy: text(),
  since: time().nullable(),
  trend: z.enum(['better', 'worse', 'steady', 'unknown']),
})

/** What holds the engine back most, by what it waits for; `none` while it keeps up. */
const LIMITS_BY = ['none', 'source', 'main', 'worker', 'sink', 'state', 'held'] as const

const stateSchema = z.object({
  at: time().meta({ description: 'When the numbers were read, all at once.' }),
  name: text(),
  version: text(),
  group: text(),
  tenant: text(),
  clientId: text(),
  startedAt: time(),
  state: z.enum(['starting', 'running', 'draining', 'stopped', 'restarting']),
  ready: z.boolean(),
  reasons: z.array(text()).meta({ description: 'Why it is not ready.' }),
  degraded: z.array(z.object({ code: text(), subject: text(), message: text(), since: time() })),
  held: z.boolean().meta({ description: 'It waits for ClickHouse, the dead letters or Kafka, knowingly.' }),
  restarts: whole(),
  tasks: z.object({ assigned: whole(), total: whole().nullable() }),
  totals: z.object({
    records: recordCounts,
    impressions: whole(),
    clicks: whole(),
    rowsWritten: whole(),
    rowsParked: whole(),
    rowsExpired: whole(),
    sinkRetries: whole(),
    sinkMoves: whole(),
    checkpointFailures: whole(),
    backpressureSeconds: amount(),
  }),
  rates: z
    .object({
      recordsPerSecond: amount(),
      latePerSecond: amount(),
      invalidPerSecond: amount(),
      ignoredPerSecond: amount(),
      rowsPerSecond: amount(),
      backpressureShare: share(),
      spanSeconds: amount(),
    })
    .meta({ description: 'Of the last 10 s, or of as long as there is.' }),
  lastMinute: ctr.meta({ description: 'Of what was counted in the last minute, whatever its event time.' }),
  activeProducts: whole(),
  openPanes: whole(),
  rowsPending: whole(),
  sink: z.object({ insertShare: share().nullable().meta({ description: 'Of the last 10 s, for how much an insert was under way.' }) }),
  diagnosis: z.object({ ...cause.shape, others: z.array(cause) }).meta({ description: 'What to know first, and what else there is.' }),
  lagRecords: whole().nullable(),
  behindSeconds: amount().nullable().meta({ description: 'Of the partition that is furthest behind; see partitions.' }),
  watermark: z.object({ lowest: time().nullable(), lagSeconds: z.number().nullable(), task: whole().nullable() }),
  nextWindow: z
    .object({ start: time(), end: time(), inSeconds: amount() })
    .nullable()
    .meta({ description: 'Whose rows come next, and how much event time is missing until they are due.' }),
  latency: z
    .object({ endToEnd: quantiles, watermarkWait: quantiles, emission: quantiles, insert: quantiles })
    .meta({ description: 'From the record that closes a window to its rows being readable, and its three parts.' }),
  emitDelay: quantiles.meta({ description: 'From the end of a window to the acknowledgement of its first rows.' }),
  flush: quantiles.meta({ description: 'Of one insert, retries included.' }),
  checkpoint: z.object({
    enabled: z.boolean(),
    ageSeconds: amount().nullable(),
    duration: quantiles,
    sizeBytes: whole(),
    cells: whole(),
    pauseSeconds: amount(),
    failures: whole(),
  }),
  workers: z.array(z.object({ worker: whole(), ringFillShare: share(), events: whole(), openPanes: whole(), products: whole() })),
  memory: z.object({ rssBytes: whole(), limitBytes: whole(), stateBytes: whole() }),
  cost: z.object({
    threads: z.array(z.object({ thread: text(), cpuSeconds: amount(), coresUsed: amount() })),
    cpuSecondsPerMillionRecords: amount().nullable(),
  }),
  limitedBy: z.object({ by: z.enum(LIMITS_BY), since: time().nullable(), why: text() }),
  ifItDiedNow: z
    .object({
      recordsAgain: whole().nullable(),
      secondsAgain: amount().nullable(),
      from: z.enum(['checkpoint', 'marks', 'nothing']),
      checkpointId: text().nullable(),
      keptByKafka: z.boolean().nullable().meta({ description: 'Whether Kafka still has what would be read again.' }),
    })
    .meta({ description: 'What a start in its place would read again.' }),
  certificates: z.array(z.object({ key: text(), expiresAt: time() })),
})

const column = z.array(z.number().nullable())

/** What happens on the time axis. */
const EVENT_KINDS = ['start', 'stop', 'restart', 'rebalance', 'savepoint', 'checkpoint', 'outage', 'degraded', 'state'] as const

const timelineEvent = z.object({
  at: time(),
  until: time().nullable().meta({ description: 'When it was over; null of what takes no time, or goes on.' }),
  kind: z.enum(EVENT_KINDS),
  severity: z.enum(['info', 'warning', 'error']),
  message: text(),
})

const historySchema = z.object({
  at: time(),
  span: z.enum(['15m', '6h', '7d']),
  stepSeconds: z.number().positive(),
  from: time().meta({ description: 'Of the first value; each further one is a step later.' }),
  series: z
    .object(Object.fromEntries(HISTORY_SERIES.map((name) => [name, column])) as Record<HistorySeries, typeof column>)
    .meta({ description: 'Null where nothing was running. All are of one length.' }),
  events: z.array(timelineEvent),
})

const partitionSchema = z.object({
  topic: text(),
  partition: whole(),
  task: whole(),
  position: whole().meta({ description: 'Next offset to read.' }),
  endOffset: whole().nullable(),
  lagRecords: whole().nullable(),
  lagWrittenRecords: whole().nullable().meta({ description: 'With the records of transactions that are still open.' }),
  behindSeconds: amount().nullable().meta({ description: 'How long ago the next record to read was the last one there was.' }),
  eventTime: time().nullable().meta({ description: 'The largest event time that is believed.' }),
  watermark: time().nullable(),
  recordsPerSecond: amount(),
  records: recordCounts,
  missingRecords: whole(),
  remade: whole(),
  idle: z.boolean(),
  paused: z.boolean(),
  ended: z.boolean(),
  heardAt: time().nullable(),
})

const partitionsSchema = z.object({
  at: time(),
  partitions: z.array(partitionSchema),
  tasks: z.array(
    z.object({
      task: whole(),
      watermark: time().nullable(),
      lagSeconds: z.number().nullable(),
      heldBy: z
        .object({ topic: text(), partition: whole(), bySeconds: amount().nullable() })
        .nullable()
        .meta({ description: 'The partition without which the task would be further, and by how much.' }),
    }),
  ),
  history: z
    .object({ stepSeconds: z.number().positive(), from: time(), recordsPerSecond: column, lagRecords: column, watermarkLagSeconds: column })
    .nullable()
    .meta({ description: 'Of the partition that was asked for by topic and partition.' }),
})

const windowsSchema = z.object({
  at: time(),
  windows: z.array(z.object({ ...ctr.shape, start: time(), end: time(), products: whole(), lastWrittenAt: time() })),
})

const product = z.object({
  ...ctr.shape,
  productId: text(),
  previous: ctr.nullable().meta({ description: 'Of the span before, of the same length.' }),
  changed: z.enum(['up', 'down']).nullable().meta({ description: 'Null unless the two intervals part.' }),
})

const productsSchema = z.object({
  at: time(),
  shown: z.enum(['show', 'hash', 'hide']).meta({ description: 'As ui.products says.' }),
  from: time(),
  to: time(),
  intervalLevel: share(),
  products: z.array(product),
})

const productSchema = z.object({
  at: time(),
  productId: text(),
  windows: z.array(
    z.object({
      ...ctr.shape,
      start: time(),
      end: time(),
      versions: z.array(z.object({ task: whole(), revision: whole(), impressions: whole(), clicks: whole(), emittedAt: time() })),
    }),
  ),
})

const checkpointsSchema = z.object({
  at: time(),
  enabled: z.boolean(),
  storage: text(),
  checkpoints: z.array(
    z.object({
      id: text(),
      savepoint: text().nullable(),
      writer: text(),
      createdAt: time(),
      watermark: time().nullable(),
      tasks: whole(),
      windows: whole(),
      cells: whole(),
      sizeBytes: whole(),
    }),
  ),
  unreadable: z.array(text()),
})

const deadLettersSchema = z.object({
  at: time(),
  reasons: z.array(z.object({ reason: text(), records: whole(), leftOutRecords: whole() })),
  samples: z.array(
    z.object({
      at: time(),
      reason: text(),
      topic: text(),
      partition: whole(),
      offset: whole(),
      detail: text().nullable(),
      masked: text()
        .nullable()
        .meta({ description: 'How the record looks: names of fields, all other letters as a, digits as 0; at most 200 characters.' }),
      byteAtFault: whole().nullable(),
    }),
  ),
})

const ledgerSchema = z.object({
  at: time(),
  totals: recordCounts,
  partitions: z.array(z.object({ topic: text(), partition: whole(), records: recordCounts, unaccountedRecords: z.int() })),
  minutes: z
    .array(
      z.object({
        minute: time(),
        read: whole(),
        counted: whole(),
        late: whole(),
        invalid: whole(),
        unaccounted: z.int(),
        windowEvents: whole(),
        resultEvents: whole(),
        missing: z.int(),
        balanced: z.boolean(),
      }),
    )
    .nullable()
    .meta({ description: 'Of ClickHouse; null when it does not answer.' }),
})

const qualitySchema = z.object({
  at: time(),
  topics: z.array(
    z.object({
      topic: text(),
      records: whole(),
      lateRecords: whole(),
      lateness: histogram.meta({
        description: "Events behind their window's end: its partition's watermark less that end, seconds. Events in time are not in it.",
      }),
    }),
  ),
  allowedLatenessSeconds: amount(),
  invalid: z.array(reasonCount),
  tolerated: z.array(z.object({ kind: text(), records: whole() })),
  windowCtr: histogram.meta({ description: 'CTR of the windows of products at their first emission.' }),
  skew: z.object({
    workers: amount().nullable().meta({ description: 'Events of the busiest worker over the mean of all.' }),
    partitions: amount().nullable().meta({ description: 'Records of the busiest partition over the mean of all.' }),
  }),
  hotProducts: z
    .array(z.object({ ...ctr.shape, productId: text(), share: share().meta({ description: 'Of all events of the windows.' }) }))
    .nullable()
    .meta({ description: 'Of the last five minutes, by ClickHouse; null when it does not answer.' }),
})

const configSchema = z.object({
  at: time(),
  version: text(),
  node: text(),
  keys: z.array(z.object({ key: text(), value: z.unknown(), isDefault: z.boolean() })).meta({ description: 'Secrets are masked.' }),
})

const eventsSchema = z.object({ at: time(), events: z.array(timelineEvent) })

/** What is answered with a status of 400 and above. */
export const refusalSchema = z.object({ error: text(), remedy: text().optional() })

/** By the name of the route. */
export const API_ANSWERS = {
  state: stateSchema,
  history: historySchema,
  partitions: partitionsSchema,
  windows: windowsSchema,
  products: productsSchema,
  product: productSchema,
  checkpoints: checkpointsSchema,
  deadLetters: deadLettersSchema,
  ledger: ledgerSchema,
  quality: qualitySchema,
  config: configSchema,
  events: eventsSchema,
} as const

/** A route of `/api/v1`. */
export type ApiName = keyof typeof API_ANSWERS
/** Its answer. */
export type ApiAnswer<Name extends ApiName> = z.output<(typeof API_ANSWERS)[Name]>
