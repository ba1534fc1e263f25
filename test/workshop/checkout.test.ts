import { execFileSync } from 'node:child_process'
import { existsSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { checkOut, findRevision } from '../../workshop/checkout.ts'

const LOCK = JSON.stringify({ name: 'x', version: '1.0.0', lockfileVersion: 3, packages: { '': { name: 'x', version: '1.0.0' } } })

/** A repository with one commit, tagged v1, and a folder beside it for checkouts. */
function repository(): { root: string; beside: string; git: (...args: string[]) => string } {
  const folder = mkdtempSync(join(tmpdir(), 'ctr-checkout-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const root = join(folder, 'repository')
  mkdirSync(join(root, 'bin'), { recursive: true })
  mkdirSync(join(root, 'node_modules'))
  const git = (...args: string[]) =>
    execFileSync('git', ['-c', 'user.name=a', '-c', 'user.email=a@b.c', ...args], { cwd: root, encoding: 'utf8' })
  writeFileSync(join(root, 'bin/ctr.js'), 'before', { mode: 0o755 })
  writeFileSync(join(root, 'gone.ts'), 'gone')
  writeFileSync(join(root, '.gitignore'), 'node_modules\nignored\n')
  writeFileSync(join(root, 'package.json'), '{"name":"x","version":"1.0.0"}')
  writeFileSync(join(root, 'package-lock.json'), LOCK)
  git('init', '--quiet', '--initial-branch=main')
  git('add', '--all')
  git('commit', '--quiet', '--message=one')
  git('tag', 'v1')
  return { root, beside: join(folder, 'checkouts'), git }
}

function change(root: string): void {
  writeFileSync(join(root, 'bin/ctr.js'), 'after')
  writeFileSync(join(root, 'new.ts'), 'new')
  writeFileSync(join(root, 'ignored'), 'x')
  rmSync(join(root, 'gone.ts'))
}

test('a revision has the files it was committed with, whatever the working tree has', async () => {
  const { root, beside } = repository()
  change(root)
  const { folder, node } = await checkOut(findRevision('v1', root), join(beside, 'base'), root)
  expect(readFileSync(join(folder, 'bin/ctr.js'), 'utf8')).toBe('before')
  expect(statSync(join(folder, 'bin/ctr.js')).mode & 0o111).toBe(0o111)
  expect([existsSync(join(folder, 'gone.ts')), existsSync(join(folder, 'new.ts'))]).toEqual([true, false])
  expect(node).toBe(process.execPath)
})

test('the working tree is copied with what is changed, new and deleted, without what is ignored', async () => {
  const { root, beside } = repository()
  change(root)
  const { folder } = await checkOut(findRevision('', root), join(beside, 'head'), root)
  expect(readFileSync(join(folder, 'bin/ctr.js'), 'utf8')).toBe('after')
  expect(readdirSync(folder).sort()).toEqual(['.gitignore', 'bin', 'new.ts', 'node_modules', 'package-lock.json', 'package.json'])
  writeFileSync(join(root, 'bin/ctr.js'), 'later')
  expect(readFileSync(join(folder, 'bin/ctr.js'), 'utf8')).toBe('after')
})

test('nothing is left but the folder of the checkout', async () => {
  const { root, beside, git } = repository()
  change(root)
  const state = () => [
    git('status', '--porcelain'),
    git('worktree', 'list'),
    git('branch', '--list'),
    readdirSync(join(root, '.git')).sort(),
  ]
  const before = state()
  await checkOut(findRevision('v1', root), join(beside, 'base'), root)
  expect(state()).toEqual(before)
  expect(readdirSync(beside)).toEqual(['base'])
})

test('a revision is found by tag, branch and commit, and a name that is none is told', () => {
  const { root, git } = repository()
  const commit = git('rev-parse', 'HEAD').trim()
  for (const name of ['v1', 'main', commit.slice(0, 7)]) expect(findRevision(name, root)).toEqual({ name, commit, changed: 0 })
  for (const name of ['v2', '--all', 'HEAD:bin'])
    expect(() => findRevision(name, root)).toThrow(`${name} is no revision of this repository`)
})

test('the working tree tells how many files differ from its commit', () => {
  const { root } = repository()
  expect(findRevision('', root).changed).toBe(0)
  writeFileSync(join(root, 'bin/ctr.js'), 'after')
  expect(findRevision('', root).changed).toBe(1)
  change(root)
  expect(findRevision('', root).changed).toBe(3)
})

test('installed packages serve a checkout with the same package-lock.json, any other gets its own', async () => {
  const { root, beside } = repository()
  const same = await checkOut(findRevision('v1', root), join(beside, 'same'), root)
  expect(lstatSync(join(same.folder, 'node_modules')).isSymbolicLink()).toBe(true)
  writeFileSync(join(root, 'package-lock.json'), `${LOCK}\n`)
  const other = await checkOut(findRevision('v1', root), join(beside, 'other'), root)
  expect(lstatSync(join(other.folder, 'node_modules'), { throwIfNoEntry: false })?.isSymbolicLink()).not.toBe(true)
})

test('packages that cannot be installed are told with the folder', async () => {
  const { root, beside } = repository()
  writeFileSync(join(root, 'package-lock.json'), 'no JSON')
  await expect(checkOut(findRevision('', root), join(beside, 'head'), root)).resolves.toBeDefined()
  rmSync(join(root, 'node_modules'), { recursive: true })
  await expect(checkOut(findRevision('', root), join(beside, 'again'), root)).rejects.toThrow(/npm ci of .*again ended with/)
})
