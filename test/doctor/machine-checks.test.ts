import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, onTestFinished, test } from 'vitest'
import { loadConfig } from '../../src/config/load.ts'
import { examine } from '../../src/doctor/examine.ts'
import { judgeCores, judgeDescriptors, judgeMemory, machineChecks } from '../../src/doctor/machine-checks.ts'
import { tryFolder } from '../../src/doctor/try-folder.ts'
import { freePorts } from '../../workshop/free-ports.ts'

const root = mkdtempSync(join(tmpdir(), 'ctr-doctor-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))

/** What the check of that name finds. */
async function found(name: string, ...sets: string[]) {
  const nowhere = ['clickhouse.url=http://localhost:1', 'checkpoint.storage=none', 'http.port=0']
  const checks = machineChecks(loadConfig({ sets: [...nowhere, ...sets], env: {} })).filter((check) => check.name === name)
  expect(checks).toHaveLength(1)
  return (await examine(checks, 5_000)).outcomes[0]
}

test.each([
  ['auto' as const, 1, 2, 'ok'],
  ['auto' as const, 1, 1, 'warning'],
  [1, 1, 2, 'ok'],
  [2, 2, 2, 'warning'],
  [3, 3, 4, 'ok'],
  [4, 4, 4, 'warning'],
])('engine.workers %s, which is %d, on %d cores is %s', (wanted, workers, cores, verdict) => {
  expect(judgeCores(wanted, workers, cores).verdict).toBe(verdict)
})

test.each([
  ['Limit       Soft Limit   Hard Limit   Units\nMax open files            1023                 4096                 files', 'warning'],
  ['Max open files            1024                 1024                 files', 'ok'],
  ['Max open files            unlimited            unlimited            files', 'ok'],
  ['', 'skipped'],
])('limits %j are %s', (limits, verdict) => {
  expect(judgeDescriptors(limits).verdict).toBe(verdict)
})

test('memory that is left for products and windows', async () => {
  expect(judgeMemory(32 * 1024 ** 2).verdict).toBe('warning')
  expect(judgeMemory(32 * 1024 ** 2 + 1).verdict).toBe('ok')
  expect(await found('memory')).toMatchObject({ verdict: 'ok', found: expect.stringContaining('for products and windows') })
})

describe('the port', () => {
  async function served(answer: string): Promise<number> {
    const server = createServer((_, response) => void response.end(answer)).listen(0, '127.0.0.1')
    await once(server, 'listening')
    onTestFinished(() => void server.close())
    return (server.address() as AddressInfo).port
  }

  test('that is free is free afterwards, too', async () => {
    const [free] = await freePorts(1)
    for (const _ of [1, 2]) expect(await found('http port', `http.port=${free}`)).toMatchObject({ verdict: 'ok' })
  })

  test('of somebody else is a fault in the words of a start', async () => {
    const port = await served('hello')
    expect(await found('http port', `http.port=${port}`)).toMatchObject({
      verdict: 'fault',
      code: 'CTR_CONFIG',
      found: `http.port ${port} on 127.0.0.1 is in use`,
      remedy: 'set http.port to a free one, or to 0 to take any',
    })
  })

  test('of a ctr is a warning', async () => {
    const port = await served('{"name":"ctr"}')
    expect(await found('http port', `http.port=${port}`)).toMatchObject({
      verdict: 'warning',
      remedy: expect.stringContaining('http.port'),
    })
  })
})

describe('a file for dead letters', () => {
  const letters = (path: string) => found('file of dead letters', `deadLetter.file=${path}`)

  test('that is there is left as it is', async () => {
    const path = join(root, 'there.jsonl')
    writeFileSync(path, 'kept\n')
    expect((await letters(path))?.verdict).toBe('ok')
    expect(readFileSync(path, 'utf8')).toBe('kept\n')
    expect(readdirSync(root)).toEqual(['there.jsonl'])
  })

  test('that is not there is not made, nor are its folders', async () => {
    expect((await letters(join(root, 'new', 'folder', 'letters.jsonl')))?.verdict).toBe('ok')
    expect(existsSync(join(root, 'new'))).toBe(false)
  })

  test('below a file, or in place of a folder, is a fault in the words of a start', async () => {
    const file = join(root, 'file')
    writeFileSync(file, '')
    mkdirSync(join(root, 'folder'))
    for (const path of [join(file, 'letters.jsonl'), join(root, 'folder')]) {
      expect(await letters(path)).toMatchObject({
        verdict: 'fault',
        code: 'CTR_DEAD_LETTER',
        found: expect.stringContaining(`deadLetter.file ${path} can't be written: `),
        remedy: 'choose another path or grant access',
      })
    }
  })
})

test('folders that several checks make at once are all gone afterwards', async () => {
  const shared = join(root, 'shared')
  const folders = Array.from({ length: 20 }, (_, i) => join(shared, `${i % 2}`, `${i}`))
  await Promise.all(folders.map((folder) => tryFolder(folder, 'some.key')))
  expect(existsSync(shared)).toBe(false)
})

test('disks are looked at where the configuration keeps something', async () => {
  expect((await found('disks'))?.found).toBe('nothing is kept on this machine')
  expect((await found('disks', `deadLetter.file=${root}/not/there/x`))?.found).toMatch(/free for deadLetter.file .*not\/there$/)
})

test('the key of masks is looked for as a start does', async () => {
  const file = join(root, 'mask-key')
  const sets = ['privacy.payload=masked', `privacy.keys=[{id: k1, file: "${file}"}]`]
  expect(await found('masks', ...sets)).toMatchObject({ verdict: 'fault', code: 'CTR_CONFIG' })
  writeFileSync(file, 'planted-'.repeat(4))
  expect(await found('masks', ...sets)).toMatchObject({ verdict: 'ok', found: 'values are masked by the key k1' })
  expect(await found('masks', 'privacy.payload=none')).toMatchObject({ verdict: 'ok' })
})
