/** What Kafka no longer has when a real engine starts: a topic was deleted and made again, or retention has passed what was kept. */
import { expect, onTestFinished, test } from 'vitest'
import { createTopics as createLedTopics } from '../../src/kafka/create-topics.ts'
import { type ConfigTree, into, merged, runEngine, startEngine, workFolder } from '../../workshop/engine-process.ts'
import { fresh, plainClient, sourceOptions, until, withSource } from '../../workshop/kafka-harness.ts'
import { ledgerFaults } from '../../workshop/ledger-rows.ts'
import { type OracleRecord, runOracle } from '../../workshop/oracle.ts'
import { Feeder, freshTopics, from, placed } from '../support/feed.ts'
import { laterBy, makeRecords } from '../support/records.ts'
import { differences, finalRows } from '../support/rows.ts'
import { sharedServers } from '../support/shared-clickhouse.ts'

const { brokers, clickhouse } = await sharedServers()
const RECORDS = 2_000
/** Behind all records before, and what a watermark may hold open. */
const LATER_MS = 600_000

/** An engine that has read one partition of each topic and was stopped; it takes what comes and judges the end. */
async function stopped(seed: number) {
  const topics = await freshTopics(brokers, 1)
  const tenant = fresh('tenant')
  const folder = workFolder()
  const own: ConfigTree = { kafka: { clientId: fresh('pod') }, time: { maxDrift: '1h' } }
  const config = merged(from(brokers, topics), into(clickhouse, tenant), own)
  const lists = placed(makeRecords({ seed, partitions: 1, records: RECORDS, products: 60, stepMs: 10 }), topics)
  const feeder = await Feeder.connect(brokers, topics)
  onTestFinished(() => feeder.close())
  await feeder.appendAll(lists)
  const engine = startEngine(['run'], { config, folder })
  await engine.until('all is read', async () => (await engine.metric('ctr_events_processed_total')) >= 2 * RECORDS)
  expect(await engine.terminate()).toBe(0)

  const admin = plainClient(brokers).admin()
  await admin.connect()
  onTestFinished(() => admin.disconnect())
  const later = (list: readonly OracleRecord[]) => list.map((record) => laterBy(record, LATER_MS))
  const finish = async (expected: readonly (readonly OracleRecord[])[]) => {
    const last = await runEngine(['run', '--until-end'], { config, folder })
    expect([await last.exit(), last.complaints]).toEqual([0, []])
    const { rows, ledgers } = runOracle(expected, { tenant })
    expect(differences(await finalRows(clickhouse, tenant), rows)).toEqual([])
    expect(await ledgerFaults(clickhouse, ledgers, { tenant })).toEqual([])
    return last.logs.filter(({ level }) => String(level) === 'warn').map(({ msg }) => msg)
  }
  return { topics, tenant, lists, feeder, admin, later, finish }
}

test('a topic made again between two runs, with as many records: what was counted stays, and the new one is read whole', async () => {
  const { topics, lists, feeder, admin, later, finish } = await stopped(21)
  const topic = topics.impressions
  await admin.deleteTopics({ topics: [topic] })
  await expect.poll(async () => (await admin.listTopics()).includes(topic), { timeout: 20_000 }).toBe(false)
  await createLedTopics(admin, [{ topic, numPartitions: 1 }])
  await feeder.refresh()
  const made = later(lists.find(([first]) => first?.topic === topic) ?? [])
  await feeder.appendAll([made])
  const id = await topicIdOf(topic)
  const said = await finish([...lists, made.map((record) => ({ ...record, topic: `${topic}#${id}` }))])
  const what = `topic ${topic} was deleted and made again: it is read from its beginning, what is kept of the old one counts`
  expect(said).toContainEqual(expect.stringContaining(`${what}; its records from offset`))
}, 60_000)

test('retention that has passed a savepoint: what was counted stays, the rest is read, and the gap is named', async () => {
  const { topics, lists, feeder, admin, later, finish } = await stopped(22)
  const old = lists.find(([first]) => first?.topic === topics.impressions) ?? []
  const more = later(old)
  await feeder.appendAll([more])
  const lost = RECORDS / 4
  await admin.fetchTopicOffsets(topics.impressions) // kafkajs asks nobody for a topic's leader by itself
  await admin.deleteTopicRecords({ topic: topics.impressions, partitions: [{ partition: 0, offset: String(RECORDS + lost) }] })
  const rest = more.slice(lost).map((record, i) => ({ ...record, offset: RECORDS + lost + i }))
  const said = await finish(lists.map((list) => (list === old ? [...old, ...rest] : list)))
  const gap = `records ${RECORDS} to ${RECORDS + lost - 1} are gone (retention)`
  expect(said.filter((message) => message.includes(`${gap}: their events are missing, all before them is there`))).not.toEqual([])
}, 60_000)

async function topicIdOf(topic: string): Promise<string> {
  return withSource(sourceOptions(brokers, [topic]), async (taker) => {
    await until('the topic is assigned', () => taker.assignments.length > 0)
    return taker.assignments[0]?.topicId ?? ''
  })
}
