/** A directory as a store: whole objects or none, leftovers of crashes, and every way in which a disk refuses. */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { fileStore } from '../../src/store/file-store.ts'
import { refusal } from '../support/refusal.ts'

let folder: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ctr-store-'))
})
afterEach(() => {
  rmSync(folder, { recursive: true, force: true })
})

const bytes = (text: string) => new Uint8Array(Buffer.from(text))
const text = (got: Uint8Array | undefined) => (got === undefined ? undefined : Buffer.from(got).toString())
const filesOf = (directory: string) => readdirSync(directory, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())

describe('objects', () => {
  test('are written, replaced, read, listed and removed', async () => {
    const store = await fileStore(join(folder, 'not', 'there', 'yet'))
    expect(await store.get('g/a')).toBeUndefined()
    expect(await store.list('')).toEqual([])
    for (const [key, value] of Object.entries({ 'g/b/2': 'two', 'g/b/10': 'ten', 'g/c': 'c', '.h/%2E': 'dot' }))
      expect(await store.put(key, bytes(value))).toBe(true)
    expect(await store.put('g/c', bytes('longer'))).toBe(true)
    expect(text(await store.get('g/c'))).toBe('longer')
    expect(await store.list('')).toEqual([
      { key: '.h/%2E', bytes: 3 },
      { key: 'g/b/10', bytes: 3 },
      { key: 'g/b/2', bytes: 3 },
      { key: 'g/c', bytes: 6 },
    ])
    expect((await store.list('g/b/1')).map(({ key }) => key)).toEqual(['g/b/10'])
    expect((await store.list('g/b')).map(({ key }) => key)).toEqual(['g/b/10', 'g/b/2'])
    expect(await store.list('g/b/2/x')).toEqual([])
    await store.remove(['g/b/2', 'g/b/10', 'g/b/nothing', 'x/y'])
    expect((await store.list('g')).map(({ key }) => key)).toEqual(['g/c'])
    expect(existsSync(join(store.place, 'g', 'b'))).toBe(false)
    await store.close()
  })

  test('keep all their bytes, many written at once', async () => {
    const store = await fileStore(folder)
    const large = Uint8Array.from({ length: 3_000_000 }, (_, i) => (i * 31) >> 3)
    await Promise.all(Array.from({ length: 20 }, (_, i) => store.put(`g/objects/${i}/x`, i === 7 ? large : bytes(`${i}`))))
    expect(Buffer.compare((await store.get('g/objects/7/x'))!, large)).toBe(0)
    expect(await store.list('g/objects/')).toHaveLength(20)
    expect(filesOf(folder)).toHaveLength(20)
  })

  test('are for the user alone, folders too; folders that are there keep their rights', async () => {
    mkdirSync(join(folder, 'g'))
    chmodSync(join(folder, 'g'), 0o755)
    const before = process.umask(0)
    try {
      const store = await fileStore(folder)
      await store.put('g/objects/a', bytes('a'))
      await store.put('g/objects/b', bytes('b'), { ifAbsent: true })
    } finally {
      process.umask(before)
    }
    const rights = (...path: string[]) => (statSync(join(folder, ...path)).mode & 0o777).toString(8)
    expect([rights('g'), rights('g', 'objects')]).toEqual(['755', '700'])
    expect([rights('g', 'objects', 'a'), rights('g', 'objects', 'b')]).toEqual(['600', '600'])
  })

  test('keys that would lead out of the directory are a bug', async () => {
    const store = await fileStore(folder)
    for (const key of ['../x', 'a//b', '/a', 'a/..', 'a~b', '']) expect(() => store.put(key, bytes(''))).toThrow('safe names')
  })
})

