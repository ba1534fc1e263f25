/**
 * The slot that every parser puts an event into. It is reused for every event: nothing is allocated per event, and times stay unboxed in a
 * Float64Array.
 */
import { LIMITS } from '../config/limits.ts'

/** UTF-8 bytes of the longest product id that counts. */
export const PRODUCT_MAX_BYTES = LIMITS.productIdMaxBytes
/** Times lie strictly between these, in ms since the epoch. */
export const TIME_MIN_MS = 0
/** See TIME_MIN_MS. */
export const TIME_MAX_MS = LIMITS.eventTimeEndMs

/** Indexes into EventSlot.ints. */
export const SLOT_PRODUCT_START = 0
export const SLOT_PRODUCT_END = 1
export const SLOT_PRODUCT_HASH = 2
/** 1 for a click, 0 for an impression. */
export const SLOT_CLICK = 3
/** What of the JSON was tolerated, bits of TOLERATED. */
export const SLOT_TOLERATED = 4
/** 1 for an impression that its flag says was clicked. */
export const SLOT_CLICKED = 5

/** A parsed event. A fast reader leaves the product in the input's bytes, the exact one copies it to `product`. */
export class EventSlot {
  readonly ints = new Int32Array(6)
  /** Event time in ms since the epoch. */
  readonly time = new Float64Array(1)
  readonly product = new Uint8Array(PRODUCT_MAX_BYTES)
  /** The same memory as `product`, for reading words. */
  readonly productView = new DataView(this.product.buffer)
}
