/**
 * Cuts a stream of chunks into lines without an object per line. Lines end with LF or CRLF; the last one may have no end.
 *
 * Protocol: `add` a chunk, then `next` until it is false; after the last chunk `finish`, then `next` once more. The current line is
 * bytes[start, end), valid until the next `add`. Memory is one chunk plus the longest line.
 */
import { CtrError } from '../errors.ts'

const INITIAL_BYTES = 128 * 1024
const LF = 10
const CR = 13

export class LineReader {
  bytes = Buffer.allocUnsafeSlow(INITIAL_BYTES)
  start = 0
  end = 0
  /** Lines read so far. */
  lines = 0

  readonly #lineMaxBytes: number
  #next = 0
  #searched = 0
  #filled = 0
  #finished = false

  constructor(lineMaxBytes: number) {
    this.#lineMaxBytes = lineMaxBytes
  }

  add(chunk: Buffer): void {
    const kept = this.#filled - this.#next
    if (kept > this.#lineMaxBytes) {
      const remedy = 'is this a file of JSON lines, one event per line?'
      throw new CtrError('CTR_INPUT', `line ${this.lines + 1} is longer than ${this.#lineMaxBytes} bytes; ${remedy}`)
    }
    if (kept + chunk.length > this.bytes.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(this.bytes.length * 2, kept + chunk.length))
      this.bytes.copy(grown, 0, this.#next, this.#filled)
      this.bytes = grown
    } else this.bytes.copyWithin(0, this.#next, this.#filled)
    chunk.copy(this.bytes, kept)
    this.#searched -= this.#next
    this.#next = 0
    this.#filled = kept + chunk.length
  }

  /** No chunk follows: what is left is the last line. */
  finish(): void {
    this.#finished = true
  }

  /** Moves to the next whole line; false when there is none yet. */
  next(): boolean {
    let end = this.bytes.indexOf(LF, this.#searched)
    if (end < 0 || end >= this.#filled) {
      this.#searched = this.#filled
      if (!this.#finished || this.#next === this.#filled) return false
      end = this.#filled
    }
    this.start = this.#next
    this.end = end > this.#next && this.bytes[end - 1] === CR ? end - 1 : end
    this.#next = Math.min(end + 1, this.#filled)
    this.#searched = this.#next
    this.lines++
    return true
  }
}
