import { spawn } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type EmbeddedClickHouse, openEmbedded } from '../../src/clickhouse/embedded-front.ts'
import { gone, silent } from '../../workshop/clickhouse.ts'
import { askFront, frontFile } from '../support/ask-front.ts'

/** Longer than a test: a front without leases stays, as after a command that has just ended. */
const LINGER_MS = 60_000

let root: string
let directory: string
const pids: number[] = []
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'ctr-owner-'))
  directory = join(root, 'clickhouse')
})
afterEach(async () => {
  for (const pid of pids.splice(0)) {
    try {
      process.kill(pid, 'SIGKILL')
    } catch {
      // It has ended.
    }
    await gone(pid)
  }
  rmSync(root, { recursive: true, force: true })
})

/** Opens the directory, writes a number, and lets go. */
async function command(n: number, path = directory): Promise<EmbeddedClickHouse> {
  const front = await openEmbedded(path, silent, { lingerMs: LINGER_MS })
  pids.push(front.pid)
  await askFront(front, 'CREATE TABLE IF NOT EXISTS kept (n UInt32) ENGINE = MergeTree ORDER BY n')
  expect(await askFront(front, `INSERT INTO kept VALUES (${n})`)).toBe('')
  front.close()
  return front
}

const kept = (front: EmbeddedClickHouse) => askFront(front, 'SELECT groupArray(n) FROM (SELECT n FROM kept ORDER BY n)')

const replacements: Record<string, () => void> = {
  removed: () => rmSync(directory, { recursive: true }),
  emptied: () => {
    for (const name of readdirSync(directory)) rmSync(join(directory, name), { recursive: true })
  },
  moved: () => renameSync(directory, join(root, 'elsewhere')),
  'replaced by an empty one': () => {
    rmSync(directory, { recursive: true })
    mkdirSync(directory)
  },
}

test.each(Object.keys(replacements))(
  'when the directory is %s under a front, the next open gets another one that works, and its own files stay',
  async (how) => {
    const first = await command(1)
    replacements[how]!()
    const second = await command(2)
    expect(second.pid).not.toBe(first.pid)
    await gone(first.pid)
    expect(frontFile(directory)?.pid).toBe(second.pid)
    expect(existsSync(second.socketPath)).toBe(true)
    expect(await kept(second)).toBe('[2]\n')
    const third = await command(3)
    expect(third.pid).toBe(second.pid)
    expect(await kept(third)).toBe('[2,3]\n')
  },
)

test('a directory that was moved has its data where it is now', async () => {
  const first = await command(1)
  const elsewhere = join(root, 'elsewhere')
  renameSync(directory, elsewhere)
  const second = await command(2, elsewhere)
  expect(second.pid).not.toBe(first.pid)
  expect(await kept(second)).toBe('[1,2]\n')
  await gone(first.pid)
})

test('a copy in the place of the directory is not served by the front of the one before', async () => {
  const first = await command(1)
  const copy = join(root, 'copy')
  cpSync(directory, copy, { recursive: true, filter: (source) => !/\/(?:front-\w+|status)$/.test(source) })
  expect(frontFile(copy)?.pid).toBe(first.pid)
  rmSync(directory, { recursive: true })
  renameSync(copy, directory)
  const second = await command(2)
  expect(second.pid).not.toBe(first.pid)
  expect(await kept(second)).toBe('[1,2]\n')
  await gone(first.pid)
  expect(await kept(second)).toBe('[1,2]\n')
})

test('a front that slept while its directory was replaced ends when it wakes, and touches nothing of its successor', async () => {
  const first = await command(1)
  process.kill(first.pid, 'SIGSTOP')
  rmSync(directory, { recursive: true })
  const second = await command(2)
  const files = readdirSync(directory).toSorted()
  process.kill(first.pid, 'SIGCONT')
  await gone(first.pid)
  expect(readdirSync(directory).toSorted()).toEqual(files)
  expect(existsSync(join(directory, 'data', 'status'))).toBe(true)
  expect((await command(3)).pid).toBe(second.pid)
  expect(await kept(second)).toBe('[2,3]\n')
})

test('of processes that want a directory one has it, and the next one as soon as that is killed', async () => {
  mkdirSync(directory)
  const module = new URL('../../src/clickhouse/directory-hold.ts', import.meta.url).href
  const script = `import { holdDirectory } from ${JSON.stringify(module)}
    console.log(holdDirectory(${JSON.stringify(directory)}, [])?.isStill() ? 'owner' : 'not')
    setInterval(() => {}, 1000)`
  const want = async () => {
    const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', '--input-type=module', '-e', script])
    pids.push(child.pid!)
    const said = await new Promise<string>((resolve) => child.stdout.once('data', (data) => resolve(String(data).trim())))
    return { said, pid: child.pid! }
  }
  const wanting = await Promise.all([want(), want(), want(), want()])
  const owners = wanting.filter(({ said }) => said === 'owner')
  expect(owners).toHaveLength(1)
  expect((await want()).said).toBe('not')
  process.kill(owners[0]!.pid, 'SIGKILL')
  await gone(owners[0]!.pid)
  expect((await want()).said).toBe('owner')
})
