import { X509Certificate } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { loadConfig } from '../../src/config/load.ts'
import { certificateReader, certificatesOf } from '../../src/run/certificates.ts'
import { createAuthority } from '../../workshop/tls.ts'
import { temporaryFile } from '../support/config-file.ts'

const { caPem, issue } = createAuthority()
const { cert, key } = issue('ctr')

const configured = (tls: Record<string, string>) => {
  const text = JSON.stringify({ clickhouse: { url: 'https://localhost:8443', tls } })
  return certificatesOf(loadConfig({ file: temporaryFile(text), env: {} }))
}

test('each certificate of the configuration is told by its key, with its end', () => {
  const end = (pem: string) => new X509Certificate(pem).validToDate.getTime()
  expect(configured({ ca: caPem, cert, key })).toEqual([
    { key: 'clickhouse.tls.cert', expiresAt: end(cert) },
    { key: 'clickhouse.tls.ca', expiresAt: end(caPem) },
  ])
  expect(certificatesOf(loadConfig({ file: temporaryFile(''), env: {} }))).toEqual([])
})

test('of several in one file it is the first that ends, and what is none is passed over', () => {
  const broken = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'
  const [only] = configured({ ca: `${caPem}\n${broken}\n${cert}` })
  expect(only?.expiresAt).toBe(Math.min(...[caPem, cert].map((pem) => new X509Certificate(pem).validToDate.getTime())))
})

test("the HTTP server's own is looked at again, for others renew it", () => {
  const path = temporaryFile(issue('ctr').cert)
  let now = 0
  const config = loadConfig({ file: temporaryFile(JSON.stringify({ http: { tls: { cert: path, key: path } } })), env: {} })
  const read = certificateReader(config, () => now)
  expect(read()).toEqual([{ key: 'http.tls.cert', expiresAt: expect.any(Number) }])
  writeFileSync(path, 'none')
  expect(read()).toHaveLength(1)
  now = 60_000
  expect(read()).toEqual([])
})
