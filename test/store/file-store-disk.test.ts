/** A directory as a store on small disks of its own: a full one and one that can only be read. They take the right to mount. */
import { readdirSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { fileStore } from '../../src/store/file-store.ts'
import { refusal } from '../support/refusal.ts'
import { tmpfs } from '../support/tmpfs.ts'

const bytes = (text: string) => new Uint8Array(Buffer.from(text))
const text = (got: Uint8Array | undefined) => (got === undefined ? undefined : Buffer.from(got).toString())

test('a full disk: nothing half written stays, what was there is kept, and it goes on when there is room', async () => {
  using disk = tmpfs('1m')
  const store = await fileStore(disk.path)
  await store.put('old', bytes('kept'))
  const error = await refusal(store.put('g/new', new Uint8Array(2_000_000)))
  expect(error).toMatchObject({ code: 'CTR_CHECKPOINT_STORE', retriable: true })
  expect(error.message).toBe(`checkpoint.storage ${disk.path}: the disk is full (write); free some room, or lower checkpoint.retain`)
  await refusal(store.put('old', new Uint8Array(2_000_000)))
  expect(
    readdirSync(disk.path, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map(({ name }) => name),
  ).toEqual(['old'])
  expect(text(await store.get('old'))).toBe('kept')
  expect(await store.put('g/new', new Uint8Array(500_000))).toBe(true)
})

test('a read-only disk can be read, and says so when it is written to', async () => {
  using disk = tmpfs('1m')
  writeFileSync(join(disk.path, 'a'), 'x')
  writeFileSync(join(disk.path, 'a~gone~1~1.tmp'), 'x')
  utimesSync(join(disk.path, 'a~gone~1~1.tmp'), 0, 0)
  disk.remount('ro')
  const store = await fileStore(disk.path)
  expect(text(await store.get('a'))).toBe('x')
  const put = () => store.put('a', bytes('y'))
  const putBelow = () => store.put('g/b', bytes('y'), { ifAbsent: true })
  for (const work of [put, putBelow, () => store.remove(['a'])]) {
    const error = await refusal(work())
    expect(error).toMatchObject({ code: 'CTR_CHECKPOINT_STORE', retriable: false })
    expect(error.message).toContain(`checkpoint.storage ${disk.path}: the file system is read-only`)
  }
})
