/**
 * The rings of all workers, as main writes them. What goes to every worker goes into all rings in one synchronous call, or into none:
 * that is what makes a barrier a consistent cut.
 */
import { assert } from '../assert.ts'
import type { BLOCK, BlockKind } from './layout.ts'
import type { RingWriter } from './ring-writer.ts'

export class Rings {
  readonly writers: readonly RingWriter[]
  /** The ring that was full when a put to all rings last returned false. */
  fullRing = 0
  /** The number of the last barrier. */
  #barrier = 0

  constructor(writers: readonly RingWriter[]) {
    this.writers = writers
  }

  /** The same block without payload into every ring; false when one of them is full. For the typed puts of blocks.ts. */
  putAll(kind: BlockKind, task: number, aux: number, time: number): boolean {
    if (!this.#openAll(kind, task, 0)) return false
    for (const writer of this.writers) writer.close(0, 0, aux, 0, time)
    return true
  }

  /** The same barrier into every ring, with a list of tasks when `kind` is checkpoint. */
  putBarrier(kind: typeof BLOCK.barrier | typeof BLOCK.checkpoint, number: number, tasks: readonly number[]): boolean {
    assert(number > this.#barrier, 'barriers are numbered in the order in which they are put', { number, last: this.#barrier })
    if (!this.#openAll(kind, 0, tasks.length)) return false
    for (const writer of this.writers) {
      writer.words.set(tasks, writer.payload)
      writer.close(tasks.length, tasks.length, number)
    }
    this.#barrier = number
    return true
  }

  #openAll(kind: BlockKind, task: number, payloadWords: number): boolean {
    const { writers } = this
    for (let ring = 0; ring < writers.length; ring++) {
      if (writers[ring]?.tryOpen(kind, task, payloadWords)) continue
      for (let opened = 0; opened < ring; opened++) writers[opened]?.abandon()
      this.fullRing = ring
      return false
    }
    return true
  }
}
