/**
 * The configuration: every key with its unit, range, default and meaning. Durations are ms and sizes are bytes once parsed.
 * Rules between keys are in rules.ts; reading files and the environment is load.ts.
 */
import { z } from 'zod'
import { CALENDAR_LONGEST_MS, CALENDAR_UNITS, WEEKDAYS } from './calendar.ts'
import { eventsSection } from './events-section.ts'
import {
  choice,
  defaulted,
  duration,
  durationOrOff,
  durationWithoutDefault,
  flag,
  flagWithoutDefault,
  integer,
  integerOrAuto,
  integerOrUnlimited,
  integerWithoutDefault,
  level,
  listWithoutDefault,
  size,
  text,
  time,
  tlsFields,
} from './fields.ts'
import { httpSection, uiSection } from './http-section.ts'
import { kafkaSection, topicName } from './kafka-section.ts'
import { LIMITS } from './limits.ts'
import { privacySection } from './privacy-section.ts'
import { registrySection } from './registry-section.ts'
import { DAY, HOUR, MINUTE, SECOND } from './units.ts'

/** Where an embedded ClickHouse keeps its data when neither `clickhouse.url` nor `clickhouse.embedded` is given. */
const EMBEDDED_DEFAULT = './.ctr/clickhouse'
/** Where dead letters go when neither `deadLetter.topic` nor `deadLetter.file` is given. */
const DEAD_LETTER_TOPIC_DEFAULT = 'ctr-dead-letters'

/** Where checkpoints go when `checkpoint.storage` isn't given. */
const CHECKPOINT_STORAGE_DEFAULT = './.ctr/checkpoints'

/** What ids that products.match leaves out are counted as. */
const PRODUCTS_OTHER_DEFAULT = '__other__'

const MAX_DRIFT_DEFAULT_MS = MINUTE

const windowSection = z.strictObject({
  type: defaulted(
    choice('Kind of window: end to end, overlapping, or of the calendar.', ['tumbling', 'sliding', 'calendar']),
    'tumbling',
    'tumbling',
  ),
  size: duration('Length of a window; windows are aligned to the epoch. Not with window.type: calendar.', '10s', {
    min: LIMITS.windowMinMs,
    max: LIMITS.windowMaxMs,
  }),
  slide: durationWithoutDefault('From the start of a window to that of the next; with window.type: sliding.', {
    min: LIMITS.windowMinMs,
    max: LIMITS.windowMaxMs,
  }).optional(),
  offset: durationWithoutDefault('By how much windows begin after a multiple of their length since the epoch. Default: 0.', {
    min: 0,
    max: LIMITS.windowMaxMs,
  }).optional(),
  unit: choice('What a window is with window.type: calendar.', CALENDAR_UNITS).optional(),
  zone: defaulted(text('Time zone of the calendar, as in the IANA database.', { max: 64 }), 'UTC', 'UTC'),
  weekStart: defaulted(choice('Day that a week of the calendar begins with.', WEEKDAYS), 'monday', 'monday'),
})

const timeSection = z.strictObject({
  outOfOrderness: duration('How far behind the newest event of its partition an event may be without being late.', '5s', {
    min: 0,
    max: 30 * DAY,
  }),
  allowedLateness: duration('How long after its end a window can still be corrected.', '5s', { min: 0, max: 30 * DAY }),
  openTransaction: z
    .strictObject({
      hold: duration(
        'A transaction that is open holds the watermark for so long; then its partition counts as idle, and that is told.',
        '15m',
        {
          min: 0,
          max: DAY,
        },
      ),
    })
    .prefault({})
    .meta({ description: 'Records that producers have written and not committed yet.' }),
  idleTimeout: duration('A partition without new records for so long no longer holds the watermark back.', '30s', { min: 100, max: DAY }),
  futureTolerance: duration(
    "How far an event's time may be ahead of when the broker appended it, or else of its Kafka record's time; beyond that it is invalid.",
    '1m',
    { min: 0, max: 30 * DAY },
  ),
  maxJump: durationOrOff(
    'An event further ahead of its partition is counted, but moves the watermark only when most of the next 32 events agree.',
    '10m',
    { min: SECOND, max: 365 * DAY },
  ),
  oldest: defaulted(
    time('Earliest instant that an event may have; before it the event is invalid.', LIMITS.eventTimeEndMs),
    Date.UTC(2000, 0, 1),
    '2000-01-01T00:00:00Z',
  ),
  wallClockGuard: durationOrOff(
    "An event further ahead of this machine's clock is invalid. With it, a result depends on when records are read.",
    'off',
    { min: 0, max: 365 * DAY },
  ),
  maxDrift: durationWithoutDefault(
    "How far a partition may run ahead of its task's watermark before it is paused. Default: 1m, or window.size when that is longer.",
    { min: 1, max: 365 * DAY },
  ).optional(),
})

