/**
 * A directory as a store: an object is a file under its key.
 *
 *   write     <name>~<host>~<pid>~<random>.tmp in the same folder → fsync → rename onto the name (link, which never overwrites, for
 *             ifAbsent) → fsync of the folder, and of every folder above it that is new
 *   read      whole files only; temporary ones are told by the ~, which no key holds
 *
 * So a file under a key is whole and on disk, whenever the machine dies. What a dead process has left behind is removed when the store
 * is opened: temporary files of a process of this host that is gone, and any that nobody has written to for a minute. A file system
 * that is shared and misjudges this costs its writer one more try.
 *
 * Folders are made when they are needed and removed when the last object has left them. They and the files are the user's own (0700 and
 * 0600), since product ids may be nobody else's business; a folder that is there keeps its rights.
 *
 * A call that hangs in the file system (a network mount whose server is gone) is left alone when `signal` says so. Each holds one of the
 * few threads that all of Node's file work shares, so the next `put` waits for writing that was left alone.
 */
import { randomBytes } from 'node:crypto'
import { type FileHandle, link, mkdir, open, readdir, readFile, rename, rm, rmdir, stat, unlink } from 'node:fs/promises'
import { hostname } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { assert } from '../assert.ts'
import { explainFileError, isFileError } from './file-errors.ts'
import type { ObjectStore, StoredObject } from './object-store.ts'

const LEFTOVER_MS = 60_000
/** Somebody else may remove an empty folder, or a temporary file that looks left behind, at any moment. */
const TRIES = 3
const FOLDER_MODE = 0o700
const FILE_MODE = 0o600
const SEGMENT = /^[A-Za-z0-9._%-]+$/
const HOST = encodeURIComponent(hostname()).replaceAll('~', '%7E').slice(0, 64)

type Link = typeof link

/** Opens a directory, which need not exist yet. `makeLink` is the system's own but in tests. */
export async function fileStore(directory: string, makeLink: Link = link): Promise<ObjectStore> {
  const root = resolve(directory)
  const explained = async <T>(signal: AbortSignal | undefined, work: Promise<T>): Promise<T> => {
    try {
      return await unlessAborted(work, signal)
    } catch (error) {
      throw isFileError(error) ? explainFileError(error, root) : error
    }
  }
  /** Writing that nobody waits for any more. */
  const leftAlone = new Set<Promise<unknown>>()
  const put = async (path: string, bytes: Uint8Array, ifAbsent: boolean, signal?: AbortSignal): Promise<boolean> => {
    if (leftAlone.size > 0) await unlessAborted(Promise.allSettled(leftAlone), signal)
    const writing = write(path, bytes, ifAbsent ? makeLink : undefined, signal)
    try {
      return await unlessAborted(writing, signal)
    } finally {
      // Has it settled, it is gone from there at once.
      leftAlone.add(writing)
      const settled = () => leftAlone.delete(writing)
      writing.then(settled, settled)
    }
  }
  await removeLeftovers(root)
  return {
    place: root,
    put: (key, bytes, { ifAbsent = false, signal } = {}) => explained(undefined, put(pathOf(root, key), bytes, ifAbsent, signal)),
    get: (key, signal) => explained(signal, read(pathOf(root, key))),
    list: (prefix, signal) => explained(signal, listFiles(root, prefix)),
    remove: (keys) => explained(undefined, removeFiles(root, keys)),
    close: async () => undefined,
  }
}

function pathOf(root: string, key: string): string {
  const segments = key.split('/')
  assert(
    segments.every((segment) => SEGMENT.test(segment) && !/^\.{1,2}$/.test(segment)),
    'a key is made of safe names',
    { key },
  )
  return join(root, ...segments)
}

/** With `makeLink` a file that is there is left alone. */
async function write(path: string, bytes: Uint8Array, makeLink: Link | undefined, signal?: AbortSignal): Promise<boolean> {
  for (let left = TRIES; ; left--) {
    signal?.throwIfAborted()
    try {
      return await writeOnce(path, bytes, makeLink, signal)
    } catch (error) {
      if (left === 1 || codeOf(error) !== 'ENOENT') throw error
      await makeFolder(dirname(path))
    }
  }
}

async function writeOnce(path: string, bytes: Uint8Array, makeLink: Link | undefined, signal?: AbortSignal): Promise<boolean> {
  const temporary = `${path}~${HOST}~${process.pid}~${randomBytes(4).toString('hex')}.tmp`
  const file = await open(temporary, 'wx', FILE_MODE)
  try {
    try {
      await file.writeFile(bytes, signal === undefined ? {} : { signal })
      await file.sync()
    } finally {
      await file.close()
    }
    signal?.throwIfAborted()
    if (makeLink === undefined) await rename(temporary, path)
    else if (!(await linkUnlessThere(temporary, path, makeLink))) return await isSame(path, bytes)
    await syncFolder(dirname(path))
    return true
  } finally {
    // Nothing is there any more after a rename. A failure must not hide the one that led here.
    await unlink(temporary).catch(() => undefined)
  }
}

