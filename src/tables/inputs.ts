/**
 * The book of inputs, ctr_inputs: what `ctr replay` has counted, under which number, and which number of a name counts.
 *
 *   claimed   (number, run, name)                    before the first record; rows of the number are in no view
 *   ended     the same with bytes, hash and ended    of a name the largest number that has ended counts, whatever there was before
 *
 * Two replays may claim at once, and ClickHouse has no lock. So each run writes what it claims, then looks who else has claimed the same
 * numbers; whoever finds another one gives all of them up and tries other numbers. Of two that claim the same at least the second to look
 * finds the first. A number that was given up is never used.
 *
 * Needs a ClickHouse that reads what it has acknowledged; a server of a cluster catches up with the others first (copies.ts).
 */
import { randomUUID } from 'node:crypto'
import type { ClickHouseClient } from '@clickhouse/client'
import { type WantedSettings, withSettings } from '../clickhouse/settings.ts'
import { sleep } from '../clock.ts'
import { CtrError } from '../errors.ts'
import { INPUTS } from './columns.ts'
import { catchUp, NEWEST } from './copies.ts'
import { INPUTS_FROM } from './counting.ts'

/** Numbers are written as signed 32-bit words in rings. */
const NUMBERS_END = 2 ** 31
const ATTEMPTS_MAX = 30
const PAUSE_MS = 20

const WRITE_SETTINGS: WantedSettings = {
  async_insert: { value: 0, needed: 'else what is claimed is not written yet when it is looked for' },
}

/** What an input holds: its bytes, after decompression, and their SHA-256 in hex. */
export interface InputContent {
  readonly bytes: number
  readonly hash: string
}

/** A run of an input. */
export interface InputRun {
  readonly number: number
  readonly name: string
}

/** A run that counts; `at` is when it ended, as ClickHouse writes it. */
export interface CountedInput extends InputRun, InputContent {
  readonly at: string
}

/** The inputs of one tenant, as one run of `ctr replay` sees them. Rejections are those of the client. */
export class InputBook {
  #client: ClickHouseClient
  readonly #tenant: string
  readonly #cluster: string | undefined
  readonly #run = randomUUID()

  constructor(client: ClickHouseClient, tenant: string, cluster?: string) {
    this.#client = client
    this.#tenant = tenant
    this.#cluster = cluster
  }

  /** Another server has the book from now on. */
  move(client: ClickHouseClient): void {
    this.#client = client
  }

  /** A new number for each name, in their order, that no other run has or gets. */
  async claim(names: readonly string[]): Promise<InputRun[]> {
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      const [last] = await this.#ask<{ number: number }>('SELECT max(number) AS number FROM ctr_inputs')
      const first = Math.max(INPUTS_FROM, (last?.number ?? 0) + 1) + Math.floor(Math.random() * attempt * names.length)
      if (first + names.length > NUMBERS_END) throw new CtrError('CTR_INPUT', `ctr_inputs: no number below ${NUMBERS_END} is left`)
      const claimed = names.map((name, i) => ({ number: first + i, name }))
      await this.#write(claimed.map((input) => ({ ...input, bytes: 0, hash: '', ended: 0 })))
      const [others] = await this.#ask<{ found: number }>(
        `SELECT toUInt32(count()) AS found FROM ctr_inputs
        WHERE number >= {first:UInt32} AND number < {end:UInt32} AND run != {run:String}`,
        { first, end: first + names.length, run: this.#run },
      )
      if (others?.found === 0) return claimed
      await sleep(Math.random() * PAUSE_MS * (attempt + 1))
    }
    throw new CtrError('CTR_INPUT', 'ctr_inputs: others claim numbers all the time; try again', { retriable: true })
  }

  /** From now on these count, instead of what was there under their names. */
  async end(inputs: readonly (InputRun & InputContent)[]): Promise<void> {
    await this.#write(inputs.map(({ number, name, bytes, hash }) => ({ number, name, bytes, hash, ended: 1 })))
  }

  /** All that count, by name. */
  async counted(): Promise<CountedInput[]> {
    return this.#ask<CountedInput>(
      `SELECT number, name, toFloat64(bytes) AS bytes, hash, formatDateTime(toDateTime(at, 'UTC'), '%F %TZ') AS at FROM ctr_inputs FINAL
      WHERE ended = 1 AND tenant = {tenant:String} ORDER BY number DESC LIMIT 1 BY name`,
      { tenant: this.#tenant },
    )
  }

  /** How many rows' worth of partitions the version before has left, which gave files the numbers of partitions: their rows add up. */
  async unnamed(topic: string): Promise<number> {
    const [answer] = await this.#ask<{ found: number }>(
      `SELECT toUInt32(uniqExact(partition)) AS found
      FROM (SELECT tenant, topic, partition FROM ctr_ledger UNION ALL SELECT tenant, topic, partition FROM ctr_ledger_hourly)
      WHERE tenant = {tenant:String} AND topic = {topic:String} AND partition < ${INPUTS_FROM}`,
      { tenant: this.#tenant, topic },
    )
    return answer?.found ?? 0
  }

  async #ask<T>(query: string, parameters: Record<string, unknown> = {}): Promise<T[]> {
    await catchUp(this.#client, this.#cluster, INPUTS.name)
    const answer = await withSettings(this.#client, NEWEST, (settings) =>
      this.#client.query({ query, query_params: parameters, format: 'JSONEachRow', clickhouse_settings: settings }),
    )
    return answer.json<T>()
  }

  async #write(rows: readonly (InputRun & InputContent & { readonly ended: number })[]): Promise<void> {
    await withSettings(this.#client, WRITE_SETTINGS, (settings) =>
      this.#client.insert({
        table: INPUTS.name,
        columns: INPUTS.columns.map(([name]) => name) as [string, ...string[]],
        values: rows.map((row) => ({ tenant: this.#tenant, run: this.#run, ...row })),
        format: 'JSONEachRow',
        clickhouse_settings: { ...settings, wait_end_of_query: 1 },
      }),
    )
  }
}
