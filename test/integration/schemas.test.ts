/** Avro by a real registry that is away, does not know a schema, or comes back: nothing is lost, order is kept, what waits is told. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import avsc from 'avsc'
import protobuf from 'protobufjs'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { parse } from 'yaml'
import { sleep } from '../../src/clock.ts'
import { type Apicurio, startApicurio } from '../../workshop/apicurio.ts'
import { type ConfigTree, type EngineProcess, into, merged, runEngine, startEngine, workFolder } from '../../workshop/engine-process.ts'
import { fresh } from '../../workshop/kafka-harness.ts'
import { type OracleRecord, runOracle } from '../../workshop/oracle.ts'
import { type RegistryProxy, startRegistryProxy } from '../../workshop/registry-proxy.ts'
import { repetitions } from '../support/effort.ts'
import { deadLetters, Feeder, freshTopics, from, record, type Topics } from '../support/feed.ts'
import { framed } from '../support/framed-json.ts'
import { differences, finalRows } from '../support/rows.ts'
import { sharedServers } from '../support/shared-clickhouse.ts'

const NOW = 1_700_000_000_000
const STEP_MS = 20
const RUN_RECORDS = 400
const GZIP = 1
/** How long the registry is away. */
const AWAY_MS = repetitions({ unit: 2_000, all: 2_000, long: 60_000 })

const { brokers, clickhouse } = await sharedServers()
let registry: Apicurio
let proxy: RegistryProxy

beforeAll(async () => {
  registry = await startApicurio()
  proxy = await startRegistryProxy(registry.origin)
}, 300_000)
afterAll(async () => {
  await proxy[Symbol.asyncDispose]()
  await registry[Symbol.asyncDispose]()
})

/** A producer's schema: what it writes beside the values that count, before and after them, follows from `version`. */
function schemaOf(version: number): avsc.Schema {
  const extra = Array.from({ length: version }, (_, i) => ({
    name: `extra${i}`,
    type: i % 2 === 0 ? 'string' : 'long',
    default: i % 2 === 0 ? '' : 0,
  }))
  const fields = [
    { name: 'timestamp', type: { type: 'long', logicalType: 'timestamp-millis' } },
    { name: 'event_type', type: { type: 'enum', name: 'Kind', symbols: ['impression', 'click'] } },
    { name: 'product_id', type: 'string' },
  ]
  const ordered = version % 2 === 0 ? fields : fields.toReversed()
  return { type: 'record', name: 'Event', fields: [...extra.slice(0, 1), ...ordered, ...extra.slice(1)] } as avsc.Schema
}

interface Writer {
  readonly id: number
  readonly type: avsc.Type
}

async function writer(subject: string, version: number): Promise<Writer> {
  const schema = schemaOf(version)
  return { id: await registry.register(subject, JSON.stringify(schema)), type: avsc.Type.forSchema(schema) }
}

/** The same events as a producer writes them by a schema. */
function written({ id, type }: Writer, records: readonly OracleRecord[]): OracleRecord[] {
  return records.map((one) => {
    const plain = JSON.parse(Buffer.from(one.value ?? []).toString()) as Record<string, unknown>
    const extras = Object.fromEntries([0, 1, 2, 3, 4].map((i) => [`extra${i}`, i % 2 === 0 ? `note ${i}` : -i]))
    return { ...one, value: Buffer.concat([framed(id, ''), type.toBuffer({ ...extras, ...plain })]) }
  })
}

/** Events of a partition in disorder, of which some are late: skipping any and reading it later would show in the rows. */
function eventsOf(topic: string, partition: number, from: number, count = RUN_RECORDS): OracleRecord[] {
  return Array.from({ length: count }, (_, i) => {
    const at = from + i
    const back = at % 17 === 0 ? 4_000 : at % 211 === 0 ? 40_000 : 0
    const one = record(topic, `p${(at * 7) % 23}`, at % 5 === 0 ? 'click' : 'impression', NOW + at * STEP_MS - back, partition)
    return { ...one, offset: at, recordTimestamp: NOW + at * STEP_MS }
  })
}

