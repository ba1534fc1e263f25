/** The checkpoint thread as main has it: what it is told and says, and that its death is not kept quiet. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { threadWriter } from '../../src/checkpoint/thread-writer.ts'
import type { CheckpointWriter } from '../../src/checkpoint/writer.ts'
import { loadConfig } from '../../src/config/load.ts'
import type { CtrError } from '../../src/errors.ts'
import { FACTS } from '../support/task-copies.ts'

let folder: string
let writer: CheckpointWriter
let warnings: string[]

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ctr-thread-'))
  warnings = []
  const { checkpoint } = loadConfig({ sets: [`checkpoint.storage=${folder}`] })
  const warn = (message: string) => void warnings.push(message)
  writer = threadWriter({ config: checkpoint, group: 'g', writer: 'w', rules: FACTS.rules, workers: 1, warn })
})
afterEach(async () => {
  await writer.close()
  rmSync(folder, { recursive: true, force: true })
})

const cut = (number: number) => ({ number, createdAt: 1_700_000_000_000 + number, savepoint: null, tasks: [] })

test('writes a checkpoint, and its end by close is no death', async () => {
  const deaths: CtrError[] = []
  writer.onDied((error) => deaths.push(error))
  writer.begin(cut(1))
  expect(await writer.complete(1)).toMatchObject({ objects: [], bytes: 0 })
  await writer.close()
  await expect(writer.complete(2)).rejects.toMatchObject({ code: 'CTR_CHECKPOINT_FAILED' })
  expect([deaths, warnings]).toEqual([[], []])
})

test('tells of its death once, whenever it is asked, and fails what waits for it', async () => {
  const death = new Promise<CtrError>((resolve) => writer.onDied(resolve))
  const waiting = writer.complete(1)
  writer.ports[0]?.postMessage(undefined) // no copy: a bug
  await expect(waiting).rejects.toMatchObject({ code: 'CTR_CHECKPOINT_FAILED' })
  expect((await death).message).toContain('the checkpoint thread failed: ')
  expect(await new Promise<CtrError>((resolve) => writer.onDied(resolve))).toBe(await death)
  await expect.poll(() => warnings).toEqual([(await death).message])
})
