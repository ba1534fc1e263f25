import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough, Writable } from 'node:stream'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { runQuery } from '../../src/cli/query.ts'
import type { QueryText } from '../../src/cli/query-text.ts'
import { schemaVerb } from '../../src/cli/schema.ts'
import { type EmbeddedClickHouse, openEmbedded } from '../../src/clickhouse/embedded-front.ts'
import { statementsOf } from '../../src/clickhouse/front-sql.ts'
import { type Config, configSchema } from '../../src/config/schema.ts'
import { gone, silent } from '../../workshop/clickhouse.ts'

let directory: string
let front: EmbeddedClickHouse
let config: Config
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'ctr-query-'))
  front = await openEmbedded(directory, silent, { lingerMs: 0 })
  config = configSchema.parse({ clickhouse: { embedded: directory } })
})
afterAll(async () => {
  front.close()
  await gone(front.pid)
  rmSync(directory, { recursive: true, force: true })
})

const textOf = (sql: string): QueryText => ({ statements: statementsOf(sql), source: undefined })

async function query(sql: string, format?: string, from = config, write = false): Promise<string> {
  const chunks: Buffer[] = []
  const output = new Writable({
    write(chunk: Buffer, _, done) {
      chunks.push(chunk)
      done()
    },
  })
  await runQuery(from, textOf(sql), { ...(format === undefined ? {} : { format }), write }, output, silent)
  expect(output.writableEnded).toBe(false)
  return Buffer.concat(chunks).toString()
}

test('before there is a schema the answer says what creates it', async () => {
  await expect(query('SELECT 1')).rejects.toMatchObject({
    code: 'CTR_CLICKHOUSE_REFUSED',
    message: 'clickhouse.database: there is no database ctr yet; a pipeline or `ctr schema apply` creates it',
  })
})

test('schema apply makes the tables, and print gives DDL that makes the same ones', async () => {
  const said: string[] = []
  const options = { set: [`clickhouse.embedded=${directory}`] }
  expect(await schemaVerb('apply', options, (text) => void said.push(text))).toBe(0)
  expect(said.join('')).toBe(`the schema is in place in database ctr at ${directory}\n`)
  const printed: string[] = []
  const other = { set: [...options.set, 'clickhouse.database=other'] }
  expect(await schemaVerb('print', other, (text) => void printed.push(text))).toBe(0)
  for (const statement of printed.join('').split(';\n')) if (statement.trim() !== '') await query(statement, undefined, config, true)
  const count = "SELECT groupArray(name) FROM (SELECT name FROM system.tables WHERE database = '%' ORDER BY name)"
  expect(await query(count.replace('%', 'other'), 'TSV')).toBe(await query(count.replace('%', 'ctr'), 'TSV'))
})

test('schema refresh computes roll-ups of what is written, and fails with what can not be computed', async () => {
  const options = { set: [`clickhouse.embedded=${directory}`] }
  const write = (sql: string) => query(sql, undefined, config, true)
  await write(`INSERT INTO ctr_results (tenant, product_id, window_start, window_end, task, impressions, clicks, ctr, version, emitted_at)
    SELECT 't', 'p', now64(3), now64(3) + 10, 0, 4, 1, 0.25, 5, now64(3)`)
  const said: string[] = []
  expect(await schemaVerb('refresh', options, (text) => void said.push(text))).toBe(0)
  expect(said.join('')).toBe(`roll-ups and newest windows are up to date in database ctr at ${directory}\n`)
  expect(await query('SELECT impressions, ctr FROM ctr_monthly', 'TSV')).toBe('4\t0.25\n')
  await write('ALTER TABLE ctr_daily_computed ADD CONSTRAINT never CHECK impressions = 0')
  await expect(schemaVerb('refresh', options, () => undefined)).rejects.toMatchObject({
    code: 'CTR_CLICKHOUSE_REFUSED',
    message: expect.stringMatching(/^database ctr at .*: ctr_daily is not up to date: .*never/),
  })
  await write('TRUNCATE TABLE ctr_results')
})

test('an answer is a readable table without colours unless a format is given; a FORMAT in the statement wins', async () => {
  expect(await query("SELECT 1 AS a, 'x' AS b")).toBe('┌─a─┬─b─┐\n│ 1 │ x │\n└───┴───┘\n')
  expect(await query("SELECT 1 AS a, 'x' AS b", 'CSVWithNames')).toBe('"a","b"\n1,"x"\n')
  expect(await query('SELECT 1 AS a FORMAT TSV', 'CSVWithNames')).toBe('1\n')
})

test('tables are found in the configured database', async () => {
  expect(await query('SELECT count() FROM ctr_windows', 'TSV')).toBe('0\n')
})

test('a wrong statement gives ClickHouse’s own words', async () => {
  await expect(query('SELECT nothing')).rejects.toMatchObject({
    code: 'CTR_CLICKHOUSE_REFUSED',
    message: expect.stringMatching(/^ClickHouse refuses the statement \(47\): .*nothing/),
  })
  await expect(query('SELECT 1', 'NoSuchFormat')).rejects.toThrow(/NoSuchFormat/)
})

