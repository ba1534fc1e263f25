/**
 * Vitest `globalSetup`: one plain Kafka broker and one ClickHouse for the whole run, each started when the first test file asks for it
 * (shared-broker.ts, shared-clickhouse.ts) and stopped at the end. Runs that need neither don't pay for them.
 */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { TestProject } from 'vitest/node'
import type { Endpoint } from '../../src/clickhouse/connect.ts'
import { startClickHouse } from '../../workshop/clickhouse.ts'
import { startBroker } from '../../workshop/kafka-broker.ts'
import { fresh } from '../../workshop/kafka-harness.ts'
import { makeTables } from '../../workshop/tables.ts'

declare module 'vitest' {
  export interface ProvidedContext {
    serversDoor: string
  }
}

/** A server that is started once; `said` is what test files are told of it. */
interface Shared<T> {
  readonly said: T
  stop(): Promise<void>
}

const STARTS: Readonly<Record<string, () => Promise<Shared<unknown>>>> = { '/broker': sharedBroker, '/clickhouse': sharedClickHouse }

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const starting = new Map<string, Promise<Shared<unknown>>>()
  const door = createServer(({ url = '' }, response) => {
    const start = STARTS[url]
    if (start === undefined) return response.writeHead(404).end(`nothing is behind ${url}`)
    const shared = starting.get(url) ?? start()
    starting.set(url, shared)
    shared.then(
      ({ said }) => response.end(JSON.stringify(said)),
      (error) => response.writeHead(500).end(String(error)),
    )
  })
  await new Promise<void>((resolve) => door.listen(0, '127.0.0.1', resolve))
  project.provide('serversDoor', `http://127.0.0.1:${(door.address() as AddressInfo).port}`)
  return async () => {
    door.close()
    door.closeAllConnections()
    const started = await Promise.allSettled(starting.values())
    await Promise.all(started.map((one) => (one.status === 'fulfilled' ? one.value.stop() : undefined)))
  }
}

async function sharedBroker(): Promise<Shared<string[]>> {
  const broker = await startBroker()
  return { said: broker.brokers, stop: () => broker.stop() }
}

/** With a database that has all tables and views. */
async function sharedClickHouse(): Promise<Shared<Endpoint>> {
  const clickhouse = await startClickHouse()
  const said = { ...clickhouse.endpoint, database: fresh('test').replace('-', '_') }
  await makeTables(said)
  const stop = async () => {
    await clickhouse.command(`DROP DATABASE ${said.database}`)
    await clickhouse.stop()
  }
  return { said, stop }
}
