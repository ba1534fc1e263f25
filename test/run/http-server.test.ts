/** The HTTP server on its thread: it answers while main does not, and says so; it comes back; it refuses as it does on main. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Worker } from 'node:worker_threads'
import { expect, onTestFinished, test } from 'vitest'
import { loadConfig } from '../../src/config/load.ts'
import { CtrError } from '../../src/errors.ts'
import { createLogger } from '../../src/log.ts'
import { createRegistry } from '../../src/metrics/registry.ts'
import { type HttpServerOptions, startHttpServer } from '../../src/run/http-server.ts'
import { someStats } from '../../workshop/stats.ts'

const PLACE = ['checkpoint.storage=none', 'clickhouse.url=http://127.0.0.1:1', 'log.level=silent']
const read = () => someStats({ rowsWritten: 42 })

async function serve(more: Partial<HttpServerOptions> = {}, sets: string[] = ['http.port=0']) {
  const config = loadConfig({ sets: [...PLACE, ...sets], env: {} })
  const log = createLogger(config.log)
  const server = await startHttpServer({ config, version: '1', metrics: createRegistry(read), read, savepoints: undefined, log, ...more })
  onTestFinished(() => server.close())
  return server
}

test('health, metrics and the API are what main says', async () => {
  const { url } = await serve()
  expect((await fetch(`${url}/livez`)).status).toBe(200)
  expect((await fetch(`${url}/readyz`)).status).toBe(200)
  expect(await (await fetch(`${url}/metrics`)).text()).toContain('\nctr_rows_written_total 42\n')
  expect(await (await fetch(`${url}/api/v1/state`)).json()).toMatchObject({ totals: { rowsWritten: 42 }, version: '1' })
  expect((await fetch(`${url}/api/v1/history?span=1y`)).status).toBe(400)
  expect((await fetch(`${url}/api/v1/state?verbose=1`)).status).toBe(400)
  expect((await fetch(`${url}/api/v1/products/p-1`)).status).toBe(503)
  expect(await (await fetch(`${url}/api/v1/quality`)).json()).toMatchObject({ hotProducts: null })
  expect((await fetch(`${url}/savepoints`)).status).toBe(404)
})

test('a port in use is told as it is on main', async () => {
  const other = createServer()
  onTestFinished(() => void other.close())
  await new Promise<void>((listening) => other.listen(0, '127.0.0.1', listening))
  const { port } = other.address() as AddressInfo
  const failure = await serve({}, [`http.port=${port}`]).catch((error: unknown) => error)
  expect(failure).toBeInstanceOf(CtrError)
  expect(failure).toMatchObject({ code: 'CTR_CONFIG', message: expect.stringContaining(`http.port ${port} on 127.0.0.1 is in use`) })
})

const ASKING = `
const { parentPort, workerData } = require('node:worker_threads')
const seen = []
const ask = async () => {
  const begun = performance.now()
  const { status } = await fetch(workerData + '/livez')
  seen.push({ status, ms: performance.now() - begun })
  setTimeout(ask, 50)
}
parentPort.on('message', () => parentPort.postMessage(seen.splice(0)))
ask()
`

test('main that stands still is seen, and so is that it goes on', async () => {
  const { url } = await serve({ liveMaxMs: 400 })
  const asking = new Worker(ASKING, { eval: true, workerData: url })
  onTestFinished(async () => void (await asking.terminate()))
  const seen = () =>
    new Promise<{ status: number; ms: number }[]>((resolve) => {
      asking.once('message', resolve)
      asking.postMessage('')
    })
  await expect.poll(async () => (await seen()).at(-1)?.status, { timeout: 10_000 }).toBe(200)
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2_500)
  const meanwhile = await seen()
  expect(meanwhile.some(({ status }) => status === 503)).toBe(true)
  expect(Math.max(...meanwhile.map(({ ms }) => ms))).toBeLessThan(2_000)
  await expect.poll(async () => (await seen()).at(-1)?.status, { timeout: 10_000 }).toBe(200)
})
