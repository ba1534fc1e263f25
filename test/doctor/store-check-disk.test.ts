import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { loadConfig } from '../../src/config/load.ts'
import { examine } from '../../src/doctor/examine.ts'
import { machineChecks } from '../../src/doctor/machine-checks.ts'
import { storeCheck } from '../../src/doctor/store-check.ts'
import { tmpfs } from '../support/tmpfs.ts'

test('a store on a disk that is full or read-only is a fault, and so is its room', async () => {
  using disk = tmpfs('1m')
  const config = loadConfig({ sets: [`checkpoint.storage=${disk.path}/kept`, 'clickhouse.url=http://localhost:1', 'http.port=0'], env: {} })
  const look = async () => {
    const checks = [storeCheck(config.checkpoint), ...machineChecks(config).filter(({ name }) => name === 'disks')]
    return (await examine(checks, 5_000)).outcomes
  }
  expect(await look()).toMatchObject([
    { verdict: 'ok' },
    { verdict: 'fault', found: expect.stringContaining('free for checkpoint.storage') },
  ])
  expect(readdirSync(disk.path)).toEqual([])
  expect(() => writeFileSync(join(disk.path, 'filler'), Buffer.alloc(2 * 1024 ** 2))).toThrow('ENOSPC')
  expect((await look())[0]).toMatchObject({ verdict: 'fault', found: expect.stringContaining('the disk is full') })
  disk.remount('ro')
  expect((await look())[0]).toMatchObject({ verdict: 'fault', found: expect.stringContaining('the file system is read-only') })
})
