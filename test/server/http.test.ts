import { Agent, createServer, get } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { CtrError, exitCodeOf } from '../../src/errors.ts'
import { createRegistry } from '../../src/metrics/registry.ts'
import type { PipelineStats } from '../../src/metrics/stats.ts'
import { startServer } from '../../src/server/http.ts'
import { someStats } from '../support/stats.ts'

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
  for (const state of ['starting', 'running', 'draining', 'stopped'] as const) {
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
  })
  for (const state of ['starting', 'draining', 'stopped'] as const) {
    stats = someStats({ state })
    expect(await status()).toBe(503)
  }
})

test('/metrics is text for Prometheus', async () => {
  const { url } = await serve(() => someStats({ late: 42 }))
  const response = await fetch(`${url}/metrics`)
  expect(response.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/)
  expect(await response.text()).toContain('\nctr_events_late_total 42\n')
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
