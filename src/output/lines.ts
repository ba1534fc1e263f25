/**
 * Lines that go to their destination together, back to back in one buffer, each with its newline. They are written there once, and are
 * neither objects nor copied before they are sent.
 */
import type { LetterEncoder } from './letter-encoder.ts'
import type { OutputRecord } from './output.ts'

/** As a destination takes them. */
export interface Lines {
  /** All of them, newlines included. */
  readonly bytes: Buffer
  /** Where each one ends, behind its newline, ascending. */
  readonly ends: readonly number[]
}

/** Lines being put together. */
export class LineBatch implements Lines {
  readonly ends: number[] = []
  /** The number of its last line among all lines that were ever put. */
  last = 0
  #memory: Buffer

  /** `memory` is its own until the lines are delivered. */
  constructor(memory: Buffer) {
    this.#memory = memory
  }

  get bytes(): Buffer {
    return this.#memory.subarray(0, this.size)
  }

  get size(): number {
    return this.ends.at(-1) ?? 0
  }

  /** Adds a line; returns its bytes. */
  add(record: OutputRecord, encoder: LetterEncoder): number {
    const start = this.size
    const most = start + encoder.maxBytes(record)
    if (most > this.#memory.length) this.#grow(most)
    const end = encoder.write(record, this.#memory, start)
    this.ends.push(end)
    return end - start
  }

  /** Takes its last line out, for a batch of its own in `memory`. */
  splitLast(memory: Buffer): LineBatch {
    const end = this.size
    this.ends.pop()
    const line = this.#memory.subarray(this.size, end)
    const other = new LineBatch(memory.length < line.length ? Buffer.allocUnsafeSlow(line.length) : memory)
    line.copy(other.#memory)
    other.ends.push(line.length)
    return other
  }

  /** The memory, for the next ones. */
  release(): Buffer {
    return this.#memory
  }

  #grow(bytes: number): void {
    const grown = Buffer.allocUnsafeSlow(bytes)
    this.#memory.copy(grown, 0, 0, this.size)
    this.#memory = grown
  }
}
