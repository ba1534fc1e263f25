/** Until when the certificates hold that the configuration names: those of the client, and those of the authorities that it trusts. */
import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { Clock } from '../clock.ts'
import type { Config } from '../config/schema.ts'
import type { CertificateStats } from '../metrics/stats.ts'

const ONE = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g

/** By key of the configuration, of several in one file the first that ends. What is no certificate, who connects with it will refuse. */
export function certificatesOf({ kafka, clickhouse }: Pick<Config, 'kafka' | 'clickhouse'>): CertificateStats[] {
  const texts = {
    'kafka.security.ssl.cert': kafka.security.ssl?.cert,
    'kafka.security.ssl.ca': kafka.security.ssl?.ca,
    'clickhouse.tls.cert': clickhouse.tls?.cert,
    'clickhouse.tls.ca': clickhouse.tls?.ca,
  }
  return Object.entries(texts).flatMap(([key, text]) => {
    const ends = [...(text ?? '').matchAll(ONE)].flatMap(([pem]) => endOf(pem))
    return ends.length === 0 ? [] : [{ key, expiresAt: Math.min(...ends) }]
  })
}

const LOOK_MS = 60_000

/**
 * The same, with that of the HTTP server: others renew its file under the running process, so that it is looked at again now and then. One
 * that can't be read now is as it was.
 */
export function certificateReader(config: Pick<Config, 'kafka' | 'clickhouse' | 'http'>, clock: Clock): () => readonly CertificateStats[] {
  const lasting = certificatesOf(config)
  const path = config.http.tls?.cert
  let own: readonly CertificateStats[] = []
  let lookAt = Number.NEGATIVE_INFINITY
  return () => {
    if (path !== undefined && clock() >= lookAt) {
      lookAt = clock() + LOOK_MS
      own = ofFile('http.tls.cert', path) ?? own
    }
    return [...lasting, ...own]
  }
}

function ofFile(key: string, path: string): readonly CertificateStats[] | undefined {
  try {
    const ends = [...readFileSync(path, 'utf8').matchAll(ONE)].flatMap(([pem]) => endOf(pem))
    return ends.length === 0 ? [] : [{ key, expiresAt: Math.min(...ends) }]
  } catch {
    return undefined
  }
}

function endOf(pem: string): number[] {
  try {
    return [new X509Certificate(pem).validToDate.getTime()]
  } catch {
    return []
  }
}
