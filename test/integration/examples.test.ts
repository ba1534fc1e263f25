/** What lies in examples/: configurations are loaded, local files are counted, views are made and hold what they promise. */
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, test } from 'vitest'
import { applySchema } from '../../src/clickhouse/apply-schema.ts'
import { loadConfig } from '../../src/config/load.ts'
import { runEngine, workFolder } from '../../workshop/engine-process.ts'
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
  expect(run.stdout).toMatch(/invalid +1 +TYPE 1\n/)
  expect(run.stdout).toMatch(/ledger +exact/)
  const sql = 'SELECT product_id, toMinute(window_start), impressions, clicks FROM ctr_windows ORDER BY ALL'
  const query = await runEngine(['query', sql, '-f', 'CSV', '--config', path('local-files.yaml')], { folder })
  expect(query.stdout.trimEnd().split('\n')).toEqual(['"kettle",0,3,1', '"kettle",1,1,0', '"teapot",0,2,0', '"teapot",1,1,1'])
  const letters = readFileSync(`${folder}/.ctr/dead-letters.jsonl`, 'utf8').trimEnd().split('\n')
  expect(letters.map((line) => JSON.parse(line) as object)).toMatchObject([{ errorCode: 'VALIDATION_ERROR', offset: 6 }])
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

test('two pods with S3: they differ in name and port only, and a pod without a name is refused', () => {
  const pod = (POD_NAME: string, HTTP_PORT: string) => loadConfig({ file: path('s3-two-pods.yaml'), env: { POD_NAME, HTTP_PORT } })
  const [one, other] = [pod('ctr-0', '9464'), pod('ctr-1', '9465')]
  expect(one.checkpoint.storage).toBe('s3://ctr-checkpoints/prod')
  expect(one.http.token).toBeUndefined()
  expect(other).toEqual({ ...one, kafka: { ...one.kafka, clientId: 'ctr-1' }, http: { ...one.http, port: 9465 } })
  expect(() => loadConfig({ file: path('s3-two-pods.yaml'), env: {} })).toThrow('POD_NAME')
})

describe('own views', () => {
  // The example names the default database; the test has one of its own.
  const run = (sql: string) => clickhouse.command(sql.replaceAll('ctr.', 'db.'), endpoint.database)
  const rows = (sql: string) => clickhouse.rows(sql.replaceAll('ctr.', 'db.'), endpoint.database)
  beforeAll(async () => {
    await applySchema(endpoint)
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
