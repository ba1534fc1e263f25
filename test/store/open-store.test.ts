/** Which store `checkpoint.storage` opens. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect, test } from 'vitest'
import { loadConfig } from '../../src/config/load.ts'
import { openStore } from '../../src/store/open-store.ts'

const placeOf = async (storage: string) => {
  const config = loadConfig({ sets: [`checkpoint.storage=${storage}`] })
  const store = await openStore(config.checkpoint)
  await store?.close()
  return store?.place
}

test.each([
  ['none', undefined],
  ['./.ctr/checkpoints', resolve('.ctr/checkpoints')],
  ['file:///var/lib/ctr%20x', '/var/lib/ctr x'],
  ['s3://bucket', 's3://bucket'],
  ['s3://my-bucket/', 's3://my-bucket'],
  ['s3://my-bucket//a/b%20c//', 's3://my-bucket/a/b%20c'],
])('%s is %j', async (storage, place) => {
  expect(await placeOf(storage)).toBe(place)
})

test('a directory is not made before it is written to', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'ctr-open-'))
  try {
    const place = join(folder, 'a', 'b')
    expect(await placeOf(pathToFileURL(place).href)).toBe(place)
    const store = await openStore(loadConfig({ sets: [`checkpoint.storage=${place}`] }).checkpoint)
    expect(await store?.list('')).toEqual([])
    expect(await store?.put('k', new Uint8Array(1))).toBe(true)
    expect(await store?.list('')).toEqual([{ key: 'k', bytes: 1 }])
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('a URL that names no directory is refused with the key', async () => {
  await expect(placeOf('file:///a%2Fb')).rejects.toThrow('checkpoint.storage: file:///a%2Fb names no directory of this machine')
})
