/** `ctr selftest` on real brokers: it passes, it notices, and it leaves nothing behind. */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { afterAll, expect, onTestFinished, test } from 'vitest'
import { prepareStand } from '../../src/selftest/stand.ts'
import { openStore } from '../../src/store/open-store.ts'
import { type ConfigTree, type EngineProcess, merged, startEngine, workFolder } from '../../workshop/engine-process.ts'
import { SASL_USERS, startBroker } from '../../workshop/kafka-broker.ts'
import { createTopics, plainClient } from '../../workshop/kafka-harness.ts'
import { S3_START_MAX_MS, startS3 } from '../../workshop/s3-server.ts'
import { sharedServers } from '../support/shared-clickhouse.ts'

const { brokers, clickhouse } = await sharedServers()

function config(): ConfigTree {
  const { url, username, password } = clickhouse.endpoint
  return { kafka: { brokers }, clickhouse: { url, username, password } }
}

/** For temporary files of these self-tests alone: others may run on the machine. */
const TEMPORARY = mkdtempSync(join(tmpdir(), 'ctr-st-'))
afterAll(() => rmSync(TEMPORARY, { recursive: true, force: true }))

const LOAD = ['--rate', '2000', '--seed', '7', '--partitions', '2', '--products', '50']

function selftest(words: readonly string[], more: ConfigTree = {}): EngineProcess {
  return startEngine(['selftest', ...LOAD, ...words], { config: merged(config(), more), environment: { TMPDIR: TEMPORARY } })
}

/** What there is under the names of self-tests. */
async function remains(): Promise<string[]> {
  const admin = plainClient(brokers).admin()
  await admin.connect()
  const [topics, { groups }] = await Promise.all([admin.listTopics(), admin.listGroups()])
  await admin.disconnect()
  const databases = await clickhouse.rows<{ name: string }>("SELECT name FROM system.databases WHERE name LIKE 'ctr_selftest%'")
  const all = [...topics, ...groups.map(({ groupId }) => groupId), ...databases.map(({ name }) => name), ...readdirSync(TEMPORARY)]
  return all.filter((name) => /^ctr.selftest/.test(name))
}

/** The test's database, as soon as rows are in it. */
async function database(engine: EngineProcess): Promise<string> {
  return engine.until(
    'rows',
    async () => {
      const [found] = await clickhouse.rows<{ database: string }>(
        "SELECT database FROM system.parts WHERE database LIKE 'ctr_selftest%' AND table = 'ctr_results' AND rows > 0",
      )
      return found?.database
    },
    60_000,
  )
}

test('kills leave every row right in windows that overlap', async () => {
  const window = { type: 'sliding', size: '5s', slide: '2s', offset: '1s' }
  const run = selftest(['--kills', '3', '--pods', '2', '--events', '30k', '--json'], { window })
  expect([await run.exit(150_000), run.complaints.filter((line) => !line.startsWith('ctr selftest: '))]).toEqual([0, []])
  const verdict = JSON.parse(run.stdout)
  expect(verdict).toMatchObject({ passed: true, kills: 3, rowsDiffering: 0, faults: [] })
  expect(verdict.late).toBeGreaterThan(0)
  // Each event is in two windows or in three.
  expect(verdict.windows).toBeGreaterThan(0)
})

test('kills leave every row right, and nothing is left behind', async () => {
  const run = selftest(['--kills', '3', '--pods', '2', '--events', '30k', '--json'])
  expect([await run.exit(150_000), run.complaints.filter((line) => !line.startsWith('ctr selftest: '))]).toEqual([0, []])
  const verdict = JSON.parse(run.stdout)
  expect(verdict).toMatchObject({ passed: true, seed: 7, pods: 2, kills: 3, rowsDiffering: 0, faults: [] })
  expect(verdict.events).toBeGreaterThanOrEqual(30_000)
  expect(verdict.counted + verdict.late + verdict.invalid + verdict.ignored).toBe(verdict.events)
  for (const some of [verdict.late, verdict.invalid, verdict.ignored, verdict.rows]) expect(some).toBeGreaterThan(0)
  expect(verdict.deadLetters).toBe(verdict.invalid)
  expect(run.complaints.filter((line) => /kill \d of 3: process [01], (counting|starting)/.test(line))).toHaveLength(3)
  expect(await remains()).toEqual([])
}, 200_000)

test('a row that does not belong there fails it, by name, with dead letters in files and no checkpoints', async () => {
  const run = selftest(['--kills', '1', '--duration', '8s'], { deadLetter: { file: 'letters.jsonl' }, checkpoint: { storage: 'none' } })
  const name = await database(run)
  await clickhouse.command(
    `INSERT INTO ${name}.ctr_results SELECT * REPLACE ('p-strange' AS product_id) FROM ${name}.ctr_results FINAL LIMIT 1`,
  )
  expect(await run.exit(150_000)).toBe(1)
  expect(run.stdout).toMatch(/^FAILED\n/)
  expect(run.stdout).toMatch(/ctr_results \d \d+ p-strange: \d+ impressions and \d+ clicks, nothing belongs there/)
  expect(run.stdout).toMatch(/rows that differ +2\n/)
  expect(await remains()).toEqual([])
}, 200_000)

