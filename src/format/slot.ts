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

/** A parsed event. `scan` leaves the product in the input's bytes, `exact` copies it to `product`. */
export class EventSlot {
  readonly ints = new Int32Array(4)
  /** Event time in ms since the epoch. */
  readonly time = new Float64Array(1)
  readonly product = new Uint8Array(PRODUCT_MAX_BYTES)
  /** The same memory as `product`, for reading words. */
  readonly productView = new DataView(this.product.buffer)
}
