import { appendFileSync, chmodSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { afterAll, describe, expect, test } from 'vitest'
import type { DeadLetter } from '../../src/output/dead-letter.ts'
import { fileOutput } from '../../src/output/file-output.ts'
import { DEAD_LETTERS } from '../../src/output/output.ts'
import { letterOf, outputRecord } from '../support/output-records.ts'

const folder = mkdtempSync(join(tmpdir(), 'ctr-letters-'))
const silent = pino({ level: 'silent' })
afterAll(() => rmSync(folder, { recursive: true }))

const RAW = 'ünï\n"quoted"'

test('records are lines of JSON behind what was there, and are there when delivered', async () => {
  const path = join(folder, 'deep', 'er', 'letters.jsonl')
  const first = fileOutput(path, DEAD_LETTERS, silent)
  first.put(outputRecord(1, RAW))
  first.put(outputRecord(2, RAW))
  await first.delivered()
  const lines = () => readFileSync(path, 'utf8').split('\n')
  expect(lines().map((line) => line && JSON.parse(line))).toEqual([letterOf(1, RAW), letterOf(2, RAW), ''])
  await first.close()
  const second = fileOutput(path, DEAD_LETTERS, silent)
  second.put(outputRecord(3, RAW))
  await second.close()
  expect(lines()).toHaveLength(4)
})

test('ten thousand records arrive whole and in order', async () => {
  const path = join(folder, 'many.jsonl')
  const output = fileOutput(path, DEAD_LETTERS, silent)
  for (let offset = 0; offset < 10_000; offset++) {
    if (output.full) await output.room()
    output.put(outputRecord(offset, RAW))
  }
  await output.delivered()
  const offsets = readFileSync(path, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => (JSON.parse(line) as DeadLetter).offset)
  expect(offsets).toEqual(Array.from({ length: 10_000 }, (_, at) => at))
  await output.close()
})

test('a path that cannot be written is refused at once, by its key', () => {
  const blocking = join(folder, 'a-file')
  writeFileSync(blocking, '')
  expect(() => fileOutput(join(blocking, 'letters.jsonl'), DEAD_LETTERS, silent)).toThrow(/^deadLetter\.file .*can't be written/)
})

const offsetsIn = (path: string) =>
  readFileSync(path, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => (JSON.parse(line) as DeadLetter).offset)

test('a new file is for its owner only, one that is there keeps its mode', async () => {
  const [made, kept] = [join(folder, 'made.jsonl'), join(folder, 'kept.jsonl')]
  writeFileSync(kept, '')
  chmodSync(kept, 0o640)
  for (const path of [made, kept]) {
    const output = fileOutput(path, DEAD_LETTERS, silent)
    output.put(outputRecord(1))
    await output.close()
  }
  expect([made, kept].map((path) => statSync(path).mode & 0o777)).toEqual([0o600, 0o640])
})

describe('what comes after the file was', () => {
  const path = join(folder, 'rotated', 'letters.jsonl')
  const away = join(folder, 'rotated.1')
  const both = async (between: () => void) => {
    const output = fileOutput(path, DEAD_LETTERS, silent)
    output.put(outputRecord(1))
    await output.delivered()
    between()
    output.put(outputRecord(2))
    await output.delivered()
    const found = offsetsIn(path)
    const mode = statSync(path).mode & 0o777
    await output.close()
    rmSync(join(folder, 'rotated'), { recursive: true })
    return { found, mode }
  }

  test('moved away is in a new one', async () => {
    expect(await both(() => renameSync(path, away))).toEqual({ found: [2], mode: 0o600 })
    expect(offsetsIn(away)).toEqual([1])
  })

  test('removed, with its folder, is in a new one', async () => {
    expect(await both(() => rmSync(join(folder, 'rotated'), { recursive: true }))).toEqual({ found: [2], mode: 0o600 })
  })

  test('replaced by another is in that one', async () => {
    const replace = () => {
      renameSync(path, away)
      appendFileSync(path, `${JSON.stringify(letterOf(7))}\n`, { mode: 0o600 })
    }
    expect(await both(replace)).toEqual({ found: [7, 2], mode: 0o600 })
  })

  test('emptied is in it', async () => {
    expect(await both(() => truncateSync(path))).toEqual({ found: [2], mode: 0o600 })
  })
})
