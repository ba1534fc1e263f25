/**
 * Cuts a stream of chunks into JSON values: the elements of an array, of several arrays one behind the other, or values that just follow
 * each other, over as many lines as they take. Only brackets and quotes are looked at; what a value is worth its reader finds out.
 *
 * Protocol: that of LineReader. Memory is one chunk plus the longest value.
 */
import { CtrError } from '../errors.ts'

/** At the very beginning only. */
const BYTE_ORDER_MARK = [0xef, 0xbb, 0xbf]
const QUOTE = 0x22
const COMMA = 0x2c
const ARRAY_OPENS = 0x5b
const BACKSLASH = 0x5c
const ARRAY_CLOSES = 0x5d
const OBJECT_OPENS = 0x7b
const OBJECT_CLOSES = 0x7d

export class ValuesReader {
  bytes: Buffer = Buffer.alloc(0)
  start = 0
  end = 0
  /** Values read so far. */
  lines = 0

  readonly #valueMaxBytes: number
  /** Where to look on, and where the value under way began, -1 for none. */
  #at = 0
  #begun = -1
  /** Bytes before `bytes`. */
  #passed = 0
  #depth = 0
  #inText = false
  #isEscaped = false
  #isPlain = false
  #inArray = false
  /** In an array: another value may come. */
  #afterComma = false
  #finished = false

  constructor(valueMaxBytes: number) {
    this.#valueMaxBytes = valueMaxBytes
  }

  add(chunk: Buffer): void {
    const from = this.#begun < 0 ? this.#at : this.#begun
    const kept = this.bytes.subarray(from)
    if (kept.length > this.#valueMaxBytes)
      throw fault(`the value from byte ${this.#passed + from} on is longer than ${this.#valueMaxBytes} bytes`)
    this.bytes = kept.length === 0 ? chunk : Buffer.concat([kept, chunk])
    this.#passed += from
    this.#at -= from
    if (this.#begun >= 0) this.#begun = 0
  }

  /** No chunk follows. Throws CTR_INPUT at the next value when an array is left open. */
  finish(): void {
    this.#finished = true
  }

  /** Moves to the next whole value; false when there is none yet. Throws CTR_INPUT between values that are none. */
  next(): boolean {
    const { bytes } = this
    while (this.#at < bytes.length) {
      const byte = bytes[this.#at] ?? 0
      if (this.#begun < 0) {
        this.#between(byte)
        this.#at++
      } else if (this.#isPlain && this.#depth === 0 && isEnd(byte)) return this.#whole(this.#at)
      else {
        this.#at++
        if (this.#within(byte)) return this.#whole(this.#at)
      }
    }
    if (!this.#finished) return false
    if (this.#begun >= 0) {
      // A cut value is given on as it is, to be found invalid; a cut array is told after it.
      return this.#whole(bytes.length)
    }
    if (this.#inArray) throw fault(`the file ends within an array, at byte ${this.#passed + bytes.length}: it is cut off`)
    return false
  }

  /** Outside of a value. */
  #between(byte: number): void {
    if (byte === 0x20 || (byte >= 0x09 && byte <= 0x0d) || byte === BYTE_ORDER_MARK[this.#passed + this.#at]) return
    if (byte === ARRAY_OPENS && !this.#inArray) {
      this.#inArray = true
      this.#afterComma = true
    } else if (byte === ARRAY_CLOSES && this.#inArray) this.#inArray = false
    else if (byte === COMMA && this.#inArray && !this.#afterComma) this.#afterComma = true
    else if (byte === COMMA || byte === ARRAY_CLOSES || byte === OBJECT_CLOSES || (this.#inArray && !this.#afterComma)) {
      throw fault(`byte ${this.#passed + this.#at} is ${JSON.stringify(String.fromCharCode(byte))}, which does not fit between JSON values`)
    } else this.#begin(byte)
  }

  #begin(byte: number): void {
    this.#begun = this.#at
    this.#afterComma = false
    this.#inText = byte === QUOTE
    this.#isPlain = byte !== QUOTE && byte !== OBJECT_OPENS && byte !== ARRAY_OPENS
    this.#depth = byte === OBJECT_OPENS || byte === ARRAY_OPENS ? 1 : 0
  }

  /** Of a value; true at its last byte. */
  #within(byte: number): boolean {
    if (this.#inText) {
      if (this.#isEscaped) this.#isEscaped = false
      else if (byte === BACKSLASH) this.#isEscaped = true
      else if (byte === QUOTE) this.#inText = false
      return !this.#inText && this.#depth === 0
    }
    if (byte === QUOTE) this.#inText = true
    else if (byte === OBJECT_OPENS || byte === ARRAY_OPENS) this.#depth++
    else if (byte === OBJECT_CLOSES || byte === ARRAY_CLOSES) return --this.#depth === 0
    return false
  }

  #whole(end: number): true {
    this.start = this.#begun
    this.end = end
    this.#at = end
    this.#begun = -1
    this.#isEscaped = false
    this.lines++
    return true
  }
}

function isEnd(byte: number): boolean {
  return byte === COMMA || byte === ARRAY_CLOSES || byte === 0x20 || (byte >= 0x09 && byte <= 0x0d)
}

function fault(what: string): CtrError {
  return new CtrError('CTR_INPUT', `${what}; is this a file of JSON?`)
}
