/**
 * Every bound of the engine in one place, with the relations between them asserted when the module loads.
 * A limit protects memory or a format; what a user may tune is configuration (schema.ts), within these limits.
 */
import { assert } from '../assert.ts'

/** The bounds, by name; the unit is the last word. */
export const LIMITS = {
  /** UTF-8 bytes of a product id; longer ones are invalid events. */
  productIdMaxBytes: 256,
  /** Bytes of an event, a record's value. The plain parser makes objects of it, which may take twenty times as much. */
  eventMaxBytes: 8 * 1024 * 1024,
  /** Bytes of a learned shape's literals, white space included: they are compiled, a microsecond and a half each. */
  shapeLiteralsMaxBytes: 4 * 1024,
  /** Headers of a record that leaves the engine. */
  headersMax: 1000,
  /** UTF-8 bytes of what a member of the group says of itself. */
  memberFactsMaxBytes: 1024 * 1024,
  /** Characters of an error's message; servers put whole documents into theirs. */
  messageMaxLength: 8 * 1024,
  /** Characters of why an input or a schema is refused, which may quote names of a schema. A dead letter has them. */
  detailMaxLength: 1024,
  /** Bytes of a response's memory that is kept for the next one; a fetch has 16 MiB and its length. */
  frameKeptMaxBytes: 32 * 1024 * 1024,
  /** UTF-8 bytes of the tenant, repeated in every row. */
  tenantMaxBytes: 128,
  /** Elements of a record's array; each may be an impression and a click. */
  eventsPerRecordMax: 10_000,
  /** Bytes of a ring that the events of an element may take, and those that a record may take besides. */
  elementRingBytes: 160,
  recordRingBytes: 32 * 1024,
  /** Products in memory: with the bit of a measure an id is a positive Int32, in a worker of its own. */
  productsMax: 2 ** 29,
  /** Ids that a configuration lists. */
  productListMax: 100_000,
  topicsMax: 64,
  /** Kafka's own limit on a topic's name. */
  topicNameMaxLength: 249,
  workersMax: 64,
  ringMinBytes: 64 * 1024,
  ringMaxBytes: 1024 * 1024 * 1024,
  fetchMinBytes: 4 * 1024,
  fetchMaxBytes: 256 * 1024 * 1024,
  /** Of what a record batch may decompress to. Clients make batches of up to a MiB; indexes into more would not fit an Int32. */
  batchMinBytes: 1024 * 1024,
  batchMaxBytes: 1024 * 1024 * 1024,
  windowMinMs: 100,
  windowMaxMs: 30 * 86_400_000,
  /** Windows that one event counts in. Each of them is a row of its product. */
  windowsPerEventMax: 60,
  /** Slices a task may hold open at once: (drift + out-of-orderness + lateness) / slice. Bounds the panes. */
  openWindowsMax: 10_000,
  /** Addresses of one ClickHouse; each may be waited for before the next is tried. */
  clickHouseUrlsMax: 32,
  /** Tokens of the HTTP server; each request is held against all of them. */
  tokensMax: 100,
  /** Places that privacy.keep or privacy.names lists, and keys of masks. */
  keptPlacesMax: 1000,
  maskKeysMax: 32,
  /** Masks of a record; what is behind the last one is masked as one. Each may be forty bytes where a number of one was. */
  masksMax: 1000,
  /** Addresses of one schema registry; each may be waited for before the next is tried. */
  registryUrlsMax: 32,
  /** Bytes of a schema and all that it refers to, and of an answer of a registry. */
  schemaMaxBytes: 4 * 1024 * 1024,
  /** Schemas that one refers to, however indirectly. */
  schemaReferencesMax: 1_000,
  batchRowsMax: 1_000_000,
  /** Bytes of an insert, whatever its rows; a block of rows more may come in. */
  batchRowsMaxBytes: 16 * 1024 * 1024,
  /** A row's version = revision * 2^countBits + impressions + clicks, exact in a double. */
  countBits: 40,
  revisionMax: 8191,
  /** Event times are after 1970 and before year 10000. */
  eventTimeEndMs: 253_402_300_800_000,
} as const

/** kafka.clientId when none is given. */
export const CLIENT_ID_DEFAULT = 'ctr'

assert(
  LIMITS.revisionMax * 2 ** LIMITS.countBits + 2 ** LIMITS.countBits - 1 <= Number.MAX_SAFE_INTEGER,
  'a row version is exact in a double',
)
assert(LIMITS.ringMinBytes / 2 >= 8 * (LIMITS.productIdMaxBytes + LIMITS.tenantMaxBytes), 'the smallest ring holds a block of several rows')
assert(LIMITS.eventMaxBytes > LIMITS.shapeLiteralsMaxBytes, 'an event is longer than its shape')
assert(LIMITS.batchMaxBytes < 2 ** 31, 'an index into a batch is an Int32')
assert(LIMITS.windowMaxMs < LIMITS.eventTimeEndMs, 'a window is shorter than the range of event times')
