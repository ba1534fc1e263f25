/**
 * A real ClickHouse. In this order: the server that CLICKHOUSE_URL names (http://user:password@host:port), Docker through testcontainers in
 * the version of CTR_TEST_CLICKHOUSE_VERSION, or the embedded engine on a temporary directory. `startEmbedded` is the last of them always,
 * for benches and for tests of the embedded engine itself.
 */
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { type AddressInfo, createConnection, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ClickHouseLogLevel, createClient } from '@clickhouse/client'
import type { Endpoint } from '../src/clickhouse/connect.ts'
import { openEmbedded } from '../src/clickhouse/embedded-front.ts'
import { sleep } from '../src/clock.ts'
import { dockerAnswers } from './docker.ts'
import { clickHouseImage } from './images.ts'

/** The server's version where Docker brings it and the environment asks for no other. */
const VERSION_DEFAULT = '25.8'
const HTTP_PORT = 8123

export interface TestClickHouse {
  /** Ready for connect(); its database exists only after applySchema. */
  readonly endpoint: Endpoint
  /** The rows of a SELECT as objects; 64-bit numbers as JavaScript numbers. */
  rows<T = Record<string, unknown>>(sql: string, database?: string): Promise<T[]>
  command(sql: string, database?: string): Promise<void>
  stop(): Promise<void>
}

/** An embedded engine of our own. */
export interface EmbeddedTestClickHouse extends TestClickHouse {
  /** What `clickhouse.embedded` names to attach to it. */
  readonly directory: string
}

export const silent = { info: () => undefined, warn: () => undefined, error: () => undefined }

/** The named server, a container or an embedded engine; what stop() ends is what this started. */
export async function startClickHouse(): Promise<TestClickHouse> {
  const named = process.env.CLICKHOUSE_URL
  if (named) {
    const { origin, username, password } = new URL(named)
    return attach(endpointOf(origin, decodeURIComponent(username) || 'default', decodeURIComponent(password)))
  }
  return (await dockerAnswers()) ? startContainer() : startEmbedded()
}

async function startContainer(): Promise<TestClickHouse> {
  const { GenericContainer, Wait } = await import('testcontainers')
  const [username, password] = ['default', randomUUID()]
  const container = await new GenericContainer(clickHouseImage(process.env.CTR_TEST_CLICKHOUSE_VERSION || VERSION_DEFAULT))
    .withEnvironment({ CLICKHOUSE_USER: username, CLICKHOUSE_PASSWORD: password })
    .withExposedPorts(HTTP_PORT)
    .withWaitStrategy(Wait.forHttp('/ping', HTTP_PORT))
    .start()
  const url = `http://${container.getHost()}:${container.getMappedPort(HTTP_PORT)}`
  return attach(endpointOf(url, username, password), async () => void (await container.stop()))
}

/** Starts an embedded engine; its directory goes with stop(). */
export async function startEmbedded(): Promise<EmbeddedTestClickHouse> {
  const directory = mkdtempSync(join(tmpdir(), 'ctr-clickhouse-'))
  const front = await openEmbedded(directory, silent, { lingerMs: 0 })
  const bridge = await bridgeTo(front.socketPath)
  const clickhouse = attach(endpointOf(bridge.url, front.username, front.password), async () => {
    bridge.close()
    front.close()
    await gone(front.pid)
    rmSync(directory, { recursive: true, force: true })
  })
  return { ...clickhouse, directory }
}

/** A port of the loopback that leads to a Unix socket, for whoever can speak only to a port. */
async function bridgeTo(path: string): Promise<{ readonly url: string; close(): void }> {
  const sockets = new Set<Socket>()
  const server = createServer((client) => {
    const front = createConnection(path)
    for (const socket of [client, front]) {
      sockets.add(socket)
      socket.on('error', () => undefined).on('close', () => sockets.delete(socket))
    }
    client.pipe(front).pipe(client)
    client.once('close', () => front.destroy())
    front.once('close', () => client.destroy())
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close() {
      server.close()
      for (const socket of sockets) socket.destroy()
    },
  }
}

function endpointOf(url: string, username: string, password: string): Endpoint {
  return { url, username, password, database: 'ctr', requestTimeoutMs: 30_000, compression: false }
}

/** A client of a server that runs; stop() closes it, then does `stopServer`. */
export function attach(endpoint: Endpoint, stopServer: () => Promise<void> = async () => {}): TestClickHouse {
  const { url, username, password } = endpoint
  const client = createClient({
    url,
    username,
    password,
    log: { level: ClickHouseLogLevel.OFF },
    clickhouse_settings: { output_format_json_quote_64bit_integers: 0 },
  })
  return {
    endpoint,
    rows: async <T>(sql: string, database?: string) => {
      const result = await client.query({ query: inDatabase(sql, database), format: 'JSONEachRow' })
      return result.json<T>()
    },
    command: async (sql, database) => void (await client.command({ query: inDatabase(sql, database) })),
    async stop() {
      await client.close()
      await stopServer()
    },
  }
}

/** Resolves when the process has ended; fails after 20 s. */
export async function gone(pid: number): Promise<void> {
  for (let i = 0; i < 400; i++) {
    try {
      process.kill(pid, 0)
    } catch {
      return
    }
    await sleep(50)
  }
  throw new Error(`process ${pid} does not end`)
}

/** Test SQL names tables with the placeholder `db.`. */
function inDatabase(sql: string, database: string | undefined): string {
  return database === undefined ? sql : sql.replaceAll(/\bdb\./g, `\`${database}\`.`)
}
