/** `ctr checkpoint` and `ctr savepoint` on a directory with two checkpoints and a savepoint, as people and programs call them. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Manifest } from '../../src/checkpoint/manifest.ts'
import { diffVerb, exportVerb, inspectVerb, listVerb, verifyVerb } from '../../src/cli/checkpoint.ts'
import { type AskPipeline, savepointVerb } from '../../src/cli/savepoint.ts'
import { fileStore } from '../../src/store/file-store.ts'
import { keep } from '../support/kept-state.ts'

const T = 1_700_000_000_000
const NOW = T + 65_000

let folder: string
let older: Manifest
let newer: Manifest

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'ctr-cli-'))
  const store = await fileStore(folder)
  const [first, second] = [T, T + 10_000]
  older = await keep(store, {
    at: T + 1000,
    tasks: { 0: { position: 100, windows: { [first]: { 'p-1': [10, 1] } } }, 1: { position: 1, windows: {} } },
  })
  await keep(store, { at: T + 2000, savepoint: 'before', tasks: { 0: { position: 50, windows: { [first]: { 'p-1': [9, 1] } } } } })
  newer = await keep(store, {
    at: T + 5000,
    tasks: {
      0: { position: 2000, windows: { [first]: { 'p-1': [1200, 30], 'a,"b"': [1, 0] }, [second]: { 'p-1': [7, 0] } } },
      1: { position: 1, windows: {} },
    },
  })
})
afterEach(() => {
  rmSync(folder, { recursive: true })
})

const options = () => ({ set: [`checkpoint.storage=${folder}`] })

/** Runs a verb; gives its code and what it wrote. */
async function run(verb: (surroundings: { output: Writable; clock: () => number }) => Promise<number>, terminal = false) {
  let out = ''
  const output = new Writable({
    write(chunk, _, done) {
      out += String(chunk)
      done()
    },
  })
  if (terminal) Object.assign(output, { isTTY: true })
  const code = await verb({ output, clock: () => NOW })
  return { code, out, lines: out.trimEnd().split('\n') }
}

describe('list', () => {
  test('shows everything that is kept, newest first', async () => {
    const { code, lines } = await run((at) => listVerb(options(), at))
    expect(code).toBe(0)
    expect(lines.map((line) => line.split(/ {2,}/))).toEqual([
      ['id', 'savepoint', 'age', 'watermark', 'tasks', 'windows', 'cells', 'size', 'writer'],
      [newer.id, '1 min 0 s', '22:13:20', '2', '2', '3', expect.stringMatching(/KiB$/), 'ctr-0'],
      [expect.any(String), 'before', '1 min 3 s', '22:13:20', '1', '1', '1', expect.any(String), 'ctr-0'],
      [older.id, '1 min 4 s', '22:13:20', '2', '1', '1', expect.any(String), 'ctr-0'],
    ])
  })

  test('in JSON has the same', async () => {
    const { out } = await run((at) => listVerb({ ...options(), json: true }, at))
    const listed = JSON.parse(out) as Record<string, unknown>[]
    expect(listed).toHaveLength(3)
    expect(listed[0]).toMatchObject({
      id: newer.id,
      savepoint: null,
      ageMs: 60_000,
      createdAt: '2023-11-14T22:13:25.000Z',
      watermark: '2023-11-14T22:13:20.000Z',
      tasks: 2,
      windows: 2,
      cells: 3,
    })
  })

  test('tells what is unreadable, without obeying what it holds, and when there is nothing', async () => {
    writeFileSync(join(folder, 'ctr', 'checkpoints', '1700000009000-00000000-1.json'), '\u001b[2J')
    const { code, lines } = await run((at) => listVerb(options(), at))
    expect(code).toBe(0)
    expect(lines.at(-1)).toMatch(/^unreadable: ctr\/checkpoints\/1700000009000-00000000-1\.json: its end is missing/)
    const other = await run((at) => listVerb({ set: [...options().set, 'kafka.groupId=nobody'] }, at))
    expect(other.out).toBe(`${folder} has no checkpoint of group nobody\n`)
  })
})

