/**
 * The configuration: every key with its unit, range, default and meaning. Durations are ms and sizes are bytes once parsed.
 * Rules between keys are in rules.ts; reading files and the environment is load.ts.
 */
import { z } from 'zod'
import {
  choice,
  defaulted,
  duration,
  durationWithoutDefault,
  flag,
  integer,
  integerOrAuto,
  integerOrUnlimited,
  list,
  pem,
  size,
  text,
  time,
} from './fields.ts'
import { CLIENT_ID_DEFAULT, LIMITS } from './limits.ts'

const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/** Where an embedded ClickHouse keeps its data when neither `clickhouse.url` nor `clickhouse.embedded` is given. */
const EMBEDDED_DEFAULT = './.ctr/clickhouse'
/** Where dead letters go when neither `deadLetter.topic` nor `deadLetter.file` is given. */
const DEAD_LETTER_TOPIC_DEFAULT = 'ctr-dead-letters'

/** Where checkpoints go when `checkpoint.storage` isn't given. */
const CHECKPOINT_STORAGE_DEFAULT = './.ctr/checkpoints'

const MAX_DRIFT_DEFAULT_MS = MINUTE

const topicName = (description: string) =>
  text(description, {
    max: LIMITS.topicNameMaxLength,
    pattern: /^(?!\.{1,2}$)[A-Za-z0-9._-]+$/,
    remedy: "use Kafka's letters: a-z, A-Z, 0-9, dot, dash and underscore",
  })

const broker = text('A broker to start from.', {
  pattern: /^(\[[0-9A-Fa-f:.]+\]|[^\s:/[\]]+):(6553[0-5]|655[0-2]\d|65[0-4]\d{2}|6[0-4]\d{3}|[1-5]\d{4}|[1-9]\d{0,3})$/,
  remedy: 'write host:port, for example localhost:9092',
})

const tlsFields = {
  ca: pem('Certificate authorities to trust, PEM (path or content). Default: those of the system.').optional(),
  cert: pem('Client certificate, PEM (path or content).').optional(),
  key: pem('Private key of the client certificate, PEM (path or content).', true).optional(),
  rejectUnauthorized: flag("Refuse a server whose certificate doesn't verify.", true),
}

