/**
 * One open block of events per worker, filled in place in the worker's ring. All open blocks belong to the partition being read; they
 * are closed when its delivery ends, when a ring is full, and before any other block goes into the same ring.
 */
import { beginEvents, eventsMaxOf, eventsWordsMax, publishEvents, putCorrection, putProduct } from '../ring/blocks.ts'
import type { RingWriter } from '../ring/ring-writer.ts'
import { EVENT_TIME, EVENT_WORDS } from '../window/measures.ts'

/** 8 KiB a block: the cost of publishing is spread over a thousand events, and a worker begins before main has read the whole delivery. */
const EVENTS_PER_BLOCK = 1024
/** Times of a block lie no further from its base. */
export const TIME_SPAN_MAX_MS = 0x7fff_ffff

export class EventBlocks {
  readonly writers: readonly RingWriter[]
  /** By worker: the word where its open block's next event goes, and the one behind its last; 0 and 0 without an open block. */
  readonly at: Int32Array
  readonly limit: Int32Array
  /** By worker: what the times of its open block count from. */
  readonly base: Float64Array
  readonly #start: Int32Array
  #task = 0

  constructor(writers: readonly RingWriter[]) {
    this.writers = writers
    this.at = new Int32Array(writers.length)
    this.limit = new Int32Array(writers.length)
    this.#start = new Int32Array(writers.length)
    this.base = new Float64Array(writers.length)
  }

  /** Which task the following events belong to. No block may be open. */
  begin(task: number): void {
    this.#task = task
  }

  /** Appends one event to a worker's block; false when its ring is full. */
  append(worker: number, code: number, time: number): boolean {
    let at = this.at[worker]!
    let relative = time - this.base[worker]!
    if (at >= this.limit[worker]! || relative > TIME_SPAN_MAX_MS || relative < -TIME_SPAN_MAX_MS) {
      if (!this.#open(worker, time)) return false
      at = this.at[worker]!
      relative = 0
    }
    const words = this.writers[worker]!.words
    words[at] = code
    words[at + EVENT_TIME] = relative
    this.at[worker] = at + EVENT_WORDS
    return true
  }

  /**
   * Makes sure that so many corrections of a worker, and then so many events with times [from, to], are put without a wait, if nothing else
   * is put into its ring before; false when the ring is full.
   */
  reserve(worker: number, events: number, from: number, to: number, corrections = 0): boolean {
    if (corrections > 0) return this.#hasRoom(worker, events + corrections)
    const base = this.base[worker]!
    const isNear = from - base >= -TIME_SPAN_MAX_MS && to - base <= TIME_SPAN_MAX_MS
    if (isNear && (this.limit[worker]! - this.at[worker]!) / EVENT_WORDS >= events) return true
    // What the open block takes is known once it is closed.
    this.close(worker)
    // Of times far apart each may begin a block.
    if (to - from > TIME_SPAN_MAX_MS) return this.#hasRoom(worker, events)
    const isReserved = this.#open(worker, from, Math.max(EVENTS_PER_BLOCK, events))
    if (!isReserved) this.writers[worker]!.wake()
    return isReserved
  }

  /** Room for so many, each in a block of its own. Far less than a quarter of the ring may be in it, for which nobody wakes the worker. */
  #hasRoom(worker: number, events: number): boolean {
    this.close(worker)
    const hasRoom = this.writers[worker]!.hasRoom(eventsWordsMax(events, EVENTS_PER_BLOCK))
    if (!hasRoom) this.writers[worker]!.wake()
    return hasRoom
  }

  /** Tells a worker of a product; false when its ring is full. */
  announce(worker: number, id: number, source: Uint8Array, start: number, end: number): boolean {
    this.close(worker)
    return putProduct(this.writers[worker]!, this.#task, id, source, start, end)
  }

  /** Tells a worker of a correction in the slice that begins at `start`, ms; false when its ring is full. */
  correct(worker: number, code: number, start: number, missed: number): boolean {
    this.close(worker)
    return putCorrection(this.writers[worker]!, this.#task, code, start, missed)
  }

  /** Publishes a worker's open block, if there is one, without waking the worker. */
  close(worker: number): void {
    const start = this.#start[worker]!
    if (this.limit[worker] !== 0) publishEvents(this.writers[worker]!, (this.at[worker]! - start) / EVENT_WORDS, this.base[worker]!)
    this.at[worker] = 0
    this.limit[worker] = 0
    this.#start[worker] = 0
  }

  /**
   * Publishes all open blocks. A worker is woken only when much waits for it: waking costs main a system call, as much as many events,
   * and nothing is emitted before a watermark comes, which wakes it too.
   */
  closeAll(): void {
    for (let worker = 0; worker < this.writers.length; worker++) {
      this.close(worker)
      this.writers[worker]!.wakeWhenFilled()
    }
  }

  #open(worker: number, time: number, eventsMax = EVENTS_PER_BLOCK): boolean {
    this.close(worker)
    const writer = this.writers[worker]!
    const events = Math.min(eventsMax, eventsMaxOf(writer))
    if (!beginEvents(writer, this.#task, events)) return false
    this.#start[worker] = writer.payload
    this.at[worker] = writer.payload
    this.limit[worker] = writer.payload + events * EVENT_WORDS
    this.base[worker] = time
    return true
  }
}
