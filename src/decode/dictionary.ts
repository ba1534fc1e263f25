/**
 * The products of one task: product id bytes → a small number that rings and panes use instead. Main thread only.
 *
 * A number is an id within the product's worker: worker = high bits of the hash, ids dense per worker, freed ids used again first.
 *
 *   slots   Int32, open addressing, linear probing, load ≤ 1/2: entry + 1, or 0 for empty
 *   entry   8 words:  | hash | key place | worker | id << 1 | last window end (double) | - | - |
 *
 * An entry leaves (`sweep`) when its last window's end lies `ttl` before the task's published watermark. ttl ≥ allowed lateness, so the
 * workers have purged every pane that held it before the forget block, which comes later in the same ring, reaches them; that is why the
 * id may be given to another product at once.
 */
import { assert } from '../assert.ts'
import { KeyArena } from './key-arena.ts'

const ENTRY_WORDS = 8
const HASH = 0
const PLACE = 1
const WORKER = 2
const CODE = 3
const LAST_END_DOUBLE = 2
const FIRST_ENTRIES = 64

export class Dictionary {
  /** Live products. */
  size = 0
  readonly #workers: number
  #slots = new Int32Array(FIRST_ENTRIES * 2)
  #words = new Int32Array(FIRST_ENTRIES * ENTRY_WORDS)
  #doubles = new Float64Array(this.#words.buffer)
  #entriesUsed = 0
  #freeEntries: number[] = []
  #arena = new KeyArena()
  readonly #nextId: Int32Array
  readonly #freeIds: number[][]
  #sweepAt = 0

  constructor(workers: number) {
    this.#workers = workers
    this.#nextId = new Int32Array(workers)
    this.#freeIds = Array.from({ length: workers }, () => [])
  }

