/**
 * The products of one task: product id bytes → a small number that rings and panes use instead. Main thread only.
 *
 * A number is an id within the product's worker: worker = high bits of the hash, ids dense per worker, the lowest free one used first.
 *
 *   slot    2 words, open addressing, linear probing, load ≤ 1/2:  | hash | entry, or 0 for empty |
 *   entry   8 words:  | (worker << 16) + key length | code | last window end (double) | key 16 bytes |
 *
 * The code is that of an impression (window/measures.ts). An entry that is free has -1 there, and the next free one in the first of the
 * key's words. After a burst of products, when most entries are free, all is moved into smaller memory.
 *
 * A longer key lies in the arena, and its place in the first of the key's words. So a lookup touches one cache line of the slots and one
 * of the entries; those of many events at once (`findAll`) are waited for together.
 *
 * An entry leaves (`sweep`) when its last window's end lies `ttl` before the task's published watermark. ttl ≥ allowed lateness, so the
 * workers have purged every pane that held it before the forget block, which comes later in the same ring, reaches them; that is why the
 * id may be given to another product at once.
 *
 * Example, two workers: "p-7" comes for the first time. Its hash, spread, picks worker 1 by its high bits, whose lowest free id is 0. The
 * product is announced in the ring of worker 1 as 0, and then entered: entry 1 holds | (1 << 16) + 3 | 0 << 1 | window end | "p-7" |, and
 * the slot that the hash's low bits pick holds | hash | 1 |. Its clicks go into that ring as code 0 << 1 | 1. "p-8" may get id 0 as well,
 * in worker 0.
 */
import { assert } from '../assert.ts'
import { hashProduct } from '../format/hash.ts'
import {
  KEY_BYTES,
  LENGTH_SHIFT,
  type ParsedEvents,
  putKey,
  ROW_BITS,
  ROW_HASH,
  ROW_KEY,
  ROW_START,
  ROW_WORDS,
} from '../format/parsed-events.ts'
import { codeOfId, idOfCode } from '../window/measures.ts'
import { FreeIds } from './free-ids.ts'
import { KeyArena } from './key-arena.ts'
import { ProductBudget } from './product-budget.ts'

const ENTRY_WORDS = 8
const ENTRY_LENGTH = 0
const ENTRY_CODE = 1
const ENTRY_LAST_END_DOUBLE = 1
const ENTRY_KEY = 4
const WORKER_SHIFT = 16
const LENGTH_MASK = 0xffff
const FIRST_ENTRIES = 64
/** Memory for fewer entries is never given back; of more, when less than one in SHRINK_BELOW is in use. */
const SHRINK_FROM_ENTRIES = 1 << 14
const SHRINK_BELOW = 4
/** So many products stay in the second-level cache: looking ahead for them would only cost. */
const AHEAD_FROM = 8192

export class Dictionary {
  /** Live products. */
  size = 0
  readonly #workers: number
  readonly #budget: ProductBudget
  /** Of the ids of live products. */
  #keyBytes = 0
  #slots = new Int32Array(FIRST_ENTRIES * 4)
  #words = new Int32Array(FIRST_ENTRIES * ENTRY_WORDS)
  #doubles = new Float64Array(this.#words.buffer)
  #bytes = new Uint8Array(this.#words.buffer)
  /** Entry 0 is never used, since 0 is an empty slot. */
  #entriesUsed = 1
  /** The first free entry, or 0. */
  #freeEntry = 0
  #arena = new KeyArena()
  readonly #nextId: Int32Array
  readonly #freeIds: readonly FreeIds[]
  #sweepAt = 1
  /** Keeps the compiler from leaving out what `#lookAhead` reads. */
  touched = 0

  /** Its products count against `budget`. */
  constructor(workers: number, budget = new ProductBudget()) {
    this.#workers = workers
    this.#budget = budget
    this.#nextId = new Int32Array(workers)
    this.#freeIds = Array.from({ length: workers }, () => new FreeIds())
  }

