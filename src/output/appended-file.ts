/**
 * A file that is appended to for long, at a path that others may take away meanwhile. It may be the only copy, and may name users:
 *
 *   mode      a file that is made here can be read by its owner only; one that is there keeps its mode
 *   torn      a write that fails halfway, as on a full disk, is undone before it is tried again: no line is torn
 *   moved     before and after each write it is looked whether the path still leads to the open file. When somebody has moved or removed
 *             it, the bytes are written to a new file at the path; they may then be in the moved one too
 */
import { close, fdatasync, fstat, fstatSync, fsync, ftruncate, mkdirSync, open, openSync, type Stats, stat, write } from 'node:fs'
import { dirname } from 'node:path'
import { promisify } from 'node:util'

const writeTo = promisify(write)
const sync = promisify(fdatasync)
const syncFolder = promisify(fsync)
const truncate = promisify(ftruncate)
const closeFile = promisify(close)
const openFile = promisify(open)
const statPath = promisify(stat)
const statFile = promisify(fstat)

const FILE_MODE = 0o600
const NEWLINE = Buffer.from('\n')
/** So often the file may be moved while it is written, before that is an error. */
const MOVES_MAX = 3

export class AppendedFile {
  readonly #path: string
  /** Only a regular file can be synced, cut and looked for. */
  readonly #regular: boolean
  #file: number
  /** The size before a write that failed and after it, while it is not undone. */
  #torn: { readonly from: number; readonly to: number } | undefined

  /** Folders on the way are created. Throws what the system says when the file can't be opened. */
  constructor(path: string) {
    this.#path = path
    mkdirSync(dirname(path), { recursive: true })
    this.#file = openSync(path, 'a', FILE_MODE)
    this.#regular = fstatSync(this.#file).isFile()
  }

  /** Resolves when the bytes, whole lines, are on disk in the file that the path leads to. Rejects when they may not be. */
  async append(bytes: Buffer): Promise<void> {
    if (!this.#regular) return this.#write(bytes)
    for (let moves = 0; moves < MOVES_MAX; moves++) {
      if (!(await this.#isThere())) await this.#reopen()
      const from = await this.#mended()
      this.#torn = { from, to: from }
      await this.#write(bytes)
      await sync(this.#file)
      this.#torn = undefined
      if (await this.#isThere()) return
    }
    throw new Error(`the file was moved or removed ${MOVES_MAX} times while it was written`)
  }

  async close(): Promise<void> {
    await closeFile(this.#file)
  }

  /** Whether the path leads to the open file. */
  async #isThere(): Promise<boolean> {
    const [wanted, found] = await Promise.all([statFile(this.#file), statPath(this.#path).catch(absent)])
    return found !== undefined && wanted.ino === found.ino && wanted.dev === found.dev
  }

  async #reopen(): Promise<void> {
    mkdirSync(dirname(this.#path), { recursive: true })
    const file = await openFile(this.#path, 'a', FILE_MODE)
    await closeFile(this.#file)
    this.#file = file
    this.#torn = undefined
    const folder = await openFile(dirname(this.#path), 'r')
    await syncFolder(folder).finally(() => closeFile(folder))
  }

  /** Undoes a write that failed; where others have written behind it, it becomes a line. Returns the size. */
  async #mended(): Promise<number> {
    const { size } = await statFile(this.#file)
    if (this.#torn === undefined || size < this.#torn.to || this.#torn.from === this.#torn.to) return size
    if (size === this.#torn.to) {
      await truncate(this.#file, this.#torn.from)
      return this.#torn.from
    }
    await writeTo(this.#file, NEWLINE)
    return size + NEWLINE.length
  }

  async #write(bytes: Buffer): Promise<void> {
    for (let written = 0; written < bytes.length; ) {
      const { bytesWritten } = await writeTo(this.#file, bytes, written, bytes.length - written, null)
      written += bytesWritten
      if (this.#torn !== undefined) this.#torn = { from: this.#torn.from, to: this.#torn.to + bytesWritten }
    }
  }
}

function absent(error: NodeJS.ErrnoException): Stats | undefined {
  if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined
  throw error
}