describe.each([
  ['with hard links', undefined],
  [
    'without hard links',
    async () => {
      throw Object.assign(new Error('no links'), { code: 'ENOTSUP', syscall: 'link' })
    },
  ],
])('ifAbsent, on a file system %s', (_, makeLink) => {
  test('never overwrites, and takes the same bytes for its own', async () => {
    const store = await fileStore(folder, makeLink)
    expect(await store.put('k', bytes('first'), { ifAbsent: true })).toBe(true)
    expect(await store.put('k', bytes('second'), { ifAbsent: true })).toBe(false)
    expect(await store.put('k', bytes('first'), { ifAbsent: true })).toBe(true)
    expect(text(await store.get('k'))).toBe('first')
    expect(filesOf(folder)).toHaveLength(1)
  })
})

test('of many writers with ifAbsent one wins, and its bytes are there', async () => {
  const stores = await Promise.all([fileStore(folder), fileStore(folder)])
  for (let round = 0; round < 20; round++) {
    const values = Array.from({ length: 8 }, (_, i) => bytes(`writer ${i}`.repeat(1000)))
    const won = await Promise.all(values.map((value, i) => stores[i % 2]!.put(`k${round}`, value, { ifAbsent: true })))
    expect(won.filter(Boolean)).toHaveLength(1)
    expect(text(await stores[0]!.get(`k${round}`))).toBe(text(values[won.indexOf(true)]))
  }
})

test('an abort ends a call, and leaves no part of an object', async () => {
  const store = await fileStore(folder)
  const reason = new Error('too slow')
  expect(await refusal(store.put('a', bytes('x'), { signal: AbortSignal.abort(reason) }))).toBe(reason)
  const controller = new AbortController()
  const writing = refusal(store.put('b', new Uint8Array(64_000_000), { signal: controller.signal }))
  setTimeout(() => controller.abort(reason), 5)
  expect(await writing).toBe(reason)
  await expect.poll(() => filesOf(folder).filter(({ name }) => name.endsWith('.tmp'))).toEqual([])
  expect(await store.get('a')).toBeUndefined()
  expect([undefined, 64_000_000]).toContain((await store.get('b'))?.length)
})

test('writing that hangs and is given up holds back what is written next, so that it never hangs twice', async () => {
  const gate = Promise.withResolvers<void>()
  const hung: string[] = []
  const store = await fileStore(folder, async (_, to) => {
    hung.push(String(to))
    await gate.promise
    throw Object.assign(new Error('taken'), { code: 'EEXIST', syscall: 'link' })
  })
  const reason = new Error('too slow')
  for (const key of ['a', 'b', 'c']) {
    const controller = new AbortController()
    const writing = refusal(store.put(key, bytes('x'), { ifAbsent: true, signal: controller.signal }))
    await (hung.length === 0 ? expect.poll(() => hung).toHaveLength(1) : pause(100))
    controller.abort(reason)
    expect(await writing).toBe(reason)
  }
  expect(hung).toEqual([join(folder, 'a')])
  const next = store.put('d', bytes('d'))
  gate.resolve()
  expect(await next).toBe(true)
  expect(filesOf(folder).map(({ name }) => name)).toEqual(['d'])
})

