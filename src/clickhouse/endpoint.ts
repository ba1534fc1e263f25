/** Which ClickHouse the configuration means: the server at clickhouse.url, or the embedded one, opened here. */
import type { Config } from '../config/schema.ts'
import { CtrError } from '../errors.ts'
import type { Endpoint } from './connect.ts'
import type { EmbeddedClickHouse, EmbeddedOptions, FrontLogger } from './embedded-front.ts'
import type { FrontAddress } from './front-address.ts'

export interface OpenEndpoint {
  readonly endpoint: Endpoint
  /** To be closed when done; undefined for a server. */
  readonly front: EmbeddedClickHouse | undefined
}

/**
 * Opens the embedded ClickHouse when there is no url. Throws CTR_CLICKHOUSE_EMBEDDED or CTR_CONFIG. A server is not asked yet; of several
 * it is the first that answers.
 */
export async function openEndpoint(
  config: Config['clickhouse'],
  logger: FrontLogger,
  onMoved?: EmbeddedOptions['onMoved'],
): Promise<OpenEndpoint> {
  const { url, cluster, embedded, database, username, password, compression, requestTimeout } = config
  const common = { database, requestTimeoutMs: requestTimeout }
  if (url !== undefined) {
    const [first = ''] = url
    const server = { ...common, url: first, cluster, username, password, compression, tls: config.tls }
    if (url.length === 1) return { endpoint: server, front: undefined }
    // Loaded here: it asks by the client, which most of those who open an endpoint have no use for.
    const { atFirstThatAnswers } = await import('./addresses.ts')
    return { endpoint: await atFirstThatAnswers({ ...server, urls: url }), front: undefined }
  }
  if (embedded === undefined) throw new CtrError('CTR_CONFIG', 'clickhouse: neither url nor embedded is set; give one of them')
  const { openEmbedded } = await import('./embedded-front.ts')
  const front = await openEmbedded(embedded, logger, onMoved === undefined ? {} : { onMoved })
  return { endpoint: { ...common, ...frontEndpoint(front) }, front }
}

/** What an endpoint has of a front's address. Within a machine compression would cost twice and save nothing. */
export function frontEndpoint({ socketPath, username, password }: FrontAddress): Omit<Endpoint, 'database' | 'requestTimeoutMs'> {
  return { url: 'http://localhost', socketPath, username, password, compression: false }
}
