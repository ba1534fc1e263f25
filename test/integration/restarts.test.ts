/** Ends of all kinds in the middle of the work, and what the next start makes of it: the rows of an undisturbed run, always. */
import { expect, onTestFinished, test } from 'vitest'
import { sleep } from '../../src/clock.ts'
import { Random } from '../../src/load/random.ts'
import { type EngineProcess, into, merged, runEngine, startEngine, workFolder } from '../../workshop/engine-process.ts'
import { fresh, plainClient } from '../../workshop/kafka-harness.ts'
import { type OracleRecord, runOracle, sumLedgers } from '../../workshop/oracle.ts'
import { Feeder, freshTopics, from, placed, record } from '../support/feed.ts'
import { makeRecords } from '../support/records.ts'
import { differences, finalRows } from '../support/rows.ts'
import { sharedServers } from '../support/shared-clickhouse.ts'
import { until } from '../support/sink-run.ts'

const PARTITIONS = 2
const BATCH_RECORDS = 100
const FEED_MS = 1_000

const { brokers, clickhouse } = await sharedServers()

/** Part `part` of `parts` of every list, as a live topic grows: in small batches, spread over FEED_MS. */
async function grow(feeder: Feeder, lists: readonly OracleRecord[][], part: number, parts: number): Promise<void> {
  const cut = (list: OracleRecord[], at: number) => Math.floor((list.length * at) / parts)
  const slices = lists.map((list) => list.slice(cut(list, part), cut(list, part + 1)))
  const rounds = Math.ceil(Math.max(...slices.map((slice) => slice.length)) / BATCH_RECORDS)
  for (let round = 0; round < rounds; round++) {
    await Promise.all(slices.map((slice) => feeder.append(slice.slice(round * BATCH_RECORDS, (round + 1) * BATCH_RECORDS))))
    await sleep(FEED_MS / rounds)
  }
}

const SIGNALS = ['SIGKILL', 'SIGTERM', 'SIGKILL', 'SIGKILL', 'SIGTERM', 'SIGKILL'] as const

/** What ClickHouse shows, once no insert of a killed engine is under way. */
async function shownNow(database: string): Promise<{ at: string; rows: unknown[] }> {
  const inserts = "SELECT query_id FROM system.processes WHERE query_kind = 'Insert' AND position(query, 'ctr_results') > 0"
  await until(async () => (await clickhouse.rows(inserts)).length === 0)
  const [now] = await clickhouse.rows<{ at: string }>("SELECT toString(now64(3, 'UTC')) AS at")
  return { at: now?.at ?? '', rows: await clickhouse.rows('SELECT * FROM db.ctr_windows ORDER BY ALL', database) }
}

test('SIGTERM and SIGKILL at random moments of a live run leave the rows of the oracle, and what was known between them', async () => {
  const seed = Date.now() % 1_000_000
  console.log(`seed ${seed}`)
  const random = new Random(seed)
  const topics = await freshTopics(brokers, PARTITIONS)
  const tenant = fresh('tenant')
  const more = { kafka: { fetchBytesPerPartition: '64KiB' }, engine: { workers: 2 } }
  const own = { ...clickhouse, endpoint: clickhouse.own('restarts') }
  const { database } = own.endpoint
  const history = { sink: { history: true }, clickhouse: { retention: { emissions: 'off' } } }
  const config = merged(from(brokers, topics), into(own, tenant), more, history)
  const folder = workFolder()
  const feeder = await Feeder.connect(brokers, topics)
  onTestFinished(() => feeder.close())
  const seen: Awaited<ReturnType<typeof shownNow>>[] = []
  const lists = placed(makeRecords({ seed, partitions: PARTITIONS, records: 40_000, products: 60, stepMs: 10 }), topics)
  const parts = SIGNALS.length + 2
  await grow(feeder, lists, 0, parts)
  for (const [life, signal] of SIGNALS.entries()) {
    const engine = startEngine(['run'], { config, folder })
    await engine.until('it reads', async () => (await engine.metric('ctr_events_processed_total')) > 0)
    const growing = grow(feeder, lists, life + 1, parts)
    await sleep(random.below(FEED_MS))
    engine.signal(signal)
    expect([await engine.exit(), engine.complaints]).toEqual([signal === 'SIGTERM' ? 0 : signal, []])
    await growing
    seen.push(await shownNow(database))
  }
  await grow(feeder, lists, parts - 1, parts)
  const last = await runEngine(['run', '--until-end'], { config, folder })
  expect([await last.exit(), last.complaints]).toEqual([0, []])
  const expected = runOracle(lists, { tenant })
  expect(sumLedgers(expected.ledgers.values()).late).toBeGreaterThan(100)
  expect(differences(await finalRows(own, tenant), expected.rows)).toEqual([])
  for (const { at, rows } of seen) {
    expect(await clickhouse.rows(`SELECT * FROM db.ctr_results_as_of(known_at = '${at}') ORDER BY ALL`, database), at).toEqual(rows)
  }
  expect(new Set(seen.map(({ rows }) => JSON.stringify(rows))).size).toBeGreaterThan(2)
}, 180_000)

