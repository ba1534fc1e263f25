/** The test stand: a Kafka broker and a ClickHouse of its own in temporary folders, gone afterwards, also when something fails. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { endChildren } from './child.ts'
import { type EmbeddedTestClickHouse, startEmbedded } from './clickhouse.ts'
import { type Broker, startBroker } from './kafka-broker.ts'
import { type KafkaCluster, startCluster } from './kafka-cluster.ts'

export interface Stand {
  readonly brokers: readonly string[]
  readonly clickhouse: EmbeddedTestClickHouse
  /** For files of the run. */
  readonly folder: string
}

/** A stand with three brokers. */
export interface ClusterStand extends Stand {
  readonly cluster: KafkaCluster
}

/** Runs `body` on a stand, its broker with these properties besides. A SIGINT or SIGTERM takes the stand down and rejects. */
export async function withStand<T>(
  body: (stand: Stand, broker: Broker) => Promise<T>,
  properties: Record<string, string> = {},
): Promise<T> {
  return around(startBroker({ own: true, lasting: true, properties }), body)
}

/** The same with three brokers. */
export async function withClusterStand<T>(body: (stand: ClusterStand) => Promise<T>): Promise<T> {
  return around(startCluster(), (stand, cluster) => body({ ...stand, cluster }))
}

interface Kafka {
  readonly brokers: readonly string[]
  stop(): Promise<void>
}

async function around<K extends Kafka, T>(startingKafka: Promise<K>, body: (stand: Stand, kafka: K) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'ctr-stand-'))
  const startingClickHouse = startEmbedded()
  const interrupted = new Promise<never>((_, reject) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => reject(new Error(`interrupted by ${signal}`)))
  })
  try {
    const [kafka, clickhouse] = await Promise.race([Promise.all([startingKafka, startingClickHouse]), interrupted])
    return await Promise.race([body({ brokers: kafka.brokers, clickhouse, folder }, kafka), interrupted])
  } finally {
    await endChildren()
    const [kafka, clickhouse] = await Promise.allSettled([startingKafka, startingClickHouse])
    if (clickhouse.status === 'fulfilled') await clickhouse.value.stop()
    if (kafka.status === 'fulfilled') await kafka.value.stop()
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Runs a script's `main` and ends the process with the code it gives, or with 1 and the reason. */
export async function runScript(main: () => Promise<number>): Promise<never> {
  try {
    process.exit(await main())
  } catch (error) {
    console.error(`FAILED: ${error instanceof Error ? error.message : String(error)}`)
    process.exit(1)
  }
}
