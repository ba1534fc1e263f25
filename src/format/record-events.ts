/**
 * The events of one record that may be several: a format fills it, ingest counts all of them or none (ingest/record-counter.ts). They come
 * of the elements of an array, or of an impression that was clicked, or of both. An element that is no event is noted with its reason.
 */
import { ParsedEvents } from './parsed-events.ts'
import { IGNORED } from './reasons.ts'
import { type EventSlot, PRODUCT_MAX_BYTES, SLOT_CLICK, SLOT_CLICKED, SLOT_PRODUCT_END, SLOT_PRODUCT_START } from './slot.ts'

/** Of an event that is its whole record. */
export const NO_ELEMENT = -1

export class RecordEvents extends ParsedEvents {
  /** By event: its element in the record, and where that lies. Events of one element follow each other. */
  readonly elements: Int32Array
  readonly starts: Int32Array
  readonly ends: Int32Array
  /** Elements that are no events, with their reasons. */
  bad = 0
  readonly badElements: Int32Array
  readonly badReasons: Int32Array
  readonly badStarts: Int32Array
  readonly badEnds: Int32Array
  readonly badTimes: Float64Array
  /** Elements that are left out. */
  ignoredElements = 0
  /** All events have the time of the record, and are refused for it together. */
  sharesTime = true
  /** Products of a record that was read exactly; of others they lie in the record's bytes. */
  products = new Uint8Array(0)
  productsView = new DataView(this.products.buffer)
  isExact = false
  #productsUsed = 0

  /** With room for `elementsMax` elements, of two events each. */
  constructor(elementsMax: number) {
    super(2 * elementsMax)
    this.elements = new Int32Array(2 * elementsMax)
    this.starts = new Int32Array(2 * elementsMax)
    this.ends = new Int32Array(2 * elementsMax)
    this.badElements = new Int32Array(elementsMax)
    this.badReasons = new Int32Array(elementsMax)
    this.badStarts = new Int32Array(elementsMax)
    this.badEnds = new Int32Array(elementsMax)
    this.badTimes = new Float64Array(elementsMax)
  }

  /** Forgets all; `isExact`: products are copied from the slot. */
  beginRecord(isExact: boolean): void {
    this.begin(0)
    this.bad = 0
    this.ignoredElements = 0
    this.isExact = isExact
    this.#productsUsed = 0
  }

  /** What of the ledger the record is: its events and what is wrong with its elements, each for itself. */
  get units(): number {
    return this.count + this.bad + this.ignoredElements
  }

  /** The element bytes[start, end) is the event in the slot, and a click besides when its flag says so. */
  addElement(slot: EventSlot, bytes: Uint8Array, record: number, older: boolean, place: ElementPlace): void {
    const { ints } = slot
    const source = this.isExact ? this.#keepProduct(slot) : bytes
    this.#add(slot, source, record, older, place)
    if (ints[SLOT_CLICKED] === 0) return
    ints[SLOT_CLICK] = 1
    this.#add(slot, source, record, older, place)
    ints[SLOT_CLICK] = 0
  }

  /** The element is no event. */
  addBad(reason: number, time: number, { element, start, end }: ElementPlace): void {
    if (reason === IGNORED) {
      this.ignoredElements++
      return
    }
    const i = this.bad++
    this.badElements[i] = element
    this.badReasons[i] = reason
    this.badStarts[i] = start
    this.badEnds[i] = end
    this.badTimes[i] = time
  }

  #add(slot: EventSlot, source: Uint8Array, record: number, older: boolean, { element, start, end }: ElementPlace): void {
    const i = this.count
    this.elements[i] = element
    this.starts[i] = start
    this.ends[i] = end
    this.add(slot, source, record, older, 0)
  }

  #keepProduct({ ints, product }: EventSlot): Uint8Array {
    const start = this.#productsUsed
    const length = ints[SLOT_PRODUCT_END]! - ints[SLOT_PRODUCT_START]!
    if (this.products.length < start + PRODUCT_MAX_BYTES) {
      const larger = new Uint8Array(2 * (start + PRODUCT_MAX_BYTES))
      larger.set(this.products)
      this.products = larger
      this.productsView = new DataView(larger.buffer)
    }
    this.products.set(product.subarray(0, length), start)
    ints[SLOT_PRODUCT_START] = start
    ints[SLOT_PRODUCT_END] = start + length
    this.#productsUsed = start + length
    return this.products
  }
}

/** An element by its number in the record, and its bytes. */
export interface ElementPlace {
  element: number
  start: number
  end: number
}

/** A record as it lies in its batch. */
export interface RecordBytes {
  bytes: Uint8Array
  /** The same memory, for reading words. */
  view: DataView
  /** Where the record begins, and its value. */
  record: number
  start: number
  end: number
  /** Its timestamp lies below its batch's first one. */
  older: boolean
}
