/**
 * Draws products by popularity in constant time (Walker's alias method): two random words give one product, whatever their number.
 * Each column keeps itself with probability keep/2^32, else gives its alias.
 */
import type { Random } from './random.ts'

export class Popularity {
  readonly #keep: Float64Array
  readonly #alias: Int32Array

  /**
   * `products` of them; the one of rank r (from 1) is drawn with a weight of r^-skew: 0 is uniform, 1 is Zipf's law. With `only`, indices
   * of products, of these alone.
   */
  constructor(products: number, skew: number, only?: Int32Array) {
    const count = only === undefined ? products : only.length
    const share = new Float64Array(count)
    let total = 0
    for (let index = 0; index < count; index++) {
      const weight = weightOf(only === undefined ? index : (only[index] ?? 0), skew)
      share[index] = weight
      total += weight
    }
    this.#keep = new Float64Array(count)
    this.#alias = new Int32Array(count)
    const small = new Int32Array(count)
    const large = new Int32Array(count)
    let smallCount = 0
    let largeCount = 0
    for (let index = 0; index < count; index++) {
      const scaled = ((share[index] ?? 0) * count) / total
      share[index] = scaled
      if (scaled < 1) small[smallCount++] = index
      else large[largeCount++] = index
    }
    while (smallCount > 0 && largeCount > 0) {
      const low = small[--smallCount] ?? 0
      const high = large[--largeCount] ?? 0
      this.#keep[low] = (share[low] ?? 0) * 0x1_0000_0000
      this.#alias[low] = high
      const rest = (share[high] ?? 0) + (share[low] ?? 0) - 1
      share[high] = rest
      if (rest < 1) small[smallCount++] = high
      else large[largeCount++] = high
    }
    // What is left has a share of 1 but for rounding.
    while (smallCount > 0) this.#keep[small[--smallCount] ?? 0] = 0x1_0000_0000
    while (largeCount > 0) this.#keep[large[--largeCount] ?? 0] = 0x1_0000_0000
  }

  /** The index of a product, or of its place in `only`; 0 is the most popular one. */
  draw(random: Random): number {
    const column = random.below(this.#keep.length)
    return random.next() >>> 0 < (this.#keep[column] ?? 0) ? column : (this.#alias[column] ?? 0)
  }
}

/** How often a product is drawn in relation to the first one, by its index. */
export function weightOf(index: number, skew: number): number {
  return (index + 1) ** -skew
}