function configOf(topics: Topics, tenant: string, more: ConfigTree = {}): ConfigTree {
  const avro = (name: string) => ({ name, format: 'avro' })
  const kafka = { topics: [avro(topics.impressions), avro(topics.clicks)] }
  const schemaRegistry = { url: `${proxy.url}/apis/ccompat/v7`, requestTimeout: '1s' }
  return merged(from(brokers, topics), into(clickhouse, tenant), { kafka, schemaRegistry, checkpoint: { interval: '300ms' } }, more)
}

const readTo = (engine: EngineProcess, count: number) =>
  engine.until(`${count} are read`, async () => (await engine.metric('ctr_events_processed_total')) === count)

/** Reasons of what is degraded, with what they say. */
const told = async (engine: EngineProcess) => {
  const { text } = await engine.get('/readyz')
  return (JSON.parse(text) as { degraded: { code: string; subject: string; message: string }[] }).degraded
}
const says = (engine: EngineProcess, code: string, subject: string) =>
  engine.until(`${code} of ${subject}`, async () => (await told(engine)).find((one) => one.code === code && one.subject === subject))

test('a registry that is away while two new schemas come, and does not know a third: held, told, resumed, nothing lost', async () => {
  const topics = await freshTopics(brokers, 2)
  const tenant = fresh('tenant')
  const name = fresh('events')
  const config = configOf(topics, tenant)
  const folder = workFolder()
  const feeder = await Feeder.connect(brokers, topics)
  onTestFinished(() => feeder.close())
  const [first, second, third] = [await writer(name, 0), await writer(name, 1), await writer(name, 2)]
  const events = (topic: string, partition: number) => [0, 1, 2].map((run) => eventsOf(topic, partition, run * RUN_RECORDS))
  const lists = [events(topics.impressions, 0), events(topics.clicks, 0), events(topics.impressions, 1), events(topics.clicks, 1)]
  // Of the partitions that wait one is compressed.
  const append = (list: number, run: number, by: Writer) => feeder.append(written(by, lists[list]?.[run] ?? []), list === 2 ? GZIP : 0)

  for (const list of lists.keys()) await append(list, 0, first)
  const engine = startEngine(['run'], { config, folder })
  await readTo(engine, 4 * RUN_RECORDS)
  await proxy.cut()
  await append(0, 1, second)
  await append(2, 1, third)
  for (const list of [1, 3]) await append(list, 1, first)
  // Two wait; what is written by the schema that is here goes on.
  await readTo(engine, 6 * RUN_RECORDS)
  await says(engine, 'schemaRegistry', `${topics.impressions}/0`)
  const { message } = await says(engine, 'schemaRegistry', `${topics.impressions}/1`)
  expect(message).toMatch(
    new RegExp(
      `^${topics.impressions}/1 waits at offset ${RUN_RECORDS} since .* for schema id:${third.id}: schemaRegistry.url: .* does not answer`,
    ),
  )
  await engine.logged(`for schema id:${third.id}: `)
  expect(await engine.metric('ctr_schema_waiting_partitions')).toBe(2)
  // It stays in its group and its place, however long it takes.
  await sleep(AWAY_MS)
  expect(await engine.metric('ctr_events_processed_total')).toBe(6 * RUN_RECORDS)
  expect((await engine.readiness()).status).toBe(200)
  await proxy.mend()
  await readTo(engine, 8 * RUN_RECORDS)
  await engine.logged('over: ')

  // Of the next schema the registry knows nothing yet; its number is the next one.
  const next: Writer = { id: third.id + 1, type: avsc.Type.forSchema(schemaOf(3)) }
  await append(0, 2, next)
  for (const list of [1, 2, 3]) await append(list, 2, second)
  await readTo(engine, 11 * RUN_RECORDS)
  const unknown = await says(engine, 'schemaUnknown', `${topics.impressions}/0`)
  expect(unknown.message).toContain(`waits at offset ${2 * RUN_RECORDS}`)
  expect(unknown.message).toMatch(/does not know it .*; register it there, or look whether schemaRegistry.url/)
  engine.signal('SIGKILL')
  expect(await engine.exit()).toBe('SIGKILL')

  // A start without a registry reads what it has read before, and waits where it has waited.
  await proxy.cut()
  const blind = startEngine(['run'], { config, folder })
  const again = await says(blind, 'schemaRegistry', `${topics.impressions}/0`)
  expect(again.message).toContain(`waits at offset ${2 * RUN_RECORDS}`)
  expect(await blind.terminate()).toBe(0)
  await proxy.mend()
  const seeing = startEngine(['run'], { config, folder })
  await says(seeing, 'schemaUnknown', `${topics.impressions}/0`)
  expect((await writer(name, 3)).id).toBe(next.id)
  await seeing.until('nothing waits', async () => (await told(seeing)).length === 0)
  expect(await seeing.terminate()).toBe(0)

  const last = await runEngine(['run', '--until-end'], { config, folder })
  expect([await last.exit(), last.complaints]).toEqual([0, []])
  const expected = runOracle(
    lists.map((runs) => runs.flat()),
    { tenant },
  )
  expect(differences(await finalRows(clickhouse, tenant), expected.rows)).toEqual([])
}, 180_000)

