/** The certificate of the HTTP server, which others renew: its files are looked at every few seconds, and read again when they change. */
import { readFileSync, statSync } from 'node:fs'
import type { RequestListener } from 'node:http'
import type { Server as HttpsServer } from 'node:https'
import { createSecureContext } from 'node:tls'
import { CtrError } from '../errors.ts'
import { loadHttps } from '../node-http.ts'

/** Paths of PEM files, as `http.tls` has them. */
export interface TlsFiles {
  readonly cert: string
  readonly key: string
}

/** pino fits. */
export interface TlsLog {
  info(fields: Record<string, unknown>, message: string): void
  warn(fields: Record<string, unknown>, message: string): void
}

const LOOK_MS = 5_000
const TLS_MIN = 'TLSv1.2'

/** What the files hold now. Throws CtrError CTR_CONFIG when they are no certificate and its key. */
function readTls({ cert, key }: TlsFiles): { cert: Buffer; key: Buffer } {
  try {
    const read = { cert: readFileSync(cert), key: readFileSync(key) }
    createSecureContext(read)
    return read
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? 'no certificate and its key'
    const remedy = 'give the paths of a PEM certificate and of its private key, which this process may read'
    throw new CtrError('CTR_CONFIG', `http.tls.cert ${cert}, http.tls.key: can't be used (${code}); ${remedy}`, { cause })
  }
}

/** A server that is not listening yet. Throws as readTls. */
export function createTlsServer(files: TlsFiles, handler: RequestListener, log: TlsLog, lookMs = LOOK_MS): HttpsServer {
  const server = loadHttps().createServer({ ...readTls(files), minVersion: TLS_MIN }, handler)
  let seen = stampOf(files)
  const look = setInterval(() => {
    const stamp = stampOf(files)
    if (stamp === seen) return
    seen = stamp
    try {
      server.setSecureContext({ ...readTls(files), minVersion: TLS_MIN })
      log.info({ cert: files.cert }, 'the certificate of the HTTP server was read again')
    } catch (error) {
      log.warn({ err: error }, 'the certificate of the HTTP server has changed and is of no use: the one before stays')
    }
  }, lookMs)
  look.unref()
  server.once('close', () => clearInterval(look))
  return server
}

/** Changes with the files. A key that comes later than its certificate changes it once more. */
function stampOf({ cert, key }: TlsFiles): string {
  return [cert, key]
    .map((path) => {
      const stat = statSync(path, { throwIfNoEntry: false })
      return stat === undefined ? 'gone' : `${stat.ino}:${stat.size}:${stat.mtimeMs}`
    })
    .join()
}
