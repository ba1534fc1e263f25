/** Fetching the embedded engine, by an npm of the test's own: what it leaves, and what it takes for done. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { fetchEngine, fetchedEngine } from '../../src/clickhouse/fetched-engine.ts'
import { sleep } from '../../src/clock.ts'

const { XDG_CACHE_HOME } = process.env
const CHDB = 'mkdir -p node_modules/chdb; echo {} > node_modules/chdb/package.json'
const BUILD = `d=node_modules/@chdb/lib-any; mkdir -p $d; echo '{"files":["libchdb.so"]}' > $d/package.json`
const ENGINE = `${CHDB}; ${BUILD}; echo > $d/libchdb.so`

let directory: string
let folder: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'ctr-fetch-'))
  folder = join(directory, 'ctr-engine/embedded')
  process.env.XDG_CACHE_HOME = directory
})
afterEach(() => {
  if (XDG_CACHE_HOME === undefined) delete process.env.XDG_CACHE_HOME
  else process.env.XDG_CACHE_HOME = XDG_CACHE_HOME
  rmSync(directory, { recursive: true, force: true })
})

/** Fetches by a program that is this shell script; what was told. */
async function fetched(script: string): Promise<string[]> {
  const npm = join(directory, 'npm')
  writeFileSync(npm, `#!/bin/sh\n${script}\n`, { mode: 0o755 })
  const told: string[] = []
  await fetchEngine((message) => void told.push(message), npm)
  return told
}

test('what npm has brought lies in one folder, and optional packages are asked for whatever npm is configured to leave out', async () => {
  const told = await fetched(`case " $* " in *" --include=optional "*) ${ENGINE};; esac`)
  const [name = ''] = readdirSync(folder)
  expect(readdirSync(folder)).toEqual([expect.stringMatching(/^chdb-[\d.]+$/)])
  expect(await fetchedEngine()).toBe(join(folder, name))
  expect(told[0]).toContain(`fetching the embedded ClickHouse into ${join(folder, name)}`)
  expect(await fetched('exit 1')).toEqual([])
})

test.each([
  ['an npm that brings nothing', 'true', 'npm ends well, and has brought no chdb'],
  ['an npm that passes over its code for the machine', CHDB, 'npm left out its code for this machine'],
  ['a build without its library', `${CHDB}; ${BUILD}`, 'npm left out its code for this machine'],
  ['an npm that fails', 'echo no space left on device >&2; exit 28', 'npm ends with 28: no space left on device'],
])('%s is no engine, and leaves nothing', async (_, script, message) => {
  await expect(fetched(script)).rejects.toMatchObject({ code: 'CTR_CLICKHOUSE_EMBEDDED', message: expect.stringContaining(message) })
  expect(readdirSync(folder)).toEqual([])
  expect(await fetchedEngine()).toBeUndefined()
})

test('a signal ends npm, and leaves nothing', async () => {
  const listener = () => undefined
  process.on('SIGTERM', listener)
  const before = process.listenerCount('SIGTERM')
  try {
    const pidFile = join(directory, 'pid')
    const fetching = fetched(`${ENGINE}; echo $$ > ${pidFile}.new; mv ${pidFile}.new ${pidFile}; exec sleep 60`)
    const failed = expect(fetching).rejects.toMatchObject({ code: 'CTR_INTERRUPTED', message: expect.stringContaining('SIGTERM') })
    while (!existsSync(pidFile)) await sleep(10)
    process.emit('SIGTERM', 'SIGTERM')
    await failed
    expect(readdirSync(folder)).toEqual([])
    expect(process.listenerCount('SIGTERM')).toBe(before)
  } finally {
    process.off('SIGTERM', listener)
  }
})

test('an exit meanwhile removes the folder', async () => {
  const before = process.listeners('exit')
  const pidFile = join(directory, 'pid')
  const fetching = fetched(`echo $$ > ${pidFile}; exec sleep 60`)
  const failed = expect(fetching).rejects.toThrow('npm ends with SIGKILL')
  while (!existsSync(pidFile)) await sleep(10)
  for (const listener of process.listeners('exit')) if (!before.includes(listener)) listener(0)
  expect(readdirSync(folder)).toEqual([])
  await failed
})

test('folders that were left an hour ago go with the next fetch, and younger ones stay', async () => {
  const now = Date.now() / 1000
  for (const [name, age] of [
    ['chdb-3.4.0.AbCd12', 3_601],
    ['chdb-3.4.0.AbCd13', 3_000],
    ['chdb-3.3.0', 9_999],
  ] as const) {
    mkdirSync(join(folder, name, 'node_modules'), { recursive: true, mode: 0o700 })
    utimesSync(join(folder, name), now - age, now - age)
  }
  await fetched(ENGINE)
  const left = readdirSync(folder)
  expect(left).toHaveLength(3)
  expect(left).toEqual(expect.arrayContaining(['chdb-3.4.0.AbCd13', 'chdb-3.3.0']))
})
