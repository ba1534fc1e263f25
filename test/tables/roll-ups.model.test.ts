/** Roll-ups, totals and newest windows are what a naive twin computes from all rows, whatever was inserted in between runs. */
import { afterAll, expect, test } from 'vitest'
import { connect } from '../../src/clickhouse/connect.ts'
import { Random } from '../../src/load/random.ts'
import { INPUTS_FROM } from '../../src/tables/counting.ts'
import { RollUpJob } from '../../src/tables/roll-up-job.ts'
import { makeTables, plainForm } from '../../workshop/tables.ts'
import { repetitions } from '../support/effort.ts'
import type { ModelRow } from '../support/results-model.ts'
import { RollUpTables } from '../support/roll-up-run.ts'
import { sharedClickHouse } from '../support/shared-clickhouse.ts'

const SEED = Number(process.env.CTR_TEST_SEED ?? Date.now() % 1_000_000_007)
const SEEDS = Array.from({ length: repetitions({ unit: 1, all: 1, long: 12 }) }, (_, i) => SEED + i)
const STEPS = 16
const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR
const SIZE = 10_000

const clickhouse = await sharedClickHouse()
const clients: ReturnType<typeof connect>[] = []
afterAll(() => Promise.all(clients.map((client) => client.close())))

/** Rows at instants that come up again and again: now, hours and days ago, and on days of twenty years. */
class Rows {
  readonly #random: Random
  readonly #anchors: readonly number[]

  constructor(random: Random) {
    this.#random = random
    const now = Math.floor(Date.now() / SIZE) * SIZE
    const years = Array.from({ length: 12 }, () => now - this.int(20 * 365) * DAY - this.int(DAY / SIZE) * SIZE)
    this.#anchors = [now, now - 40_000, now - 2 * MINUTE, now - 3 * HOUR, now - 23.9 * HOUR, now - 25 * HOUR, now - 7 * DAY, ...years]
  }

  int(end: number): number {
    return this.#random.below(end)
  }

  some(): ModelRow[] {
    const anchors = this.int(3) === 0 ? this.#anchors : this.#anchors.slice(0, 4)
    return Array.from({ length: 1 + this.int(20) }, () => this.#one(anchors))
  }

  #one(anchors: readonly number[]): ModelRow {
    const start = Math.floor((anchors[this.int(anchors.length)] as number) / SIZE) * SIZE + this.int(3) * SIZE
    const count = this.int(30)
    return {
      tenant: ['one', 'two'][this.int(2)] as string,
      product: `p${this.int(5)}`,
      start,
      end: start + (this.int(10) === 0 ? 2 : 1) * SIZE,
      task: this.int(6) === 0 ? INPUTS_FROM + this.int(4) : this.int(3),
      revision: this.int(8) === 0 ? 1 + this.int(2) : 0,
      impressions: count,
      clicks: count % 3,
    }
  }
}

test.each(SEEDS)('seed %i: what is computed is what a naive twin computes from all rows', { timeout: 240_000 }, async (seed) => {
  const endpoint = clickhouse.own('rollups')
  await makeTables(endpoint)
  const client = connect(endpoint, endpoint.database)
  clients.push(client)
  const job = new RollUpJob(client, plainForm(endpoint.database))
  const tables = new RollUpTables(clickhouse, endpoint)
  const rows = new Rows(new Random(seed))
  let late = false
  for (let step = 0; step < STEPS; step++) {
    for (let some = rows.int(4); some > 0; some--) await tables.insert(rows.some())
    if (rows.int(4) === 0) await tables.insert(tables.model.rows.filter(() => rows.int(2) === 0))
    // Inserts that took long: a sweep finds them, and so runAll, which always is one.
    if (rows.int(4) === 0) {
      await tables.insert(rows.some(), 9 * MINUTE)
      late = true
    }
    if (rows.int(3) === 0) await endInput(tables, rows)
    if (rows.int(8) === 0) await tables.command('TRUNCATE TABLE db.ctr_refreshed')
    if (!late) await tables.expectLatest()
    if (rows.int(3) === 0) continue
    late = false
    expect((await job.runAll(AbortSignal.timeout(60_000))).failed).toEqual([])
    await tables.expectLatest()
    await tables.expectRollUps()
  }
})

async function endInput(tables: RollUpTables, rows: Rows): Promise<void> {
  const number = INPUTS_FROM + rows.int(4)
  // Numbers of one tenant and name may be ended in any order; two inputs have two runs each.
  const ended = { tenant: 'one', number, name: number % 2 === 0 ? 'june' : 'july', ended: true }
  await tables.input({ ...ended, ended: false })
  await tables.input(ended)
}
