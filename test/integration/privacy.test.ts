/**
 * Planted personal data through a real run: it is in keys, headers, values, names of keys, broken JSON and Avro of records that are
 * counted, late, ignored and invalid. Behind every exit (src/privacy/exits.ts) it is searched for as text, hexadecimal and base64.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import kafkajs from 'kafkajs'
import { expect, test } from 'vitest'
import { EXITS } from '../../src/privacy/exits.ts'
import { API_ANSWERS, type ApiName } from '../../src/server/api-schemas.ts'
import { exampleAddress } from '../../src/server/openapi.ts'
import { pathsOf, ROUTES } from '../../src/server/routes.ts'
import { type EngineProcess, into, merged, runEngine, startEngine, workFolder } from '../../workshop/engine-process.ts'
import { createTopics, fresh, plainClient } from '../../workshop/kafka-harness.ts'
import { avroValues, foundIn, HELD, INVALID, jsonValues, LATE, MASK_KEY, NOW, PLANTED, SCHEMA } from '../support/planted.ts'
import { sharedServers } from '../support/shared-clickhouse.ts'

const { brokers, clickhouse } = await sharedServers()

type ExitName = keyof typeof EXITS
type Payload = 'full' | 'masked' | 'none'

async function plant(topic: string, values: readonly (string | Buffer)[]): Promise<void> {
  const producer = plainClient(brokers).producer({ createPartitioner: kafkajs.Partitioners.DefaultPartitioner })
  await producer.connect()
  for (const value of values) {
    const headers = { [PLANTED.headerName]: 'x', person: PLANTED.header }
    await producer.send({ topic, messages: [{ partition: 0, key: PLANTED.key, value, headers, timestamp: String(NOW) }] })
  }
  await producer.disconnect()
}

/** All of a topic, as text of keys, headers and values. */
async function topicText(topic: string, records: number): Promise<string> {
  const consumer = plainClient(brokers).consumer({ groupId: fresh('search') })
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  const texts: string[] = []
  const { promise, resolve } = Promise.withResolvers<void>()
  await consumer.run({
    eachMessage: async ({ message: { key, value, headers } }) => {
      texts.push(`${key}\n${JSON.stringify(headers)}\n${value}`)
      if (texts.length >= records) resolve()
    },
  })
  const patience = setTimeout(resolve, 20_000)
  await promise
  clearTimeout(patience)
  await consumer.disconnect()
  expect(texts.length, `records of ${topic}`).toBeGreaterThanOrEqual(records)
  return texts.join('\n')
}

/** The bytes of all files below a folder, one character each. */
function folderText(folder: string): string {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((one) => one.isFile())
  return files.map((one) => `${one.name}\n${readFileSync(join(one.parentPath, one.name)).toString('latin1')}`).join('\n')
}

async function tablesText(database: string): Promise<string> {
  const names = await clickhouse.rows<{ name: string }>(
    `SELECT name FROM system.tables WHERE database = '${database}' AND engine LIKE '%MergeTree'`,
  )
  const tables = await Promise.all(names.map(({ name }) => clickhouse.rows(`SELECT * FROM ${database}.${name}`)))
  expect(tables.flat().length, 'rows of all tables').toBeGreaterThan(0)
  return JSON.stringify(tables)
}

async function offsetsText(groupId: string, topics: readonly string[]): Promise<string> {
  const admin = plainClient(brokers).admin()
  await admin.connect()
  const offsets = await admin.fetchOffsets({ groupId, topics: [...topics] })
  await admin.disconnect()
  return JSON.stringify(offsets)
}

const said = (engine: EngineProcess) => [engine.stdout, ...engine.complaints, JSON.stringify(engine.logs)].join('\n')

/** Topics with all that is planted, and a configuration that reads them. */
async function scene(payload: Payload) {
  const id = fresh('privacy')
  const [json, avro, dead, late] = [`${id}-json`, `${id}-avro`, `${id}-dead`, `${id}-late`]
  await createTopics(brokers, [json, avro, dead, late], 1)
  const folder = workFolder()
  writeFileSync(join(folder, 'event.avsc'), JSON.stringify(SCHEMA.schema()))
  const endpoint = await clickhouse.emptied('privacy')
  const config = merged(into({ ...clickhouse, endpoint }, 'default'), {
    kafka: {
      brokers,
      groupId: id,
      topics: [{ name: json }, { name: avro, format: 'avro', schemaFile: './event.avsc' }],
      startFrom: 'earliest',
      maxWait: '50ms',
      commitInterval: '100ms',
    },
    window: { size: '1s' },
    time: { outOfOrderness: '0ms', allowedLateness: '0ms', idleTimeout: '500ms', maxDrift: '1h', futureTolerance: '1h' },
    engine: { workers: 1 },
    sink: { emitInterval: '100ms' },
    deadLetter: { topic: dead },
    late: { topic: late },
    checkpoint: { storage: './kept', interval: '500ms' },
    log: { level: 'trace' },
    privacy: {
      payload,
      ...(payload === 'masked' && { keep: ['product_id', 'event_type'] }),
      keys: [{ id: 'k1', env: 'CTR_TEST_MASK_KEY' }],
    },
  })
  const values = [jsonValues(), avroValues()] as const
  await plant(json, values[0])
  await plant(avro, values[1])
  const options = { folder, config, environment: { CTR_TEST_MASK_KEY: MASK_KEY } }
  return { id, json, avro, dead, late, options, database: endpoint.database, records: values.flat().length }
}

