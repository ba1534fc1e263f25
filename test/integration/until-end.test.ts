/** Whole bounded runs, `ctr run --until-end`: Kafka in, ClickHouse out, row by row as the oracle has it. */
import kafkajs, { type Producer } from 'kafkajs'
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { CODEC } from '../../src/batch/codec.ts'
import { PLAIN_EVENTS, type PlainEventRules } from '../../src/selftest/plain-event.ts'
import { type ConfigTree, type EngineProcess, into, merged, runEngine, workFolder } from '../../workshop/engine-process.ts'
import { fresh, plainClient } from '../../workshop/kafka-harness.ts'
import { judge, type OracleRecord, REASONS, runOracle, sumLedgers } from '../../workshop/oracle.ts'
import { deadLetters, event, feed, freshTopics, from, placed, record, type Topics } from '../support/feed.ts'
import { makeRecords } from '../support/records.ts'
import { differences, finalRows, keyed, rowsSql } from '../support/rows.ts'
import { sharedServers } from '../support/shared-clickhouse.ts'

const PARTITIONS = 4

const { brokers, clickhouse } = await sharedServers()

/** One bounded run over these topics, as a tenant and a group of its own. */
async function bounded(topics: Topics, more: ConfigTree = {}): Promise<{ engine: EngineProcess; tenant: string }> {
  const tenant = fresh('tenant')
  const config = merged(from(brokers, { ...topics, group: fresh('group') }), into(clickhouse, tenant), more)
  const engine = await runEngine(['run', '--until-end'], { config })
  expect([await engine.exit(), engine.complaints]).toEqual([0, []])
  return { engine, tenant }
}

function numberIn(stdout: string, name: string): number {
  return Number(new RegExp(`^ *${name} +([\\d,]+)`, 'm').exec(stdout)?.[1]?.replaceAll(',', ''))
}

test('two impressions and a click give 0.5, by the command line alone', async () => {
  const topics = await freshTopics(brokers, 1)
  const time = 1_700_000_001_000
  await feed(brokers, topics, [
    [record(topics.impressions, 'p-1', 'impression', time), record(topics.impressions, 'p-1', 'impression', time + 1)],
    [record(topics.clicks, 'p-1', 'click', time + 2)],
  ])
  const folder = workFolder()
  const run = await runEngine(['run', '--until-end'], { config: from(brokers, topics), folder })
  expect([await run.exit(), run.complaints]).toEqual([0, []])
  const sql = 'SELECT product_id, impressions, clicks, ctr FROM ctr_windows'
  const query = await runEngine(['query', sql, '--format', 'CSV'], { config: from(brokers, topics), folder })
  expect([await query.exit(), query.stdout]).toEqual([0, '"p-1",2,1,0.5\n'])
  const raw = await runEngine(['query', rowsSql('default'), '--format', 'JSONEachRow'], { config: from(brokers, topics), folder })
  expect(JSON.parse(raw.stdout)).toMatchObject({ windowStart: 1_700_000_000_000, windowEnd: 1_700_000_010_000, task: 0, ctr: 0.5 })
})

test('a run over 480,000 events writes the rows of the oracle; every invalid and every late event is in its topic, as it was', async () => {
  const topics = await freshTopics(brokers, PARTITIONS)
  const lists = placed(makeRecords({ seed: 7, partitions: PARTITIONS, records: 60_000, products: 200, stepMs: 6 }), topics)
  await feed(brokers, topics, lists)
  const lateTopic = `${topics.dead}-late`
  const { engine, tenant } = await bounded(topics, { late: { topic: lateTopic } })
  const { rows, ledgers } = runOracle(lists, { tenant })
  expect(differences(await finalRows(clickhouse, tenant), rows)).toEqual([])
  const total = sumLedgers(ledgers.values())
  expect(total.late).toBeGreaterThan(1000)
  const invalid = Object.entries(total.invalid).filter(([, count]) => count > 0)
  expect(invalid.length).toBeGreaterThan(2)
  const count = invalid.reduce((sum, [, one]) => sum + one, 0)
  const figures = ['counted', 'late', 'invalid', 'ignored'].map((name) => numberIn(engine.stdout, name))
  expect(figures).toEqual([total.counted, total.late, count, total.ignored])
  expect(total.ignored).toBeGreaterThan(100)
  expect(engine.stdout).toContain('ledger                 exact')
  for (const [reason, one] of invalid) expect(engine.stdout).toContain(`${reason} ${one.toLocaleString('en-US')}`)
  const letters = await deadLetters(brokers, topics.dead, count)
  expect(new Set(letters.map(placeOf)).size).toBe(count)
  const codes = Map.groupBy(letters, ({ errorCode }) => errorCode)
  expect(codes.get('DESERIALIZATION_ERROR')?.length).toBe(total.invalid.NOT_JSON)
  expect(codes.get('VALIDATION_ERROR')?.length).toBe(total.invalid.FUTURE + total.invalid.PRODUCT)
  const [letter] = codes.get('DESERIALIZATION_ERROR') ?? []
  const original = lists.flat().find((one) => placeOf({ ...one, rawTopic: one.topic }) === placeOf(letter!))
  expect(letter?.rawData).toBe(original?.value?.toString())

  const late = await deadLetters(brokers, lateTopic, total.late)
  expect(new Set(late.map(placeOf)).size).toBe(total.late)
  const originals = new Map(lists.flat().map((one) => [placeOf({ ...one, rawTopic: one.topic }), one.value?.toString()]))
  for (const one of late) expect([one.errorCode, one.rawData]).toEqual(['LATE_EVENT', originals.get(placeOf(one))])
  expect(late.every(({ lateMs }) => Number(lateMs) > 0)).toBe(true)
  expect(engine.logs.some(({ msg }) => msg?.includes('late events in'))).toBe(true)
})