describe('inspect', () => {
  test('shows tasks and partitions', async () => {
    const { code, lines } = await run((at) => inspectVerb('latest', options(), at))
    expect(code).toBe(0)
    expect(lines[0]).toMatch(/^latest: 2 tasks, 3 cells, \d+ B$/)
    expect(lines.map((line) => line.trim().split(/ {2,}/))).toEqual(
      expect.arrayContaining([
        ['task', 'watermark', 'windows', 'events', 'cells', 'products', 'size', 'checkpoint'],
        ['0', '22:13:20', '2', '1,238', '3', '2', expect.any(String), newer.id],
        ['partition', 'position', 'low water', 'event time', 'read', 'counted', 'late', 'invalid', 'ignored'],
        ['clicks/0', '2000', '0', '22:13:25', '2,000', '2,000', '0', '0', '0'],
        ['clicks/1', '1', '1', '22:13:25', '1', '1', '0', '0', '0'],
      ]),
    )
  })

  test('in JSON has offsets, windows and rules', async () => {
    const { out } = await run((at) => inspectVerb('before', { ...options(), json: true }, at))
    expect(JSON.parse(out)).toMatchObject({
      name: 'before',
      checkpoints: [{ savepoint: 'before', rules: { windowSize: 10_000 } }],
      tasks: [
        {
          task: 0,
          windows: [{ end: '2023-11-14T22:13:30.000Z', events: 10 }],
          cells: 1,
          partitions: [{ topic: 'clicks', partition: 0, position: 50, lowWater: 0, read: 50 }],
        },
      ],
    })
  })

  test('of what is not there is wrong usage', async () => {
    await expect(run((at) => inspectVerb('x', options(), at))).rejects.toMatchObject({ code: 'CTR_USAGE' })
  })
})

describe('verify', () => {
  test('reads everything, and exits 0 when it is sound', async () => {
    const { code, lines } = await run((at) => verifyVerb(undefined, options(), at))
    expect(code).toBe(0)
    expect(lines).toHaveLength(4)
    expect(lines[0]).toMatch(new RegExp(`^sound {3}${newer.id} {2}2 tasks, `))
    expect(lines.at(-1)).toBe('3 checkpoints sound, 0 broken')
  })

  test('exits 1 and says what is broken', async () => {
    const key = newer.tasks[0]?.object?.key ?? ''
    const store = await fileStore(folder)
    const bytes = Uint8Array.from((await store.get(key))!)
    bytes[300]! ^= 1
    await store.put(key, bytes)
    writeFileSync(join(folder, 'ctr', 'checkpoints', '1700000009000-00000000-1.json'), '{}')
    const { code, out } = await run((at) => verifyVerb(undefined, options(), at))
    expect(code).toBe(1)
    expect(out).toContain(`BROKEN  ${newer.id}`)
    expect(out).toContain(`task 0: ${key}: the checksum of section 0 (kind 1) is wrong`)
    expect(out).toContain('2 checkpoints sound, 2 broken')
    expect((await run((at) => verifyVerb('before', options(), at))).code).toBe(0)
    const asked = await run((at) => verifyVerb('latest', { ...options(), json: true }, at))
    expect(asked.code).toBe(1)
    expect(JSON.parse(asked.out)).toMatchObject([{ name: newer.id, tasks: 2, problems: [expect.stringContaining(key)] }])
  })
})

describe('diff', () => {
  test('shows windows that differ and exits 1', async () => {
    const { code, lines } = await run((at) => diffVerb(older.id, 'latest', options(), at))
    expect(code).toBe(1)
    expect(lines.map((line) => line.trim().split(/ {2,}/))).toEqual([
      ['task', 'window', 'products that differ', 'impressions', 'clicks'],
      ['0', '22:13:20 – 22:13:30', '2', '10 → 1,201', '1 → 30'],
      ['0', '22:13:30 – 22:13:40', '1', '- → 7', '- → 0'],
    ])
    const { out } = await run((at) => diffVerb('before', older.id, { ...options(), json: true }, at))
    expect(JSON.parse(out)).toEqual([
      {
        task: 0,
        start: '2023-11-14T22:13:20.000Z',
        end: '2023-11-14T22:13:30.000Z',
        a: [9, 1],
        b: [10, 1],
        products: [{ product: 'p-1', a: [9, 1], b: [10, 1] }],
      },
    ])
  })

  test('of the same exits 0', async () => {
    expect(await run((at) => diffVerb('latest', newer.id, options(), at))).toMatchObject({
      code: 0,
      out: `latest and ${newer.id} hold the same open windows\n`,
    })
  })
})