  /** The entry of bytes[start, end), or -1; `view` spans the same memory as `bytes`. */
  find(hash: number, bytes: Uint8Array, view: DataView, start: number, end: number): number {
    const slots = this.#slots
    const mask = slots.length / 2 - 1
    for (let slot = spread(hash) & mask; ; slot = (slot + 1) & mask) {
      const entry = slots[slot * 2 + 1]!
      if (entry === 0) return -1
      if (slots[slot * 2] === hash && this.#equals(entry, bytes, view, start, end)) return entry
    }
  }

  /** Sets `parsed.entries` to the entries of the events' products, or -1; those that don't lie in their rows lie in `bytes` or `made`. */
  findAll(parsed: ParsedEvents, bytes: Uint8Array, view: DataView): void {
    const { rows, entries, count } = parsed
    const slots = this.#slots
    const words = this.#words
    const mask = slots.length / 2 - 1
    if (this.size >= AHEAD_FROM) this.#lookAhead(parsed)
    // Node loads an imported constant at every use.
    const rowWords = ROW_WORDS
    const rowBits = ROW_BITS
    const rowHash = ROW_HASH
    const rowKey = ROW_KEY
    const lengthShift = LENGTH_SHIFT
    const keyBytes = KEY_BYTES
    for (let i = 0; i < count; i++) {
      const row = i * rowWords
      const hash = rows[row + rowHash]!
      const length = rows[row + rowBits]! >> lengthShift
      let found = -1
      for (let slot = spread(hash) & mask; ; slot = (slot + 1) & mask) {
        const entry = slots[slot * 2 + 1]!
        if (entry === 0) break
        if (slots[slot * 2] !== hash) continue
        const at = entry * ENTRY_WORDS
        if (length > keyBytes) {
          const start = rows[row + ROW_START]!
          const same =
            start < 0
              ? this.#equals(entry, parsed.made, parsed.madeView, ~start, ~start + length)
              : this.#equals(entry, bytes, view, start, start + length)
          if (!same) continue
        } else if (
          ((words[at + ENTRY_LENGTH]! & LENGTH_MASK) ^ length) !== 0 ||
          ((words[at + ENTRY_KEY]! ^ rows[row + rowKey]!) |
            (words[at + ENTRY_KEY + 1]! ^ rows[row + rowKey + 1]!) |
            (words[at + ENTRY_KEY + 2]! ^ rows[row + rowKey + 2]!) |
            (words[at + ENTRY_KEY + 3]! ^ rows[row + rowKey + 3]!)) !==
            0
        ) {
          continue
        }
        found = entry
        break
      }
      entries[i] = found
    }
  }

  /**
   * Reads what the lookups will read, without deciding anything by it, so that the processor has many lines on their way at a time instead
   * of one after the other.
   */
  #lookAhead({ rows, entries, count }: ParsedEvents): void {
    const slots = this.#slots
    const words = this.#words
    const mask = slots.length / 2 - 1
    for (let i = 0; i < count; i++) entries[i] = slots[(spread(rows[i * ROW_WORDS + ROW_HASH]!) & mask) * 2 + 1]!
    let touched = 0
    for (let i = 0; i < count; i++) touched ^= words[entries[i]! * ENTRY_WORDS]!
    this.touched = touched
  }

  workerOf(entry: number): number {
    return this.#words[entry * ENTRY_WORDS + ENTRY_LENGTH]! >> WORKER_SHIFT
  }

  /** The product's code for an impression, ready for the bit of a click. */
  codeOf(entry: number): number {
    return this.#words[entry * ENTRY_WORDS + ENTRY_CODE]!
  }

