/**
 * Makes up events, deterministically from a seed: products of uneven popularity, disorder, late, invalid and repeated events. No object per
 * event: `next` draws one, `writeKey` and `writeValue` put its bytes where the caller wants them. Holds no global state, so any thread may
 * run it.
 *
 * Every form that events have (event-template.ts) is kept as a template; per event only the digits that differ are written, by pairs from
 * a table. An invalid event (rare) is made as a string.
 */
import { assert } from '../assert.ts'
import type { EventShape } from './event-shape.ts'
import {
  DATE_HIGH_LENGTH,
  type EventTemplate,
  eventTemplate,
  type KeySpelling,
  LOW_DIGITS,
  SECONDS_LOW_DIGITS,
  SEQUENCE_HIGH_DIGITS,
  TIME_HIGH_DIGITS,
  type UserIdShape,
  userDigitsOf,
} from './event-template.ts'
import { Popularity } from './popularity.ts'
import { Random } from './random.ts'
import { PRODUCTS_END, Turnover } from './turnover.ts'

/** Times in ms, shares from 0 to 1. */
export interface GenerateOptions {
  readonly seed: number
  /** Number of products, `p-0001` and on. */
  readonly products: number
  /** So many more come per minute, each in place of the oldest. */
  readonly productsPerMinute: number
  /** The weight of the product of rank r is r^-skew: 0 is uniform, 1 is Zipf's law. */
  readonly skew: number
  readonly users: number
  readonly clickShare: number
  /** Events are up to so much older than the moment they are made. */
  readonly disorderMs: number
  /** This share is older still, by lateByMs to twice that. */
  readonly lateShare: number
  readonly lateByMs: number
  /** This share is broken in one of the ways of `invalidKinds`. */
  readonly invalidShare: number
  /** Which of them, drawn evenly; not empty. */
  readonly invalidKinds: readonly InvalidKind[]
  /** This share is the event before it once more, byte by byte, as a producer without idempotence repeats itself. */
  readonly duplicateShare: number
  readonly keys: KeySpelling
  readonly userIds: UserIdShape
  /** Events are padded to so many bytes with a key that nobody knows; 0 for none. */
  readonly eventBytes: number
  /** Where events have their values; as in event-template.ts when not given. */
  readonly shape?: EventShape | undefined
}

/** A part of the events: those of some products only, numbered `stream` + 1, `stream` + 1 + `streams` and on. */
export interface GenerateShare {
  /** Indices of the products, ascending. */
  readonly products: Int32Array
  /** Whether a product that comes later, by its index, is one of the share. */
  readonly owns: (product: number) => boolean
  readonly stream: number
  readonly streams: number
}

/** The ways an invalid event is invalid; each has its own reason in the engine. */
export const INVALID_KINDS = [
  'not-utf8',
  'truncated',
  'array',
  'no-product',
  'no-type',
  'no-time',
  'epoch-zero',
  'too-old',
  'far-future',
] as const

/** What the engine ignores, unless it is told not to. */
export const IGNORED_KINDS = ['tombstone', 'other-type'] as const

type InvalidKind = (typeof INVALID_KINDS)[number] | (typeof IGNORED_KINDS)[number]

/** Events that nobody has options for yet: mild disorder, nothing late, nothing invalid. */
export const GENERATE_DEFAULTS: GenerateOptions = {
  seed: 1,
  products: 1000,
  productsPerMinute: 0,
  skew: 1,
  users: 100_000,
  clickShare: 0.2,
  disorderMs: 2000,
  lateShare: 0,
  lateByMs: 60_000,
  invalidShare: 0,
  invalidKinds: INVALID_KINDS,
  duplicateShare: 0,
  keys: 'snake',
  userIds: 'number',
  eventBytes: 0,
}

/** Event times keep to 13 digits: from 2001 to 2286. */
export const GENERATED_TIME_MIN_MS = 1_000_000_000_000
export const GENERATED_TIME_MAX_MS = 9_999_999_999_999

const TWO_32 = 0x1_0000_0000
const DAY_MS = 86_400_000
const LOW_VALUES = 10_000

/** The two digits of 0 to 99. */
const PAIRS = Uint8Array.from({ length: 200 }, (_, index) => 48 + (index % 2 === 0 ? Math.floor(index / 20) : (index >> 1) % 10))

export class EventGenerator {
  /** The event drawn last: product index from 0, event time, lengths of key and value (-1 for none). */
  product = 0
  click = false
  valid = true
  /** It is the event before it once more. */
  repeated = false
  time = 0
  readonly keyBytes: number
  valueBytes = 0
  /** Totals of what was drawn. */
  readonly drawn = { events: 0, impressions: 0, clicks: 0, invalid: 0, duplicates: 0 }

