/** Seeded random numbers (sfc32): the same seed gives the same sequence on every machine. Not for secrets. */
export class Random {
  #a: number
  #b: number
  #c: number
  #counter = 1

  /** Every `stream` of a seed is another sequence. */
  constructor(seed: number, stream = 0) {
    this.#a = seed | 0
    this.#b = Math.floor(seed / 0x1_0000_0000) | 0
    this.#c = (0x9e3779b9 + Math.imul(stream, 0x85ebca6b)) | 0
    for (let round = 0; round < 12; round++) this.next()
  }

  /** The next 32 bits, signed. */
  next(): number {
    const sum = (((this.#a + this.#b) | 0) + this.#counter) | 0
    this.#counter = (this.#counter + 1) | 0
    this.#a = this.#b ^ (this.#b >>> 9)
    this.#b = (this.#c + (this.#c << 3)) | 0
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0
    return sum
  }

  /** An integer of [0, bound), bound at most 2^32. */
  below(bound: number): number {
    return Math.floor(((this.next() >>> 0) / 0x1_0000_0000) * bound)
  }

  /** True with the given probability. */
  chance(probability: number): boolean {
    return this.next() >>> 0 < probability * 0x1_0000_0000
  }
}
