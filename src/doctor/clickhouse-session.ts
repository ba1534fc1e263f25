/**
 * How a ClickHouse is asked: within the time of a check, and an embedded one only when it is there already, for to open one makes it. Its
 * front is shared with whoever runs on it.
 */
import type { ClickHouseClient } from '@clickhouse/client'
import { connect, type Endpoint, explainClickHouse, unanswered } from '../clickhouse/connect.ts'
import { type OpenEndpoint, openEndpoint } from '../clickhouse/endpoint.ts'
import type { Config } from '../config/schema.ts'
import type { Logger } from '../log.ts'
import { checkAnswers } from '../tables/check.ts'
import { type Form, formOf } from '../tables/objects.ts'
import { NotLooked } from './finding.ts'
import { inTime, sharesOf } from './in-time.ts'

export class ClickHouseSession {
  readonly config: Config['clickhouse']
  readonly form: Form
  readonly #log: Logger
  readonly #shares: ReturnType<typeof sharesOf>
  #opened: Promise<OpenEndpoint> | undefined
  #answered: Promise<Endpoint> | undefined

  constructor({ clickhouse: config, sink }: Config, timeoutMs: number, log: Logger) {
    this.#shares = sharesOf(timeoutMs)
    this.config = { ...config, requestTimeout: Math.min(config.requestTimeout, this.#shares.requestMs) }
    this.form = formOf(config, sink.history)
    this.#log = log
  }

  /** Where it is; rejects as openEndpoint does. Of several addresses the first that answers. */
  async endpoint(): Promise<Endpoint> {
    this.#opened ??= openEndpoint(this.config, this.#log)
    return (await this.#opened).endpoint
  }

  /** One of several addresses, whatever the others do. */
  async endpointAt(url: string): Promise<Endpoint> {
    return (await openEndpoint({ ...this.config, url: [url] }, this.#log)).endpoint
  }

  /** The endpoint, once it is known that it answers. Rejects with NotLooked when it does not, which the check of its address tells. */
  answering(): Promise<Endpoint> {
    const none = () => new NotLooked('no ClickHouse answers')
    this.#answered ??= inTime(
      this.#shares.connectionMs,
      this.#look().catch(() => Promise.reject(none())),
      none,
    )
    return this.#answered
  }

  /** Rows of a query, without a database of ours. Rejects as the client does. */
  async rows<T>(query: string): Promise<T[]> {
    return this.with(async (client) => {
      const answer = await client.query({ query, format: 'JSONEachRow' })
      return await answer.json<T>()
    })
  }

  /** A client without a database of ours, while `work` needs it. */
  async with<T>(work: (client: ClickHouseClient) => Promise<T>): Promise<T> {
    const client = connect(await this.answering(), undefined)
    try {
      return await work(client)
    } finally {
      await client.close()
    }
  }

  /** What a start asks first. The client's own limit does not hold while TLS is agreed on. */
  async ask(endpoint: Endpoint): Promise<void> {
    await inTime(endpoint.requestTimeoutMs, checkAnswers(endpoint), () => unanswered(endpoint))
  }

  /** The outcome of `work`, its failure as a start has it. */
  async explained<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      if (error instanceof NotLooked) throw error
      const url = this.config.url?.[0] ?? this.config.embedded ?? ''
      const { username, database, requestTimeout } = this.config
      const fallback = { url, username, password: '', database, requestTimeoutMs: requestTimeout, compression: false }
      throw explainClickHouse(error, (await this.#opened?.catch(() => undefined))?.endpoint ?? fallback)
    }
  }

  async close(): Promise<void> {
    const opened = await this.#opened?.catch(() => undefined)
    opened?.front?.close()
  }

  async #look(): Promise<Endpoint> {
    const endpoint = await this.endpoint()
    await this.ask(endpoint)
    return endpoint
  }
}
