/** Counting again with a higher `sink.revision`: whole windows, in all tasks alike, and never by accident. */
import { expect, test } from 'vitest'
import { type ConfigTree, type EngineProcess, into, merged, runEngine, workFolder } from '../../workshop/engine-process.ts'
import { fresh } from '../../workshop/kafka-harness.ts'
import { feed, freshTopics, from, record } from '../support/feed.ts'
import { sharedServers } from '../support/shared-clickhouse.ts'

const T0 = 1_790_000_000_000
const WINDOW_MS = 10_000

const { brokers, clickhouse } = await sharedServers()

test('a backfill overrides whole windows, and kept state takes another revision at a window of its own only', async () => {
  const topics = await freshTopics(brokers, 2)
  const tenant = fresh('tenant')
  const folder = workFolder()
  const run = async (group: string, more: ConfigTree): Promise<EngineProcess> => {
    const config = merged(from(brokers, { ...topics, group }), into(clickhouse, tenant), more)
    const engine = await runEngine(['run', '--until-end'], { folder, config })
    await engine.exit()
    return engine
  }
  const windows = () => {
    const sql = `SELECT toUnixTimestamp64Milli(window_start) AS start, impressions FROM db.ctr_windows
      WHERE tenant = '${tenant}' ORDER BY start`
    return clickhouse.rows<{ start: number; impressions: number }>(sql, clickhouse.endpoint.database)
  }
  const revisions = async () => {
    const sql = `SELECT toUnixTimestamp64Milli(window_start) AS start, toUInt8(bitShiftRight(max(version), 40)) AS high,
      toUInt8(bitShiftRight(min(version), 40)) AS low FROM db.ctr_results FINAL WHERE tenant = '${tenant}' GROUP BY start ORDER BY start`
    const rows = await clickhouse.rows<{ start: number; high: number; low: number }>(sql, clickhouse.endpoint.database)
    return rows.map(({ high, low }) => (high === low ? high : `${low} and ${high}`))
  }
  const events = (partition: number, first: number, seconds: number) =>
    Array.from({ length: seconds }, (_, i) => record(topics.impressions, 'p', 'impression', T0 + (first + i) * 1000, partition))
  await feed(brokers, topics, [events(0, 0, 40), events(1, 0, 40)])
  expect(await (await run('one', {})).exit()).toBe(0)
  const once = [0, 1, 2, 3].map((i) => ({ start: T0 + i * WINDOW_MS, impressions: 20 }))
  expect(await windows()).toEqual(once)

  // From the middle of the second window on.
  const kafka = { startFrom: 'timestamp', startTimestamp: T0 + 15_000 }
  expect(await (await run('two', { kafka, sink: { revision: 1 }, time: { futureTolerance: '0s' } })).exit()).toBe(0)
  expect(await windows()).toEqual(once)
  expect(await revisions()).toEqual([0, 1, 1, 1])

  // The first group has a checkpoint of revision 0.
  const sink = { revision: 1 }
  const refused = await run('one', { sink })
  expect(await refused.exit()).toBe(2)
  const free = `sink.revisionFrom: ${new Date(T0 + 40_000).toISOString()} or later`
  expect(refused.complaints.join()).toMatch(/CTR_STATE_MISMATCH: .*sink\.revision 0 for the window of .*, now 1/)
  expect(refused.complaints.join()).toContain(free)
  // Its offsets alone are of revision 0 too.
  const unkept = await run('one', { sink, checkpoint: { storage: 'none' } })
  expect(await unkept.exit()).toBe(2)
  expect(unkept.complaints.join()).toMatch(/CTR_STATE_MISMATCH: .*the marks of the group were made with sink\.revision 0 for the window of/)
  await feed(brokers, topics, [events(0, 40, 20), events(1, 40, 20)])
  expect(await (await run('one', { sink: { ...sink, revisionFrom: new Date(T0 + 50_000).toISOString() } })).exit()).toBe(0)
  expect(await windows()).toEqual([...once, ...[4, 5].map((i) => ({ start: T0 + i * WINDOW_MS, impressions: 20 }))])
  expect(await revisions()).toEqual([0, 1, 1, 1, 0, 1])
})
