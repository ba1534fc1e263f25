/**
 * Vitest `globalSetup`: one plain Kafka broker for the whole run, started when the first test file asks for it (shared-broker.ts) and
 * stopped at the end. Runs that need no broker don't pay for one.
 */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { TestProject } from 'vitest/node'
import { type Broker, startBroker } from '../../workshop/kafka-broker.ts'

declare module 'vitest' {
  export interface ProvidedContext {
    brokerDoor: string
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  let starting: Promise<Broker> | undefined
  const door = createServer((_request, response) => {
    starting ??= startBroker()
    starting.then(
      (broker) => response.end(JSON.stringify(broker.brokers)),
      (error) => response.writeHead(500).end(String(error)),
    )
  })
  await new Promise<void>((resolve) => door.listen(0, '127.0.0.1', resolve))
  project.provide('brokerDoor', `http://127.0.0.1:${(door.address() as AddressInfo).port}`)
  return async () => {
    door.close()
    door.closeAllConnections()
    const broker = await starting?.catch(() => undefined)
    await broker?.stop()
  }
}