/** false when the name is taken. A file system without hard links has only a look before the rename, which two writers may both pass. */
async function linkUnlessThere(temporary: string, path: string, makeLink: Link): Promise<boolean> {
  try {
    await makeLink(temporary, path)
    return true
  } catch (error) {
    const code = codeOf(error)
    if (code === 'EEXIST') return false
    if (code !== 'EPERM' && code !== 'ENOTSUP' && code !== 'EOPNOTSUPP' && code !== 'ENOSYS') throw error
    if (await exists(path)) return false
    await rename(temporary, path)
    return true
  }
}

/** What is there may have been written by a call whose answer got lost. Then it must be as safe as if this one had written it. */
async function isSame(path: string, bytes: Uint8Array): Promise<boolean> {
  const there = await read(path)
  if (there === undefined || Buffer.compare(there, bytes) !== 0) return false
  await syncFolder(dirname(path))
  return true
}

/**
 * Makes the folder with all above it, and makes sure that they are still there after a crash. (Node's own recursive mkdir takes a
 * read-only file system for a missing folder.)
 */
/** Makes a folder, and those above it, for the user alone; on disk when it resolves. One that is there keeps its rights. */
export async function makeFolder(folder: string, canMakeAbove = true): Promise<void> {
  const above = dirname(folder)
  try {
    await mkdir(folder, FOLDER_MODE)
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return // if that is no folder, writing into it will tell
    if (codeOf(error) !== 'ENOENT' || !canMakeAbove || folder === above) throw error
    await makeFolder(above)
    return await makeFolder(folder, false)
  }
  await syncFolder(above)
}

async function syncFolder(folder: string): Promise<void> {
  let handle: FileHandle | undefined
  try {
    handle = await open(folder, 'r')
    await handle.sync()
  } catch (error) {
    // Some file systems keep their folders safe by themselves and know no such call.
    if (codeOf(error) !== 'EINVAL' && codeOf(error) !== 'ENOTSUP') throw error
  } finally {
    await handle?.close()
  }
}

async function read(path: string): Promise<Uint8Array | undefined> {
  try {
    return await readFile(path)
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  }
}

async function listFiles(root: string, prefix: string): Promise<StoredObject[]> {
  const found: StoredObject[] = []
  const walk = async (folder: string, base: string) => {
    for (const entry of await entriesOf(folder)) {
      const key = base + entry.name
      if (!SEGMENT.test(entry.name)) continue
      if (entry.isDirectory()) {
        if (key.startsWith(prefix) || prefix.startsWith(`${key}/`)) await walk(join(folder, entry.name), `${key}/`)
      } else if (entry.isFile() && key.startsWith(prefix)) {
        const bytes = await sizeOf(join(folder, entry.name))
        if (bytes !== undefined) found.push({ key, bytes })
      }
    }
  }
  await walk(root, '')
  return found.sort((a, b) => (a.key < b.key ? -1 : 1))
}

async function entriesOf(folder: string) {
  try {
    return await readdir(folder, { withFileTypes: true })
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return []
    throw error
  }
}

async function sizeOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).size
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  }
}

const exists = async (path: string) => (await sizeOf(path)) !== undefined

async function removeFiles(root: string, keys: readonly string[]): Promise<void> {
  const folders = new Set<string>()
  for (const key of keys) {
    const path = pathOf(root, key)
    await rm(path, { force: true })
    folders.add(dirname(path))
  }
  for (let folder of folders) {
    try {
      for (; folder !== root; folder = dirname(folder)) await rmdir(folder)
    } catch {
      // It holds other objects, or somebody else removed it.
    }
  }
}

/** Best effort: what can't be looked at or removed does no harm but take room. */
async function removeLeftovers(root: string): Promise<void> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true }).catch(() => [])
  for (const entry of entries) {
    const path = join(entry.parentPath, entry.name)
    try {
      if (entry.isFile() && (await isLeftover(path, entry.name))) await unlink(path)
    } catch {
      // Its writer has finished meanwhile, or it is somebody else's.
    }
  }
}

async function isLeftover(path: string, name: string): Promise<boolean> {
  const match = /~([^~]+)~(\d+)~[0-9a-f]+\.tmp$/.exec(name)
  if (match === null) return false
  const pid = Number(match[2])
  if (match[1] === HOST && !isAlive(pid)) return true
  const { mtimeMs } = await stat(path)
  // In a container every process has the same number, the one before this one too.
  if (match[1] === HOST && pid === process.pid && mtimeMs < Date.now() - process.uptime() * 1000) return true
  return Date.now() - mtimeMs > LEFTOVER_MS
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return codeOf(error) === 'EPERM'
  }
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException).code
}

/** The outcome of `work`, or the reason of `signal` when that comes first. */
async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return await work
  const { promise, reject } = Promise.withResolvers<never>()
  const abort = () => reject(signal.reason)
  if (signal.aborted) abort()
  else signal.addEventListener('abort', abort, { once: true })
  try {
    return await Promise.race([work, promise])
  } finally {
    signal.removeEventListener('abort', abort)
    work.catch(() => undefined) // nobody waits for it any more
    promise.catch(() => undefined)
  }
}
