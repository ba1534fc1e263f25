/**
 * The engine of another revision, or the one of the working tree as it is now, as files of their own that run by themselves. A revision is
 * written by way of an index of its own, not as a worktree of Git: Git knows nothing of it, so nothing but the folder has to be removed,
 * however a run ends.
 */
import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { finished, repositoryPath, startProgram } from './child.ts'

export interface Revision {
  /** As it was asked for; '' is the working tree. */
  readonly name: string
  /** In full. */
  readonly commit: string
  /** Files that differ from the commit; of the working tree only. */
  readonly changed: number
}

export interface Checkout {
  readonly folder: string
  /** The Node that is installed with it, or this one. */
  readonly node: string
}

const HERE = repositoryPath('')
const INSTALL_MAX_MS = 600_000

/** Finds a revision; '' is the working tree. Throws when there is none of that name. */
export function findRevision(name: string, repository = HERE): Revision {
  if (name === '') {
    const changes = git(repository, ['--no-optional-locks', 'status', '--porcelain', '-z', '--untracked-files=all', '--no-renames'])
    return { name, commit: git(repository, ['rev-parse', 'HEAD']).trim(), changed: listed(changes).length }
  }
  try {
    const commit = git(repository, ['rev-parse', '--verify', '--quiet', '--end-of-options', `${name}^{commit}`]).trim()
    return { name, commit, changed: 0 }
  } catch (cause) {
    throw new Error(`${name} is no revision of this repository (git rev-parse does not know it; git fetch brings what others have)`, {
      cause,
    })
  }
}

/** Writes the files of a revision into `folder`, which is made, and gives them the packages of its package-lock.json. */
export async function checkOut(revision: Revision, folder: string, repository = HERE): Promise<Checkout> {
  mkdirSync(folder, { recursive: true })
  if (revision.name === '') copyWorkingTree(repository, folder)
  else writeCommit(repository, revision.commit, folder)
  await install(folder, repository)
  const node = join(folder, 'node_modules/.bin/node')
  return { folder, node: existsSync(node) ? node : process.execPath }
}

function copyWorkingTree(repository: string, folder: string): void {
  for (const path of listed(git(repository, ['ls-files', '-z', '--cached', '--others', '--exclude-standard']))) {
    const from = join(repository, path)
    // Deleted files are listed too, for the index still has them.
    if (existsSync(from)) cpSync(from, join(folder, path), { recursive: true })
  }
}

function writeCommit(repository: string, commit: string, folder: string): void {
  const index = `${folder}.index`
  try {
    git(repository, ['read-tree', commit], { GIT_INDEX_FILE: index })
    git(repository, ['checkout-index', '--all', `--prefix=${folder}/`], { GIT_INDEX_FILE: index })
  } finally {
    rmSync(index, { force: true })
  }
}

/** The packages installed here serve when they are the same ones. */
async function install(folder: string, repository: string): Promise<void> {
  const lock = (root: string) => readFileSync(join(root, 'package-lock.json'), 'utf8')
  const installed = join(repository, 'node_modules')
  if (existsSync(installed) && lock(folder) === lock(repository)) {
    symlinkSync(installed, join(folder, 'node_modules'))
    return
  }
  const npm = startProgram('npm', ['ci', '--prefix', folder, '--no-audit', '--no-fund', '--loglevel=error'], { folder: dirname(folder) })
  await finished(`npm ci of ${folder}`, npm, INSTALL_MAX_MS)
}

function git(repository: string, args: readonly string[], environment: Readonly<Record<string, string>> = {}): string {
  return execFileSync('git', args, {
    cwd: repository,
    encoding: 'utf8',
    env: { ...process.env, ...environment },
    maxBuffer: 2 ** 28,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
}

/** What Git ends with a zero byte each. */
function listed(text: string): string[] {
  return text.split('\0').filter((part) => part !== '')
}