test('with unknownAfter a record whose schema nobody knows becomes a letter, and those behind it count', async () => {
  const topics = await freshTopics(brokers, 1)
  const tenant = fresh('tenant')
  const config = configOf(topics, tenant, { schemaRegistry: { unknownAfter: '1s' } })
  const feeder = await Feeder.connect(brokers, topics)
  onTestFinished(() => feeder.close())
  const known = await writer(fresh('events'), 0)
  const stranger = { id: 900_000_000, type: known.type }
  const list = eventsOf(topics.clicks, 0, 0, 30)
  await feeder.append([...written(known, list.slice(0, 10)), ...written(stranger, list.slice(10, 12)), ...written(known, list.slice(12))])
  const run = await runEngine(['run', '--until-end'], { config })
  expect([await run.exit(), run.complaints]).toEqual([0, []])
  const letters = await deadLetters(brokers, topics.dead, 2)
  const message = `the schema that the value names is not to be had: id:${stranger.id}`
  expect(letters.map(({ offset, errorCode, errorMessage }) => ({ offset, errorCode, errorMessage }))).toEqual(
    [10, 11].map((offset) => ({ offset, errorCode: 'DESERIALIZATION_ERROR', errorMessage: message })),
  )
  const counted = list.map((one, i) => (i === 10 || i === 11 ? { ...one, value: Buffer.from('no event') } : one))
  expect(differences(await finalRows(clickhouse, tenant), runOracle([counted], { tenant }).rows)).toEqual([])
})

test('Protobuf by the registry, with a file that it imports', async () => {
  const topics = await freshTopics(brokers, 1)
  const tenant = fresh('tenant')
  const name = fresh('events')
  const kind = 'syntax = "proto3";\npackage shop;\nenum Kind { impression = 0; click = 1; }\n'
  const event = 'import "kind.proto";\nmessage Event { string product_id = 1; Kind event_type = 2; int64 timestamp = 3; }\n'
  await registry.register(`${name}-kind`, kind, 'PROTOBUF')
  const text = `syntax = "proto3";\npackage shop;\n${event}`
  const id = await registry.register(name, text, 'PROTOBUF', [{ name: 'kind.proto', subject: `${name}-kind`, version: 1 }])
  const root = protobuf.parse(kind, { keepCase: true }).root
  const type = protobuf.parse(text, root, { keepCase: true }).root.lookupType('shop.Event')
  const list = eventsOf(topics.clicks, 0, 0, 100)
  const encoded = list.map((one) => {
    const plain = JSON.parse(Buffer.from(one.value ?? []).toString()) as Record<string, unknown>
    // The first message of the schema: its list of indexes is a zero.
    return { ...one, value: Buffer.concat([framed(id, '\0'), type.encode(type.fromObject(plain)).finish()]) }
  })
  const feeder = await Feeder.connect(brokers, topics)
  onTestFinished(() => feeder.close())
  await feeder.append(encoded)
  const asProtobuf = [topics.impressions, topics.clicks].map((topic) => ({ name: topic, format: 'protobuf' }))
  const run = await runEngine(['run', '--until-end'], { config: configOf(topics, tenant, { kafka: { topics: asProtobuf } }) })
  expect([await run.exit(), run.complaints]).toEqual([0, []])
  expect(differences(await finalRows(clickhouse, tenant), runOracle([list], { tenant }).rows)).toEqual([])
})

