/** The server over TLS, and the files that it serves. */
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { get } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TLSSocket } from 'node:tls'
import { expect, onTestFinished, test } from 'vitest'
import { createRegistry } from '../../src/metrics/registry.ts'
import { startServer } from '../../src/server/http.ts'
import { createTlsServer } from '../../src/server/tls.ts'
import { someStats } from '../../workshop/stats.ts'
import { createAuthority } from '../../workshop/tls.ts'

const authority = createAuthority()

function certificate(folder: string, name: string): { cert: string; key: string } {
  const { cert, key } = authority.issue(name)
  const files = { cert: join(folder, 'tls.crt'), key: join(folder, 'tls.key') }
  for (const [path, text] of [
    [files.cert, cert],
    [files.key, key],
  ] as const) {
    writeFileSync(`${path}.new`, text)
    renameSync(`${path}.new`, path)
  }
  return files
}

function place(): string {
  const folder = mkdtempSync(join(tmpdir(), 'ctr-tls-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** Status, and whom the certificate is of. */
function ask(url: string): Promise<readonly [number | undefined, unknown]> {
  return new Promise((resolve, reject) => {
    get(url, { ca: authority.caPem, agent: false }, (response) => {
      const { subject } = (response.socket as TLSSocket).getPeerCertificate()
      response.resume().on('end', () => resolve([response.statusCode, subject.CN]))
    }).on('error', reject)
  })
}

const read = () => someStats()
const common = { host: '127.0.0.1', port: 0, registry: createRegistry(read), read }

test('with http.tls the server speaks TLS, and the address says so', async () => {
  const server = await startServer({ ...common, tls: certificate(place(), 'first') })
  onTestFinished(() => server.close())
  expect(server.url).toMatch(/^https:\/\/127\.0\.0\.1:\d+$/)
  expect(await ask(`${server.url}/livez`)).toEqual([200, 'first'])
})

test('a renewed certificate is taken, and one that is none is not', async () => {
  const folder = place()
  const said: string[] = []
  const log = { info: (_: object, message: string) => said.push(message), warn: (_: object, message: string) => said.push(message) }
  const server = createTlsServer(certificate(folder, 'first'), (_, response) => response.end(), log, 10)
  onTestFinished(() => void server.close())
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  const url = `https://127.0.0.1:${(server.address() as { port: number }).port}/`
  expect(await ask(url)).toEqual([200, 'first'])
  certificate(folder, 'second')
  await expect.poll(() => ask(url)).toEqual([200, 'second'])
  writeFileSync(join(folder, 'tls.crt'), 'broken')
  await expect.poll(() => said.at(-1)).toMatch(/is of no use: the one before stays/)
  expect(await ask(url)).toEqual([200, 'second'])
})

test('files that are no certificate are a fault of the configuration that names the keys', async () => {
  await expect(startServer({ ...common, tls: { cert: '/nowhere.crt', key: '/nowhere.key' } })).rejects.toThrow(
    /http\.tls\.cert \/nowhere\.crt, http\.tls\.key: can't be used \(ENOENT\)/,
  )
})

test('files of the page are there for everybody, whole or compressed, and not sent again unchanged', async () => {
  const files = new Map([
    ['index.html', { body: Buffer.from('<p>here</p>'), type: 'text/html; charset=utf-8' }],
    ['a.js', { body: Buffer.from('1'.repeat(1000)), type: 'text/javascript; charset=utf-8' }],
  ])
  const server = await startServer({ ...common, tokens: [], ui: () => files })
  onTestFinished(() => server.close())
  const page = await fetch(`${server.url}/ui`)
  expect([page.status, new URL(page.url).pathname, await page.text()]).toEqual([200, '/ui/', '<p>here</p>'])
  expect(page.headers.get('content-security-policy')).toContain("default-src 'self'")
  const script = await fetch(`${server.url}/ui/a.js`, { headers: { 'accept-encoding': 'gzip' } })
  expect([script.headers.get('content-encoding'), (await script.text()).length]).toEqual(['gzip', 1000])
  const etag = script.headers.get('etag') ?? ''
  expect((await fetch(`${server.url}/ui/a.js`, { headers: { 'if-none-match': etag } })).status).toBe(304)
  expect((await fetch(`${server.url}/ui/..%2f..%2fetc%2fpasswd`)).status).toBe(404)
  expect((await (await fetch(server.url)).json()) as object).toMatchObject({ see: expect.arrayContaining(['/ui']) })
})
