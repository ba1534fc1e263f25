/**
 * Two things of a cluster that kafkajs' admin does not ask. Who coordinates a group; and that the first replica of a partition leads it:
 *
 *   ElectLeaders, version 0   request   [topic string, [partition i32]], timeout i32
 *                             response  throttle i32, [topic string, [partition i32, error i16, message nullable string]]
 */
import type { Broker, Cluster } from 'kafkajs'
import { sleep } from '../src/clock.ts'
import { clusterOf } from '../src/kafka/kafka-client.ts'
import { askCoordinator } from '../src/kafka/own-requests.ts'
import { plainClient } from './kafka-harness.ts'

const ELECT_LEADERS_API_KEY = 43
const TIMEOUT_MS = 30_000
const POLL_MS = 200
const PREFERRED_LEADER_NOT_AVAILABLE = 80
const ELECTION_NOT_NEEDED = 84

type AskedBroker = Broker & { readonly connectionPool: { send(protocol: object): Promise<unknown> } }

/** The id of the broker that coordinates the group; a cluster that knows of none yet is asked again. */
export async function findCoordinator(brokers: readonly string[], groupId: string): Promise<number> {
  for (const giveUpAt = performance.now() + TIMEOUT_MS; ; await sleep(POLL_MS)) {
    try {
      return await withCluster(brokers, async (cluster) => (await askCoordinator(cluster, groupId)).coordinator.nodeId)
    } catch (error) {
      if (performance.now() > giveUpAt) throw error
    }
  }
}

/** Asks once; an election that is not needed, or not possible yet, is no failure. */
export async function electPreferredLeader(brokers: readonly string[], topic: string, partition: number): Promise<void> {
  const error = await withCluster(brokers, async (cluster) => {
    const { connectionPool } = (await cluster.findControllerBroker()) as AskedBroker
    const payload = electRequest(topic, partition)
    const encode = async () => ({ buf: payload, buffer: payload })
    return connectionPool.send({
      request: { apiKey: ELECT_LEADERS_API_KEY, apiName: 'ElectLeaders', apiVersion: 0, encode },
      response: { decode: async (body: Buffer) => errorOf(body), parse: async (code: number) => code },
    })
  })
  if (error === 0 || error === ELECTION_NOT_NEEDED || error === PREFERRED_LEADER_NOT_AVAILABLE) return
  throw new Error(`${topic}/${partition}: no leader is elected, Kafka's error ${error}`)
}

function electRequest(topic: string, partition: number): Buffer {
  const name = Buffer.from(topic)
  const payload = Buffer.alloc(18 + name.length)
  payload.writeInt32BE(1, 0)
  payload.writeInt16BE(name.length, 4)
  name.copy(payload, 6)
  payload.writeInt32BE(1, 6 + name.length)
  payload.writeInt32BE(partition, 10 + name.length)
  payload.writeInt32BE(TIMEOUT_MS, 14 + name.length)
  return payload
}

/** Of the one partition; 0 when the broker answers with none, for then it leads already. */
function errorOf(body: Buffer): number {
  if (body.readInt32BE(4) === 0) return 0
  const at = 10 + body.readInt16BE(8)
  return body.readInt32BE(at) === 0 ? 0 : body.readInt16BE(at + 8)
}

async function withCluster<T>(brokers: readonly string[], body: (cluster: Cluster) => Promise<T>): Promise<T> {
  const cluster = clusterOf(plainClient([...brokers]))
  await cluster.connect()
  try {
    await cluster.refreshMetadata()
    return await body(cluster)
  } finally {
    await cluster.disconnect()
  }
}