test('one SIGTERM is enough while a schema is waited for, and the next start counts what was left', async () => {
  const topics = await freshTopics(brokers, 1)
  const tenant = fresh('tenant')
  const config = configOf(topics, tenant, { shutdown: { timeout: '4s' } })
  const folder = workFolder()
  const feeder = await Feeder.connect(brokers, topics)
  onTestFinished(() => feeder.close())
  const one = await writer(fresh('events'), 4)
  proxy.fault = { path: /schemas/, fault: { kind: 'silent' } }
  const list = eventsOf(topics.clicks, 0, 0, 100)
  await feeder.append(written(one, list))
  const engine = startEngine(['run'], { config, folder })
  await says(engine, 'schemaRegistry', `${topics.clicks}/0`)
  const began = performance.now()
  expect([await engine.terminate(), engine.complaints]).toEqual([0, []])
  expect(performance.now() - began).toBeLessThan(4_000)
  proxy.fault = undefined
  const last = await runEngine(['run', '--until-end'], { config, folder })
  expect([await last.exit(), last.complaints]).toEqual([0, []])
  expect(differences(await finalRows(clickhouse, tenant), runOracle([list], { tenant }).rows)).toEqual([])
})

test('a partition that waits moves to another pod, which waits in its place and goes on with it', async () => {
  const topics = await freshTopics(brokers, 2)
  const tenant = fresh('tenant')
  const pod = (clientId: string) => configOf(topics, tenant, { kafka: { clientId }, checkpoint: { storage: join(shared, 'checkpoints') } })
  const shared = workFolder()
  const feeder = await Feeder.connect(brokers, topics)
  onTestFinished(() => feeder.close())
  const one = await writer(fresh('events'), 5)
  await proxy.cut()
  const lists = [0, 1].map((partition) => eventsOf(topics.clicks, partition, 0, 100))
  for (const list of lists) await feeder.append(written(one, list))
  const waits = (engine: EngineProcess, count: number) =>
    engine.until(`${count} wait`, async () => (await engine.metric('ctr_schema_waiting_partitions')) === count)
  const first = startEngine(['run'], { config: pod('pod-0') })
  await waits(first, 2)
  const second = startEngine(['run'], { config: pod('pod-1') })
  await Promise.all([waits(first, 1), waits(second, 1)])
  await proxy.mend()
  const read = (engine: EngineProcess) => engine.metric('ctr_events_processed_total')
  await first.until('all are read', async () => (await read(first)) + (await read(second)) === 200)
  expect([await first.terminate(), await second.terminate()]).toEqual([0, 0])
  const last = await runEngine(['run', '--until-end'], { config: pod('pod-0') })
  expect([await last.exit(), last.complaints]).toEqual([0, []])
  expect(differences(await finalRows(clickhouse, tenant), runOracle(lists, { tenant }).rows)).toEqual([])
}, 60_000)

