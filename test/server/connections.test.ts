/** A server that is beset by connections which do nothing, or as little as they can, still answers probes. */
import { once } from 'node:events'
import { get } from 'node:http'
import { connect, type Socket } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { createRegistry } from '../../src/metrics/registry.ts'
import { startServer } from '../../src/server/http.ts'
import { someStats } from '../../workshop/stats.ts'

const MAX = 256

async function serve(create: (name: string) => Promise<object> = async () => ({})) {
  const read = () => someStats()
  const savepoints = { group: 'shop', create, list: async () => [], remove: async () => undefined }
  const options = { host: '127.0.0.1', port: 0, registry: createRegistry(read), read, savepoints, localSavepoints: true }
  const server = await startServer(options)
  onTestFinished(() => server.close())
  return server.url
}

/** So many connections, each of which says `words` and nothing more, and reads nothing. */
async function beset(url: string, count: number, words: string): Promise<Socket[]> {
  const sockets: Socket[] = []
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy()
  })
  for (let i = 0; i < count; i++) {
    const socket = connect(Number(new URL(url).port), '127.0.0.1').on('error', () => undefined)
    sockets.push(socket)
    await once(socket, 'connect')
    if (words !== '') socket.write(words)
  }
  return sockets
}

/** How long a probe on a connection of its own takes, ms. */
async function probe(url: string, path = '/livez'): Promise<number> {
  const began = performance.now()
  const status = await new Promise((resolve, reject) => {
    get(url + path, { agent: false }, (response) => resolve(response.resume().statusCode)).once('error', reject)
  })
  expect(status).toBe(200)
  return performance.now() - began
}

test.each([
  ['say nothing', ''],
  ['never end their request', 'GET /metrics HTTP/1.1\r\nhost: localhost\r\nx: '],
  ['never end the body they promised', 'POST /savepoints HTTP/1.1\r\nhost: localhost\r\ncontent-length: 10\r\n\r\n'],
  ['ask much and read nothing', 'GET /metrics HTTP/1.1\r\nhost: localhost\r\n\r\n'.repeat(50)],
])('%s: 300 that do are no reason why a probe waits', async (_, words) => {
  const url = await serve()
  await beset(url, 300, words)
  const took = await Promise.all(Array.from({ length: 20 }, () => probe(url)))
  expect(Math.max(...took)).toBeLessThan(1_000)
  expect(await probe(url, '/metrics')).toBeLessThan(1_000)
})

test.each([MAX - 1, MAX, MAX + 1])('of %d connections those beyond the bound have given way, the oldest first', async (count) => {
  const url = await serve()
  const sockets = await beset(url, count, '')
  await probe(url)
  await new Promise((resolve) => setTimeout(resolve, 100))
  expect(sockets.map(({ closed }) => closed).indexOf(false)).toBe(Math.max(0, count + 1 - MAX))
})

test('whoever waits for an answer is not pushed out, and one that was answered long ago is before one that asks', async () => {
  const answer = Promise.withResolvers<object>()
  const began = Promise.withResolvers<void>()
  const url = await serve((name) => {
    began.resolve()
    return answer.promise.then(() => ({ name }))
  })
  const waiting = fetch(`${url}/savepoints`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ name: 'long' }),
  })
  await began.promise
  await beset(url, 2 * MAX, '')
  answer.resolve({})
  expect(await (await waiting).json()).toEqual({ name: 'long' })
})
