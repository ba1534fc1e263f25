import { lookup } from 'node:dns/promises'
import { Agent, createServer, get } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { CtrError, exitCodeOf } from '../../src/errors.ts'
import { createRegistry } from '../../src/metrics/registry.ts'
import type { PipelineStats } from '../../src/metrics/stats.ts'
import { startServer } from '../../src/server/http.ts'
import { someStats } from '../../workshop/stats.ts'

async function serve(read: () => PipelineStats) {
  const server = await startServer({ host: '127.0.0.1', port: 0, registry: createRegistry(read), read })
  onTestFinished(() => server.close())
  return server
}

async function failure(host: string, port: number): Promise<CtrError> {
  const read = () => someStats()
  const error = await startServer({ host, port, registry: createRegistry(read), read }).then(
    async (server) => {
      await server.close()
      return undefined
    },
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(CtrError)
  return error as CtrError
}

test('port 0 takes a free one, and the url names it', async () => {
  const { url } = await serve(() => someStats())
  expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/)
  expect((await fetch(url)).status).toBe(200)
})

test('/livez answers 200 in every state', async () => {
  for (const state of ['starting', 'running', 'draining', 'stopped', 'restarting'] as const) {
    const { url } = await serve(() => someStats({ state, notReady: ['no'] }))
    expect((await fetch(`${url}/livez`)).status).toBe(200)
  }
})

test('/readyz is 200 only while running with nothing in the way', async () => {
  let stats = someStats()
  const { url } = await serve(() => stats)
  const status = async () => (await fetch(`${url}/readyz`)).status
  expect(await status()).toBe(200)
  stats = someStats({ notReady: ['ClickHouse does not answer at http://ch:8123'] })
  expect(await status()).toBe(503)
  expect(await (await fetch(`${url}/readyz`)).json()).toEqual({
    ready: false,
    state: 'running',
    reasons: ['ClickHouse does not answer at http://ch:8123'],
    degraded: [],
  })
  for (const state of ['starting', 'draining', 'stopped', 'restarting'] as const) {
    stats = someStats({ state })
    expect(await status()).toBe(503)
  }
})

test('/metrics is text for Prometheus', async () => {
  const { url } = await serve(() => someStats({ rowsWritten: 42 }))
  const response = await fetch(`${url}/metrics`)
  expect(response.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/)
  expect(await response.text()).toContain('\nctr_rows_written_total 42\n')
})

test('an unknown path says what there is', async () => {
  const { url } = await serve(() => someStats())
  const response = await fetch(`${url}/nothing`)
  expect(response.status).toBe(404)
  expect(await response.json()).toMatchObject({ see: ['/livez', '/readyz', '/metrics'] })
})

test('an idle keep-alive connection does not hold up close', async () => {
  const read = () => someStats()
  const server = await startServer({ host: '127.0.0.1', port: 0, registry: createRegistry(read), read })
  const agent = new Agent({ keepAlive: true })
  onTestFinished(() => agent.destroy())
  await new Promise((resolve) => get(`${server.url}/livez`, { agent }, (response) => response.resume().on('end', resolve)))
  const before = performance.now()
  await server.close()
  expect(performance.now() - before).toBeLessThan(2000)
})

test('a port in use is a configuration fault that names the key and the remedy', async () => {
  const other = createServer()
  onTestFinished(() => void other.close())
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
  const { port } = other.address() as AddressInfo
  const error = await failure('127.0.0.1', port)
  expect(error.message).toBe(`http.port ${port} on 127.0.0.1 is in use; set http.port to a free one, or to 0 to take any`)
  expect([error.code, exitCodeOf(error)]).toEqual(['CTR_CONFIG', 2])
})

test('a foreign address and an unknown host name http.host', async () => {
  expect((await failure('192.0.2.1', 0)).message).toContain('http.host 192.0.2.1 is not an address of this machine')
  expect((await failure('no-such-host.invalid', 0)).message).toContain('http.host no-such-host.invalid')
})

const blue = { id: 'blue-1' }

async function serveSavepoints(token?: string, { localSavepoints = true } = {}) {
  const names = new Set<string>()
  const savepoints = {
    group: 'shop',
    create: async (name: string) => {
      if (name === 'full') throw new CtrError('CTR_CHECKPOINT_STORE', 'no space left', { retriable: true })
      if (name === 'none') throw new CtrError('CTR_CHECKPOINT_STORE', 'checkpoint.storage is none')
      names.add(name)
      return blue
    },
    list: async () => [...names].map((name) => ({ name })),
    remove: async (name: string) => {
      if (!names.delete(name)) throw new CtrError('CTR_USAGE', 'there is no such savepoint')
    },
  }
  const read = () => someStats()
  const server = await startServer({
    host: '127.0.0.1',
    port: 0,
    registry: createRegistry(read),
    read,
    savepoints,
    token,
    localSavepoints,
  })
  onTestFinished(() => server.close())
  const ask = async (method: string, path: string, headers: Record<string, string> = {}, body?: object) => {
    const init = { method, headers: body ? { 'content-type': 'application/json', ...headers } : headers }
    const response = await fetch(`${server.url}${path}`, body ? { ...init, body: JSON.stringify(body) } : init)
    return [response.status, await response.json()] as const
  }
  return { ask, names, url: server.url }
}

