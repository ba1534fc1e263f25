/** What lies in examples/: configurations are loaded, local files are counted, views are made and hold what they promise. */
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, test } from 'vitest'
import { loadConfig } from '../../src/config/load.ts'
import { runEngine, workFolder } from '../../workshop/engine-process.ts'
import { makeTables } from '../../workshop/tables.ts'
import { createAuthority } from '../../workshop/tls.ts'
import { temporaryFile } from '../support/config-file.ts'
import { sharedClickHouse } from '../support/shared-clickhouse.ts'

const clickhouse = await sharedClickHouse()
const endpoint = clickhouse.own('ctr_examples')

const path = (name: string) => fileURLToPath(new URL(`../../examples/${name}`, import.meta.url))

test('the list of examples names every one of them', () => {
  const listed = [...readFileSync(path('README.md'), 'utf8').matchAll(/\]\(([\w.-]+)\)/g)].map(([, name]) => name)
  expect(['README.md', ...listed].sort()).toEqual(readdirSync(path('')).sort())
})

test('local files: what is valid is counted by minute, what is not is a dead letter', async () => {
  const folder = workFolder()
  const run = await runEngine(['replay', path('events.jsonl'), '--config', path('local-files.yaml')], { folder })
  expect([await run.exit(), run.complaints]).toEqual([0, []])
  expect(run.stdout).toMatch(/invalid +1 +TIME 1\n +ignored +1\n/)
  expect(run.stdout).toMatch(/ledger +exact/)
  const sql = 'SELECT product_id, toMinute(window_start), impressions, clicks FROM ctr_windows ORDER BY ALL'
  const query = await runEngine(['query', sql, '--format', 'CSV', '--config', path('local-files.yaml')], { folder })
  expect(query.stdout.trimEnd().split('\n')).toEqual(['"kettle",0,3,1', '"kettle",1,1,0', '"teapot",0,2,0', '"teapot",1,1,1'])
  const letters = readFileSync(`${folder}/.ctr/dead-letters.jsonl`, 'utf8').trimEnd().split('\n')
  expect(letters.map((line) => JSON.parse(line) as object)).toMatchObject([{ errorCode: 'VALIDATION_ERROR', offset: 10 }])
})

test('sliding: each event counts in five windows, in an embedded ClickHouse, and roll-ups hold none of them', async () => {
  const folder = workFolder()
  const config = ['--config', path('sliding.yaml')]
  const run = await runEngine(['replay', path('events.jsonl'), ...config], { folder })
  expect([await run.exit(), run.complaints]).toEqual([0, []])
  expect(run.stdout).toMatch(/ledger +exact/)
  const ask = async (sql: string) => {
    const query = await runEngine(['query', sql, '--format', 'CSV', ...config], { folder })
    return query.stdout.trimEnd().split('\n')
  }
  const kettle =
    "SELECT window, toMinute(window_start), impressions, clicks FROM ctr_windows WHERE product_id = 'kettle' ORDER BY window_start"
  // Minutes 0 and 1 have 3 + 1 and 1 + 0.
  expect(await ask(kettle)).toEqual([
    '"sliding",56,3,1',
    '"sliding",57,4,1',
    '"sliding",58,4,1',
    '"sliding",59,4,1',
    '"sliding",0,4,1',
    '"sliding",1,1,0',
  ])
  expect(await ask('SELECT count() FROM ctr_minutely')).toEqual(['0'])
  expect(await ask("SELECT window, toMinute(window_start), impressions FROM ctr_latest WHERE product_id = 'kettle'")).toEqual([
    '"sliding",1,1',
  ])
})

test('calendar: a day of Berlin begins an hour before that of UTC, and is in the roll-ups', async () => {
  const folder = workFolder()
  const config = ['--config', path('calendar.yaml')]
  const run = await runEngine(['replay', path('events.jsonl'), ...config], { folder })
  expect([await run.exit(), run.complaints]).toEqual([0, []])
  expect(run.stdout).toMatch(/ledger +exact/)
  const ask = async (sql: string) => {
    const query = await runEngine(['query', sql, '--format', 'CSV', ...config], { folder })
    return query.stdout.trimEnd().split('\n')
  }
  const rows = 'SELECT product_id, toString(window_start), toString(window_end), impressions, clicks FROM ctr_windows ORDER BY ALL'
  const [from, to] = ['2025-12-31 23:00:00.000', '2026-01-01 23:00:00.000']
  expect(await ask(rows)).toEqual([`"kettle","${from}","${to}",4,1`, `"teapot","${from}","${to}",3,1`])
  expect(await ask('SELECT product_id, impressions FROM ctr_minutely ORDER BY ALL')).toEqual(['"kettle",4', '"teapot",3'])
})

test('TLS and SASL: sound with its secrets and certificates, refused without one of the secrets', () => {
  const ca = createAuthority().caPem
  const file = temporaryFile(ca, 'ca.pem')
  const secrets = { KAFKA_USERNAME: 'ku', KAFKA_PASSWORD: 'kp', CLICKHOUSE_USERNAME: 'cu', CLICKHOUSE_PASSWORD: 'cp' }
  const env = { ...secrets, KAFKA_CA: file, CLICKHOUSE_CA: file }
  const { kafka, clickhouse } = loadConfig({ file: path('tls-sasl.yaml'), env })
  expect(kafka.security).toMatchObject({ protocol: 'SASL_SSL', sasl: { username: 'ku', password: 'kp' }, ssl: { ca } })
  expect(clickhouse).toMatchObject({ username: 'cu', password: 'cp', tls: { ca } })
  for (const name of Object.keys(secrets)) {
    expect(() => loadConfig({ file: path('tls-sasl.yaml'), env: { ...env, [name]: undefined } })).toThrow(name)
  }
})

