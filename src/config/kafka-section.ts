/** What the configuration says of Kafka. Durations are ms and sizes are bytes once parsed. */
import { z } from 'zod'
import { topicEventsSection } from './events-section.ts'
import { choice, defaulted, duration, flag, list, size, text, time, tlsFields } from './fields.ts'
import { CLIENT_ID_DEFAULT, LIMITS } from './limits.ts'
import { HOUR, MINUTE, SECOND } from './units.ts'

/** A topic's name, described. */
export const topicName = (description: string) =>
  text(description, {
    max: LIMITS.topicNameMaxLength,
    pattern: /^(?!\.{1,2}$)[A-Za-z0-9._-]+$/,
    remedy: "use Kafka's letters: a-z, A-Z, 0-9, dot, dash and underscore",
  })

const broker = text('A broker to start from.', {
  pattern: /^(\[[0-9A-Fa-f:.]+\]|[^\s:/[\]]+):(6553[0-5]|655[0-2]\d|65[0-4]\d{2}|6[0-4]\d{3}|[1-5]\d{4}|[1-9]\d{0,3})$/,
  remedy: 'write host:port, for example localhost:9092',
})

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
  format: defaulted(choice('How its records are encoded.', ['json', 'avro', 'json-schema', 'protobuf']), 'json', 'json'),
  framing: choice(
    "What names a value's schema before it; auto tells it by the first bytes. By default auto, and none with a file as schemaFile.",
    ['auto', 'confluent', 'glue', 'apicurio', 'none'],
  ).optional(),
  schemaFile: text(
    'In place of a registry, a file with the schema of all its records (.avsc, .proto), or a folder with a file for each schema ' +
      'that they name: 17.avsc, UUID.avsc.',
    { max: 4096 },
  ).optional(),
  schemaMessage: text('Name of the Protobuf message in schemaFile; by default its first.', { max: 512 }).optional(),
  events: topicEventsSection.optional().meta({ description: 'What `events` says otherwise of this topic.' }),
})

/** A topic may be given by its name alone. */
const topicOrName = z.preprocess((input) => (typeof input === 'string' ? { name: input } : input), topic)

/** The section `kafka`. */
export const kafkaSection = z.strictObject({
  brokers: list('Brokers to start from; the others are found through them.', broker, ['localhost:9092'], 100),
  clientId: defaulted(
    text('Name of this process to the brokers, for quotas and logs; as a member of its group it adds where it runs.', {
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
    choice('Where a group begins with a topic of which it has no offset and nothing kept; committed is earliest. Not for restarts.', [
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
  maxBatchBytes: size('Most bytes that a compressed record batch may decompress to; a larger one becomes one dead letter.', '64MiB', {
    min: LIMITS.batchMinBytes,
    max: LIMITS.batchMaxBytes,
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
  onUnequalPartitions: defaulted(
    choice('At topics that differ in their number of partitions: stop with an error, or read them all the same.', ['stop', 'read']),
    'stop',
    'stop',
  ),
  security: security.prefault({}).meta({ description: 'Encryption and authentication.' }),
})