const placeOf = ({ rawTopic, partition, offset }: { rawTopic: string; partition: number; offset: number }) =>
  `${rawTopic}/${partition}/${offset}`

describe('the hash over all rows is the same', () => {
  let topics: Topics
  let lists: OracleRecord[][]

  beforeAll(async () => {
    topics = await freshTopics(brokers, PARTITIONS)
    lists = placed(makeRecords({ seed: 8, partitions: PARTITIONS, records: 15_000, products: 100, stepMs: 6 }), topics)
    await feed(brokers, topics, lists)
  })

  const FETCH_SIZES = ['16KiB', '1MiB', '4MiB']
  test.each([1, 2, 4].flatMap((workers) => FETCH_SIZES.map((fetch) => [workers, fetch] as const)))(
    'with %i workers and fetches of %s',
    async (workers, fetchBytesPerPartition) => {
      const { tenant } = await bounded(topics, { engine: { workers, ringBytes: '64KiB' }, kafka: { fetchBytesPerPartition } })
      const rows = await finalRows(clickhouse, tenant)
      const anonymous = [...rows.values()].map((row) => ({ ...row, tenant: 'default' }))
      expect(differences(keyed(anonymous), runOracle(lists).rows)).toEqual([])
    },
  )
})

test.each(['gzip', 'snappy', 'lz4', 'zstd'] as const)('batches compressed with %s give the same rows', async (codec) => {
  const topics = await freshTopics(brokers, 2)
  const lists = placed(makeRecords({ seed: 11, partitions: 2, records: 5_000, products: 50 }), topics)
  await feed(brokers, topics, lists, CODEC[codec])
  const { tenant } = await bounded(topics)
  expect(differences(await finalRows(clickhouse, tenant), runOracle(lists, { tenant }).rows)).toEqual([])
})

test('transactions count when they are committed; aborted and open ones, and their markers at the end, do not', async () => {
  const topics = await freshTopics(brokers, 1)
  const time = 1_700_000_001_000
  const messages = (product: string) => [{ partition: 0, timestamp: String(time), value: event(product, 'impression', time) }]
  const client = plainClient(brokers)
  const producerOf = async (transactionalId: string) => {
    const producer = client.producer({
      transactionalId,
      idempotent: true,
      maxInFlightRequests: 1,
      createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
    })
    await producer.connect()
    onTestFinished(() => producer.disconnect())
    return producer
  }
  const [one, other] = await Promise.all([producerOf(fresh('one')), producerOf(fresh('other'))])
  const send = async (producer: Producer, product: string) => {
    const transaction = await producer.transaction()
    for (const topic of [topics.impressions, topics.clicks]) await transaction.send({ topic, messages: messages(product) })
    return transaction
  }
  await (await send(one, 'committed')).commit()
  await (await send(one, 'aborted')).abort()
  const interleaved = await send(other, 'interleaved and aborted')
  await (await send(one, 'committed')).commit()
  await interleaved.abort()
  const products = async () => {
    const { engine, tenant } = await bounded(topics)
    const rows = [...(await finalRows(clickhouse, tenant)).values()]
    return [engine.stdout.slice(0, 8), ...rows.map(({ product, impressions }) => `${product} ${impressions}`)]
  }
  // The last record of each partition is an abort's marker.
  expect(await products()).toEqual(['4 events', 'committed 4'])
  const open = await send(one, 'open')
  expect(await products()).toEqual(['4 events', 'committed 4'])
  await open.abort()
})

