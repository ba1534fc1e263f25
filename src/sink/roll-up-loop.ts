/** Computes roll-ups at intervals, over a connection of its own: one statement may take longer than an insert may. */
import type { ClickHouseClient } from '@clickhouse/client'
import { clickHouseReason, connect, type Endpoint, isAway } from '../clickhouse/connect.ts'
import { HOUR } from '../config/units.ts'
import type { Form } from '../tables/objects.ts'
import { RollUpJob, type RollUpOutcome } from '../tables/roll-up-job.ts'

const STATEMENT_TIMEOUT_MS = HOUR

export class RollUpLoop {
  readonly #form: Form
  readonly #intervalMs: number
  readonly #told: (outcome: RollUpOutcome) => void
  #endpoint: Endpoint
  #running: Promise<void> = Promise.resolve()
  #ends = false
  #client: ClickHouseClient
  #job: RollUpJob

  constructor(endpoint: Endpoint, form: Form, intervalMs: number, told: (outcome: RollUpOutcome) => void) {
    this.#endpoint = { ...endpoint, requestTimeoutMs: STATEMENT_TIMEOUT_MS }
    this.#form = form
    this.#intervalMs = intervalMs
    this.#told = told
    this.#client = connect(this.#endpoint, endpoint.database)
    this.#job = new RollUpJob(this.#client, form)
  }

  /** From now on at intervals; one run ends before the next begins. */
  start(): void {
    if (this.#intervalMs === Number.POSITIVE_INFINITY) return
    let dueAt = performance.now()
    const run = () => {
      if (this.#ends) return
      this.#running = this.#run()
      void this.#running.then(next)
    }
    const next = () => {
      dueAt = Math.max(dueAt + this.#intervalMs, performance.now())
      setTimeout(run, Math.max(0, dueAt - performance.now())).unref()
    }
    next()
  }

  /** Everything, up to what is written, and nothing after it. Rejects as the client does. */
  async last(told: (step: string) => void): Promise<RollUpOutcome> {
    this.#ends = true
    await this.#running
    return this.#job.runAll(new AbortController().signal, told)
  }

  /** Later statements go to another address. */
  move(endpoint: Partial<Endpoint>): void {
    void this.#client.close()
    this.#endpoint = { ...this.#endpoint, ...endpoint, requestTimeoutMs: STATEMENT_TIMEOUT_MS }
    this.#client = connect(this.#endpoint, this.#endpoint.database)
    this.#job = new RollUpJob(this.#client, this.#form)
  }

  async #run(): Promise<void> {
    const begun = performance.now()
    try {
      const outcome = await this.#job.runDue(this.#intervalMs)
      if (outcome !== undefined) this.#told(outcome)
    } catch (error) {
      // A ClickHouse that is away is told by those who insert.
      if (isAway(error)) return
      const failed = [{ view: 'every roll-up', reason: clickHouseReason(error) }]
      this.#told({ failed, leftOut: 0, rowsRead: 0, seconds: (performance.now() - begun) / 1000 })
    }
  }
}
