/** Which ClickHouse the configuration means: the server at clickhouse.url, or the embedded one, opened here. */
import type { Config } from '../config/schema.ts'
import { CtrError } from '../errors.ts'
import type { Endpoint } from './connect.ts'
import { type EmbeddedClickHouse, type EmbeddedOptions, type FrontLogger, openEmbedded } from './embedded-front.ts'

export interface OpenEndpoint {
  readonly endpoint: Endpoint
  /** To be closed when done; undefined for a server. */
  readonly front: EmbeddedClickHouse | undefined
}

/** Opens the embedded ClickHouse when there is no url. Throws CTR_CLICKHOUSE_EMBEDDED or CTR_CONFIG; a server is not asked yet. */
export async function openEndpoint(
  config: Config['clickhouse'],
  logger: FrontLogger,
  onMoved?: EmbeddedOptions['onMoved'],
): Promise<OpenEndpoint> {
  const { url, embedded, database, username, password, compression, requestTimeout } = config
  const common = { database, requestTimeoutMs: requestTimeout }
  if (url !== undefined) {
    return { endpoint: { ...common, url, username, password, compression, tls: config.tls }, front: undefined }
  }
  if (embedded === undefined) throw new CtrError('CTR_CONFIG', 'clickhouse: neither url nor embedded is set; give one of them')
  const front = await openEmbedded(embedded, logger, onMoved === undefined ? {} : { onMoved })
  // Over the loopback compression would cost twice and save nothing.
  const endpoint = { ...common, url: front.url, username: front.username, password: front.password, compression: false }
  return { endpoint, front }
}
