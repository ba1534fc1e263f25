/**
 * Sorts lines by a number of each, in bounded memory: what doesn't fit is written to temporary files, sorted, and merged at the end. Lines
 * of the same number stay in their order.
 *
 *   memory    `memoryBytes` for lines (one line may be longer) and about 20 bytes for each of them; READ_BYTES for each file while merging
 *   files     levels of sorted runs: RUNS_MAX runs of a level become one of the next, so that few are open, and n lines are written
 *             log(n / memory) / log(RUNS_MAX) times. They have no name while they are in use, so that nothing is left however it ends
 *   record    | number f64 | length u32 | line |, little-endian, in memory and in files
 *
 * Protocol: `add` lines, awaiting what it returns; then `drain` once; `close` always.
 */
import { randomUUID } from 'node:crypto'
import { type FileHandle, open, unlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CtrError } from '../errors.ts'

const HEADER_BYTES = 12
const MEMORY_BYTES = 64 * 1024 * 1024
const READ_BYTES = 256 * 1024
const WRITE_BYTES = 1024 * 1024
const RUNS_MAX = 32

/** Takes a line, bytes[start, end), valid until what it returns has settled. */
export type TakeLine = (bytes: Buffer, start: number, end: number) => Promise<void> | undefined

export interface LineSorterOptions {
  /** What the line bytes[start, end) is sorted by. */
  readonly keyOf: (bytes: Buffer, start: number, end: number) => number
  readonly memoryBytes?: number | undefined
  /** That of the system when not given. */
  readonly directory?: string | undefined
}

export class LineSorter {
  readonly #options: LineSorterOptions
  #memory: Buffer
  #used = 0
  /** Where the records in memory begin. */
  #starts: number[] = []
  /** Runs of each level, oldest first; lines of a higher level came before those of a lower one. */
  readonly #levels: FileHandle[][] = []

  constructor(options: LineSorterOptions) {
    this.#options = options
    this.#memory = Buffer.allocUnsafeSlow(options.memoryBytes ?? MEMORY_BYTES)
  }

  add(bytes: Buffer, start: number, end: number): Promise<void> | undefined {
    const needed = HEADER_BYTES + end - start
    if (this.#used + needed <= this.#memory.length) return this.#put(bytes, start, end)
    return this.#spill().then(() => {
      if (needed > this.#memory.length) this.#memory = Buffer.allocUnsafeSlow(needed)
      return this.#put(bytes, start, end)
    })
  }