  /** The entry of bytes[start, end), or -1; `view` spans the same memory as `bytes`. */
  find(hash: number, bytes: Uint8Array, view: DataView, start: number, end: number): number {
    const slots = this.#slots
    const words = this.#words
    const mask = slots.length - 1
    for (let slot = spread(hash) & mask; ; slot = (slot + 1) & mask) {
      const entry = slots[slot]! - 1
      if (entry < 0) return -1
      const at = entry * ENTRY_WORDS
      if (words[at + HASH] === hash && this.#arena.equals(words[at + PLACE]!, bytes, view, start, end)) return entry
    }
  }

  workerOf(entry: number): number {
    return this.#words[entry * ENTRY_WORDS + WORKER]!
  }

  /** id << 1, ready for the click bit. */
  codeOf(entry: number): number {
    return this.#words[entry * ENTRY_WORDS + CODE]!
  }

  /** Which worker a product not seen yet will belong to. */
  workerFor(hash: number): number {
    return ((spread(hash) >>> 16) * this.#workers) >>> 16
  }

  /** The id that the next new product of a worker gets; the caller announces it to the worker before `insert`. */
  nextIdOf(worker: number): number {
    const free = this.#freeIds[worker]!
    return free.length > 0 ? free[free.length - 1]! : this.#nextId[worker]!
  }

  insert(hash: number, bytes: Uint8Array, start: number, end: number): number {
    const worker = this.workerFor(hash)
    const id = this.#freeIds[worker]!.pop() ?? this.#nextId[worker]!++
    const entry = this.#freeEntries.pop() ?? this.#entriesUsed++
    if ((entry + 1) * ENTRY_WORDS > this.#words.length) this.#growEntries()
    const at = entry * ENTRY_WORDS
    this.#words[at + HASH] = hash
    this.#words[at + PLACE] = this.#arena.add(bytes, start, end)
    this.#words[at + WORKER] = worker
    this.#words[at + CODE] = id << 1
    this.#doubles[entry * 4 + LAST_END_DOUBLE] = 0
    this.size++
    if (this.size * 2 > this.#slots.length) this.#rehash(this.#slots.length * 2)
    else this.#place(entry, hash)
    return entry
  }

  /** Notes that the product was counted in a window that ends at `end`. */
  touch(entry: number, end: number): void {
    const at = entry * 4 + LAST_END_DOUBLE
    if (end > this.#doubles[at]!) this.#doubles[at] = end
  }

  /**
   * Looks at the next `budget` entries and removes those whose last window ended at or before `horizon`; gives worker and id of each to
   * `gone`. Returns false when `gone` refused one (nothing was removed for it; the sweep goes on from there next time).
   */
  sweep(horizon: number, budget: number, gone: (worker: number, id: number) => boolean): boolean {
    for (let left = Math.min(budget, this.#entriesUsed); left > 0; left--) {
      if (this.#sweepAt >= this.#entriesUsed) this.#sweepAt = 0
      const entry = this.#sweepAt
      const at = entry * ENTRY_WORDS
      const code = this.#words[at + CODE]!
      if (code >= 0 && this.#doubles[entry * 4 + LAST_END_DOUBLE]! <= horizon) {
        const worker = this.#words[at + WORKER]!
        if (!gone(worker, code >> 1)) return false
        this.#remove(entry)
      }
      this.#sweepAt++
    }
    if (this.#arena.sparse) this.#compact()
    return true
  }

  /** Entries that `sweep` goes round. */
  get entries(): number {
    return this.#entriesUsed
  }

  /** Bytes held, for metrics and tests of boundedness. */
  get sizeBytes(): number {
    return this.#slots.byteLength + this.#words.byteLength + this.#arena.sizeBytes
  }

  #remove(entry: number): void {
    const at = entry * ENTRY_WORDS
    const words = this.#words
    this.#unplace(entry, words[at + HASH]!)
    this.#arena.free(words[at + PLACE]!)
    this.#freeIds[words[at + WORKER]!]!.push(words[at + CODE]! >> 1)
    this.#freeEntries.push(entry)
    words[at + CODE] = -1
    this.size--
  }

  #place(entry: number, hash: number): void {
    const slots = this.#slots
    const mask = slots.length - 1
    let slot = spread(hash) & mask
    while (slots[slot] !== 0) slot = (slot + 1) & mask
    slots[slot] = entry + 1
  }

  /** Backward-shift deletion: no tombstones, so lookups never slow down with age. */
  #unplace(entry: number, hash: number): void {
    const slots = this.#slots
    const mask = slots.length - 1
    let hole = spread(hash) & mask
    while (slots[hole] !== entry + 1) {
      assert(slots[hole] !== 0, 'a live entry has a slot', { entry })
      hole = (hole + 1) & mask
    }
    for (let next = (hole + 1) & mask; slots[next] !== 0; next = (next + 1) & mask) {
      const home = spread(this.#words[(slots[next]! - 1) * ENTRY_WORDS + HASH]!) & mask
      if (((next - home) & mask) >= ((next - hole) & mask)) {
        slots[hole] = slots[next]!
        hole = next
      }
    }
    slots[hole] = 0
  }

  #growEntries(): void {
    const words = new Int32Array(this.#words.length * 2)
    words.set(this.#words)
    this.#words = words
    this.#doubles = new Float64Array(words.buffer)
  }

  #rehash(length: number): void {
    this.#slots = new Int32Array(length)
    for (let entry = 0; entry < this.#entriesUsed; entry++) {
      const at = entry * ENTRY_WORDS
      if (this.#words[at + CODE]! >= 0) this.#place(entry, this.#words[at + HASH]!)
    }
  }

  #compact(): void {
    const arena = new KeyArena()
    for (let entry = 0; entry < this.#entriesUsed; entry++) {
      const at = entry * ENTRY_WORDS
      if (this.#words[at + CODE]! < 0) continue
      const start = this.#arena.startOf(this.#words[at + PLACE]!)
      this.#words[at + PLACE] = arena.add(this.#arena.bytes, start, start + this.#arena.lengthOf(this.#words[at + PLACE]!))
    }
    this.#arena = arena
  }
}

/** FNV's low bits are good, its high bits are not: one multiply and shift mix them for the slot and the worker. */
function spread(hash: number): number {
  const mixed = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d)
  return mixed ^ (mixed >>> 13)
}