const engine = z.strictObject({
  workers: integerOrAuto('Worker threads; auto takes the cores that the main and the sink thread leave.', {
    min: 1,
    max: LIMITS.workersMax,
  }),
  ringBytes: size('Size of the ring to each worker; rounded up to a power of two.', '4MiB', {
    min: LIMITS.ringMinBytes,
    max: LIMITS.ringMaxBytes,
  }),
})

/** Rows go by event time, but those of `recent`, which go by when they came. */
const retentionSection = z.strictObject({
  results: durationOrOff('Rows of windows (ctr_results) go so long after their window; off keeps them.', 'off', {
    min: DAY,
    max: 36_500 * DAY,
  }),
  recent: durationOrOff('Rows of ctr_recent go so long after they came.', '2d', { min: HOUR, max: 365 * DAY }),
  minutely: durationOrOff('Rows of ctr_minutely go so long after their minute.', 'off', { min: 2 * DAY, max: 36_500 * DAY }),
  hourly: durationOrOff('Rows of ctr_hourly go so long after their hour.', 'off', { min: 3 * DAY, max: 36_500 * DAY }),
  daily: durationOrOff('Rows of ctr_daily go so long after their day.', 'off', { min: 70 * DAY, max: 36_500 * DAY }),
  emissions: durationOrOff('Rows of ctr_emissions (sink.history) go so long after their window.', '30d', { min: DAY, max: 36_500 * DAY }),
  ledger: durationOrOff('Rows of the ledger go so long after they were written.', 'off', { min: 2 * DAY, max: 36_500 * DAY }),
})

const rollUpsSection = z.strictObject({
  interval: durationOrOff('How often minutes, their totals and newest windows are computed; off leaves it to other processes.', '1m', {
    min: SECOND,
    max: HOUR,
  }),
})

const intervalsSection = z.strictObject({
  level: level('Level of the intervals that CTRs lie in, in views, API and page.', 0.95),
  minImpressions: integer('With fewer impressions the views say that a CTR does not know enough.', 1000, { min: 0, max: 1_000_000_000 }),
})

const clickhouse = z
  .strictObject({
    url: listWithoutDefault(
      'HTTP(S) address of a ClickHouse server, or several: the first that answers is used. Without it ClickHouse runs embedded.',
      text('Address.', {
        pattern: /^https?:\/\/[^/@\s]+\/?$/,
        remedy: 'write http://host:8123 or https://host:8443; user, password and database have keys of their own',
      }),
      LIMITS.clickHouseUrlsMax,
    ).optional(),
    cluster: text('Cluster of the servers, by its name in system.clusters: tables are replicated, and sharded by tenant and product.', {
      max: 128,
      pattern: /^[A-Za-z0-9_.-]+$/,
      remedy: 'use the name that `SELECT DISTINCT cluster FROM system.clusters` shows',
    }).optional(),
    singleServer: flag(
      'Says of a server that belongs to a cluster that url leads to it alone, always: tables are on that server only.',
      false,
    ),
    embedded: text('Directory of the embedded ClickHouse.', { max: 4096 }).optional(),
    database: defaulted(
      text('Database of the tables.', { max: 64, pattern: /^[A-Za-z_][A-Za-z0-9_]*$/, remedy: 'use letters, digits and underscore' }),
      'ctr',
      'ctr',
    ),
    username: defaulted(text('User name.'), 'default', 'default'),
    password: defaulted(text('Password.', { min: 0, secret: true }), '', ''),
    tls: z.strictObject(tlsFields).optional().meta({ description: 'TLS; only with an https:// url.' }),
    batchRows: integer('Most rows in one insert.', 100_000, { min: 1, max: LIMITS.batchRowsMax }),
    flushInterval: duration('How long a row waits at most for others to share its insert.', '200ms', { min: 1, max: 5 * MINUTE }),
    maxRetries: integer('Failures in a row after which trouble is reported; rows are kept and tried on, never dropped.', 10, {
      min: 0,
      max: 1000,
    }),
    requestTimeout: duration('Limit on one request.', '30s', { min: 100, max: HOUR }),
    compression: flag('gzip the inserts: less network, more CPU.', false),
    applySchema: flag('Create, extend and migrate the tables and views when the pipeline starts.', true),
    rollUps: rollUpsSection.prefault({}).meta({ description: 'What the engine computes of its results in ClickHouse.' }),
    intervals: intervalsSection.prefault({}).meta({ description: 'How sure a CTR is; views are made anew when it changes.' }),
    retention: retentionSection.prefault({}).meta({ description: 'For how long rows are kept; `ctr schema apply` changes it.' }),
  })
  .transform((section) => (section.url === undefined ? { ...section, embedded: section.embedded ?? EMBEDDED_DEFAULT } : section))