const STRICT: PlainEventRules = {
  ...PLAIN_EVENTS,
  otherTypes: 'invalid',
  empty: 'invalid',
  numbers: false,
  userRequired: true,
  unit: 'ms',
}

/** Of batches, of formats with schemas, and of records that may be several events. */
const ELSEWHERE = /BATCH|LARGE|FRAME|SCHEMA|NOT_AVRO|NOT_PROTOBUF|CLICK|TOO_MANY/

test('whatever bad input there is, it is counted, dead-lettered with its reason, and does no harm', async () => {
  const topics = await freshTopics(brokers, 1, { 'max.message.bytes': '10485760' })
  const time = 1_700_000_001_000
  const whole = JSON.parse(event('p', 'impression', time).toString()) as Record<string, unknown>
  const changed = (change: Record<string, unknown>) => Buffer.from(JSON.stringify({ ...whole, ...change }))
  const fiveMegabytes = 'x'.repeat(5 * 1024 * 1024)
  const values: (Buffer | null)[] = [
    null,
    Buffer.alloc(0),
    Buffer.from([0, 255, 254, 1, 2, 3, 128]),
    Buffer.alloc(300, 0xc3),
    event('p', 'impression', time).subarray(0, 60),
    Buffer.from('null'),
    Buffer.from('[1]'),
    changed({ product_id: 7 }),
    changed({ user_id: '' }),
    changed({ event_type: 'purchase' }),
    changed({ timestamp: 'yesterday' }),
    changed({ timestamp: true }),
    changed({ timestamp: 0 }),
    changed({ timestamp: -1 }),
    changed({ timestamp: 9e14 }),
    changed({ timestamp: Math.floor(time / 1_000) }),
    changed({ timestamp: time + 3_600_000 }),
    changed({ junk: fiveMegabytes }),
    changed({ junk: fiveMegabytes, product_id: null }),
    Buffer.from(fiveMegabytes),
  ]
  const records = values.map((value, offset) => ({ topic: topics.impressions, partition: 0, offset, recordTimestamp: time, value }))
  const good = Array.from({ length: 50 }, (_, i) => record(topics.impressions, 'p', i % 5 === 0 ? 'click' : 'impression', time + i))
  const list = [...good, ...records, ...good].map((one, offset) => ({ ...one, offset }))
  await feed(brokers, topics, [list], 0, 1)
  const events = {
    types: { other: 'invalid' },
    empty: 'invalid',
    product: { numbers: false },
    user: { required: true },
    time: { unit: 'ms' },
  }
  const { engine, tenant } = await bounded(topics, { events })
  const { rows, ledgers } = runOracle([list], { tenant, events: STRICT })
  const { invalid } = sumLedgers(ledgers.values())
  const reasons = Object.entries(invalid).filter(([, count]) => count > 0)
  expect(reasons.map(([reason]) => reason)).toEqual(REASONS.filter((reason) => !ELSEWHERE.test(reason)))
  for (const [reason, count] of reasons) expect(engine.stdout).toContain(`${reason} ${count}`)
  expect(differences(await finalRows(clickhouse, tenant), rows)).toEqual([])
  const letters = await deadLetters(brokers, topics.dead, values.length - 1)
  const verdicts = records.map(({ value }) => judge(value, time, 60_000, Date.UTC(2000, 0, 1), STRICT))
  const wanted = records.flatMap(({ offset }, i) => {
    const verdict = verdicts[i]!
    return verdict.valid ? [] : [[offset + good.length, verdict.reason]]
  })
  const codes: Record<string, string> = { EMPTY: 'INVALID_EVENT', NOT_UTF8: 'DESERIALIZATION_ERROR', NOT_JSON: 'DESERIALIZATION_ERROR' }
  const wantedCodes = wanted.map(([offset, reason]) => [offset, codes[String(reason)] ?? 'VALIDATION_ERROR'])
  expect(letters.map(({ offset, errorCode }) => [offset, errorCode])).toEqual(wantedCodes)
  expect(letters.map(({ rawTruncated }) => rawTruncated).filter(Boolean)).toHaveLength(2)
  expect(letters[2]).toMatchObject({ rawEncoding: 'base64', rawData: values[2]?.toString('base64') })
})
