/** The proxy that plays a bad network: which connections it takes for those that fetch records. */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { sleep } from '../../src/clock.ts'
import { TcpProxy } from '../../workshop/tcp-proxy.ts'

const FETCH = 1
const DESCRIBE_GROUPS = 15
const WAITED_MS = 10_000
const SILENT_MS = 300

/** A server that sends back what it gets, behind a proxy, and a connection to it. */
async function echoed(): Promise<{ readonly proxy: TcpProxy; readonly client: Socket }> {
  const server = createServer((socket) => socket.on('error', () => {}).pipe(socket)).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const proxy = await TcpProxy.start((server.address() as AddressInfo).port)
  const client = connect(proxy.port, '127.0.0.1')
  onTestFinished(async () => {
    client.destroy()
    await proxy.close()
    server.close()
  })
  await once(client, 'connect')
  return { proxy, client }
}

/** A Kafka request of this kind without a body. */
function request(apiKey: number): Buffer {
  const bytes = Buffer.alloc(4 + 8)
  bytes.writeInt32BE(8)
  bytes.writeInt16BE(apiKey, 4)
  return bytes
}

/** Whether something comes back within `ms`. */
async function answered(client: Socket, requests: readonly Buffer[], ms: number): Promise<boolean> {
  const patience = new AbortController()
  const answer = once(client, 'data', { signal: patience.signal }).then(
    () => true,
    () => false,
  )
  client.write(Buffer.concat(requests))
  const heard = await Promise.race([answer, sleep(ms).then(() => false)])
  patience.abort()
  return heard
}

test('a connection that asks for something else first, and for records then, is one that fetches', async () => {
  const { proxy, client } = await echoed()
  expect(await answered(client, [request(DESCRIBE_GROUPS)], WAITED_MS)).toBe(true)
  expect(proxy.forgetFetches()).toBe(0)
  expect(await answered(client, [request(FETCH)], WAITED_MS)).toBe(true)
  expect(proxy.forgetFetches()).toBe(1)
  expect(await answered(client, [request(DESCRIBE_GROUPS)], SILENT_MS)).toBe(false)
})

test.each([
  ['alone', [FETCH]],
  ['behind another request in one piece', [DESCRIBE_GROUPS, FETCH]],
])('a fetch that comes while fetches are forgotten does not come through: %s', async (_, kinds) => {
  const { proxy, client } = await echoed()
  proxy.forgetsFetches = true
  expect(await answered(client, [request(DESCRIBE_GROUPS)], WAITED_MS)).toBe(true)
  expect(await answered(client, kinds.map(request), SILENT_MS)).toBe(false)
})
