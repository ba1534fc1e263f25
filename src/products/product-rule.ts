/**
 * `products.match`: which ids are counted for themselves. The others are counted together as `products.other`. It is asked when an id comes
 * that is not in the dictionary, and decides by the bytes of the id alone, so it decides the same whenever and wherever that is.
 */
import { hashProduct } from '../format/hash.ts'

/** As the section `products` of the configuration. */
export interface ProductRuleOptions {
  readonly match: {
    readonly pattern?: RegExp | undefined
    readonly maxLength?: number | undefined
    readonly list?: readonly string[] | undefined
  }
  readonly other: string
}

export class ProductRule {
  /** The product that the others are counted as. */
  readonly other: Uint8Array
  readonly otherView: DataView
  readonly otherHash: number
  readonly #pattern: RegExp | undefined
  readonly #maxLength: number
  readonly #list: ReadonlySet<string> | undefined

  constructor({ match, other }: ProductRuleOptions) {
    this.other = new Uint8Array(Buffer.from(other))
    this.otherView = new DataView(this.other.buffer)
    this.otherHash = hashProduct(this.other, 0, this.other.length)
    this.#pattern = match.pattern
    this.#maxLength = match.maxLength ?? Number.POSITIVE_INFINITY
    this.#list = match.list && new Set(match.list)
  }

  /** Whether the id bytes[start, end) is counted for itself. */
  fits(bytes: Uint8Array, start: number, end: number): boolean {
    if (end - start > this.#maxLength) return false
    if (this.#pattern === undefined && this.#list === undefined) return true
    const id = Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString()
    return (this.#pattern?.test(id) ?? true) && (this.#list?.has(id) ?? true)
  }
}
