/** An embedded ClickHouse that is killed and goes on: whoever asks it is led to the next process. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ClickHouseClient } from '@clickhouse/client'
import { connect, type Endpoint } from '../src/clickhouse/connect.ts'
import { type EmbeddedClickHouse, openEmbedded } from '../src/clickhouse/embedded-front.ts'
import { frontEndpoint } from '../src/clickhouse/endpoint.ts'
import type { FrontAddress } from '../src/clickhouse/front-address.ts'
import { endChildren } from './child.ts'
import { gone, silent } from './clickhouse.ts'

const TIMEOUT_MS = 900_000

export class LastingClickHouse {
  /** For files of the run. */
  readonly folder: string
  /** What `clickhouse.embedded` names to attach to it. */
  readonly directory: string
  #client: ClickHouseClient | undefined
  #endpoint: Endpoint | undefined
  #pid = 0

  private constructor(folder: string) {
    this.folder = folder
    this.directory = join(folder, 'clickhouse')
  }

  /** Runs `body` with one in a folder of its own; processes and folder are gone afterwards, also when something fails. */
  static async with<T>(body: (clickhouse: LastingClickHouse) => Promise<T>): Promise<T> {
    const folder = mkdtempSync(join(tmpdir(), 'ctr-lasting-'))
    const clickhouse = new LastingClickHouse(folder)
    const interrupted = new Promise<never>((_, reject) => {
      for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => reject(new Error(`interrupted by ${signal}`)))
    })
    let front: EmbeddedClickHouse | undefined
    try {
      front = await openEmbedded(clickhouse.directory, silent, { lingerMs: 0, onMoved: (address) => clickhouse.#move(address) })
      clickhouse.#move(front)
      return await Promise.race([body(clickhouse), interrupted])
    } finally {
      await endChildren()
      await clickhouse.#client?.close()
      front?.close()
      if (clickhouse.#pid !== 0) await gone(clickhouse.#pid)
      rmSync(folder, { recursive: true, force: true })
    }
  }

  /** The rows of a SELECT as objects; 64-bit numbers as JavaScript numbers. Rejects as the client does. */
  async rows<T = Record<string, unknown>>(sql: string): Promise<T[]> {
    const settings = { output_format_json_quote_64bit_integers: 0 } as const
    const result = await this.#now.query({ query: sql, format: 'JSONEachRow', clickhouse_settings: settings })
    return result.json<T>()
  }

  async command(sql: string): Promise<void> {
    await this.#now.command({ query: sql })
  }

  /** A client of one of its databases, that whoever asks for it closes. */
  connect(database: string): ClickHouseClient {
    if (this.#endpoint === undefined) throw new Error('ClickHouse is not open')
    return connect(this.#endpoint, database)
  }

  get #now(): ClickHouseClient {
    if (this.#client === undefined) throw new Error('ClickHouse is not open')
    return this.#client
  }

  #move(address: FrontAddress): void {
    this.#endpoint = { ...frontEndpoint(address), database: 'default', requestTimeoutMs: TIMEOUT_MS }
    this.#pid = address.pid
    void this.#client?.close()
    this.#client = connect(this.#endpoint, undefined)
  }
}
