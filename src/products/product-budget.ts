/**
 * How much of the memory for state the products of all tasks take, and how much there is. A product is in main's dictionary, in the names
 * of its worker, and in the copies that checkpoints are made of; what it costs is reckoned, not measured, to be known before it is taken.
 */

/** Slots and entry of a dictionary that has just doubled, its place among the names of a worker, and in a copy of them. */
const PRODUCT_BYTES = 160
/** A long id is in an arena of main, of a worker and of a copy, each up to half empty, and in the bytes of a checkpoint. */
const KEY_COPIES = 4

/** What a product with an id of `keyBytes` bytes is reckoned to take, bytes. */
export function productCost(keyBytes: number): number {
  return PRODUCT_BYTES + KEY_COPIES * keyBytes
}

/** How many products there may be, and how many bytes state may take. */
export interface StateLimits {
  readonly maxProducts: number
  readonly maxBytes: number
}

export class ProductBudget {
  readonly limits: StateLimits
  products = 0
  /** Of the ids of all of them. */
  keyBytes = 0
  /** What else takes of `maxBytes`: the windows, as the workers told last. */
  paneBytes = 0

  /** Without limits nothing is ever full. */
  constructor(limits: StateLimits = { maxProducts: Number.POSITIVE_INFINITY, maxBytes: Number.POSITIVE_INFINITY }) {
    this.limits = limits
  }

  /** Products of so many bytes of ids have come; negative numbers when they have gone. */
  add(products: number, keyBytes: number): void {
    this.products += products
    this.keyBytes += keyBytes
  }

  /** What all is reckoned to take. */
  get bytes(): number {
    return PRODUCT_BYTES * this.products + KEY_COPIES * this.keyBytes + this.paneBytes
  }

  /** No product more may come. */
  get full(): boolean {
    return this.products >= this.limits.maxProducts || this.bytes >= this.limits.maxBytes
  }

  /** How near the nearer limit is: 1 is full. */
  get share(): number {
    return Math.max(this.products / this.limits.maxProducts, this.bytes / this.limits.maxBytes)
  }
}