  readonly #options: GenerateOptions
  readonly #random: Random
  readonly #popularity: Popularity
  readonly #productDigits: number
  readonly #userDigits: number
  /** By click + 2 * camel. */
  readonly #templates: readonly EventTemplate[]
  readonly #products: Int32Array | undefined
  readonly #turnover: Turnover | undefined
  readonly #clickBelow: number
  readonly #lateBelow: number
  readonly #invalidBelow: number
  readonly #duplicateBelow: number
  readonly #sequenceStep: number
  #template: EventTemplate
  #user = 0
  #sequenceHigh = 0
  #sequenceLow: number
  #invalid: Buffer | null = null

  /** Without `share` all products. */
  constructor(options: GenerateOptions, share?: GenerateShare) {
    const { stream, streams } = share ?? { stream: 0, streams: 1 }
    this.#options = options
    if (options.productsPerMinute > 0) {
      const all = () => Int32Array.from({ length: options.products }, (_, index) => index)
      this.#turnover = new Turnover(options, share?.products ?? all(), share?.owns ?? (() => true))
    }
    this.#products = this.#turnover?.alive ?? share?.products
    this.#random = new Random(options.seed, stream)
    this.#popularity = new Popularity(options.products, options.skew, share?.products)
    this.#productDigits = productDigitsOf(options)
    const digits = Math.max(6, String(options.users).length)
    const form = { ...options, productDigits: this.#productDigits, userDigits: userDigitsOf(options.userIds, digits) }
    this.#userDigits = form.userDigits
    this.keyBytes = 2 + this.#productDigits
    this.#templates = [false, true].flatMap((camel) => [
      eventTemplate({ ...form, type: 'impression', camel }),
      eventTemplate({ ...form, type: 'click', camel }),
    ])
    this.#template = this.#templates[0] as EventTemplate
    this.#clickBelow = options.clickShare * TWO_32
    this.#lateBelow = options.lateShare * TWO_32
    this.#invalidBelow = (options.lateShare + options.invalidShare) * TWO_32
    this.#duplicateBelow = options.duplicateShare * TWO_32
    this.#sequenceStep = streams
    this.#sequenceLow = stream + 1 - streams
  }

  /** Draws the next event, made at `now` (ms). */
  next(now: number): void {
    const random = this.#random
    const options = this.#options
    const drawn = this.drawn
    drawn.events++
    if (this.#duplicateBelow > 0 && drawn.events > 1 && random.next() >>> 0 < this.#duplicateBelow) {
      drawn.duplicates++
      this.repeated = true
      this.#count()
      return
    }
    this.repeated = false
    const turnover = this.#turnover
    if (turnover !== undefined && now >= turnover.dueAt) turnover.moveOn(now)
    const product = this.#popularity.draw(random)
    this.product = this.#products === undefined ? product : (this.#products[product] ?? 0)
    this.#user = random.below(options.users)
    this.click = random.next() >>> 0 < this.#clickBelow
    let time = options.disorderMs === 0 ? now : now - random.below(options.disorderMs + 1)
    const fate = random.next() >>> 0
    this.valid = true
    if (fate < this.#invalidBelow) {
      if (fate < this.#lateBelow) time -= options.lateByMs + random.below(options.lateByMs + 1)
      else this.valid = false
    }
    this.time = time
    this.#sequenceLow += this.#sequenceStep
    while (this.#sequenceLow >= LOW_VALUES) {
      this.#sequenceLow -= LOW_VALUES
      this.#sequenceHigh++
    }
    const camel = options.keys === 'camel' || (options.keys === 'mixed' && random.next() < 0)
    this.#template = this.#templates[(this.click ? 1 : 0) + (camel ? 2 : 0)] as EventTemplate
    if (this.valid) this.valueBytes = this.#template.bytes.length
    else {
      this.#invalid = this.#makeInvalid()
      this.valueBytes = this.#invalid === null ? -1 : this.#invalid.length
    }
    this.#count()
  }

  #count(): void {
    if (!this.valid) this.drawn.invalid++
    else if (this.click) this.drawn.clicks++
    else this.drawn.impressions++
  }

  /** Where the values of the drawn event lie in its bytes, those in quotes with them; only of a valid one. */
  get values(): EventTemplate['values'] {
    return this.#template.values
  }

  /** The drawn event's key, the product id. */
  writeKey(out: Uint8Array, at: number): void {
    out[at] = 0x70
    out[at + 1] = 0x2d
    writeDigits(out, at + 2, this.#productDigits, this.product + 1)
  }

  /** The drawn event's value; writes nothing for one without a value. */
  writeValue(out: Uint8Array, at: number): void {
    if (!this.valid) {
      if (this.#invalid !== null) out.set(this.#invalid, at)
      return
    }
    this.#write(this.#template, out, at)
  }

  #write(template: EventTemplate, out: Uint8Array, at: number): void {
    const timeHigh = Math.floor(this.time / LOW_VALUES)
    if (template.timeHigh !== timeHigh) this.#retime(template, timeHigh)
    if (template.sequenceHigh !== this.#sequenceHigh) {
      template.sequenceHigh = this.#sequenceHigh
      writeDigits(template.bytes, template.sequenceAt, SEQUENCE_HIGH_DIGITS, this.#sequenceHigh)
    }
    out.set(template.bytes, at)
    writeDigits(out, at + template.sequenceAt + SEQUENCE_HIGH_DIGITS, LOW_DIGITS, this.#sequenceLow)
    writeDigits(out, at + template.userAt, this.#userDigits, this.#user)
    writeDigits(out, at + template.productAt, this.#productDigits, this.product + 1)
    const timeLow = this.time - timeHigh * LOW_VALUES
    if (template.isDate) writeSeconds(out, at + template.timeAt + DATE_HIGH_LENGTH, timeLow)
    else if (template.isSeconds) writeDigits(out, at + template.timeAt + TIME_HIGH_DIGITS, SECONDS_LOW_DIGITS, (timeLow / 1000) | 0)
    else writeDigits(out, at + template.timeAt + TIME_HIGH_DIGITS, LOW_DIGITS, timeLow)
    writeDigits(out, at + template.sessionAt, this.#userDigits, this.#user)
  }

  #retime(template: EventTemplate, timeHigh: number): void {
    const time = this.time
    assert(time >= GENERATED_TIME_MIN_MS && time <= GENERATED_TIME_MAX_MS, 'generated times have 13 digits', { time })
    template.timeHigh = timeHigh
    if (template.isDate) {
      const date = new Date(timeHigh * LOW_VALUES + template.eastMs).toISOString()
      for (let i = 0; i < DATE_HIGH_LENGTH; i++) template.bytes[template.timeAt + i] = date.charCodeAt(i)
    } else writeDigits(template.bytes, template.timeAt, TIME_HIGH_DIGITS, timeHigh)
  }

  #makeInvalid(): Buffer | null {
    const { invalidKinds } = this.#options
    const kind = invalidKinds[this.#random.below(invalidKinds.length)] ?? 'array'
    if (kind === 'tombstone') return null
    const template = this.#template
    const bytes = Buffer.alloc(template.bytes.length)
    this.#write(template, bytes, 0)
    if (kind === 'not-utf8') {
      bytes[template.productAt] = 0xff
      return bytes
    }
    if (kind === 'truncated') return bytes.subarray(0, 1 + this.#random.below(bytes.length - 1))
    const text = bytes.toString('latin1')
    const { values, isDate } = template
    const replaced = (field: 'product' | 'type' | 'time', by: string) => {
      const [start, end] = values[field]
      return Buffer.from(text.slice(0, start) + by + text.slice(end), 'latin1')
    }
    const timed = (ms: number) => replaced('time', isDate ? JSON.stringify(new Date(ms).toISOString()) : String(ms))
    switch (kind) {
      case 'array':
        return Buffer.from(`[${text}]`, 'latin1')
      case 'no-product':
        return replaced('product', 'null')
      case 'no-type':
        return replaced('type', 'null')
      case 'other-type':
        return replaced('type', '"purchase"')
      case 'no-time':
        return replaced('time', 'null')
      case 'epoch-zero':
        return timed(0)
      case 'too-old':
        // As a number these are seconds, too.
        return timed(Math.floor(this.time / 100_000))
      case 'far-future':
        return timed(this.time + 30 * DAY_MS)
    }
  }
}

/** What makes the ids of products. */
export type ProductIds = Pick<GenerateOptions, 'products' | 'productsPerMinute'>

/** The id of a product, by its index. */
export function productId(index: number, ids: ProductIds): string {
  return `p-${String(index + 1).padStart(productDigitsOf(ids), '0')}`
}

/** Room for all that will ever be. */
function productDigitsOf({ products, productsPerMinute }: ProductIds): number {
  return Math.max(4, String(productsPerMinute > 0 ? PRODUCTS_END : products).length)
}

/** `value` in decimal, at `at`, with leading zeros to `digits`. */
function writeDigits(out: Uint8Array, at: number, digits: number, value: number): void {
  let rest = value | 0
  let index = at + digits
  while (index - at >= 2) {
    const above = (rest / 100) | 0
    const pair = (rest - above * 100) << 1
    rest = above
    index -= 2
    out[index] = PAIRS[pair] as number
    out[index + 1] = PAIRS[pair + 1] as number
  }
  if (index > at) out[at] = 48 + (rest % 10)
}

/** Seconds below ten, with ms: 3.141. */
function writeSeconds(out: Uint8Array, at: number, ms: number): void {
  const seconds = (ms / 1000) | 0
  out[at] = 48 + seconds
  out[at + 1] = 0x2e
  writeDigits(out, at + 2, 3, ms - seconds * 1000)
}