  /** Which worker a product not seen yet will belong to. */
  workerFor(hash: number): number {
    return ((spread(hash) >>> 16) * this.#workers) >>> 16
  }

  /** The id that the next new product of a worker gets; the caller announces it to the worker before `insert`. */
  nextIdOf(worker: number): number {
    const free = this.#freeIds[worker]!
    return free.size > 0 ? free.lowest() : this.#nextId[worker]!
  }

  /** There is no room for another product. */
  get full(): boolean {
    return this.#budget.full
  }

  insert(hash: number, bytes: Uint8Array, start: number, end: number): number {
    const worker = this.workerFor(hash)
    const free = this.#freeIds[worker]!
    const id = free.size > 0 ? free.take() : this.#nextId[worker]!++
    const entry = this.#takeEntry()
    const at = entry * ENTRY_WORDS
    const length = end - start
    this.#words[at + ENTRY_LENGTH] = (worker << WORKER_SHIFT) | length
    this.#words[at + ENTRY_CODE] = codeOfId(id)
    this.#doubles[entry * 4 + ENTRY_LAST_END_DOUBLE] = 0
    if (length <= KEY_BYTES) putKey(this.#words, at + ENTRY_KEY, bytes, start, length)
    else this.#words[at + ENTRY_KEY] = this.#arena.add(bytes, start, end)
    this.size++
    this.#keyBytes += length
    this.#budget.add(1, length)
    if (this.size * 4 > this.#slots.length) this.#rehash(this.#slots.length * 2)
    place(this.#slots, entry, hash)
    return entry
  }

  /** Notes that the product was counted in a window that ends at `end`. */
  touch(entry: number, end: number): void {
    const at = entry * 4 + ENTRY_LAST_END_DOUBLE
    if (end > this.#doubles[at]!) this.#doubles[at] = end
  }

  /**
   * Looks at the next `budget` entries and removes those whose last window ended at or before `horizon`; gives worker and id of each to
   * `gone`. Returns false when `gone` refused one (nothing was removed for it; the sweep goes on from there next time).
   */
  sweep(horizon: number, budget: number, gone: (worker: number, id: number) => boolean): boolean {
    for (let left = Math.min(budget, this.#entriesUsed - 1); left > 0; left--) {
      if (this.#sweepAt >= this.#entriesUsed) this.#sweepAt = 1
      const entry = this.#sweepAt
      const at = entry * ENTRY_WORDS
      const code = this.#words[at + ENTRY_CODE]!
      if (code >= 0 && this.#doubles[entry * 4 + ENTRY_LAST_END_DOUBLE]! <= horizon) {
        if (!gone(this.workerOf(entry), idOfCode(code))) return false
        this.#remove(entry)
      }
      this.#sweepAt++
    }
    if (this.#arena.sparse) this.#compact()
    const entries = this.#words.length / ENTRY_WORDS
    if (entries > SHRINK_FROM_ENTRIES && this.size * SHRINK_BELOW < entries) this.#shrink()
    return true
  }

  /** Nobody will use it any more: its products no longer count. */
  release(): void {
    this.#budget.add(-this.size, -this.#keyBytes)
    this.size = 0
    this.#keyBytes = 0
  }

  /** Entries that `sweep` goes round. */
  get entries(): number {
    return this.#entriesUsed - 1
  }

  /** Bytes held, for metrics and tests of boundedness. */
  get sizeBytes(): number {
    return this.#slots.byteLength + this.#words.byteLength + this.#arena.sizeBytes
  }

  #equals(entry: number, bytes: Uint8Array, view: DataView, start: number, end: number): boolean {
    const words = this.#words
    const at = entry * ENTRY_WORDS
    const length = end - start
    if ((words[at + ENTRY_LENGTH]! & LENGTH_MASK) !== length) return false
    if (length > KEY_BYTES) return this.#arena.equals(words[at + ENTRY_KEY]!, bytes, view, start, end)
    for (let i = 0; i < length; i++) {
      if (((words[at + ENTRY_KEY + (i >> 2)]! >> ((i & 3) * 8)) & 255) !== bytes[start + i]) return false
    }
    return true
  }

  #remove(entry: number): void {
    const at = entry * ENTRY_WORDS
    const words = this.#words
    this.#unplace(entry, this.#hashOf(entry))
    const length = words[at + ENTRY_LENGTH]! & LENGTH_MASK
    if (length > KEY_BYTES) this.#arena.free(words[at + ENTRY_KEY]!)
    this.#freeIds[this.workerOf(entry)]!.add(idOfCode(words[at + ENTRY_CODE]!))
    words[at + ENTRY_CODE] = -1
    words[at + ENTRY_KEY] = this.#freeEntry
    this.#freeEntry = entry
    this.size--
    this.#keyBytes -= length
    this.#budget.add(-1, -length)
  }

  #hashOf(entry: number): number {
    const at = entry * ENTRY_WORDS
    const length = this.#words[at + ENTRY_LENGTH]! & LENGTH_MASK
    if (length > KEY_BYTES) {
      const start = this.#arena.startOf(this.#words[at + ENTRY_KEY]!)
      return hashProduct(this.#arena.bytes, start, start + length)
    }
    const start = (at + ENTRY_KEY) * 4
    return hashProduct(this.#bytes, start, start + length)
  }

  /** Backward-shift deletion: no tombstones, so lookups never slow down with age. */
  #unplace(entry: number, hash: number): void {
    const slots = this.#slots
    const mask = slots.length / 2 - 1
    let hole = spread(hash) & mask
    while (slots[hole * 2 + 1] !== entry) {
      assert(slots[hole * 2 + 1] !== 0, 'a live entry has a slot', { entry })
      hole = (hole + 1) & mask
    }
    for (let next = (hole + 1) & mask; slots[next * 2 + 1] !== 0; next = (next + 1) & mask) {
      const home = spread(slots[next * 2]!) & mask
      if (((next - home) & mask) >= ((next - hole) & mask)) {
        slots[hole * 2] = slots[next * 2]!
        slots[hole * 2 + 1] = slots[next * 2 + 1]!
        hole = next
      }
    }
    slots[hole * 2 + 1] = 0
  }

  #takeEntry(): number {
    const free = this.#freeEntry
    if (free !== 0) {
      this.#freeEntry = this.#words[free * ENTRY_WORDS + ENTRY_KEY]!
      return free
    }
    const entry = this.#entriesUsed++
    if ((entry + 1) * ENTRY_WORDS > this.#words.length) {
      const words = new Int32Array(this.#words.length * 2)
      words.set(this.#words)
      this.#hold(words)
    }
    return entry
  }

  #hold(words: Int32Array<ArrayBuffer>): void {
    this.#words = words
    this.#doubles = new Float64Array(words.buffer)
    this.#bytes = new Uint8Array(words.buffer)
  }

  /** Moves what lives into memory of twice its size. Entries get other numbers, so nobody may hold one meanwhile. */
  #shrink(): void {
    let capacity = FIRST_ENTRIES
    while (capacity < this.size * 2) capacity *= 2
    const words = new Int32Array(capacity * ENTRY_WORDS)
    const slots = new Int32Array(capacity * 4)
    let used = 1
    for (let at = 0; at < this.#slots.length; at += 2) {
      const entry = this.#slots[at + 1]!
      if (entry === 0) continue
      words.set(this.#words.subarray(entry * ENTRY_WORDS, (entry + 1) * ENTRY_WORDS), used * ENTRY_WORDS)
      place(slots, used++, this.#slots[at]!)
    }
    this.#hold(words)
    this.#slots = slots
    this.#entriesUsed = used
    this.#freeEntry = 0
    this.#sweepAt = 1
  }

  #rehash(length: number): void {
    const old = this.#slots
    this.#slots = new Int32Array(length)
    for (let at = 0; at < old.length; at += 2) if (old[at + 1] !== 0) place(this.#slots, old[at + 1]!, old[at]!)
  }

  #compact(): void {
    const arena = new KeyArena(this.#arena.liveBytes)
    for (let entry = 1; entry < this.#entriesUsed; entry++) {
      const at = entry * ENTRY_WORDS
      const length = this.#words[at + ENTRY_LENGTH]! & LENGTH_MASK
      if (this.#words[at + ENTRY_CODE]! < 0 || length <= KEY_BYTES) continue
      const start = this.#arena.startOf(this.#words[at + ENTRY_KEY]!)
      this.#words[at + ENTRY_KEY] = arena.add(this.#arena.bytes, start, start + length)
    }
    this.#arena = arena
  }
}

function place(slots: Int32Array, entry: number, hash: number): void {
  const mask = slots.length / 2 - 1
  let slot = spread(hash) & mask
  while (slots[slot * 2 + 1] !== 0) slot = (slot + 1) & mask
  slots[slot * 2] = hash
  slots[slot * 2 + 1] = entry
}

/** The slot is picked by the low bits and the worker by the high ones, so each must depend on all bits of the hash. */
function spread(hash: number): number {
  const mixed = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d)
  return mixed ^ (mixed >>> 13)
}
