/** Drives a sink as workers would: rows, barriers and ends through real rings. Keeps the rows, to compare with what ClickHouse has. */

import type { Endpoint } from '../../src/clickhouse/connect.ts'
import { sleep } from '../../src/clock.ts'
import type { Config } from '../../src/config/schema.ts'
import { configSchema } from '../../src/config/schema.ts'
import type { CtrError } from '../../src/errors.ts'
import { encodeTenant } from '../../src/products/key.ts'
import { createRing } from '../../src/ring/layout.ts'
import { RingWriter } from '../../src/ring/ring-writer.ts'
import { beginRows, passBarrier, passEnd, publishRows, rowsStart } from '../../src/ring/row-blocks.ts'
import type { ParkedRow } from '../../src/sink/deliver.ts'
import { rowFrame, rowMaxBytes, writeRow } from '../../src/sink/row-binary.ts'
import { type Sink, startSink } from '../../src/sink/sink.ts'
import { silent, type TestClickHouse } from '../../workshop/clickhouse.ts'

const TENANT = encodeTenant('default')

/** One row: a window of 10 s of task 0. */
export interface TestRow {
  readonly product: string
  readonly start: number
  readonly impressions: number
  readonly clicks: number
  readonly task?: number
}

export class SinkRun {
  readonly sink: Sink
  readonly barriers: number[] = []
  /** Codes of trouble as told, `ok` for recoveries. */
  readonly troubles: string[] = []
  readonly messages: string[] = []
  readonly deaths: CtrError[] = []
  readonly parked: ParkedRow[] = []
  /** What was logged as errors. */
  readonly errors: string[] = []
  readonly warnings: string[] = []
  readonly writers: RingWriter[]
  /** What was put into the rings: the newest of each window, product and task. */
  readonly expected = new Map<string, string>()

  constructor(clickhouse: Config['clickhouse'], rings: number, ringBytes: number, revision = 0) {
    const memory = Array.from({ length: rings }, () => createRing(ringBytes))
    this.writers = memory.map((ring) => new RingWriter(ring))
    const logger = {
      ...silent,
      error: (_: object, message: string) => void this.errors.push(message),
      warn: (_: object, message: string) => void this.warnings.push(message),
    }
    this.sink = startSink({ rings: memory, clickhouse, tenant: 'default', revision, logger })
    this.sink.onParked((rows) => this.parked.push(...rows))
    this.sink.onBarrier((number) => this.barriers.push(number))
    this.sink.onTrouble((trouble) => {
      this.troubles.push(trouble === undefined ? 'ok' : trouble.code)
      if (trouble !== undefined) this.messages.push(trouble.message)
    })
    this.sink.onDied((error) => this.deaths.push(error))
  }

  /** One block of rows, all of one window; waits for room in the ring. */
  async rows(ring: number, rows: readonly TestRow[], first = true): Promise<void> {
    const writer = this.writers[ring]!
    while (!beginRows(writer, 0, rows.length * rowMaxBytes(TENANT))) await writer.waitRoomAsync(100)
    const from = rowsStart(writer)
    const view = new DataView(writer.bytes.buffer, writer.bytes.byteOffset, writer.bytes.byteLength)
    let at = from
    let end = 0
    for (const { product, start, impressions, clicks, task = 0 } of rows) {
      this.expected.set(`${product} ${start} ${task}`, `${impressions} ${clicks}`)
      const id = Buffer.from(product)
      end = start + 10_000
      at = writeRow(writer.bytes, view, at, TENANT, id, 0, id.length, rowFrame(start, end, task, 0, Date.now()), impressions, clicks)
    }
    publishRows(writer, rows.length, at - from, end, first)
  }

  async barrier(ring: number, number: number): Promise<void> {
    const writer = this.writers[ring]!
    while (!passBarrier(writer, number)) await writer.waitRoomAsync(100)
  }

  async end(): Promise<void> {
    for (const writer of this.writers) while (!passEnd(writer)) await writer.waitRoomAsync(100)
  }
}

/** The rows of ctr_results, newest versions, as SinkRun expects them. */
export async function writtenRows(clickhouse: TestClickHouse, database: string): Promise<Map<string, string>> {
  const rows = await clickhouse.rows<{ key: string; value: string }>(
    `SELECT concat(product_id, ' ', toString(toUnixTimestamp64Milli(window_start)), ' ', toString(task)) AS key,
       concat(toString(impressions), ' ', toString(clicks)) AS value FROM db.ctr_results FINAL`,
    database,
  )
  const found = new Map(rows.map(({ key, value }) => [key, value]))
  if (found.size !== rows.length) throw new Error('a key is there twice')
  return found
}

/** A sink of `endpoint` with the defaults but for `overrides`. */
export function startRun(
  endpoint: Endpoint,
  overrides: Record<string, unknown> = {},
  options: { rings?: number; ringBytes?: number; revision?: number } = {},
): SinkRun {
  const { url, username, password, database } = endpoint
  const { clickhouse } = configSchema.parse({ clickhouse: { url, username, password, database, ...overrides } })
  return new SinkRun(clickhouse, options.rings ?? 1, options.ringBytes ?? 1 << 20, options.revision)
}

/** Waits until `condition` holds; fails after `ms`. */
export async function until(condition: () => boolean | Promise<boolean>, ms = 20_000): Promise<void> {
  for (const end = Date.now() + ms; Date.now() < end; ) {
    if (await condition()) return
    await sleep(10)
  }
  throw new Error(`not within ${ms} ms: ${condition}`)
}