test('a server that is not there is one clear error', async () => {
  const nobody = configSchema.parse({ clickhouse: { url: 'http://127.0.0.1:1' } })
  await expect(query('SELECT 1', undefined, nobody)).rejects.toMatchObject({
    code: 'CTR_CLICKHOUSE_UNREACHABLE',
    message: expect.stringMatching(/^clickhouse\.url: ClickHouse at http:\/\/127\.0\.0\.1:1 does not answer/),
  })
})

test('a reader that stops reading ends the query without an error', async () => {
  const output = new Writable({
    write(_chunk, _encoding, done) {
      done(Object.assign(new Error('broken pipe'), { code: 'EPIPE' }))
    },
  })
  await runQuery(config, textOf('SELECT * FROM numbers(1000)'), {}, output, silent)
})

test('a file is out of reach, and the message says what to do', async () => {
  await expect(query("SELECT * FROM file('/etc/passwd')")).rejects.toMatchObject({
    code: 'CTR_CLICKHOUSE_REFUSED',
    message: expect.stringMatching(/^clickhouse\.embedded: .*it works on tables only, .*; give a server of your own with clickhouse\.url$/),
  })
})

test('a terminal gets what it would obey as text; whatever else reads the answer gets it as it is', async () => {
  const sql = "SELECT concat('a', char(27), '[2J', char(0xe2, 0x80, 0xae), 'ü', char(0x9b), '数') FORMAT TSVRaw"
  const terminal = Object.assign(new PassThrough(), { isTTY: true })
  await runQuery(config, textOf(sql), {}, terminal, silent)
  expect(String(terminal.read())).toBe('a\\x1b[2J\\u202eü\ufffd数\n')
  const file = new PassThrough()
  await runQuery(config, textOf(sql), {}, file, silent)
  expect(file.read()).toEqual(Buffer.concat([Buffer.from('a\u001b[2J\u202eü'), Buffer.from([0x9b]), Buffer.from('数\n')]))
})

test('a statement that takes longer than the limit is told as that, with how to allow more', async () => {
  const impatient = { clickhouse: { ...config.clickhouse, requestTimeout: 200 } } as Config
  await expect(query('SELECT sleep(2)', undefined, impatient)).rejects.toMatchObject({
    code: 'CTR_QUERY_TIMEOUT',
    message: 'the statement took longer than 200ms, and was given up; ask for less, or allow more time with `ctr query --timeout 10m`',
  })
  expect(await query('SELECT sleep(0.3)', 'TSV', { clickhouse: { ...config.clickhouse, requestTimeout: 10_000 } } as Config)).toBe('0\n')
})

test.each([
  'DROP TABLE ctr_results',
  'TRUNCATE TABLE ctr_results',
  'INSERT INTO ctr_results (tenant) VALUES (1)',
  'INSERT INTO ctr_results SELECT * FROM ctr_results',
  'ALTER TABLE ctr_results DELETE WHERE 1',
  'OPTIMIZE TABLE ctr_results',
  'CREATE TABLE other.t (a Int8) ENGINE Memory',
  'CREATE VIEW v AS SELECT 1',
  'SYSTEM STOP MERGES',
  "KILL QUERY WHERE query_id = 'x'",
  '/* a */ UNDROP TABLE x',
  'INSERT INTO FUNCTION null() SELECT 1',
  'SELECT 1 SETTINGS readonly = 0',
  'SET readonly = 0',
])('%s is refused without --write, which the message names', async (sql) => {
  await expect(query(sql)).rejects.toMatchObject({
    code: 'CTR_USAGE',
    message: expect.stringMatching(/^the statement would write, and ctr query only reads; allow it with --write/),
  })
})

test.each([
  ["SHOW TABLES LIKE 'ctr_latest'", 'ctr_latest\n'],
  ['EXISTS TABLE ctr_results', '1\n'],
  ['WITH 1 AS a SELECT a', '1\n'],
  ['SELECT 1 SETTINGS max_threads = 1', '1\n'],
  ['EXPLAIN SYNTAX SELECT 1', 'SELECT 1\nFROM system.one\n'],
  ['CHECK TABLE ctr_results', ''],
])('reading needs no --write: %s', async (sql, answer) => {
  expect(await query(sql, 'TSVRaw')).toBe(answer)
})

test('several statements are one session with settings and temporary tables; the first that fails is told with its place', async () => {
  const script = `SET max_threads = 3; -- semicolons; in comments
    SELECT getSetting('max_threads'), ';';
    CREATE TEMPORARY TABLE t AS SELECT 7 AS a;
    SELECT a FROM t`
  expect(await query(script, 'TSV')).toBe('3\t;\n7\n')
  await expect(query('SELECT 1;\n\nSELECT 2;\n SELECT\n 1 FRM x;\nSELECT 3; SELECT 4', 'TSV')).rejects.toMatchObject({
    code: 'CTR_CLICKHOUSE_REFUSED',
    message: expect.stringMatching(
      /^statement 3 of 5 \(line 4\): ClickHouse refuses the statement \(62\): .* in line 5 at "x"[\s\S]*; the 2 behind it were not asked$/,
    ),
  })
  await expect(query('SELECT 1; DROP TABLE ctr_results')).rejects.toThrow('statement 2 of 2 (line 1): the statement would write')
})