/** A run up to its stop, and what its server has said. */
async function runToStop({ options, records }: Awaited<ReturnType<typeof scene>>) {
  const engine = startEngine(['run'], options)
  await engine.ready()
  await engine.until('all read', async () => (await engine.metric('ctr_events_processed_total')) >= records)
  const terms = await Promise.all(['late', 'invalid'].map((term) => engine.metric(`ctr_events_${term}_total`)))
  expect(terms).toEqual([LATE, INVALID])
  await engine.until('a checkpoint', () => engine.logs.some(({ msg }) => msg === 'checkpoint complete'))
  const get = async (path: string) => (await engine.get(path)).text
  const routes = (await Promise.all(pathsOf(Object.values(ROUTES)).map(get))).join('\n')
  const names = Object.keys(API_ANSWERS) as ApiName[]
  const api = new Map(await Promise.all(names.map(async (name) => [name, await get(exampleAddress(name))] as const)))
  expect(await engine.terminate()).toBe(0)
  return { engine, routes, api }
}

/** A run over what is planted; the text behind each exit. */
async function run(
  payload: Payload,
): Promise<{ texts: Record<ExitName, string>; letters: EngineProcess; held: EngineProcess; retry: EngineProcess }> {
  const made = await scene(payload)
  const { id, json, avro, dead, late, options, database, records } = made
  const { engine, routes, api } = await runToStop(made)
  const verb = async (...words: string[]) => runEngine(words, options)
  const letters = await verb('letters', 'list', '--json', '--limit', '100')
  const held = await verb('letters', 'list', '--json', '--holding', PLANTED.user)
  const shown = [
    letters,
    held,
    await verb('tap', '--from', 'earliest', '--limit', String(records), '--json'),
    await verb('letters', 'list', '--limit', '100'),
    await verb('letters', 'show', '0/2'),
    await verb('letters', 'list', '--late', '--json'),
    await verb('letters', 'stats'),
    await verb('config', 'check', '--sample', '100', '--max-invalid', '100%'),
  ]
  const kept = [await verb('checkpoint', 'inspect', '--json'), await verb('savepoint', 'list')]
  const failing = await verb('run', '--until-end', '--max-invalid', '0%', '--set', `kafka.groupId=${id}-2`)
  expect(await failing.exit(), failing.story()).not.toBe(0)
  const retry = await verb('letters', 'retry', '--json')
  const samples = api.get('deadLetters') ?? ''
  api.delete('deadLetters')
  const texts: Record<ExitName, string> = {
    deadLetters: await topicText(dead, INVALID),
    late: await topicText(late, LATE),
    log: JSON.stringify([...engine.logs, ...failing.logs]),
    crash: failing.complaints.join('\n'),
    summary: failing.stdout,
    metrics: routes,
    health: routes,
    samples,
    api: JSON.stringify([...api]),
    storage: [folderText(join(options.folder, 'kept')), ...kept.map(said)].join('\n'),
    offsets: await offsetsText(id, [json, avro]),
    tables: await tablesText(database),
    retried: said(retry),
    shown: shown.map(said).join('\n'),
    proposed: said(await verb('init', '--print', '--topic', json)),
  }
  for (const [exit, text] of Object.entries(texts)) expect(text.length, `text of ${exit}`).toBeGreaterThan(exit === 'proposed' ? 0 : 10)
  return { texts, letters, held, retry }
}

const EVERYTHING = Object.keys(PLANTED).filter((name) => !['key', 'header', 'headerName', 'ignored', 'type'].includes(name))

test('without privacy, letters hold what is planted, which is found; and only what may hold it does', async () => {
  const { texts, held } = await run('full')
  expect(held.stdout).toContain(PLANTED.user)
  const found = foundIn(`${texts.deadLetters}\n${texts.late}`)
  expect(found).toEqual(EVERYTHING)
  for (const [exit, { personal }] of Object.entries(EXITS)) {
    if (personal === 'nothing') expect([exit, foundIn(texts[exit as ExitName])]).toEqual([exit, []])
  }
}, 120_000)

test.each(['masked', 'none'] as const)(
  'with privacy.payload %s nothing of it is behind any exit, and no letter is put back',
  async (payload) => {
    const { texts, letters, held, retry } = await run(payload)
    for (const [exit, { personal }] of Object.entries(EXITS)) {
      if (personal !== 'records' || exit === 'retried') expect([exit, foundIn(texts[exit as ExitName])]).toEqual([exit, []])
    }
    const list = JSON.parse(`[${letters.stdout.trim().replaceAll('\n', ',')}]`) as { payload: string; rawData: string }[]
    expect(list.length).toBe(INVALID)
    for (const letter of list) expect(letter.payload).toBe(payload)
    expect(list.some(({ rawData }) => rawData.includes('"product_id":"p-1"'))).toBe(payload === 'masked')
    // By its mask a value is found, where there is one.
    expect(held.stdout.split('\n').filter((line) => line !== '')).toHaveLength(payload === 'masked' ? HELD : 0)
    // Avro that its schema fits is masked by its fields.
    const ofAvro = texts.late.split('\n').filter((line) => line.includes('-avro"'))
    expect(ofAvro[0]).toContain(payload === 'masked' ? String.raw`"rawData":"{\"user_id\":\"***text:k1:` : '"rawData":""')
    expect(await retry.exit()).toBe(1)
    const { back, not } = JSON.parse(retry.stdout) as { back: number; not: Record<string, number> }
    expect(back).toBe(0)
    expect(Object.keys(not).join()).toContain(`privacy.payload: ${payload}`)
  },
  120_000,
)
