/**
 * Every bound of the engine in one place, with the relations between them asserted when the module loads.
 * A limit protects memory or a format; what a user may tune is configuration (schema.ts), within these limits.
 */
import { assert } from '../assert.ts'

/** The bounds, by name; the unit is the last word. */
export const LIMITS = {
  /** UTF-8 bytes of a product id; longer ones are invalid events. */
  productIdMaxBytes: 256,
  /** UTF-8 bytes of the tenant, repeated in every row. */
  tenantMaxBytes: 128,
  topicsMax: 64,
  /** Kafka's own limit on a topic's name. */
  topicNameMaxLength: 249,
  workersMax: 64,
  ringMinBytes: 64 * 1024,
  ringMaxBytes: 1024 * 1024 * 1024,
  fetchMinBytes: 4 * 1024,
  fetchMaxBytes: 256 * 1024 * 1024,
  windowMinMs: 100,
  windowMaxMs: 30 * 86_400_000,
  /** Windows a task may hold open at once: (drift + out-of-orderness + lateness) / size. Bounds the panes. */
  openWindowsMax: 10_000,
  batchRowsMax: 1_000_000,
  /** A row's version = revision * 2^countBits + impressions + clicks, exact in a double. */
  countBits: 40,
  revisionMax: 8191,
  /** Event times are after 1970 and before year 10000. */
  eventTimeEndMs: 253_402_300_800_000,
} as const

/** kafka.clientId when none is given. Members of this name may be anybody, so they are not taken for oneself. */
export const CLIENT_ID_DEFAULT = 'ctr'

assert(
  LIMITS.revisionMax * 2 ** LIMITS.countBits + 2 ** LIMITS.countBits - 1 <= Number.MAX_SAFE_INTEGER,
  'a row version is exact in a double',
)
assert(LIMITS.ringMinBytes / 2 >= 8 * (LIMITS.productIdMaxBytes + LIMITS.tenantMaxBytes), 'the smallest ring holds a block of several rows')
assert(LIMITS.windowMaxMs < LIMITS.eventTimeEndMs, 'a window is shorter than the range of event times')
