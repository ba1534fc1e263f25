import { gzipSync, zstdCompressSync } from 'node:zlib'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startEmbedded, type TestClickHouse } from '../../workshop/clickhouse.ts'

let clickhouse: TestClickHouse
beforeAll(async () => {
  clickhouse = await startEmbedded()
  await clickhouse.command('CREATE DATABASE d ENGINE = Atomic')
  await clickhouse.command('CREATE TABLE d.t (a String, n UInt32) ENGINE = MergeTree ORDER BY a')
})
afterAll(() => clickhouse.stop())

const basic = (user: string, password: string) => ({ Authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}` })

async function post(params: Record<string, string>, body: string | Uint8Array<ArrayBuffer>, headers: Record<string, string> = {}) {
  const { url, username, password } = clickhouse.endpoint
  const response = await fetch(`${url}/?${new URLSearchParams(params)}`, {
    method: 'POST',
    body,
    headers: { ...basic(username, password), ...headers },
  })
  return { status: response.status, headers: response.headers, bytes: Buffer.from(await response.arrayBuffer()) }
}

const ask = async (sql: string, params: Record<string, string> = {}) => (await post(params, sql)).bytes.toString()

test('ping answers anybody; all else wants the password', async () => {
  const { url, username, password } = clickhouse.endpoint
  expect(await (await fetch(`${url}/ping`)).text()).toBe('Ok.\n')
  for (const path of ['/', '/lease', '/?query=SELECT+1']) {
    const anonymous = await fetch(url + path)
    expect([anonymous.status, anonymous.headers.get('x-clickhouse-exception-code')]).toEqual([401, '194'])
    const wrong = await fetch(url + path, { headers: basic(username, `${password}x`) })
    expect([wrong.status, wrong.headers.get('x-clickhouse-exception-code')]).toEqual([403, '516'])
    expect(await wrong.text()).toMatch(/^Code: 516\. DB::Exception: default: Authentication failed.*\(AUTHENTICATION_FAILED\)/)
  }
  const stranger = await fetch(url, { headers: basic('stranger', password) })
  expect(stranger.status).toBe(403)
  const byHeaders = await fetch(`${url}/?query=SELECT+1`, { headers: { 'X-ClickHouse-User': username, 'X-ClickHouse-Key': password } })
  expect(await byHeaders.text()).toBe('1\n')
})

test('an answer carries the query id and a summary', async () => {
  const { headers } = await post({ query_id: 'my-id' }, 'SELECT * FROM numbers(5)')
  expect(headers.get('x-clickhouse-query-id')).toBe('my-id')
  expect(JSON.parse(headers.get('x-clickhouse-summary')!)).toMatchObject({ read_rows: '5', written_rows: '0' })
})

test('an error has ClickHouse’s code, status and words, and does not leak into the next answer', async () => {
  const failed = await post({}, 'SELECT number, throwIf(number = 3) FROM numbers(10)')
  expect(failed.status).toBe(500)
  expect(failed.headers.get('x-clickhouse-exception-code')).toBe('395')
  expect(failed.bytes.toString()).toMatch(/^Code: 395\. DB::Exception: .*\(FUNCTION_THROW_IF_VALUE_IS_NON_ZERO\) \(version \d+\./s)
  expect((await post({}, 'SELECT * FROM nowhere')).status).toBe(404)
  expect((await post({}, 'SELECT (')).status).toBe(400)
  expect(await ask('SELECT 1')).toBe('1\n')
})

test('settings, the database and parameters hold for one request only', async () => {
  expect(
    await ask("SELECT getSetting('max_threads'), currentDatabase(), {x:String}", { max_threads: '1', database: 'd', param_x: "it's" }),
  ).toBe("1\td\tit\\'s\n")
  expect(await ask("SELECT getSetting('max_threads') = 1, currentDatabase()")).toBe('0\tdefault\n')
  expect((await post({ database: 'nowhere' }, 'SELECT 1')).headers.get('x-clickhouse-exception-code')).toBe('81')
  expect((await post({ no_such_setting: '1' }, 'SELECT 1')).headers.get('x-clickhouse-exception-code')).toBe('115')
})

test('what a statement sets or makes for itself is not found by the next one of the same session', async () => {
  const session = { max_block_size: '1234', database: 'd' }
  const asked = "SELECT getSetting('max_threads') = 1, getSetting('max_block_size'), currentDatabase()"
  const own = '0\t1234\td\n'
  expect(await ask(asked, session)).toBe(own)
  expect(await ask(`${asked} SETTINGS max_threads = 1`, session)).toBe('1\t1234\td\n')
  expect(await ask(asked, session)).toBe(own)
  for (const sql of ['SET max_threads = 1', 'USE default', '/* mine */ SET max_threads = 1']) {
    expect((await post(session, sql)).status).toBe(200)
    expect(await ask(asked, session)).toBe(own)
  }
  expect((await post(session, 'CREATE TEMPORARY TABLE mine (a UInt8)')).status).toBe(200)
  expect((await post(session, 'SELECT * FROM mine')).status).toBe(404)
  expect(await ask('SELECT {x:String}', { ...session, param_x: 'a' })).toBe('a\n')
  expect((await post(session, 'SELECT {x:String}')).status).toBe(400)
  expect((await post(session, 'SELECT throwIf(number = 3) FROM numbers(10)')).status).toBe(500)
  expect(await ask(asked, session)).toBe(own)
})

test('many at once, of sessions that are more than are kept, all have their own', async () => {
  const sessions = Array.from({ length: 60 }, (_, i) => String(1000 + (i % 20)))
  const answers = await Promise.all(sessions.map((size) => ask("SELECT getSetting('max_block_size')", { max_block_size: size })))
  expect(answers).toEqual(sessions.map((size) => `${size}\n`))
})

test('binary answers are not touched', async () => {
  const { bytes } = await post({ default_format: 'RowBinary' }, 'SELECT toUInt8(number) FROM numbers(256)')
  expect([...bytes]).toEqual(Array.from({ length: 256 }, (_, i) => i))
})

test('a blank line in data is data: what follows it does not run', async () => {
  await clickhouse.command('TRUNCATE TABLE d.t')
  const csv = await post({ query: 'INSERT INTO d.t FORMAT CSV' }, '"x",1\n\nDROP TABLE d.t\n')
  expect(csv.status).toBe(400)
  const inline = await post({}, "INSERT INTO d.t VALUES ('a', 1),\n\n('b', 2)")
  expect(inline.status).toBe(200)
  expect(JSON.parse(inline.headers.get('x-clickhouse-summary')!)).toMatchObject({ written_rows: '2' })
  await post({ query: 'INSERT INTO d.t FORMAT TSV' }, 'line\\n\\nbreak\t3\n')
  expect(await ask('SELECT a, n FROM d.t ORDER BY a')).toBe('a\t1\nb\t2\nline\\n\\nbreak\t3\n')
})

test('bodies may come as gzip and zstd, and an unknown encoding is refused', async () => {
  await clickhouse.command('TRUNCATE TABLE d.t')
  const insert = { query: 'INSERT INTO d.t FORMAT RowBinary' }
  const row = (c: string) => Buffer.from([1, c.charCodeAt(0), 7, 0, 0, 0])
  expect((await post(insert, new Uint8Array(gzipSync(row('g'))), { 'Content-Encoding': 'gzip' })).status).toBe(200)
  expect((await post(insert, new Uint8Array(zstdCompressSync(row('z'))), { 'Content-Encoding': 'zstd' })).status).toBe(200)
  expect((await post(insert, new Uint8Array(row('b')), { 'Content-Encoding': 'br' })).status).toBe(501)
  expect((await post(insert, new Uint8Array(row('b')), { 'Content-Encoding': 'gzip' })).status).toBe(500)
  expect(await ask('SELECT a, n FROM d.t ORDER BY a')).toBe('g\t7\nz\t7\n')
})

test('an answer is gzipped when asked for', async () => {
  const { headers, bytes } = await post({ enable_http_compression: '1' }, 'SELECT * FROM numbers(3)', { 'Accept-Encoding': 'gzip' })
  expect(headers.get('content-encoding')).toBe('gzip')
  expect(bytes.toString()).toBe('0\n1\n2\n')
})

test('a row cut short inserts nothing of its block', async () => {
  await clickhouse.command('TRUNCATE TABLE d.t')
  const bytes = new Uint8Array([1, 65, 1, 0, 0, 0, 1, 66, 2])
  expect((await post({ query: 'INSERT INTO d.t FORMAT RowBinary' }, bytes)).headers.get('x-clickhouse-exception-code')).toBe('33')
  expect(await ask('SELECT count() FROM d.t')).toBe('0\n')
})

test('an insert without data is no error and writes nothing', async () => {
  const { status, headers } = await post({ query: 'INSERT INTO d.t FORMAT RowBinary' }, '')
  expect(status).toBe(200)
  expect(JSON.parse(headers.get('x-clickhouse-summary')!)).toMatchObject({ written_rows: '0' })
})

test('requests run side by side, each with its own settings', async () => {
  const answers = await Promise.all(
    Array.from({ length: 16 }, (_, i) =>
      ask(`SELECT {i:UInt32}, getSetting('max_threads'), sleep(0.05)`, { param_i: String(i), max_threads: String(i + 1) }),
    ),
  )
  expect(answers).toEqual(Array.from({ length: 16 }, (_, i) => `${i}\t${i + 1}\t0\n`))
})