const sasl = z.strictObject({
  mechanism: choice('How to authenticate.', ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512']),
  username: text('User name.'),
  password: text('Password.', { secret: true }),
})

const security = z.strictObject({
  protocol: defaulted(choice('How to talk to the brokers.', ['PLAINTEXT', 'SSL', 'SASL_PLAINTEXT', 'SASL_SSL']), 'PLAINTEXT', 'PLAINTEXT'),
  sasl: sasl.optional().meta({ description: 'Authentication; required by SASL_PLAINTEXT and SASL_SSL.' }),
  ssl: z.strictObject(tlsFields).optional().meta({ description: 'TLS; only with SSL and SASL_SSL.' }),
})

const topic = z.strictObject({
  name: topicName('The name of the topic.'),
  format: defaulted(choice('How its records are encoded.', ['json']), 'json', 'json'),
})

/** A topic may be given by its name alone. */
const topicOrName = z.preprocess((input) => (typeof input === 'string' ? { name: input } : input), topic)

const kafka = z.strictObject({
  brokers: list('Brokers to start from; the others are found through them.', broker, ['localhost:9092'], 100),
  clientId: defaulted(
    text('Name of this process to the brokers. Let the processes of a group have different ones: a crash then costs no session timeout.', {
      max: 249,
    }),
    CLIENT_ID_DEFAULT,
    CLIENT_ID_DEFAULT,
  ),
  groupId: defaulted(text('Consumer group; processes of the same group share the partitions.', { max: 249 }), 'ctr', 'ctr'),
  topics: list(
    'Input topics. They must be co-partitioned: partition i of each belongs together.',
    topicOrName,
    [
      { name: 'impressions', format: 'json' },
      { name: 'clicks', format: 'json' },
    ],
    LIMITS.topicsMax,
  ),
  startFrom: defaulted(
    choice('Where to begin; committed falls back to earliest for a partition without a committed offset.', [
      'committed',
      'earliest',
      'latest',
      'timestamp',
    ]),
    'committed',
    'committed',
  ),
  startTimestamp: time('First record time to read; only with startFrom: timestamp.', LIMITS.eventTimeEndMs).optional(),
  fetchBytesPerPartition: size('Most bytes fetched at once from a partition.', '2MiB', {
    min: LIMITS.fetchMinBytes,
    max: LIMITS.fetchMaxBytes,
  }),
  maxWait: duration('How long a broker may hold a fetch that finds nothing.', '100ms', { min: 1, max: 30 * SECOND }),
  sessionTimeout: duration('A member that is silent for so long is taken for dead.', '30s', { min: 6 * SECOND, max: 30 * MINUTE }),
  metadataMaxAge: duration('How soon new partitions are noticed.', '30s', { min: 100, max: HOUR }),
  commitInterval: duration('How often offsets are committed.', '1s', { min: 50, max: 5 * MINUTE }),
  connectionTimeout: duration('Limit on connecting to a broker.', '10s', { min: 100, max: 5 * MINUTE }),
  requestTimeout: duration('Limit on one request to a broker.', '30s', { min: SECOND, max: 10 * MINUTE }),
  checkCrc: flag('Verify the CRC-32C of every record batch (0.15 ns a byte in batches of 256 KiB, 1 ns in small ones).', false),
  onCorruptBatch: defaulted(
    choice('At bytes that are no whole record batch: stop with an error, or dead-letter them and go on.', ['stop', 'skip']),
    'stop',
    'stop',
  ),
  security: security.prefault({}).meta({ description: 'Encryption and authentication.' }),
})

const windowSection = z.strictObject({
  type: defaulted(choice('Kind of window.', ['tumbling']), 'tumbling', 'tumbling'),
  size: duration('Length of a window; windows are aligned to the epoch.', '10s', { min: LIMITS.windowMinMs, max: LIMITS.windowMaxMs }),
})

const timeSection = z.strictObject({
  outOfOrderness: duration('How far behind the newest event of its partition an event may be without being late.', '5s', {
    min: 0,
    max: 30 * DAY,
  }),
  allowedLateness: duration('How long after its end a window can still be corrected.', '5s', { min: 0, max: 30 * DAY }),
  idleTimeout: duration('A partition without new records for so long no longer holds the watermark back.', '30s', { min: 100, max: DAY }),
  futureTolerance: duration("How far an event's time may be ahead of its Kafka record's; beyond that it is invalid.", '1m', {
    min: 0,
    max: 30 * DAY,
  }),
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

const clickhouse = z
  .strictObject({
    url: text('HTTP(S) address of a ClickHouse server. Without it ClickHouse runs embedded.', {
      pattern: /^https?:\/\/[^/@\s]+\/?$/,
      remedy: 'write http://host:8123 or https://host:8443; user, password and database have keys of their own',
    }).optional(),
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
    applySchema: flag('Create the tables and views that are missing when the pipeline starts.', true),
  })
  .transform((section) => (section.url === undefined ? { ...section, embedded: section.embedded ?? EMBEDDED_DEFAULT } : section))

const deadLetter = z
  .strictObject({
    topic: topicName("Kafka topic for input that can't be counted; created when missing.").optional(),
    file: text('File for it instead, one JSON line each.', { max: 4096 }).optional(),
  })
  .transform((section) => (section.file === undefined ? { ...section, topic: section.topic ?? DEAD_LETTER_TOPIC_DEFAULT } : section))

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

const sections = z.strictObject({
  tenant: defaulted(
    text('Written in every row, so that several installations can share a table.', { max: LIMITS.tenantMaxBytes }),
    'default',
    'default',
  ),
  kafka: kafka.prefault({}).meta({ description: 'Where events come from.' }),
  window: windowSection.prefault({}).meta({ description: 'What is counted together.' }),
  time: timeSection.prefault({}).meta({ description: 'Event time, disorder and lateness.' }),
  engine: engine.prefault({}).meta({ description: 'Threads and memory.' }),
  state: z
    .strictObject({ ttl: duration('A product not seen for so long is forgotten.', '1h', { min: SECOND, max: 365 * DAY }) })
    .prefault({})
    .meta({ description: 'What is kept in memory.' }),
  clickhouse: clickhouse.prefault({}).meta({ description: 'Where results go.' }),
  sink: z
    .strictObject({
      revision: integer('Raise it to let a backfill override rows written before.', 0, { min: 0, max: LIMITS.revisionMax }),
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
  http: z
    .strictObject({
      host: defaulted(text('Address to listen on; 0.0.0.0 for all.', { max: 253 }), '127.0.0.1', '127.0.0.1'),
      port: integer('Port of /livez, /readyz and /metrics; 0 takes a free one.', 9464, { min: 0, max: 65_535 }),
      token: text('Bearer token that savepoint requests must carry; without it they are taken from the loopback only.', {
        secret: true,
        min: 8,
      }).optional(),
    })
    .prefault({})
    .meta({ description: 'Health and metrics.' }),
  log: z
    .strictObject({
      level: defaulted(
        choice('Least important level to log.', ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']),
        'info',
        'info',
      ),
      pretty: flag('Lines for people instead of JSON.', false),
    })
    .prefault({})
    .meta({ description: 'Logs, on stderr.' }),
  shutdown: z
    .strictObject({ timeout: duration('Limit on draining and flushing after SIGTERM.', '30s', { min: 100, max: HOUR }) })
    .prefault({})
    .meta({ description: 'The end of a run.' }),
})

/** The whole configuration. Parsing `{}` gives the defaults. */
export const configSchema = sections.transform((config) => ({
  ...config,
  time: { ...config.time, maxDrift: config.time.maxDrift ?? Math.max(MAX_DRIFT_DEFAULT_MS, config.window.size) },
}))

/** The configuration as the engine reads it: durations in ms, sizes in bytes, PEM content in place of paths; frozen. */
export type Config = z.output<typeof configSchema>
