/** Another user of the machine, who puts code where it might be found. */
import { spawnSync } from 'node:child_process'
import { chmodSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'
import { asNobody } from '../support/other-user.ts'

test('a cache that another user has made is not read', async () => {
  const root = mkdtempSync(join(tmpdir(), 'ctr-planted-'))
  onTestFinished(() => rmSync(root, { recursive: true, force: true }))
  chmodSync(root, 0o1777)
  const planted = join(root, 'cache', 'ctr-engine', 'compiled')
  await asNobody(`require('node:fs').mkdirSync(${JSON.stringify(planted)}, { recursive: true, mode: 0o777 })`)
  const { NODE_COMPILE_CACHE: _, ...others } = process.env
  const env = { ...others, XDG_CACHE_HOME: join(root, 'cache') }
  const bin = fileURLToPath(new URL('../../bin/ctr.js', import.meta.url))
  expect(spawnSync(process.execPath, [bin, 'config', 'check'], { env }).status).toBe(0)
  expect(readdirSync(planted)).toEqual([])
})
