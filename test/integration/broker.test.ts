/** With a broker of its own: one that restarts, comes late, asks for passwords, or gives back other bytes than it was given. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { crc32, gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { CODEC } from '../../src/batch/codec.ts'
import { type ConfigTree, type EngineProcess, into, merged, runEngine, startEngine, workFolder } from '../../workshop/engine-process.ts'
import { type Broker, SASL_USERS, startBroker } from '../../workshop/kafka-broker.ts'
import { fresh } from '../../workshop/kafka-harness.ts'
import { type OracleRecord, runOracle } from '../../workshop/oracle.ts'
import { deadLetters, feed, freshTopics, from, placed, record, type Topics } from '../support/feed.ts'
import { makeRecords } from '../support/records.ts'
import { differences, finalRows } from '../support/rows.ts'
import { sharedClickHouse } from '../support/shared-clickhouse.ts'

const BATCH = 100
const MAGIC_AT = 16
const RECORDS_AT = 61

let broker: Broker
const clickhouse = await sharedClickHouse()

beforeAll(async () => {
  broker = await startBroker({ own: true, sasl: true })
})
afterAll(async () => {
  await broker?.stop()
})

async function processed(engine: EngineProcess, count: number): Promise<void> {
  await engine.until(`${count} events`, async () => (await engine.metric('ctr_events_processed_total')) >= count, 60_000)
}

test('a broker that restarts or is killed in a live run costs nothing, and one that is not there at the start is waited for', async () => {
  const topics = await freshTopics(broker.brokers, 2)
  const tenant = fresh('tenant')
  // At the end one topic may be minutes ahead of the other; it is to be read all the same.
  const more = { kafka: { fetchBytesPerPartition: '16KiB' }, time: { maxDrift: '10m' } }
  const config = merged(from(broker.brokers, topics), into(clickhouse, tenant), more)
  const lists = placed(makeRecords({ seed: 21, partitions: 2, records: 15_000, products: 40 }), topics)
  const third = (part: number) => lists.map((list) => list.slice(part * 5_000, (part + 1) * 5_000))
  const grow = async (part: number) => feed(broker.brokers, topics, third(part))
  const engine = startEngine(['run'], { config })
  await grow(0)
  await processed(engine, 100)
  await broker.restart()
  await grow(1)
  await processed(engine, 20_100)
  await broker.kill()

  const late = merged(config, { kafka: { groupId: fresh('group') } }, into(clickhouse, fresh('tenant')))
  const waiting = startEngine(['run', '--until-end'], { config: late })
  await waiting.logged('kafka.brokers')
  expect(await waiting.readiness()).toEqual({
    status: 503,
    reasons: ['the source is not connected yet', expect.stringContaining('check that the brokers run')],
  })
  await broker.restart()
  expect([await waiting.exit(60_000), waiting.complaints]).toEqual([0, []])
  expect(waiting.stdout).toMatch(/^40,000 events/)

  await grow(2)
  await processed(engine, 60_000)
  expect(engine.complaints).toEqual([])
  expect(await engine.terminate()).toBe(0)
  const last = await runEngine(['run', '--until-end'], { config })
  expect([await last.exit(), last.complaints]).toEqual([0, []])
  expect(differences(await finalRows(clickhouse, tenant), runOracle(lists, { tenant }).rows)).toEqual([])
}, 180_000)

describe.each([
  ['PLAIN', SASL_USERS.plain],
  ['SCRAM-SHA-512', SASL_USERS.scram],
])('SASL_SSL with %s', (mechanism, { username, password }) => {
  function secured(topics: readonly string[], folder: string, more: ConfigTree = {}): ConfigTree {
    writeFileSync(join(folder, 'ca.pem'), broker.caPem)
    const security = { protocol: 'SASL_SSL', sasl: { mechanism, username, password: `\${SECRET:${password}}` }, ssl: { ca: 'ca.pem' } }
    return merged({ kafka: { brokers: broker.saslBrokers, topics, groupId: fresh('group'), security } }, more)
  }

  test('loads, runs and dead-letters', async () => {
    const folder = workFolder()
    const topics = [fresh('impressions'), fresh('clicks')]
    const load = ['load', '--count', '20000', '--invalid', '0.01', '--partitions', '2', '--start-time', '2024-01-01T00:00:00Z']
    const loaded = await runEngine(load, { config: secured(topics, folder), folder })
    expect([await loaded.exit(), loaded.complaints]).toEqual([0, []])
    const [, impressions, clicks, invalid] = /([\d,]+) impressions, ([\d,]+) clicks, ([\d,]+) invalid/.exec(loaded.stdout) ?? []
    const tenant = fresh('tenant')
    const dead = fresh('dead')
    const config = secured(topics, folder, merged(into(clickhouse, tenant), { deadLetter: { topic: dead } }))
    const run = await runEngine(['run', '--until-end'], { config, folder })
    expect([await run.exit(), run.complaints]).toEqual([0, []])
    expect(run.stdout).toMatch(/^20,000 events/)
    expect(run.stdout).toContain(`${impressions} impressions, ${clicks} clicks`)
    const rows = [...(await finalRows(clickhouse, tenant)).values()]
    expect(rows.reduce((sum, row) => sum + row.impressions, 0)).toBe(Number(impressions?.replace(',', '')))
    expect(await deadLetters(broker.brokers, dead, Number(invalid))).toHaveLength(Number(invalid))
  })

  test('refuses a wrong password with exit code 2 and the key to look at', async () => {
    const folder = workFolder()
    const config = secured([fresh('impressions'), fresh('clicks')], folder, into(clickhouse, fresh('tenant')))
    const run = await runEngine(['run'], { config, folder, environment: { SECRET: 'wrong' } })
    expect([await run.exit(), run.complaints.join('\n')]).toEqual([
      2,
      expect.stringMatching(/^ctr: CTR_KAFKA_AUTH: .*kafka\.security\.sasl\.mechanism, username and password/),
    ])
    expect(run.complaints.join() + JSON.stringify(run.logs)).not.toContain(readFileSync(join(folder, 'ca.pem'), 'utf8'))
  })
})

/** A message of format 1; `codec` says how `value` is packed. */
function oldMessage(offset: number, codec: number, timestamp: number, key: Uint8Array | null, value: Uint8Array | null): Buffer {
  const field = (bytes: Uint8Array | null) => {
    const length = Buffer.alloc(4)
    length.writeInt32BE(bytes?.length ?? -1)
    return Buffer.concat([length, bytes ?? Buffer.alloc(0)])
  }
  const fixed = Buffer.from([1, codec, 0, 0, 0, 0, 0, 0, 0, 0])
  fixed.writeBigInt64BE(BigInt(timestamp), 2)
  const body = Buffer.concat([fixed, field(key), field(value)])
  const head = Buffer.alloc(16)
  head.writeBigInt64BE(BigInt(offset), 0)
  head.writeInt32BE(4 + body.length, 8)
  head.writeUInt32BE(crc32(body), 12)
  return Buffer.concat([head, body])
}

