/** Ends of all kinds in the middle of the work, and what the next start makes of it: the rows of an undisturbed run, always. */
import { expect, onTestFinished, test } from 'vitest'
import { sleep } from '../../src/clock.ts'
import { Random } from '../../src/load/random.ts'
import { into, merged, runEngine, startEngine, workFolder } from '../../workshop/engine-process.ts'
import { fresh, plainClient } from '../../workshop/kafka-harness.ts'
import { type OracleRecord, runOracle, sumLedgers } from '../../workshop/oracle.ts'
import { Feeder, freshTopics, from, placed } from '../support/feed.ts'
import { makeRecords } from '../support/records.ts'
import { differences, finalRows } from '../support/rows.ts'
import { sharedServers } from '../support/shared-clickhouse.ts'

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

test('SIGTERM and SIGKILL at random moments of a live run leave the rows of the oracle', async () => {
  const seed = Date.now() % 1_000_000
  console.log(`seed ${seed}`)
  const random = new Random(seed)
  const topics = await freshTopics(brokers, PARTITIONS)
  const tenant = fresh('tenant')
  const more = { kafka: { fetchBytesPerPartition: '64KiB' }, engine: { workers: 2 } }
  const config = merged(from(brokers, topics), into(clickhouse, tenant), more)
  const folder = workFolder()
  const feeder = await Feeder.connect(brokers, topics)
  onTestFinished(() => feeder.close())
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
  }
  await grow(feeder, lists, parts - 1, parts)
  const last = await runEngine(['run', '--until-end'], { config, folder })
  expect([await last.exit(), last.complaints]).toEqual([0, []])
  const expected = runOracle(lists, { tenant })
  expect(sumLedgers(expected.ledgers.values()).late).toBeGreaterThan(100)
  expect(differences(await finalRows(clickhouse, tenant), expected.rows)).toEqual([])
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
