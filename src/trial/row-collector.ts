/** A sink that keeps rows in memory: of rows with one key the one of the highest version, as the tables do. */
import { copyOf } from '../bytes.ts'
import { readBarrier } from '../ring/blocks.ts'
import { BLOCK } from '../ring/layout.ts'
import { RingReader } from '../ring/ring-reader.ts'
import { readRows } from '../ring/row-blocks.ts'
import { EncodedRows, type ResultRow } from '../sink/row-reader.ts'
import type { Sink } from '../sink/sink.ts'
import { createSinkStats, readSinkStats, type SinkStats } from '../sink/sink-stats.ts'

const WAIT_MS = 20

export class RowCollector implements Sink {
  readonly ready: Promise<void> = Promise.resolve()
  readonly ended: Promise<void>
  readonly #rows = new Map<string, ResultRow>()
  readonly #stats = createSinkStats()
  readonly #reached: number[]
  #onBarrier: (number: number) => void = () => {}
  #stopped = false

  constructor(rings: readonly SharedArrayBuffer[]) {
    this.#reached = rings.map(() => 0)
    this.ended = Promise.all(rings.map((ring, i) => this.#read(new RingReader(ring), i))).then(() => undefined)
  }

  get rows(): readonly ResultRow[] {
    return [...this.#rows.values()]
  }

  async #read(reader: RingReader, ring: number): Promise<void> {
    while (!this.#stopped) {
      while (reader.next()) {
        if (reader.kind === BLOCK.rows) this.#keep(readRows(reader))
        else if (reader.kind === BLOCK.barrier) {
          this.#reached[ring] = readBarrier(reader)
          this.#onBarrier(Math.min(...this.#reached))
        } else if (reader.kind === BLOCK.end) {
          reader.release()
          return
        }
      }
      reader.release()
      await reader.waitAsync(WAIT_MS)
    }
  }

  #keep({ bytes, start, end, count }: ReturnType<typeof readRows>): void {
    const rows = new EncodedRows(copyOf(bytes, start, end), count)
    for (let i = 0; i < count; i++) {
      const row = rows.read(i)
      const key = JSON.stringify([row.tenant, row.productId, row.windowStart, row.windowEnd, row.task])
      if ((this.#rows.get(key)?.version ?? -1) <= row.version) this.#rows.set(key, row)
    }
  }

  onBarrier(callback: (number: number) => void): void {
    this.#onBarrier = callback
  }

  async writeLedger(): Promise<void> {}

  /** Nothing here is ever refused, parked, or dies. */
  onTrouble(): void {}

  onParked(): void {}

  onDied(): void {}

  stats(): SinkStats {
    return readSinkStats(this.#stats)
  }

  async stop(): Promise<void> {
    this.#stopped = true
  }
}