describe('leftovers', () => {
  test('of dead processes and old ones are removed at the start; what may be in use stays', async () => {
    const dead = execFileSync(process.execPath, ['-p', 'process.pid']).toString().trim()
    const host = encodeURIComponent(hostname())
    mkdirSync(join(folder, 'g', 'objects'), { recursive: true })
    const leave = (name: string, ageMs: number) => {
      const path = join(folder, 'g', 'objects', name)
      writeFileSync(path, 'torn')
      utimesSync(path, new Date(), new Date(Date.now() - ageMs))
    }
    leave(`a~${host}~${dead}~1.tmp`, 0)
    leave(`b~${host}~${process.pid}~1.tmp`, 61_000)
    leave('c~elsewhere~1~1.tmp', 61_000)
    leave(`d~${host}~${process.pid}~0a.tmp`, 0)
    leave(`D~${host}~${process.pid}~0b.tmp`, process.uptime() * 1000 + 50)
    leave(`e~elsewhere~${dead}~1.tmp`, 30_000)
    leave('f', 999_000)
    const store = await fileStore(folder)
    expect(filesOf(folder).map(({ name }) => name[0])).toEqual(['d', 'e', 'f'])
    expect((await store.list('')).map(({ key }) => key)).toEqual(['g/objects/f'])
  })

  test('a writer whose temporary file somebody took for a leftover writes again', async () => {
    const store = await fileStore(folder)
    let robbed = 0
    const robbing = await fileStore(folder, async (from) => {
      if (robbed++ > 0) return
      rmSync(from as string)
      throw Object.assign(new Error('gone'), { code: 'ENOENT', syscall: 'link' })
    })
    await robbing.put('k', bytes('x'), { ifAbsent: true })
    expect(robbed).toBe(2)
    expect(await store.put('k', bytes('x'))).toBe(true)
  })

  test('whenever a process is killed, what is under a key is whole', async () => {
    const module = new URL('../../src/store/file-store.ts', import.meta.url).href
    const script = `
      const { fileStore } = await import(${JSON.stringify(module)})
      const store = await fileStore(process.argv[1])
      for (let i = 0; ; i++) {
        await store.put('g/' + (i % 5), new Uint8Array(400_000).fill(i % 251))
        if (i === 3) process.stdout.write('going')
      }`
    for (let round = 0; round < 4; round++) {
      const child = spawn(process.execPath, ['--input-type=module', '-e', script, folder], { stdio: ['ignore', 'pipe', 'inherit'] })
      await once(child.stdout, 'data')
      await pause(7 * round)
      child.kill('SIGKILL')
      await once(child, 'exit')
      await fileStore(folder)
      const names = filesOf(folder).map(({ name }) => name)
      expect(names.filter((name) => name.endsWith('.tmp'))).toEqual([])
      for (const name of names) {
        const whole = readFileSync(join(folder, 'g', name))
        expect(whole).toHaveLength(400_000)
        expect(whole.every((byte) => byte === whole[0])).toBe(true)
      }
    }
  })
})

describe('trouble is explained', () => {
  test('a directory that goes away while it is used is made again', async () => {
    const store = await fileStore(join(folder, 'x'))
    await store.put('g/a', bytes('1'))
    rmSync(join(folder, 'x'), { recursive: true })
    expect(await store.get('g/a')).toBeUndefined()
    expect(await store.list('g/')).toEqual([])
    expect(await store.put('g/a', bytes('2'))).toBe(true)
  })

  test.each([
    ['a file where the directory should be', () => writeFileSync(join(folder, 'x'), ''), 'a file is in the way of a folder'],
    ['a link to nowhere', () => symlinkSync(join(folder, 'nowhere', 'at', 'all'), join(folder, 'x')), ''],
    [
      'a folder where the object should be',
      () => mkdirSync(join(folder, 'x', 'g', 'k', 'y'), { recursive: true }),
      'a folder is in the way',
    ],
    ['a link in a circle', () => symlinkSync(join(folder, 'x'), join(folder, 'x')), ''],
  ])('%s', async (_, prepare, message) => {
    prepare()
    const store = await fileStore(join(folder, 'x'))
    const error = await refusal(store.put('g/k', bytes('')))
    expect(error).toMatchObject({ name: 'CtrError', code: 'CTR_CHECKPOINT_STORE', retriable: false })
    expect(error.message).toContain(`checkpoint.storage ${join(folder, 'x')}: ${message}`)
  })

  test('a file in the way of listing and reading', async () => {
    writeFileSync(join(folder, 'x'), '')
    const store = await fileStore(join(folder, 'x'))
    for (const work of [() => store.list(''), () => store.get('a'), () => store.remove(['a'])])
      expect((await refusal(work())).message).toContain('a file is in the way of a folder')
  })

  test('a name that is too long', async () => {
    const store = await fileStore(folder)
    expect((await refusal(store.put(`${'g'.repeat(300)}/a`, bytes('')))).message).toContain('a name is too long')
  })
})