test.each(['SIGINT', 'SIGTERM'] as const)(
  '%s ends it without a verdict, and nothing is left behind',
  async (signal) => {
    const run = selftest(['--kills', '100'])
    await run.until('a kill', () => run.complaints.some((line) => line.includes('kill 1 of 100')), 60_000)
    run.signal(signal)
    expect([await run.exit(60_000), run.complaints.at(-1), run.stdout]).toEqual([1, 'ctr selftest: interrupted: there is no verdict', ''])
    expect(await remains()).toEqual([])
  },
  120_000,
)

test('a pipeline that can not start fails it with what it said, and nothing is left behind', async () => {
  const folder = workFolder()
  const preload = join(folder, 'broken.mjs')
  writeFileSync(preload, "if (process.argv.includes('run')) { console.error('no luck today'); process.exit(3) }")
  const words = ['selftest', ...LOAD, '--kills', '1']
  const run = startEngine(words, { config: config(), folder, environment: { NODE_OPTIONS: `--import=${preload}`, TMPDIR: TEMPORARY } })
  expect(await run.exit(60_000)).toBe(1)
  expect(run.complaints.join('\n')).toMatch(/ctr: CTR_SELFTEST: a pipeline ended by itself.*; it said:\nno luck today/)
  expect(await remains()).toEqual([])
}, 120_000)

test('without a ClickHouse of the user it has an embedded one of its own, which goes too', async () => {
  const run = startEngine(['selftest', ...LOAD, '--kills', '1'], { config: { kafka: { brokers } }, environment: { TMPDIR: TEMPORARY } })
  expect(await run.exit(150_000)).toBe(0)
  expect(run.stdout).toMatch(/^passed: every row is right\n/)
  expect(await remains()).toEqual([])
  expect(readdirSync(run.folder)).toEqual(['ctr.yaml'])
}, 200_000)

test(
  'checkpoints go to the bucket of the user, and from it again',
  async () => {
    const s3 = await startS3()
    onTestFinished(() => s3.stop())
    const { endpoint, accessKeyId, secretAccessKey } = s3
    const storage = `s3://${await s3.bucket()}/kept`
    const access = { endpoint, region: 'us-east-1', pathStyle: true, accessKeyId, secretAccessKey }
    const store = await openStore({ storage, s3: access })
    onTestFinished(() => store?.close())
    await store?.put('somebody/else.json', Buffer.from('{}'))
    const run = selftest(['--kills', '2'], { checkpoint: { storage, interval: '200ms', s3: access } })
    const kept = () => store?.list('').then((objects) => objects.map(({ key }) => key)) ?? []
    await run.until('objects', async () => (await kept()).some((key) => key.startsWith('ctr-selftest-')), 60_000)
    expect(await run.exit(150_000)).toBe(0)
    expect(await kept()).toEqual(['somebody/else.json'])
    expect(await remains()).toEqual([])
  },
  S3_START_MAX_MS,
)

test('names that are taken are not touched', async () => {
  await createTopics(brokers, ['ctr-selftest-taken000-clicks'], 1)
  onTestFinished(async () => {
    const admin = plainClient(brokers).admin()
    await admin.connect()
    await admin.deleteTopics({ topics: ['ctr-selftest-taken000-clicks'] })
    await admin.disconnect()
  })
  const { url, username, password } = clickhouse.endpoint
  const sets = Object.entries({ url, username, password }).map(([key, value]) => `clickhouse.${key}=${value}`)
  const stand = prepareStand({
    file: undefined,
    sets: [...sets, `kafka.brokers=${JSON.stringify(brokers)}`],
    id: 'taken000',
    partitions: 1,
    log: pino({ level: 'silent' }),
  })
  await expect(stand).rejects.toMatchObject({
    code: 'CTR_USAGE',
    message: expect.stringMatching(/^ctr-selftest-taken000-clicks: there already/),
  })
  expect(await remains()).toEqual(['ctr-selftest-taken000-clicks'])
})

test('brokers that refuse the rights are explained with what to grant', async () => {
  const authorizer = 'org.apache.kafka.metadata.authorizer.StandardAuthorizer'
  const broker = await startBroker({ sasl: true, properties: { 'authorizer.class.name': authorizer, 'super.users': 'User:ANONYMOUS' } })
  onTestFinished(() => broker.stop())
  const security = {
    protocol: 'SASL_SSL',
    ssl: { ca: broker.caPem },
    sasl: { mechanism: 'PLAIN', ...SASL_USERS.plain },
  }
  const run = selftest([], { kafka: { brokers: broker.saslBrokers, security } })
  expect(await run.exit(60_000)).toBe(2)
  expect(run.complaints.join('\n')).toMatch(
    /ctr: CTR_KAFKA_AUTH: ctr selftest makes topics and groups of its own, and the brokers refuse \(\w+\); grant the user CREATE, DELETE/,
  )
}, 120_000)
