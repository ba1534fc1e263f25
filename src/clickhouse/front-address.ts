/**
 * Where the front of an embedded ClickHouse listens, in `front.json` of its directory: a Unix socket in a folder that only its user can
 * enter. Whoever connects looks at file and folder first, so that a password is never sent to somebody else.
 */
import { chmodSync, closeSync, constants, fstatSync, lstatSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { isPrivateFolder } from '../private-folder.ts'

/** Where a front is and how to be let in. */
export interface FrontAddress {
  /** Path of its Unix socket. */
  readonly socketPath: string
  readonly username: string
  /** Drawn anew at each start. */
  readonly password: string
  readonly pid: number
}

const FILE = 'front.json'

/** The address that the directory's front published; undefined when there is none that this user wrote where nobody else can listen. */
export function readFrontAddress(directory: string): FrontAddress | undefined {
  try {
    const content = readOwn(join(directory, FILE))
    if (content === undefined) return undefined
    const { socketPath, username, password, pid } = JSON.parse(content) as FrontAddress
    const address = { socketPath: resolve(directory, socketPath), username, password, pid }
    return isPrivateFolder(dirname(address.socketPath)) ? address : undefined
  } catch {
    return undefined
  }
}

/** Publishes an address. `socketPath` may be relative to the directory. */
export function publishFrontAddress(directory: string, address: FrontAddress): void {
  writeWhole(join(directory, FILE), `${JSON.stringify(address)}\n`)
}

/** Takes an address back, unless the file holds another one by now. */
export function withdrawFrontAddress(directory: string, { password }: FrontAddress): void {
  const path = join(directory, FILE)
  try {
    if ((JSON.parse(readOwn(path) ?? '{}') as Partial<FrontAddress>).password === password) rmSync(path)
  } catch {
    // Gone, or not ours.
  }
}

/** Whether the path, which exists, is this user's; shuts everybody else out of it as far as the file system has rights at all. */
export function makePrivate(folder: string): boolean {
  const { uid, mode } = lstatSync(`${folder}/.`)
  if (uid !== process.getuid?.()) return false
  if ((mode & 0o077) !== 0) chmodSync(folder, 0o700)
  return true
}

/** Whole or not at all: a reader never sees half a file, nor anybody but the owner what is in it. */
export function writeWhole(path: string, content: string): void {
  const draft = `${path}.${process.pid}`
  rmSync(draft, { force: true })
  writeFileSync(draft, content, { mode: 0o600, flag: 'wx' })
  renameSync(draft, path)
}

/** The content of a file that this user owns and nobody else can write. */
function readOwn(path: string): string | undefined {
  const file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW)
  try {
    const { uid, mode } = fstatSync(file)
    return uid === process.getuid?.() && (mode & 0o022) === 0 ? readFileSync(file, 'utf8') : undefined
  } finally {
    closeSync(file)
  }
}