const retentionOfLetters = (key: string) =>
  durationOrOff(`For how long ${key} keeps its records when it is created; off: as the broker says.`, '14d', {
    min: HOUR,
    max: 36_500 * DAY,
  })

const deadLetter = z
  .strictObject({
    topic: topicName("Kafka topic for input that can't be counted; created when missing.").optional(),
    file: text("File for what can't be counted, in place of deadLetter.topic; one JSON line each.", { max: 4096 }).optional(),
    perReason: integerOrUnlimited(
      'How many dead letters of a reason are kept of a partition in a minute, or unlimited; the rest is counted only.',
      { min: 0, max: 1_000_000_000 },
      1_000,
    ),
    retention: retentionOfLetters('deadLetter.topic'),
  })
  .transform((section) => (section.file === undefined ? { ...section, topic: section.topic ?? DEAD_LETTER_TOPIC_DEFAULT } : section))

const lateSection = z.strictObject({
  topic: topicName('Kafka topic for events that come too late to be counted; created when missing.').optional(),
  file: text('File for events that come too late, in place of late.topic; one JSON line each.', { max: 4096 }).optional(),
  retention: retentionOfLetters('late.topic'),
})

const checkpoint = z.strictObject({
  interval: duration('How often a checkpoint is taken.', '10s', { min: 100, max: DAY }),
  timeout: duration('A checkpoint that is not complete after so long is given up; the next one is tried.', '10m', {
    min: SECOND,
    max: DAY,
  }),
  minPause: duration('Least time between the end of a checkpoint and the next one.', '500ms', { min: 0, max: DAY }),
  storage: defaulted(
    text('Where checkpoints are kept: a directory, file:///directory, s3://bucket/prefix, or none.', {
      max: 4096,
      pattern: /^(?:none|s3:\/\/[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](?:\/\S*)?|file:\/\/\/.*|(?![A-Za-z][A-Za-z0-9+.-]*:\/\/).*)$/,
      remedy: 'write a directory, file:///directory, s3://bucket/prefix, or none',
    }),
    CHECKPOINT_STORAGE_DEFAULT,
    CHECKPOINT_STORAGE_DEFAULT,
  ),
  retain: integer('How many checkpoints of a task are kept.', 3, { min: 1, max: 1000 }),
  tolerableFailures: integerOrUnlimited('After more failed checkpoints in a row than this, the pipeline is restarted.', {
    min: 0,
    max: 1_000_000,
  }),
  savepointOnStop: flag('Take a savepoint on SIGTERM, so that the next start reads nothing twice.', true),
  s3: z
    .strictObject({
      endpoint: text("Address of the S3 server; AWS's own when not given.", {
        pattern: /^https?:\/\/[^/@\s]+\/?$/,
        remedy: 'write http://host:9000 or https://host',
      }).optional(),
      region: defaulted(text('Region.', { max: 64 }), 'us-east-1', 'us-east-1'),
      pathStyle: flag('Put the bucket into the path instead of the host name; most servers but AWS want it.', false),
      accessKeyId: text('Access key. Default: the credentials chain of the AWS SDK.', { secret: true }).optional(),
      secretAccessKey: text('Secret key.', { secret: true }).optional(),
    })
    .prefault({})
    .meta({ description: 'The S3 server of an s3:// storage.' }),
})

const products = z.strictObject({
  match: z
    .strictObject({
      pattern: text('Regular expression that an id matches somewhere; ^ and $ for all of it.', { max: 1024 }).optional(),
      maxLength: integerWithoutDefault(
        'Longest id, UTF-8 bytes; longer ones count as products.other.',
        { min: 1, max: LIMITS.productIdMaxBytes },
        64,
      ).optional(),
      list: listWithoutDefault(
        'The ids there are; others count as products.other.',
        text('An id.', { max: LIMITS.productIdMaxBytes }),
        LIMITS.productListMax,
      ).optional(),
    })
    .optional()
    .meta({ description: 'What an id must be, all that is given of it, to be counted for itself. Others are counted as products.other.' }),
  other: defaulted(
    text('The product that ids which products.match leaves out are counted as.', { max: LIMITS.productIdMaxBytes }),
    PRODUCTS_OTHER_DEFAULT,
    PRODUCTS_OTHER_DEFAULT,
  ),
})

