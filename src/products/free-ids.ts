/**
 * Ids that are free, one bit each. The lowest comes first, so that the ids in use stay low and close together after many products have come
 * and gone: panes have memory only where ids are in use (window/cells.ts).
 */
const FIRST_WORDS = 8

export class FreeIds {
  /** How many are free. */
  size = 0
  #bits = new Int32Array(FIRST_WORDS)
  /** No bit is set in a word before this one. */
  #from = 0

  add(id: number): void {
    const word = id >> 5
    if (word >= this.#bits.length) this.#grow(word + 1)
    this.#bits[word]! |= 1 << (id & 31)
    if (word < this.#from) this.#from = word
    this.size++
  }

  /** The lowest; there must be one. */
  lowest(): number {
    const bits = this.#bits
    while (bits[this.#from] === 0) this.#from++
    const word = bits[this.#from]!
    return (this.#from << 5) | (31 - Math.clz32(word & -word))
  }

  /** Takes the lowest out; there must be one. */
  take(): number {
    const id = this.lowest()
    this.#bits[id >> 5]! &= ~(1 << (id & 31))
    this.size--
    return id
  }

  #grow(words: number): void {
    let length = this.#bits.length
    while (length < words) length *= 2
    const bits = new Int32Array(length)
    bits.set(this.#bits)
    this.#bits = bits
  }
}
