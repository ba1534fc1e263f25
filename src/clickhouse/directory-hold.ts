/**
 * One owner of a directory, by a lock that dies with its process however that ends, and the owner's look whether the path still leads to
 * what it has locked.
 *
 * The lock is SQLite's exclusive one on the file `lock` in the directory (fcntl): Node has no other. Nothing is written to the file and it
 * is never removed, for two processes that lock two files of the same name would both be owners. To be held by the process that owns, until
 * its end; the files that are compared stay open, or their inode numbers might be given to their successors.
 */
import { closeSync, fstatSync, openSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

/** A directory that this process owns. */
export interface HeldDirectory {
  /** Whether the path leads to the directory that is held, whole; false once it was removed, moved or replaced, or can't be looked at. */
  isStill(): boolean
}

/** SQLite's SQLITE_BUSY. */
const BUSY = 5

/**
 * Takes the directory, which must exist with these `parts` in it, for the rest of this process; undefined when another process holds it.
 * A process that has not got it must end or try again in another one: its open files are not closed.
 */
export function holdDirectory(directory: string, parts: readonly string[]): HeldDirectory | undefined {
  const lock = join(directory, 'lock')
  closeSync(openSync(lock, 'a', 0o600))
  const held = [directory, lock, ...parts.map((part) => join(directory, part))].map((path) => {
    const { dev, ino } = fstatSync(openSync(path, 'r'), { bigint: true })
    return { path, dev, ino }
  })
  const database = new DatabaseSync(lock, { timeout: 0 })
  try {
    // Its journal in memory, for there is nothing to roll back and no file to leave behind.
    database.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE')
  } catch (error) {
    if ((error as { errcode?: unknown }).errcode === BUSY) return undefined
    throw error
  }
  keepForEver.push(database)
  return { isStill: () => held.every(isSame) }
}

/** What is collected is closed, and its lock with it. */
const keepForEver: DatabaseSync[] = []

function isSame(held: { readonly path: string; readonly dev: bigint; readonly ino: bigint }): boolean {
  try {
    const { dev, ino } = statSync(held.path, { bigint: true })
    return dev === held.dev && ino === held.ino
  } catch {
    return false
  }
}