test('what ctr load makes in a format is counted as the same events are in JSON, and shown by tap and check', async () => {
  const runOf = async (format: string): Promise<string> => {
    const topics = await freshTopics(brokers, 2)
    const tenant = fresh('tenant')
    const own = (name: string) => (format === 'json' ? name : { name, format })
    const config = merged(configOf(topics, tenant), { kafka: { topics: [own(topics.impressions), own(topics.clicks)] } })
    const folder = workFolder()
    const done = async (...words: string[]) => {
      const engine = await runEngine(words, { config, folder })
      expect([await engine.exit(), engine.complaints.filter((line) => line.startsWith('ctr: '))]).toEqual([0, []])
      return engine.stdout
    }
    await done('load', '--format', format, '--count', '3000', '--products', '40', '--start-time', String(NOW), '--late', '0.02')
    await done('run', '--until-end')
    expect(await done('config', 'check', '--sample', '50')).toMatch(/counted or late +100.00 %/)
    const [line = ''] = (await done('tap', '--from', 'earliest', '--limit', '1', '--json')).split('\n')
    expect(JSON.parse(line)).toMatchObject({ verdict: expect.stringMatching(/^(?:counted|late)$/) })
    const sql = `SELECT product_id, toString(window_start) AS at, toString(sum(impressions)) AS impressions, toString(sum(clicks)) AS clicks
      FROM ${clickhouse.endpoint.database}.ctr_results FINAL WHERE tenant = '${tenant}' GROUP BY ALL ORDER BY ALL`
    return JSON.stringify(await clickhouse.rows(sql))
  }
  const wanted = await runOf('json')
  expect(wanted.length).toBeGreaterThan(1_000)
  for (const format of ['avro', 'json-schema', 'protobuf']) expect(await runOf(format), format).toBe(wanted)
}, 120_000)

test('init proposes the mapping of values in Avro by what the registry has, and the check of one that does not fit shows it', async () => {
  const topics = await freshTopics(brokers, 1)
  const schema = {
    type: 'record',
    name: 'Shown',
    fields: [
      { name: 'occurredAt', type: { type: 'long', logicalType: 'timestamp-micros' } },
      { name: 'action', type: { type: 'enum', name: 'Action', symbols: ['VIEW', 'CLICK', 'WISH'] } },
      { name: 'article', type: { type: 'record', name: 'Article', fields: [{ name: 'sku', type: ['null', 'string'] }] } },
    ],
  }
  const id = await registry.register(fresh('shown'), JSON.stringify(schema))
  const type = avsc.Type.forSchema(schema as avsc.Schema)
  const feeder = await Feeder.connect(brokers, topics)
  onTestFinished(() => feeder.close())
  const records = Array.from({ length: 100 }, (_, i) => {
    const event = { occurredAt: (NOW + i * 10) * 1000, action: ['VIEW', 'VIEW', 'CLICK', 'WISH'][i % 4], article: { sku: `s-${i % 7}` } }
    const plain = record(topics.clicks, 'p', 'click', NOW + i * 10)
    return { ...plain, value: Buffer.concat([framed(id, ''), type.toBuffer(event)]) }
  })
  await feeder.append(records)
  const folder = workFolder()
  const words = ['--brokers', brokers.join(','), '--topic', topics.clicks, '--yes']
  const init = await runEngine(['init', ...words, '--schema-registry', registry.url], { folder })
  expect(await init.exit(), init.story()).toBe(0)
  const written = parse(readFileSync(join(folder, 'ctr.yaml'), 'utf8')) as { kafka: { topics: unknown[] } }
  const mapping = {
    format: 'avro',
    events: { fields: { product: 'article.sku', type: 'action', time: 'occurredAt' }, types: { impression: ['VIEW'], click: ['CLICK'] } },
  }
  expect(written.kafka.topics).toMatchObject([mapping])
  const check = await runEngine(['config', 'check', '--sample', '500', '--max-invalid', '0'], { folder })
  expect(await check.exit(), check.story()).toBe(0)
  expect(check.stdout).toMatch(/counted or late +75.00 % +75 +50 impressions, 25 clicks/)

  const wrong = merged(from(brokers, topics), {
    kafka: { topics: [{ name: topics.clicks, format: 'avro' }] },
    schemaRegistry: { url: registry.url },
  })
  const other = await runEngine(['config', 'check', '--sample', '500'], { config: wrong, folder })
  expect(await other.exit()).toBe(1)
  expect(other.stdout).toMatch(/SCHEMA_MISMATCH[\s\S]*75.00 % of the records would be counted with this in kafka.topics:\n\n- name: /)
  const [, proposed = ''] = other.stdout.split('in kafka.topics:\n\n')
  expect(parse(proposed)).toMatchObject([mapping])
})