test('Avro by a registry: sound with its key and secret, refused without one of them', () => {
  const env = { REGISTRY_KEY: 'k', REGISTRY_SECRET: 's' }
  const { kafka, schemaRegistry } = loadConfig({ file: path('avro-registry.yaml'), env })
  expect(kafka.topics).toMatchObject([{ format: 'avro' }, { format: 'avro' }])
  expect(schemaRegistry.auth).toEqual({ username: 'k', password: 's' })
  for (const name of Object.keys(env)) {
    expect(() => loadConfig({ file: path('avro-registry.yaml'), env: { ...env, [name]: undefined } })).toThrow(name)
  }
})

test('two pods with S3: they differ in name and port only, and a pod without a name is refused', () => {
  const pod = (POD_NAME: string, HTTP_PORT: string) => loadConfig({ file: path('s3-two-pods.yaml'), env: { POD_NAME, HTTP_PORT } })
  const [one, other] = [pod('ctr-0', '9464'), pod('ctr-1', '9465')]
  expect(one.checkpoint.storage).toBe('s3://ctr-checkpoints/prod')
  expect(one.http.token).toBeUndefined()
  expect(other).toEqual({ ...one, kafka: { ...one.kafka, clientId: 'ctr-1' }, http: { ...one.http, port: 9465 } })
  expect(() => loadConfig({ file: path('s3-two-pods.yaml'), env: {} })).toThrow('POD_NAME')
})

test('sliding in SQL: a window is the sum of sixty of ten seconds', async () => {
  const { database } = clickhouse.own('ctr_examples_sliding')
  await makeTables({ ...endpoint, database })
  const run = (sql: string) => clickhouse.command(sql.replaceAll('ctr.', 'db.'), database)
  await run(
    readFileSync(path('sliding-view.sql'), 'utf8')
      .replaceAll(/^--.*$/gm, '')
      .replace(';', ''),
  )
  const at = (seconds: number) => `toDateTime64('2026-01-01 00:00:00', 3, 'UTC') + INTERVAL ${seconds} SECOND`
  for (const [start, impressions, clicks] of [
    [0, 5, 1],
    [10, 3, 0],
    [600, 2, 2],
  ] as const)
    await run(`INSERT INTO ctr.ctr_results
      (tenant, product_id, window_start, window_end, task, impressions, clicks, ctr, version, emitted_at)
      SELECT 'default', 'kettle', ${at(start)}, ${at(start + 10)}, 0, ${impressions}, ${clicks}, 0, 1, now64(3)`)
  const rows = await clickhouse.rows<{ end: number; impressions: number; clicks: number }>(
    `SELECT dateDiff('second', ${at(0)}, ends_at) AS end, impressions, clicks FROM db.ctr_ten_minutes ORDER BY end`,
    database,
  )
  const inWindow = (end: number) => (start: number) => start < end && start >= end - 600
  const want = Array.from({ length: 120 }, (_, i) => (i + 1) * 10).map((end) => {
    const [a, b, c] = [0, 10, 600].map(inWindow(end))
    return { end, impressions: (a ? 5 : 0) + (b ? 3 : 0) + (c ? 2 : 0), clicks: (a ? 1 : 0) + (c ? 2 : 0) }
  })
  expect(rows).toEqual(want.filter(({ impressions }) => impressions > 0))
})

describe('own views', () => {
  // The example names the default database; the test has one of its own.
  const run = (sql: string) => clickhouse.command(sql.replaceAll('ctr.', 'db.'), endpoint.database)
  const rows = (sql: string) => clickhouse.rows(sql.replaceAll('ctr.', 'db.'), endpoint.database)
  beforeAll(async () => {
    await makeTables(endpoint)
    await run('CREATE TABLE ctr.triggered_sums (product_id String, n UInt64) ENGINE = SummingMergeTree ORDER BY product_id')
    await run('CREATE MATERIALIZED VIEW ctr.triggered TO ctr.triggered_sums AS SELECT product_id, impressions AS n FROM ctr.ctr_results')
    const statements = readFileSync(path('own-view.sql'), 'utf8')
      .replaceAll(/^--.*$/gm, '')
      .split(';')
      .filter((statement) => statement.trim() !== '')
    for (const statement of statements) await run(statement)
  })

  /** Yesterday's first window of ten seconds. */
  const insert = (impressions: number, clicks: number) =>
    run(`INSERT INTO ctr.ctr_results
      (tenant, product_id, window_start, window_end, task, impressions, clicks, ctr, version, emitted_at)
      SELECT 'default', 'kettle', start, start + INTERVAL 10 SECOND, 0, ${impressions}, ${clicks}, ${clicks / impressions},
        ${impressions + clicks}, now64(3)
      FROM (SELECT toDateTime64(toStartOfDay(now('UTC') - INTERVAL 1 DAY), 3, 'UTC') AS start)`)

  async function read(view: string): Promise<unknown[]> {
    return rows(`SELECT product_id, impressions, clicks, ctr FROM ctr.${view}`)
  }

  test('have the newest version of a row once, however often rows came; a view triggered by inserts does not', async () => {
    for (const [impressions, clicks] of [
      [150, 30],
      [200, 50],
      [200, 50],
    ] as const)
      await insert(impressions, clicks)
    const newest = [{ product_id: 'kettle', impressions: 200, clicks: 50, ctr: 0.25 }]
    expect(await read('own_daily')).toEqual(newest)
    for (const verb of ['REFRESH', 'WAIT']) await run(`SYSTEM ${verb} VIEW ctr.own_best`)
    expect(await read('own_best')).toEqual(newest)
    expect(await rows('SELECT sum(n) AS n FROM ctr.triggered_sums')).toEqual([{ n: 550 }])
  })
})
