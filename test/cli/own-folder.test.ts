/** Folders whose content is run: none that another user could have filled. */
import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { isOwnFolder, ownCacheFolder } from '../../bin/own-folder.js'

let root: string
let before: string | undefined
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'ctr-own-'))
  before = process.env.XDG_CACHE_HOME
  process.env.XDG_CACHE_HOME = join(root, 'cache')
})
afterEach(() => {
  if (before === undefined) delete process.env.XDG_CACHE_HOME
  else process.env.XDG_CACHE_HOME = before
  rmSync(root, { recursive: true, force: true })
})

const own = () => ownCacheFolder('compiled')

test('the folder is made, for its user alone', () => {
  expect(own()).toBe(join(root, 'cache', 'ctr-engine', 'compiled'))
  expect(statSync(own()!).mode & 0o777).toBe(0o700)
})

test('a folder that others may write to is not used, nor one below such a folder', () => {
  const folder = own()!
  for (const path of [folder, join(root, 'cache', 'ctr-engine'), join(root, 'cache'), root]) {
    for (const mode of [0o720, 0o702, 0o777]) {
      chmodSync(path, mode)
      expect(own()).toBeUndefined()
    }
    chmodSync(path, 0o755)
    expect(own()).toBe(folder)
  }
})

test('below a folder for everybody from which nobody can take what is another’s, the own one is used', () => {
  mkdirSync(join(root, 'cache'))
  chmodSync(join(root, 'cache'), 0o1777)
  expect(own()).toBeDefined()
})

test('a link is not used, and where it leads is looked at', () => {
  const folder = own()!
  renameSync(folder, `${folder}-elsewhere`)
  symlinkSync(`${folder}-elsewhere`, folder)
  expect(own()).toBeUndefined()
  rmSync(folder)
  const open = join(root, 'open')
  mkdirSync(open)
  renameSync(join(root, 'cache'), join(open, 'cache'))
  symlinkSync(join(open, 'cache'), join(root, 'cache'))
  expect(own()).toBeDefined()
  chmodSync(open, 0o777)
  expect(own()).toBeUndefined()
})

test('where none can be made there is none', () => {
  writeFileSync(join(root, 'cache'), '')
  expect(own()).toBeUndefined()
})

test('a path that is not absolute is as good as none', () => {
  process.env.XDG_CACHE_HOME = 'here'
  expect(own()).not.toContain('here/')
  expect(existsSync('here')).toBe(false)
})

test('what another user owns is not used', () => {
  expect(isOwnFolder('/')).toBe(process.geteuid!() === 0)
  expect(() => isOwnFolder(join(root, 'nothing'))).toThrow('ENOENT')
})

test('ctr keeps compiled code there, and nothing in the temporary folder', () => {
  const bin = fileURLToPath(new URL('../../bin/ctr.js', import.meta.url))
  const temporary = join(root, 'tmp')
  mkdirSync(temporary)
  const { NODE_COMPILE_CACHE: _, ...others } = process.env
  const env = { ...others, TMPDIR: temporary }
  expect(spawnSync(process.execPath, [bin, 'config', 'check'], { env }).status).toBe(0)
  expect(readdirSync(own()!)).not.toEqual([])
  rmSync(own()!, { recursive: true })
  chmodSync(join(root, 'cache'), 0o777)
  expect(spawnSync(process.execPath, [bin, 'config', 'check'], { env }).status).toBe(0)
  expect(readdirSync(join(root, 'cache', 'ctr-engine', 'compiled'))).toEqual([])
  expect(readdirSync(temporary)).toEqual([])
})
