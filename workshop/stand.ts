/** The test stand: a Kafka broker and a ClickHouse of its own in temporary folders, gone afterwards, also when something fails. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { endChildren } from './child.ts'
import { type EmbeddedTestClickHouse, startEmbedded } from './clickhouse.ts'
import { startBroker } from './kafka-broker.ts'

export interface Stand {
  readonly brokers: readonly string[]
  readonly clickhouse: EmbeddedTestClickHouse
  /** For files of the run. */
  readonly folder: string
}

/** Runs `body` on a stand, its broker with these properties besides. A SIGINT or SIGTERM takes the stand down and rejects. */
export async function withStand<T>(body: (stand: Stand) => Promise<T>, properties: Record<string, string> = {}): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'ctr-stand-'))
  const starting = {
    broker: startBroker({ own: true, lasting: true, properties }),
    clickhouse: startEmbedded(),
  }
  const interrupted = new Promise<never>((_, reject) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => reject(new Error(`interrupted by ${signal}`)))
  })
  try {
    const [broker, clickhouse] = await Promise.race([Promise.all([starting.broker, starting.clickhouse]), interrupted])
    return await Promise.race([body({ brokers: broker.brokers, clickhouse, folder }), interrupted])
  } finally {
    await endChildren()
    const [broker, clickhouse] = await Promise.allSettled([starting.broker, starting.clickhouse])
    if (clickhouse.status === 'fulfilled') await clickhouse.value.stop()
    if (broker.status === 'fulfilled') await broker.value.stop()
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