const sections = z.strictObject({
  tenant: defaulted(
    text('Written in every row, so that several installations can share a table.', { max: LIMITS.tenantMaxBytes }),
    'default',
    'default',
  ),
  kafka: kafkaSection.prefault({}).meta({ description: 'Where events come from.' }),
  events: eventsSection.prefault({}).meta({ description: 'Where the values of events are, and what they mean.' }),
  schemaRegistry: registrySection
    .prefault({})
    .meta({ description: 'Where the schemas of records are; only formats that name one ask it.' }),
  window: windowSection.prefault({}).meta({ description: 'What is counted together.' }),
  time: timeSection.prefault({}).meta({ description: 'Event time, disorder and lateness.' }),
  engine: engine.prefault({}).meta({ description: 'Threads and memory.' }),
  state: z
    .strictObject({
      ttl: duration('A product not seen for so long is forgotten.', '1h', { min: SECOND, max: 365 * DAY }),
      maxProducts: integerOrAuto(
        'Products in memory at a time; at the bound reading waits. auto: as many as the memory of the container or machine has room for.',
        { min: 1, max: LIMITS.productsMax },
      ),
    })
    .prefault({})
    .meta({ description: 'What is kept in memory.' }),
  products: products.prefault({}).meta({ description: 'Which products are counted for themselves; all, when nothing is given.' }),
  clickhouse: clickhouse.prefault({}).meta({ description: 'Where results go.' }),
  sink: z
    .strictObject({
      revision: integer('Raise it by one to let a backfill override rows written before: of a window the highest one counts.', 0, {
        min: 0,
        max: LIMITS.revisionMax,
      }),
      revisionFrom: time(
        'Windows that start at this time or later carry sink.revision, earlier ones the revision before. ' +
          'Default: all, or with kafka.startFrom: timestamp those from the one that holds kafka.startTimestamp.',
        LIMITS.eventTimeEndMs,
      ).optional(),
      history: flag('Keep every version of each row that is written, for ctr_results_as_of.', false),
      emitInterval: duration('How often a window that late events changed is written again.', '1s', { min: 10, max: HOUR }),
    })
    .prefault({})
    .meta({ description: 'How results are written.' }),
  checkpoint: checkpoint.prefault({}).meta({ description: 'State to start from after a crash, a deploy or a rebalance.' }),
  restart: z
    .strictObject({
      attempts: integer('How often the pipeline is restarted inside the process, within restart.window, before the process gives up.', 3, {
        min: 0,
        max: 1000,
      }),
      delay: duration('Pause before a restart.', '10s', { min: 0, max: HOUR }),
      window: duration('Failures further apart than this are counted anew.', '10m', { min: SECOND, max: 30 * DAY }),
    })
    .prefault({})
    .meta({ description: 'What happens when the pipeline fails.' }),
  watchdog: z
    .strictObject({
      stallTimeout: duration('Lag without progress for so long: reconnect; twice as long: not ready; three times: fail.', '1m', {
        min: SECOND,
        max: DAY,
      }),
    })
    .prefault({})
    .meta({ description: 'What happens when nothing happens.' }),
  deadLetter: deadLetter.prefault({}).meta({ description: "Where input goes that can't be counted." }),
  late: lateSection.prefault({}).meta({ description: 'Where late events go; without either key they are counted only.' }),
  privacy: privacySection.prefault({}).meta({ description: 'What leaves of what records hold, in letters, logs, page and API.' }),
  http: httpSection.prefault({}).meta({ description: 'Health, metrics, API and page, and who may ask.' }),
  ui: uiSection.prefault({}).meta({ description: 'What API and page show.' }),
  log: z
    .strictObject({
      level: defaulted(
        choice('Least important level to log.', ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']),
        'info',
        'info',
      ),
      pretty: flagWithoutDefault(
        'Lines for people instead of JSON. When not set: on a terminal, where the view stands below them.',
      ).optional(),
    })
    .prefault({})
    .meta({ description: 'Logs, on stderr.' }),
  shutdown: z
    .strictObject({ timeout: duration('Limit on draining and flushing after SIGTERM.', '30s', { min: 100, max: HOUR }) })
    .prefault({})
    .meta({ description: 'The end of a run.' }),
})

/** The whole configuration. Parsing `{}` gives the defaults. */
export const configSchema = sections.transform((parsed) => {
  const { window } = parsed
  const size = window.type === 'calendar' ? CALENDAR_LONGEST_MS[window.unit ?? 'day'] : window.size
  const config = { ...parsed, window: { ...window, size } }
  return {
    ...config,
    time: { ...config.time, maxDrift: config.time.maxDrift ?? Math.max(MAX_DRIFT_DEFAULT_MS, size) },
    sink: { ...config.sink, revisionFrom: config.sink.revisionFrom ?? backfilledFrom(config) },
  }
})

/** What is read from a point in time on is counted whole from the window on that holds it; see sourceOptions. */
function backfilledFrom({ kafka, window, sink }: z.output<typeof sections>): number | undefined {
  if (sink.revision === 0 || kafka.startFrom !== 'timestamp' || kafka.startTimestamp === undefined) return undefined
  return Math.max(0, kafka.startTimestamp - window.size + 1)
}

/** The configuration as the engine reads it: durations in ms, sizes in bytes, PEM content in place of paths; frozen. */
export type Config = z.output<typeof configSchema>