describe('export', () => {
  test('writes a line of JSON for each product of each open window', async () => {
    const { code, lines } = await run((at) => exportVerb('latest', { ...options(), format: 'json' }, at))
    expect(code).toBe(0)
    const start = '2023-11-14T22:13:20.000Z'
    const middle = '2023-11-14T22:13:30.000Z'
    expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual([
      { task: 0, product: 'p-1', window_start: start, window_end: middle, impressions: 1200, clicks: 30 },
      { task: 0, product: 'a,"b"', window_start: start, window_end: middle, impressions: 1, clicks: 0 },
      { task: 0, product: 'p-1', window_start: middle, window_end: '2023-11-14T22:13:40.000Z', impressions: 7, clicks: 0 },
    ])
  })

  test('writes CSV', async () => {
    const { lines } = await run((at) => exportVerb('latest', { ...options(), format: 'csv' }, at))
    expect(lines.slice(0, 3)).toEqual([
      'task,product,window_start,window_end,impressions,clicks',
      '0,p-1,2023-11-14T22:13:20.000Z,2023-11-14T22:13:30.000Z,1200,30',
      '0,"a,""b""",2023-11-14T22:13:20.000Z,2023-11-14T22:13:30.000Z,1,0',
    ])
  })

  test('a terminal is not made to obey product ids', async () => {
    const store = await fileStore(folder)
    await keep(store, { at: T + 9000, tasks: { 0: { position: 9999, windows: { [T]: { '\u001b[2J\u009b': [1, 0] } } } } })
    const csv = await run((at) => exportVerb('latest', { ...options(), format: 'csv' }, at), true)
    expect(csv.out).toContain('0,\\x1b[2J\\x9b,')
    expect((await run((at) => exportVerb('latest', { ...options(), format: 'csv' }, at))).out).toContain('0,\u001b[2J\u009b,')
    const { out } = await run((at) => diffVerb('before', 'latest', { ...options(), json: true }, at))
    expect(out).toContain('"\\u001b[2J\\u009b"')
  })
})

describe('savepoint', () => {
  async function act(action: 'create' | 'delete', name: string, json = false, ask?: AskPipeline) {
    let out = ''
    const code = await savepointVerb(action, name, { ...options(), json }, ask, (text) => {
      out += text
    })
    return { code, out }
  }

  test('is made, listed and deleted', async () => {
    expect(await act('create', 'release-7')).toMatchObject({ code: 0, out: expect.stringContaining('savepoint release-7: 2 tasks as of ') })
    const { lines } = await run((at) => listVerb({ ...options(), savepoints: true }, at))
    expect(lines).toHaveLength(3)
    expect(lines[1]).toContain('release-7')
    expect((await run((at) => diffVerb('release-7', 'latest', options(), at))).code).toBe(0)
    expect(await act('delete', 'release-7')).toMatchObject({ code: 0, out: expect.stringContaining('is gone') })
    await expect(act('delete', 'release-7')).rejects.toMatchObject({ code: 'CTR_USAGE' })
    expect(JSON.parse((await act('create', 'y', true)).out)).toEqual({ savepoint: 'y', tasks: [0, 1], from: [newer.id] })
  })

  test('is left to a running pipeline when one answers', async () => {
    const asked: string[] = []
    const ask: AskPipeline = async (action, name) => {
      asked.push(`${action} ${name}`)
      return { text: 'done by the pipeline', facts: { savepoint: name } }
    }
    expect(await act('create', 'x', false, ask)).toEqual({ code: 0, out: 'done by the pipeline\n' })
    expect(asked).toEqual(['create x'])
    expect((await run((at) => listVerb({ ...options(), savepoints: true }, at))).lines).toHaveLength(2)
  })
})
