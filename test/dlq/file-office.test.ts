import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { afterAll, expect, test } from 'vitest'
import type { DeadLetter } from '../../src/dlq/dead-letter.ts'
import { fileOffice } from '../../src/dlq/file-office.ts'

const folder = mkdtempSync(join(tmpdir(), 'ctr-letters-'))
const silent = pino({ level: 'silent' })
afterAll(() => rmSync(folder, { recursive: true }))

function letter(offset: number): DeadLetter {
  return {
    source: 'ctr/test',
    rawTopic: 'clicks',
    partition: 3,
    offset,
    errorCode: 'DESERIALIZATION_ERROR',
    errorMessage: 'not JSON',
    rawData: 'ünï\n"quoted"',
    rawEncoding: 'utf8',
    rawTruncated: false,
    eventTimeMillisUtc: null,
    createdAtUtc: '2026-01-01T00:00:00.000Z',
  }
}

test('letters are lines of JSON behind what was there, and are there when settled', async () => {
  const path = join(folder, 'deep', 'er', 'letters.jsonl')
  const first = fileOffice(path, silent)
  first.put(letter(1))
  first.put(letter(2))
  await first.settled()
  const lines = () => readFileSync(path, 'utf8').split('\n')
  expect(lines().map((line) => line && JSON.parse(line))).toEqual([letter(1), letter(2), ''])
  await first.close()
  const second = fileOffice(path, silent)
  second.put(letter(3))
  await second.close()
  expect(lines()).toHaveLength(4)
})

test('ten thousand letters arrive whole and in order', async () => {
  const path = join(folder, 'many.jsonl')
  const office = fileOffice(path, silent)
  for (let offset = 0; offset < 10_000; offset++) {
    if (office.full) await office.room()
    office.put(letter(offset))
  }
  await office.settled()
  const offsets = readFileSync(path, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => (JSON.parse(line) as DeadLetter).offset)
  expect(offsets).toEqual(Array.from({ length: 10_000 }, (_, at) => at))
  await office.close()
})

test('a path that cannot be written is refused at once, by its key', () => {
  const blocking = join(folder, 'a-file')
  writeFileSync(blocking, '')
  expect(() => fileOffice(join(blocking, 'letters.jsonl'), silent)).toThrow(/^deadLetter\.file .*can't be written/)
})
