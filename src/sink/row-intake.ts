/**
 * Reads the rings of all workers into batches, and knows which barriers lie behind.
 *
 * Two batches take turns: one fills while the other is on its way. When the filling one is full and the other has not come back, nothing
 * is read any more; the rings fill up, and that holds the workers back. A block that finds no place stays in its ring, its reader standing
 * on it.
 *
 * Barrier n is reached when every ring has given it. Rings are not aligned: reading one past its barrier only makes the batch that covers
 * the barrier hold a few rows more, and rows may be written early.
 */
import { assert } from '../assert.ts'
import { readBarrier } from '../ring/blocks.ts'
import { BLOCK } from '../ring/layout.ts'
import { RingReader } from '../ring/ring-reader.ts'
import { readRows } from '../ring/row-blocks.ts'
import { Batch } from './batch.ts'

export class RowIntake {
  readonly readers: readonly RingReader[]
  /** Highest barrier that every ring has given; -1 before the first. All its rows are in batches taken or in the one filling. */
  barrier = -1

  #filling: Batch
  #spare: Batch | undefined
  #stalled = -1
  readonly #barriers: number[]
  readonly #ended: boolean[]

  constructor(rings: readonly SharedArrayBuffer[], batchRows: number, keptMs = Number.POSITIVE_INFINITY) {
    this.readers = rings.map((ring) => new RingReader(ring))
    this.#filling = new Batch(batchRows, keptMs)
    this.#spare = new Batch(batchRows, keptMs)
    this.#barriers = rings.map(() => -1)
    this.#ended = rings.map(() => false)
  }

  /** Every ring has ended. */
  get ended(): boolean {
    return this.#ended.every(Boolean)
  }

  /** Rows wait in the filling batch. */
  get rows(): number {
    return this.#filling.rows
  }

  /** When the oldest of them came, ms. */
  get since(): number {
    return this.#filling.since
  }

  /** The filling batch takes no more: nothing is read until it is taken. */
  get full(): boolean {
    return this.#stalled >= 0 || this.#filling.isFull
  }

  hasEnded(ring: number): boolean {
    return this.#ended[ring]!
  }

  /** Reads whatever is there and fits. */
  read(now: number): void {
    if (this.#stalled >= 0) {
      const reader = this.readers[this.#stalled]!
      const rows = readRows(reader)
      if (this.#filling.refuses(rows.windowEnd)) return
      this.#stalled = -1
      this.#filling.add(rows, now)
      reader.release()
    }
    for (let ring = 0; ring < this.readers.length && this.#stalled < 0; ring++) this.#readRing(ring, now)
  }

  /** Hands the filling batch over; the next take needs it back by give. */
  take(): Batch {
    const batch = this.#filling
    assert(this.#spare !== undefined && batch.rows > 0, 'one batch is away at a time, and not empty', { rows: batch.rows })
    this.#filling = this.#spare
    this.#spare = undefined
    return batch
  }

  give(batch: Batch): void {
    batch.clear()
    this.#spare = batch
  }

  #reach(ring: number, number: number): void {
    const last = this.#barriers[ring]!
    assert(number > last, 'the barriers of a ring come in the order of their numbers', { ring, number, last })
    this.#barriers[ring] = number
    this.barrier = Math.min(...this.#barriers)
  }

  #readRing(ring: number, now: number): void {
    const reader = this.readers[ring]!
    while (!this.#ended[ring] && !this.#filling.isFull && reader.next()) {
      switch (reader.kind) {
        case BLOCK.rows: {
          const rows = readRows(reader)
          if (this.#filling.refuses(rows.windowEnd)) {
            this.#stalled = ring
            return
          }
          this.#filling.add(rows, now)
          break
        }
        case BLOCK.barrier:
          this.#reach(ring, readBarrier(reader))
          break
        case BLOCK.end:
          this.#ended[ring] = true
          break
        default:
          assert(false, 'a row ring carries rows, barriers and an end', { kind: reader.kind, ring })
      }
      reader.release()
    }
  }
}
