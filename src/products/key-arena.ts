/**
 * Keys of a dictionary, as bytes end to end in one buffer. A key is found by its place (a word offset); the owner keeps that number.
 *
 *   word 0          1 ...
 *        | length   | key bytes, padded to 4 |
 *
 * Freed keys leave holes; when more than a quarter is holes, the owner moves the live keys into a fresh arena (see Dictionary).
 */
const FIRST_CAPACITY = 1 << 12

export class KeyArena {
  bytes: Uint8Array<ArrayBuffer>
  #words: Int32Array
  #used = 0
  #freed = 0

  /** With room for keys of `liveBytes` and the holes that come until the next one. */
  constructor(liveBytes = 0) {
    this.bytes = new Uint8Array(Math.max(FIRST_CAPACITY, Math.ceil((liveBytes * 3) / 2 / FIRST_CAPACITY) * FIRST_CAPACITY))
    this.#words = new Int32Array(this.bytes.buffer)
  }

  get sizeBytes(): number {
    return this.bytes.length
  }

  /** More than a quarter of what is used is holes. */
  get sparse(): boolean {
    return this.#freed > FIRST_CAPACITY && this.#freed * 4 > this.#used * 4
  }

  /** Bytes that are no holes. */
  get liveBytes(): number {
    return this.#used * 4 - this.#freed
  }

  /** Copies source[start, end) in; returns its place. */
  add(source: Uint8Array, start: number, end: number): number {
    const length = end - start
    const words = 1 + ((length + 3) >> 2)
    if ((this.#used + words) * 4 > this.bytes.length) this.#grow((this.#used + words) * 4)
    const place = this.#used
    this.#used += words
    this.#words[place] = length
    const to = (place + 1) * 4
    for (let i = 0; i < length; i++) this.bytes[to + i] = source[start + i]!
    return place
  }

  /** All keys lie in the first so many bytes, holes included. */
  get usedBytes(): number {
    return this.#used * 4
  }

  /** Byte index of a key's first byte. */
  startOf(place: number): number {
    return (place + 1) * 4
  }

  lengthOf(place: number): number {
    return this.#words[place]!
  }

  /** Whether the key at `place` is source[start, end); `view` spans the same memory as `source`. */
  equals(place: number, source: Uint8Array, view: DataView, start: number, end: number): boolean {
    const words = this.#words
    const length = end - start
    if (words[place] !== length) return false
    const whole = length >> 2
    for (let i = 0; i < whole; i++) if (view.getInt32(start + i * 4, true) !== words[place + 1 + i]) return false
    const bytes = this.bytes
    const key = (place + 1) * 4
    for (let i = whole * 4; i < length; i++) if (bytes[key + i] !== source[start + i]) return false
    return true
  }

  /** Marks a key's memory as a hole. */
  free(place: number): void {
    this.#freed += (1 + ((this.#words[place]! + 3) >> 2)) * 4
  }

  #grow(needBytes: number): void {
    let capacity = this.bytes.length
    while (capacity < needBytes) capacity *= 2
    const bytes = new Uint8Array(capacity)
    bytes.set(this.bytes)
    this.bytes = bytes
    this.#words = new Int32Array(bytes.buffer)
  }
}
