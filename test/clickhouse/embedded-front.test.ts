import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type EmbeddedClickHouse, explain, openEmbedded } from '../../src/clickhouse/embedded-front.ts'
import type { FrontAddress } from '../../src/clickhouse/front-child.ts'
import { sleep } from '../../src/clock.ts'
import { gone, silent } from '../../workshop/clickhouse.ts'
import { until } from '../support/sink-run.ts'

let directory: string
const fronts: EmbeddedClickHouse[] = []
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'ctr-front-'))
})
afterEach(async () => {
  const opened = fronts.splice(0)
  for (const front of opened) front.close()
  for (const front of opened) await gone(front.pid)
  const left = address()
  if (left !== undefined) await gone(left.pid)
  rmSync(directory, { recursive: true, force: true })
})

async function open(path = directory, lingerMs = 0): Promise<EmbeddedClickHouse> {
  const front = await openEmbedded(path, silent, { lingerMs })
  fronts.push(front)
  return front
}

function address(path = directory): FrontAddress | undefined {
  return existsSync(join(path, 'front.json')) ? (JSON.parse(readFileSync(join(path, 'front.json'), 'utf8')) as FrontAddress) : undefined
}

async function ask(front: FrontAddress, sql: string): Promise<string> {
  const auth = Buffer.from(`${front.username}:${front.password}`).toString('base64')
  const response = await fetch(front.url, { method: 'POST', body: sql, headers: { Authorization: `Basic ${auth}` } })
  return response.text()
}

const CREATE = 'CREATE TABLE IF NOT EXISTS kept (n UInt32) ENGINE = MergeTree ORDER BY n'

test('opens listen on the loopback only, and keep the password from other users', async () => {
  const front = await open()
  expect(front.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/)
  expect(statSync(join(directory, 'front.json')).mode & 0o777).toBe(0o600)
  expect(address()).toEqual({ url: front.url, username: front.username, password: front.password, pid: front.pid })
})

test('a second open attaches to the same front, and the front stays until the last one closes', async () => {
  const first = await open()
  const second = await open()
  expect([second.url, second.pid]).toEqual([first.url, first.pid])
  first.close()
  await sleep(500)
  expect(await ask(second, 'SELECT 1')).toBe('1\n')
  second.close()
  await gone(second.pid)
  expect(address()).toBeUndefined()
})

test('several that open a directory at the same moment share one front', async () => {
  const opened = await Promise.all([open(), open(), open()])
  expect(new Set(opened.map(({ pid }) => pid)).size).toBe(1)
})

test('what was written is there when the directory is opened again', async () => {
  const first = await open()
  await ask(first, CREATE)
  await ask(first, 'INSERT INTO kept VALUES (1), (2)')
  first.close()
  await gone(first.pid)
  const again = await open()
  expect(await ask(again, 'SELECT sum(n) FROM kept')).toBe('3\n')
  expect(again.pid).not.toBe(first.pid)
})

test('a front that is killed comes back at the same address with what it had acknowledged', async () => {
  const front = await open()
  await ask(front, CREATE)
  await ask(front, 'INSERT INTO kept VALUES (5)')
  process.kill(front.pid, 'SIGKILL')
  await gone(front.pid)
  await until(() =>
    ask(front, 'SELECT sum(n) FROM kept')
      .then((text) => text === '5\n')
      .catch(() => false),
  )
  expect(address()?.pid).not.toBe(front.pid)
})

test('a process that is killed gives its lease back', async () => {
  const module = new URL('../../src/clickhouse/embedded-front.ts', import.meta.url).href
  const script = `import { openEmbedded } from ${JSON.stringify(module)}
    const quiet = { info() {}, warn() {} }
    const front = await openEmbedded(${JSON.stringify(directory)}, quiet, { lingerMs: 0 })
    console.log(front.pid)
    setInterval(() => {}, 1000)`
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
  const pid = await new Promise<number>((resolve) => child.stdout.once('data', (data) => resolve(Number(data))))
  expect(pid).toBeGreaterThan(0)
  child.kill('SIGKILL')
  await gone(pid)
})

test('an address left by a front that died, and now somebody else’s, is not believed', async () => {
  const stranger = createServer((_, response) => void response.end('hello'))
  await new Promise<void>((resolve) => stranger.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(stranger.address() as AddressInfo).port}`
  writeFileSync(join(directory, 'front.json'), JSON.stringify({ url, username: 'default', password: 'old', pid: 1 }))
  const front = await open()
  expect(front.url).not.toBe(url)
  expect(await ask(front, 'SELECT 1')).toBe('1\n')
  stranger.close()
})

test('a directory whose name is a pattern to the engine takes inserts all the same', async () => {
  const odd = join(directory, 'we{i,r}d *[x]?')
  const front = await open(odd)
  await ask(front, CREATE)
  expect(await ask(front, 'INSERT INTO kept VALUES (9)')).toBe('')
  expect(await ask(front, 'SELECT n FROM kept')).toBe('9\n')
})

test('a directory that can’t be made is one clear error', async () => {
  writeFileSync(join(directory, 'file'), '')
  await expect(openEmbedded(join(directory, 'file', 'below'), silent)).rejects.toMatchObject({
    code: 'CTR_CLICKHOUSE_EMBEDDED',
    message: expect.stringMatching(/^clickhouse\.embedded: can't write to .*file\/below \(.*ENOTDIR.*choose another directory/),
  })
})

test('a directory that another engine holds is one clear error', async () => {
  const holder = await open()
  rmSync(join(directory, 'front.json'))
  await expect(openEmbedded(directory, silent, { heldTimeoutMs: 500 })).rejects.toMatchObject({
    code: 'CTR_CLICKHOUSE_EMBEDDED',
    message: expect.stringMatching(/is in use by another process that doesn't answer; end that process/),
  })
  holder.close()
})

test('without the engine’s package an open fails with one clear error that says what to install', async () => {
  const hook = `import { registerHooks } from 'node:module'
    registerHooks({ resolve(name, context, next) {
      if (name === 'chdb') throw Object.assign(new Error("Cannot find package 'chdb'"), { code: 'ERR_MODULE_NOT_FOUND' })
      return next(name, context)
    } })`
  const before = process.env.NODE_OPTIONS
  process.env.NODE_OPTIONS = `--import=data:text/javascript,${encodeURIComponent(hook)}`
  try {
    await expect(openEmbedded(directory, silent)).rejects.toMatchObject({
      code: 'CTR_CLICKHOUSE_EMBEDDED',
      message: expect.stringMatching(/^clickhouse\.embedded: the engine is not installed .*`npm i chdb`/),
    })
  } finally {
    if (before === undefined) delete process.env.NODE_OPTIONS
    else process.env.NODE_OPTIONS = before
  }
})

test('a missing package is told in one line', () => {
  const error = explain('/data', { kind: 'failed', reason: 'package', message: "Cannot find package 'chdb'\nstack" })
  expect(error.message).toBe(
    "clickhouse.embedded: the engine is not installed (Cannot find package 'chdb'); " +
      "run `npm i chdb`, or give a server's address with clickhouse.url",
  )
})

test('an engine that does not start tells its own reason', () => {
  const error = explain('/data', { kind: 'failed', reason: 'engine', message: 'exit SIGSEGV: bad part' })
  expect(error.message).toContain("the engine doesn't start in /data (exit SIGSEGV: bad part)")
})
