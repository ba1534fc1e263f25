/**
 * Operating failures: things that go wrong outside the engine and that an operator can mend.
 * Told apart by `code`, never by text. Bugs are assertions (assert.ts); bad events are counted and dead-lettered, never thrown.
 */

import { LIMITS } from './config/limits.ts'
import { clip, maskSecrets } from './text.ts'

/** What failed; the closed set that operators and tests go by. */
export type CtrErrorCode =
  | 'CTR_USAGE'
  | 'CTR_CONFIG'
  | 'CTR_KAFKA_UNREACHABLE'
  | 'CTR_KAFKA_AUTH'
  | 'CTR_KAFKA_TOPIC_MISSING'
  | 'CTR_KAFKA_CORRUPT_BATCH'
  | 'CTR_KAFKA_OLD_FORMAT'
  | 'CTR_KAFKA_CRASHED'
  | 'CTR_KAFKA_VERSION'
  | 'CTR_GROUP_BUSY'
  | 'CTR_CLICKHOUSE_UNREACHABLE'
  | 'CTR_CLICKHOUSE_AUTH'
  | 'CTR_CLICKHOUSE_REFUSED'
  | 'CTR_CLICKHOUSE_EMBEDDED'
  | 'CTR_REGISTRY_UNREACHABLE'
  | 'CTR_REGISTRY_AUTH'
  | 'CTR_REGISTRY_REFUSED'
  | 'CTR_SCHEMA_UNKNOWN'
  | 'CTR_SCHEMA_CHANGED'
  | 'CTR_QUERY_TIMEOUT'
  | 'CTR_DEAD_LETTER'
  | 'CTR_INPUT'
  | 'CTR_WORKER_DIED'
  | 'CTR_SINK_DIED'
  | 'CTR_LEDGER'
  | 'CTR_CHECKPOINT_STORE'
  | 'CTR_CHECKPOINT_CORRUPT'
  | 'CTR_CHECKPOINT_FAILED'
  | 'CTR_STATE_MISMATCH'
  | 'CTR_STATE_TOO_LARGE'
  | 'CTR_STALLED'
  | 'CTR_SELFTEST'
  | 'CTR_SHUTDOWN_TIMEOUT'
  | 'CTR_INTERRUPTED'

/**
 * Whoever may read logs sees the message: secrets in its addresses are masked. `retriable`: the same call may succeed later without anybody
 * changing anything.
 */
export class CtrError extends Error {
  override readonly name = 'CtrError'
  readonly code: CtrErrorCode
  readonly retriable: boolean

  constructor(code: CtrErrorCode, message: string, options: { retriable?: boolean; cause?: unknown } = {}) {
    super(clip(maskSecrets(message), LIMITS.messageMaxLength), options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.retriable = options.retriable ?? false
  }
}

/** Process exit code for a failure: 2 for wrong usage or configuration (a wrong password or a group in use too), 1 for anything else. */
export function exitCodeOf(error: unknown): 1 | 2 {
  if (!(error instanceof CtrError)) return 1
  const usage: readonly CtrErrorCode[] = [
    'CTR_USAGE',
    'CTR_CONFIG',
    'CTR_KAFKA_AUTH',
    'CTR_GROUP_BUSY',
    'CTR_CLICKHOUSE_AUTH',
    'CTR_REGISTRY_AUTH',
    'CTR_STATE_MISMATCH',
  ]
  return usage.includes(error.code) ? 2 : 1
}

/** Codes by which Node says that it does not trust a server's certificate. */
export const UNTRUSTED_CERTIFICATE: ReadonlySet<string> = new Set([
  'CERT_HAS_EXPIRED',
  'CERT_NOT_YET_VALID',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'ERR_TLS_CERT_ALTNAME_INVALID',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
])
