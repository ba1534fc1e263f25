import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pino } from 'pino'
import { expect, test } from 'vitest'
import type { DeadLetter } from '../../src/output/dead-letter.ts'
import { fileOutput } from '../../src/output/file-output.ts'
import { DEAD_LETTERS } from '../../src/output/output.ts'
import { outputRecord } from '../support/output-records.ts'
import { tmpfs } from '../support/tmpfs.ts'

test('on a full disk records wait and say so; once there is room they are there, whole', async () => {
  using disk = tmpfs('64k')
  const path = join(disk.path, 'letters.jsonl')
  const ballast = join(disk.path, 'ballast')
  const output = fileOutput(path, DEAD_LETTERS, pino({ level: 'silent' }))
  output.put(outputRecord(1))
  await output.delivered()
  writeFileSync(ballast, Buffer.alloc(48 * 1024))
  // More than there is room for, less than there is without the ballast: the write fails halfway.
  for (let offset = 2; offset < 22; offset++) output.put(outputRecord(offset, 'x'.repeat(1_500)))
  let delivered = false
  const all = output.delivered().then(() => {
    delivered = true
  })
  for (let i = 0; i < 400 && output.trouble === undefined; i++) await new Promise((resolve) => setTimeout(resolve, 10))
  expect(output.trouble).toMatch(/dead letters not delivered to file .*ENOSPC/)
  expect(delivered).toBe(false)
  rmSync(ballast)
  await all
  expect(output.trouble).toBeUndefined()
  const lines = readFileSync(path, 'utf8').trimEnd().split('\n')
  expect(lines.map((line) => (JSON.parse(line) as DeadLetter).offset)).toEqual(Array.from({ length: 21 }, (_, at) => at + 1))
  await output.close()
})