test('SIGTERM commits how far the work is done, and the next start reads on from there', async () => {
  const topics = await freshTopics(brokers, 1)
  const tenant = fresh('tenant')
  // Only the end commits; and no partition waits for another.
  const more = { kafka: { commitInterval: '5m' }, time: { maxDrift: '10m' } }
  const config = merged(from(brokers, topics), into(clickhouse, tenant), more)
  const feeder = await Feeder.connect(brokers, topics)
  onTestFinished(() => feeder.close())
  const lists = placed(makeRecords({ seed: 5, partitions: 1, records: 10_000, products: 20 }), topics)
  await feeder.appendAll(lists)
  const engine = startEngine(['run'], { config })
  await engine.until('all read', async () => (await engine.metric('ctr_events_processed_total')) === 20_000)
  expect(await engine.terminate()).toBe(0)

  const admin = plainClient(brokers).admin()
  await admin.connect()
  onTestFinished(() => admin.disconnect())
  const committed = await admin.fetchOffsets({ groupId: topics.group, topics: [topics.impressions, topics.clicks] })
  let left = 0
  for (const { partitions } of committed) {
    const { offset, metadata } = partitions[0]!
    expect(Number(offset)).toBeGreaterThan(5_000)
    expect(JSON.parse(metadata ?? '')).toMatchObject({ v: 1, maxEventTime: expect.any(Number) })
    left += 10_000 - Number(offset)
  }
  expect(left).toBeGreaterThan(0)
  const next = await runEngine(['run', '--until-end'], { config })
  expect(await next.exit()).toBe(0)
  expect(Number(/^([\d,]+) events/.exec(next.stdout)?.[1]?.replace(',', ''))).toBe(left)
  expect(differences(await finalRows(clickhouse, tenant), runOracle(lists, { tenant }).rows)).toEqual([])
})

test.each(['SIGTERM', 'SIGKILL'] as const)(
  'startFrom: latest is for the first start: after %s what came meanwhile is counted',
  async (end) => {
    const topics = await freshTopics(brokers, 1)
    const tenant = fresh('tenant')
    const config = merged(from(brokers, topics), into(clickhouse, tenant), {
      kafka: { startFrom: 'latest' },
      checkpoint: { interval: '1s' },
    })
    const folder = workFolder()
    const feeder = await Feeder.connect(brokers, topics)
    onTestFinished(() => feeder.close())
    const clicks = (product: string) =>
      Array.from({ length: 100 }, (_, i) => record(topics.clicks, product, 'click', 1_700_000_000_000 + i))
    await feeder.append(clicks('history'))
    const first = startEngine(['run'], { config, folder })
    await first.until('its partitions', async () => (await first.metric('ctr_consumer_lag_records')) === 0 && (await lanes(first)) === 2)
    await feeder.append(clicks('first'))
    await first.until('the first', async () => (await first.metric('ctr_clicks_total')) === 100)
    // The group's first offsets are those of its start.
    await first.logged('checkpoint complete')
    first.signal(end)
    expect(await first.exit()).toBe(end === 'SIGTERM' ? 0 : end)
    await feeder.append(clicks('meanwhile'))
    const last = await runEngine(['run', '--until-end'], { config, folder })
    expect([await last.exit(), last.complaints]).toEqual([0, []])
    expect(last.logs.some(({ msg }) => msg.includes('kafka.startFrom is not used'))).toBe(true)
    const rows = [...(await finalRows(clickhouse, tenant)).values()]
    expect(rows.map(({ product, clicks: count }) => `${product} ${count}`).toSorted()).toEqual(['first 100', 'meanwhile 100'])
  },
)

async function lanes(engine: EngineProcess): Promise<number> {
  return [...(await engine.metrics()).keys()].filter((key) => key.startsWith('ctr_consumer_lag_records{')).length
}