test('savepoints are not taken without a token and without the switch, whoever asks', async () => {
  const { ask, names } = await serveSavepoints(undefined, { localSavepoints: false })
  expect(await ask('POST', '/savepoints', {}, { name: 'blue' })).toEqual([403, { error: expect.stringContaining('http.localSavepoints') }])
  expect(names.size).toBe(0)
})

test('savepoints are taken, listed and removed from the loopback with the switch', async () => {
  const { ask } = await serveSavepoints()
  expect(await ask('POST', '/savepoints', {}, { name: 'blue' })).toEqual([200, blue])
  expect(await ask('GET', '/savepoints')).toEqual([200, { savepoints: [{ name: 'blue' }] }])
  expect(await ask('DELETE', '/savepoints/blue')).toEqual([200, { removed: 'blue' }])
  expect((await ask('DELETE', '/savepoints/blue'))[0]).toBe(404)
})

test.each([undefined, '', '..', 'a/b', 'a b', '-a', 'x'.repeat(101)])('%j is no name of a savepoint', async (name) => {
  const { ask, names } = await serveSavepoints()
  expect((await ask('POST', '/savepoints', {}, { name }))[0]).toBe(400)
  expect(names.size).toBe(0)
})

test('a savepoint that fails says why, and whether waiting may help', async () => {
  const { ask } = await serveSavepoints()
  expect(await ask('POST', '/savepoints', {}, { name: 'full' })).toEqual([503, { error: 'no space left', code: 'CTR_CHECKPOINT_STORE' }])
  expect((await ask('POST', '/savepoints', {}, { name: 'none' }))[0]).toBe(409)
})

test('a request meant for another group is refused', async () => {
  const { ask, names } = await serveSavepoints()
  expect((await ask('POST', '/savepoints?group=other', {}, { name: 'blue' }))[0]).toBe(421)
  expect(names.size).toBe(0)
  expect((await ask('POST', '/savepoints?group=shop', {}, { name: 'blue' }))[0]).toBe(200)
})

test('web pages may not ask for savepoints', async () => {
  const { ask } = await serveSavepoints()
  expect((await ask('POST', '/savepoints', { origin: 'https://elsewhere.example' }, { name: 'blue' }))[0]).toBe(403)
})

test.each([
  ['a reverse proxy', { 'x-forwarded-for': '203.0.113.9' }],
  ['another one', { forwarded: 'for=203.0.113.9' }],
])('whom %s speaks for may not either', async (_, headers) => {
  const { ask, names } = await serveSavepoints()
  expect((await ask('POST', '/savepoints', headers, { name: 'blue' }))[0]).toBe(403)
  expect(names.size).toBe(0)
})

test('nor a page that has made its own name point here', async () => {
  const { url } = await serveSavepoints()
  const status = await new Promise((resolve, reject) => {
    get(`${url}/savepoints`, { headers: { host: 'evil.example:9464' } }, ({ statusCode }) => resolve(statusCode)).on('error', reject)
  })
  expect(status).toBe(403)
})

test('whoever may not ask is told so before his words are read', async () => {
  const { url } = await serveSavepoints('correct horse')
  const response = await fetch(`${url}/savepoints`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: 'x'.repeat(9000),
  })
  expect(response.status).toBe(401)
})

test('with a token, only who bears it is served', async () => {
  const { ask } = await serveSavepoints('correct horse')
  const bearing = (token: string) => ({ authorization: `Bearer ${token}` })
  expect((await ask('GET', '/savepoints'))[0]).toBe(401)
  expect((await ask('GET', '/savepoints', bearing('correct mouse')))[0]).toBe(401)
  expect((await ask('DELETE', '/savepoints/blue', bearing('correct')))[0]).toBe(401)
  expect((await ask('GET', '/savepoints', bearing('correct horse')))[0]).toBe(200)
})

test('probes are asked by HEAD too, with no body, and other methods are no probes', async () => {
  const { url } = await serve(() => someStats())
  const head = await fetch(`${url}/metrics`, { method: 'HEAD' })
  expect([head.status, await head.text(), Number(head.headers.get('content-length')) > 0]).toEqual([200, '', true])
  expect((await fetch(`${url}/livez`, { method: 'POST' })).status).toBe(404)
})

test('a token in the address of a probe is refused as elsewhere', async () => {
  const { url } = await serve(() => someStats())
  expect((await fetch(`${url}/livez?token=x`)).status).toBe(400)
  expect((await fetch(`${url}/livez?verbose=1`)).status).toBe(200)
})

test('what fails while a probe is answered is said, and the next one is answered', async () => {
  let fails = true
  const read = () => {
    if (fails) throw new Error('broken')
    return someStats()
  }
  const { url } = await serve(read)
  const broken = await fetch(`${url}/readyz`)
  expect([broken.status, await broken.json()]).toEqual([500, { error: 'broken' }])
  fails = false
  expect((await fetch(`${url}/readyz`)).status).toBe(200)
})

test('localhost is listened on by each of its addresses', async () => {
  const server = await startServer({ host: 'localhost', port: 0, registry: createRegistry(() => someStats()), read: () => someStats() })
  onTestFinished(() => server.close())
  for (const { address, family } of await lookup('localhost', { all: true })) {
    const answer = await fetch(`http://${family === 6 ? `[${address}]` : address}:${server.port}/livez`)
    expect(answer.status).toBe(200)
  }
})
