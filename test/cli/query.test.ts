import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { runQuery } from '../../src/cli/query.ts'
import { schemaVerb } from '../../src/cli/schema.ts'
import { type EmbeddedClickHouse, openEmbedded } from '../../src/clickhouse/embedded-front.ts'
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

async function query(sql: string, format?: string, from = config): Promise<string> {
  const chunks: Buffer[] = []
  const output = new Writable({
    write(chunk: Buffer, _, done) {
      chunks.push(chunk)
      done()
    },
  })
  await runQuery(from, sql, format, output, silent)
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
  for (const statement of printed.join('').split(';\n')) if (statement.trim() !== '') await query(statement)
  const count = "SELECT groupArray(name) FROM (SELECT name FROM system.tables WHERE database = '%' ORDER BY name)"
  expect(await query(count.replace('%', 'other'), 'TSV')).toBe(await query(count.replace('%', 'ctr'), 'TSV'))
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

test('an empty statement is wrong usage', async () => {
  await expect(query('  ')).rejects.toMatchObject({ code: 'CTR_USAGE' })
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
  await runQuery(config, 'SELECT * FROM numbers(1000)', undefined, output, silent)
})
