import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join, relative } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type EmbeddedClickHouse, type EmbeddedOptions, explain, openEmbedded } from '../../src/clickhouse/embedded-front.ts'
import type { FrontAddress } from '../../src/clickhouse/front-address.ts'
import { sleep } from '../../src/clock.ts'
import { gone, silent } from '../../workshop/clickhouse.ts'
import { askFront, frontFile } from '../support/ask-front.ts'
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

async function open(path = directory, lingerMs = 0, onMoved: EmbeddedOptions['onMoved'] = () => undefined): Promise<EmbeddedClickHouse> {
  const front = await openEmbedded(path, silent, { lingerMs, onMoved })
  fronts.push(front)
  return front
}

const address = (path = directory) => frontFile(path)
const ask = askFront

const CREATE = 'CREATE TABLE IF NOT EXISTS kept (n UInt32) ENGINE = MergeTree ORDER BY n'

test('a front listens on a socket in a folder of its user alone, and every start has a password of its own', async () => {
  const front = await open()
  expect(statSync(front.socketPath).isSocket()).toBe(true)
  expect(statSync(dirname(front.socketPath)).mode & 0o777).toBe(0o700)
  expect(statSync(directory).mode & 0o777).toBe(0o700)
  expect(statSync(join(directory, 'front.json')).mode & 0o777).toBe(0o600)
  const { username, password, pid } = front
  expect(address()).toEqual({ socketPath: relative(directory, front.socketPath), username, password, pid })
  front.close()
  await gone(front.pid)
  expect(existsSync(dirname(front.socketPath))).toBe(false)
  expect((await open()).password).not.toBe(password)
})

test('a second open attaches to the same front, and the front stays until the last one closes', async () => {
  const first = await open()
  const second = await open()
  expect([second.socketPath, second.pid]).toEqual([first.socketPath, first.pid])
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

test('a front that is killed comes back with what it had acknowledged, and tells its new address', async () => {
  let moved: FrontAddress | undefined
  const front = await open(directory, 0, (address) => {
    moved = address
  })
  await ask(front, CREATE)
  await ask(front, 'INSERT INTO kept VALUES (5)')
  process.kill(front.pid, 'SIGKILL')
  await until(() => moved !== undefined)
  expect(await ask(moved!, 'SELECT sum(n) FROM kept')).toBe('5\n')
  expect(moved!.pid).not.toBe(front.pid)
  expect(moved!.password).not.toBe(front.password)
  expect(readdirSync(directory).filter((name) => name.startsWith('front-'))).toEqual([basename(dirname(moved!.socketPath))])
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

test('a directory whose name is a pattern to the engine takes inserts all the same', async () => {
  const odd = join(directory, 'we{i,r}d *[x]?')
  const front = await open(odd)
  await ask(front, CREATE)
  expect(await ask(front, 'INSERT INTO kept VALUES (9)')).toBe('')
  expect(await ask(front, 'SELECT n FROM kept')).toBe('9\n')
})

test('a directory whose path is too long for a socket is served all the same', async () => {
  const long = join(directory, 'long-'.repeat(40))
  const front = await open(long)
  expect(dirname(dirname(front.socketPath))).toBe(tmpdir())
  expect(statSync(dirname(front.socketPath)).mode & 0o777).toBe(0o700)
  expect(await ask(await open(long), 'SELECT 1')).toBe('1\n')
  process.kill(front.pid, 'SIGKILL')
  await gone(front.pid)
  const again = await open(long)
  expect(await ask(again, 'SELECT 1')).toBe('1\n')
  expect(existsSync(dirname(front.socketPath))).toBe(false)
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
  // The engine's own lock, which an engine that closes removes by its path.
  rmSync(join(directory, 'data', 'status'))
  await expect(openEmbedded(directory, silent, { heldTimeoutMs: 500 })).rejects.toMatchObject({
    code: 'CTR_CLICKHOUSE_EMBEDDED',
    message: expect.stringMatching(/is in use by another process that doesn't answer; end that process/),
  })
  holder.close()
})

test('without the engine’s package, and without npm to fetch it, an open fails with what to install', async () => {
  const hook = `import { registerHooks } from 'node:module'
    registerHooks({ resolve(name, context, next) {
      if (name === 'chdb') throw Object.assign(new Error("Cannot find package 'chdb'"), { code: 'ERR_MODULE_NOT_FOUND' })
      return next(name, context)
    } })`
  const { NODE_OPTIONS, PATH, XDG_CACHE_HOME } = process.env
  process.env.NODE_OPTIONS = `--import=data:text/javascript,${encodeURIComponent(hook)}`
  process.env.PATH = ''
  process.env.XDG_CACHE_HOME = join(directory, 'cache')
  try {
    await expect(openEmbedded(join(directory, 'data'), silent)).rejects.toMatchObject({
      code: 'CTR_CLICKHOUSE_EMBEDDED',
      message: expect.stringMatching(/^clickhouse\.embedded: the engine is not installed .* \(there is no npm\); run npm i chdb/),
    })
    expect(readdirSync(join(directory, 'cache/ctr-engine/embedded'))).toEqual([])
  } finally {
    for (const [name, value] of Object.entries({ NODE_OPTIONS, PATH, XDG_CACHE_HOME })) {
      if (value === undefined) delete process.env[name]
      else process.env[name] = value
    }
  }
})

test('a missing package is told in one line', () => {
  const error = explain('/data', { kind: 'failed', reason: 'package', message: "Cannot find package 'chdb'\nstack" })
  expect(error.message).toBe(
    "clickhouse.embedded: the engine is not installed (Cannot find package 'chdb'); " +
      "run `npm i chdb`, or give a server's address with clickhouse.url",
  )
})

test('of one that was fetched and does not load, its folder is to go and not the data', () => {
  const error = explain('/data', { kind: 'failed', reason: 'fetched', message: '/cache/chdb-3.4.0: no library\nstack' })
  expect(error.message).toBe(
    "clickhouse.embedded: the engine that was fetched can't be loaded from its folder (/cache/chdb-3.4.0: no library); " +
      "remove that folder, and the next start fetches it again; or give a server's address with clickhouse.url",
  )
})

test('an engine that does not start tells its own reason', () => {
  const error = explain('/data', { kind: 'failed', reason: 'engine', message: 'exit SIGSEGV: bad part' })
  expect(error.message).toContain("the engine doesn't start in /data (exit SIGSEGV: bad part)")
})