  /** Gives all lines in order. */
  async drain(take: TakeLine): Promise<void> {
    if (this.#levels.length === 0) {
      for (const at of this.#order()) {
        const taken = take(this.#memory, at + HEADER_BYTES, endOf(this.#memory, at))
        if (taken !== undefined) await taken
      }
      return
    }
    await this.#spill()
    this.#memory = Buffer.alloc(0)
    await merge(this.#levels.toReversed().flat(), (bytes, at) => take(bytes, at + HEADER_BYTES, endOf(bytes, at)))
  }

  async close(): Promise<void> {
    await Promise.all(this.#levels.splice(0).flatMap((runs) => runs.map((run) => run.close())))
  }

  #put(bytes: Buffer, start: number, end: number): undefined {
    const at = this.#used
    this.#memory.writeDoubleLE(this.#options.keyOf(bytes, start, end), at)
    this.#memory.writeUInt32LE(end - start, at + 8)
    bytes.copy(this.#memory, at + HEADER_BYTES, start, end)
    this.#starts.push(at)
    this.#used = at + HEADER_BYTES + end - start
  }

  /** Where the records in memory begin, in order; of the same key the later one lies behind. */
  #order(): Uint32Array {
    const keys = Float64Array.from(this.#starts, (at) => this.#memory.readDoubleLE(at))
    const order = Uint32Array.from(keys, (_, i) => i)
    order.sort((a, b) => (keys[a] ?? 0) - (keys[b] ?? 0) || a - b)
    return order.map((i) => this.#starts[i] ?? 0)
  }

  /** What is in memory becomes a run. */
  async #spill(): Promise<void> {
    if (this.#starts.length === 0) return
    const writer = await this.#create()
    for (const at of this.#order()) await writer.put(this.#memory, at)
    this.#starts = []
    this.#used = 0
    await this.#keep(await writer.end(), 0)
  }

  async #keep(run: FileHandle, level: number): Promise<void> {
    const runs = this.#levels[level] ?? []
    this.#levels[level] = runs
    runs.push(run)
    if (runs.length < RUNS_MAX) return
    const writer = await this.#create()
    await merge(runs, (bytes, at) => writer.put(bytes, at))
    await Promise.all(runs.splice(0).map((one) => one.close()))
    await this.#keep(await writer.end(), level + 1)
  }

  async #create(): Promise<RunWriter> {
    const directory = this.#options.directory ?? tmpdir()
    const path = join(directory, `ctr-sort-${randomUUID()}`)
    return writing(directory, async () => {
      const file = await open(path, 'wx+', 0o600)
      await unlink(path)
      return new RunWriter(file, directory)
    })
  }
}

/** Where the record at `at` ends. */
function endOf(bytes: Buffer, at: number): number {
  return at + HEADER_BYTES + bytes.readUInt32LE(at + 8)
}

async function writing<T>(directory: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (cause) {
    const remedy = 'set TMPDIR to a directory with as much room as the input takes decompressed'
    throw new CtrError('CTR_INPUT', `--sort can't write to ${directory}: ${(cause as Error).message}; ${remedy}`, { cause })
  }
}

class RunWriter {
  readonly #file: FileHandle
  readonly #directory: string
  readonly #buffer = Buffer.allocUnsafe(WRITE_BYTES)
  #filled = 0

  constructor(file: FileHandle, directory: string) {
    this.#file = file
    this.#directory = directory
  }

  /** The record at `at`. */
  put(bytes: Buffer, at: number): Promise<void> | undefined {
    const end = endOf(bytes, at)
    if (this.#filled + end - at > WRITE_BYTES) return this.#flush().then(() => this.#copy(bytes, at, end))
    return this.#copy(bytes, at, end)
  }

  async end(): Promise<FileHandle> {
    await this.#flush()
    return this.#file
  }

  #copy(bytes: Buffer, at: number, end: number): Promise<void> | undefined {
    if (end - at > WRITE_BYTES) return this.#write(bytes.subarray(at, end))
    bytes.copy(this.#buffer, this.#filled, at, end)
    this.#filled += end - at
    return undefined
  }

  async #flush(): Promise<void> {
    const filled = this.#filled
    this.#filled = 0
    await this.#write(this.#buffer.subarray(0, filled))
  }

  async #write(bytes: Buffer): Promise<void> {
    for (let at = 0; at < bytes.length; ) {
      const { bytesWritten } = await writing(this.#directory, () => this.#file.write(bytes, at, bytes.length - at, null))
      at += bytesWritten
    }
  }
}

class RunReader {
  bytes = Buffer.allocUnsafe(READ_BYTES)
  /** The present record; behind the last one `done`. */
  at = 0
  key = 0
  done = false
  readonly #file: FileHandle
  #filled = 0
  #position = 0

  constructor(file: FileHandle) {
    this.#file = file
  }

  /** The first record. */
  async begin(): Promise<this> {
    await this.#load()
    return this
  }

  /** To the next record. */
  next(): Promise<void> | undefined {
    this.at = endOf(this.bytes, this.at)
    return this.#isWhole() ? undefined : this.#load()
  }

  #isWhole(): boolean {
    if (this.#filled - this.at < HEADER_BYTES || endOf(this.bytes, this.at) > this.#filled) return false
    this.key = this.bytes.readDoubleLE(this.at)
    return true
  }

  async #load(): Promise<void> {
    while (!this.#isWhole()) {
      const kept = this.#filled - this.at
      const wanted = kept < HEADER_BYTES ? HEADER_BYTES : endOf(this.bytes, this.at) - this.at
      const target = wanted > this.bytes.length ? Buffer.allocUnsafe(wanted) : this.bytes
      this.bytes.copy(target, 0, this.at, this.#filled)
      this.bytes = target
      this.at = 0
      const { bytesRead } = await this.#file.read(target, kept, target.length - kept, this.#position)
      this.#position += bytesRead
      this.#filled = kept + bytesRead
      if (bytesRead > 0) continue
      this.done = true
      return
    }
  }
}

/** Gives the records of runs in order; of equal keys that of the earlier run first. */
async function merge(runs: readonly FileHandle[], take: (bytes: Buffer, at: number) => Promise<void> | undefined): Promise<void> {
  const opened = await Promise.all(runs.map((run) => new RunReader(run).begin()))
  for (let readers = opened.filter(({ done }) => !done); readers.length > 0; ) {
    let least = readers[0] as RunReader
    for (const reader of readers) if (reader.key < least.key) least = reader
    const taken = take(least.bytes, least.at)
    if (taken !== undefined) await taken
    const loading = least.next()
    if (loading !== undefined) await loading
    if (least.done) readers = readers.filter((reader) => reader !== least)
  }
}