describe('a log segment that is damaged on disk', () => {
  /** Five batches of one partition, of which the third is to be damaged. */
  async function fiveBatches(codec = 0): Promise<{ topics: Topics; list: OracleRecord[]; third: number }> {
    const topics = await freshTopics(broker.brokers, 1)
    const start = 1_700_000_000_000
    const list = Array.from({ length: 5 * BATCH }, (_, i) => record(topics.impressions, `p-${i % 9}`, 'impression', start + i * 20))
    await feed(broker.brokers, topics, [list], codec, BATCH)
    const segment = await broker.segment(topics.impressions, 0)
    let third = 0
    for (let batch = 0; batch < 2; batch++) third += 12 + segment.readInt32BE(third + 8)
    expect(Number(segment.readBigInt64BE(third))).toBe(2 * BATCH)
    return { topics, list, third }
  }

  async function bounded(topics: Topics, kafka: ConfigTree): Promise<{ run: EngineProcess; tenant: string }> {
    const tenant = fresh('tenant')
    const config = merged(from(broker.brokers, topics), into(clickhouse, tenant), { kafka })
    return { run: await runEngine(['run', '--until-end'], { config }), tenant }
  }

  /** The run went to its end, and did without the third batch only. */
  async function withoutTheThird(topics: Topics, list: readonly OracleRecord[], kafka: ConfigTree): Promise<void> {
    const { run, tenant } = await bounded(topics, kafka)
    expect([await run.exit(), run.complaints]).toEqual([0, []])
    const rest = list.filter((_, i) => i < 2 * BATCH || i >= 3 * BATCH)
    expect(differences(await finalRows(clickhouse, tenant), runOracle([placedAt(rest)], { tenant }).rows)).toEqual([])
    expect(run.stdout).toMatch(/CORRUPT_BATCH \d+/)
    expect(run.stdout).toContain('ledger                 exact')
    const [letter] = await deadLetters(broker.brokers, topics.dead, 1)
    expect(letter).toMatchObject({ errorCode: 'CORRUPT_BATCH', rawTopic: topics.impressions, partition: 0, offset: 2 * BATCH })
  }

  const placedAt = (list: readonly OracleRecord[]) => list.map((one, offset) => ({ ...one, offset }))

  test('costs the batch it hit, counted and dead-lettered, when CRCs are checked', async () => {
    const { topics, list, third } = await fiveBatches()
    await broker.damage(topics.impressions, 0, third + RECORDS_AT + 500, Buffer.from('garbage'))
    await withoutTheThird(topics, list, { checkCrc: true })
  })

  test('costs the batch it hit when what is compressed can no longer be read', async () => {
    const { topics, list, third } = await fiveBatches(CODEC.gzip)
    await broker.damage(topics.impressions, 0, third + RECORDS_AT, Buffer.alloc(40, 0xff))
    await withoutTheThird(topics, list, {})
  })

  test('and holds messages of Kafka before 0.11 in place of a batch is read as any other', async () => {
    const { topics, list, third } = await fiveBatches()
    const segment = await broker.segment(topics.impressions, 0)
    const size = 12 + segment.readInt32BE(third + 8)
    const old = list.slice(2 * BATCH, 3 * BATCH).map(({ value, recordTimestamp }, i) => oldMessage(i, 0, recordTimestamp, null, value))
    const packed = gzipSync(Buffer.concat(old))
    // A key fills what the batch took beyond it.
    const padding = Buffer.alloc(size - oldMessage(0, 1, 0, Buffer.alloc(0), packed).length)
    await broker.damage(topics.impressions, 0, third, oldMessage(3 * BATCH - 1, 1, list[0]!.recordTimestamp, padding, packed))
    const { run, tenant } = await bounded(topics, {})
    expect([await run.exit(), run.complaints]).toEqual([0, []])
    expect(differences(await finalRows(clickhouse, tenant), runOracle([placedAt(list)], { tenant }).rows)).toEqual([])
    expect(run.stdout).toContain('ledger                 exact')
  })

  test('stops the run at an unknown magic byte, naming topic, partition and offset, unless such batches are to be skipped', async () => {
    const { topics, list, third } = await fiveBatches()
    await broker.damage(topics.impressions, 0, third + MAGIC_AT, Buffer.from([9]))
    const { run } = await bounded(topics, {})
    const complaint = run.complaints.join('\n')
    expect([await run.exit(), complaint]).toEqual([1, expect.stringMatching(/^ctr: CTR_KAFKA_CORRUPT_BATCH: /)])
    for (const named of [topics.impressions, 'partition 0', `offset ${2 * BATCH}`, 'magic byte 9', 'kafka.onCorruptBatch']) {
      expect(complaint).toContain(named)
    }
    await withoutTheThird(topics, list, { onCorruptBatch: 'skip' })
  })
})
