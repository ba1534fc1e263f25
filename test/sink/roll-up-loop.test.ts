import { expect, onTestFinished, test } from 'vitest'
import { configSchema } from '../../src/config/schema.ts'
import { Degradations } from '../../src/degraded.ts'
import { createRing } from '../../src/ring/layout.ts'
import { startSink } from '../../src/sink/sink.ts'
import { silent } from '../../workshop/clickhouse.ts'
import { makeTables } from '../../workshop/tables.ts'
import { sharedClickHouse } from '../support/shared-clickhouse.ts'
import { until } from '../support/sink-run.ts'

const clickhouse = await sharedClickHouse()

/** A database with one row, and a sink that computes its roll-ups every second; what the sink finds wrong. */
async function startLoop(overrides: Record<string, unknown>) {
  const endpoint = clickhouse.own('loop')
  const { url, username, password, database } = endpoint
  await makeTables(endpoint)
  const columns = '(tenant, product_id, window_start, window_end, task, impressions, clicks, ctr, version, emitted_at)'
  await clickhouse.command(`INSERT INTO db.ctr_results ${columns} VALUES ('t', 'p', now64(3), now64(3), 0, 1, 0, 0, 1, now64(3))`, database)
  // As when somebody has altered a table that is computed.
  await clickhouse.command('ALTER TABLE db.ctr_hourly_computed ADD CONSTRAINT never CHECK impressions = 0', database)
  const degradations = new Degradations({ info() {}, warn() {} }, Date.now)
  const config = configSchema.parse({ clickhouse: { url, username, password, database, ...overrides } })
  const sink = startSink({
    rings: [createRing(1 << 16)],
    clickhouse: config.clickhouse,
    tenant: 't',
    revision: 0,
    logger: silent,
    degradations,
  })
  onTestFinished(() => sink.stop())
  await sink.ready
  const minutes = () => clickhouse.rows('SELECT impressions FROM db.ctr_minutely', database)
  return { degradations, database, minutes }
}

test('a roll-up that fails is a reason of being degraded, with what ClickHouse says; the others are computed', async () => {
  const { degradations, database, minutes } = await startLoop({ rollUps: { interval: '1s' } })
  await until(() => degradations.reasons.length > 0)
  expect(degradations.reasons).toMatchObject([{ code: 'refresh', subject: 'ctr_hourly' }])
  expect(degradations.reasons[0]?.message).toMatch(/^ctr_hourly misses what was written since it was computed last, which fails: .*never/)
  expect(await minutes()).toEqual([{ impressions: 1 }])
  await clickhouse.command('ALTER TABLE db.ctr_hourly_computed DROP CONSTRAINT never', database)
  await until(() => degradations.reasons.length === 0)
  expect(await clickhouse.rows('SELECT impressions FROM db.ctr_hourly', database)).toEqual([{ impressions: 1 }])
})

test('tables that are missing are told, too', async () => {
  const { degradations, database } = await startLoop({ rollUps: { interval: '1s' }, applySchema: false })
  await clickhouse.command('DROP TABLE db.ctr_refreshed SYNC', database)
  await until(() => degradations.reasons.some(({ message }) => /^every roll-up misses .*ctr_refreshed/.test(message)))
})

test('with rollUps.interval off nothing is computed', async () => {
  const { degradations, minutes } = await startLoop({ rollUps: { interval: 'off' } })
  await new Promise((resolve) => setTimeout(resolve, 2_000))
  expect(await minutes()).toEqual([])
  expect(degradations.reasons).toEqual([])
})
