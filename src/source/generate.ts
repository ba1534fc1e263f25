/**
 * Makes up events, deterministically from a seed: products of uneven popularity, disorder, late and invalid events. No object per event:
 * `next` draws one, `writeKey` and `writeValue` put its bytes where the caller wants them. Holds no global state, so any thread may run it.
 *
 * An event, about 150 bytes:
 *   {"event_id":"0000002a-000000000017","user_id":"u-000042","product_id":"p-0007","event_type":"impression",
 *    "timestamp":1659304800025,"session_id":"s-000042"}
 *
 * Both forms (impression, click) are kept as templates; per event only the digits that differ are written, by pairs from a table.
 * An invalid event (rare) is made as a string.
 */
import { assert } from '../assert.ts'
import { Popularity } from './popularity.ts'
import { Random } from './random.ts'

/** Times in ms, shares from 0 to 1. */
export interface GenerateOptions {
  readonly seed: number
  /** Number of products, `p-0001` and on. */
  readonly products: number
  /** The weight of the product of rank r is r^-skew: 0 is uniform, 1 is Zipf's law. */
  readonly skew: number
  readonly users: number
  readonly clickShare: number
  /** Events are up to so much older than the moment they are made. */
  readonly disorderMs: number
  /** This share is older still, by lateByMs to twice that. */
  readonly lateShare: number
  readonly lateByMs: number
  /** This share is broken in one of the ways of INVALID_KINDS. */
  readonly invalidShare: number
}

/** Events that nobody has options for yet: mild disorder, nothing late, nothing invalid. */
export const GENERATE_DEFAULTS: GenerateOptions = {
  seed: 1,
  products: 1000,
  skew: 1,
  users: 100_000,
  clickShare: 0.2,
  disorderMs: 2000,
  lateShare: 0,
  lateByMs: 60_000,
  invalidShare: 0,
}

/** The ways an invalid event is invalid, drawn evenly; each has its own reason in the engine. */
export const INVALID_KINDS = [
  'tombstone',
  'not-utf8',
  'truncated',
  'array',
  'no-product',
  'no-user',
  'unknown-type',
  'no-time',
  'epoch-zero',
  'far-future',
] as const

/** Event times keep to 13 digits: from 2001 to 2286. */
export const GENERATED_TIME_MIN_MS = 1_000_000_000_000
export const GENERATED_TIME_MAX_MS = 9_999_999_999_999

const TWO_32 = 0x1_0000_0000
const DAY_MS = 86_400_000
const SEQUENCE_HIGH_DIGITS = 8
const TIME_HIGH_DIGITS = 9
const LOW_DIGITS = 4
const LOW_VALUES = 10_000

/** The two digits of 0 to 99. */
const PAIRS = Uint8Array.from({ length: 200 }, (_, index) => 48 + (index % 2 === 0 ? Math.floor(index / 20) : (index >> 1) % 10))

/** `sequenceHigh` and `timeHigh` are the leading digits that `bytes` holds at present. */
interface Template {
  readonly bytes: Uint8Array
  sequenceHigh: number
  timeHigh: number
  readonly sequenceAt: number
  readonly userAt: number
  readonly productAt: number
  readonly timeAt: number
  readonly sessionAt: number
}

export class EventGenerator {
  /** The event drawn last: product index from 0, event time, lengths of key and value (-1 for none). */
  product = 0
  click = false
  valid = true
  time = 0
  readonly keyBytes: number
  valueBytes = 0
  /** Totals of what was drawn. */
  readonly drawn = { events: 0, impressions: 0, clicks: 0, invalid: 0 }

  readonly #options: GenerateOptions
  readonly #random: Random
  readonly #popularity: Popularity
  readonly #productDigits: number
  readonly #userDigits: number
  readonly #impression: Template
  readonly #clickTemplate: Template
  readonly #clickBelow: number
  readonly #lateBelow: number
  readonly #invalidBelow: number
  #user = 0
  #sequenceHigh = 0
  #sequenceLow = 0
  #invalid: Buffer | null = null

  constructor(options: GenerateOptions) {
    this.#options = options
    this.#random = new Random(options.seed)
    this.#popularity = new Popularity(options.products, options.skew)
    this.#productDigits = Math.max(4, String(options.products).length)
    this.#userDigits = Math.max(6, String(options.users).length)
    this.keyBytes = 2 + this.#productDigits
    this.#impression = this.#template('impression')
    this.#clickTemplate = this.#template('click')
    this.#clickBelow = options.clickShare * TWO_32
    this.#lateBelow = options.lateShare * TWO_32
    this.#invalidBelow = (options.lateShare + options.invalidShare) * TWO_32
  }

  /** The id of a product by its index. */
  productId(index: number): string {
    return `p-${String(index + 1).padStart(this.#productDigits, '0')}`
  }

  /** Draws the next event, made at `now` (ms). */
  next(now: number): void {
    const random = this.#random
    const options = this.#options
    this.product = this.#popularity.draw(random)
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
    if (++this.#sequenceLow === LOW_VALUES) {
      this.#sequenceLow = 0
      this.#sequenceHigh++
    }
    const drawn = this.drawn
    drawn.events++
    if (!this.valid) {
      drawn.invalid++
      this.#invalid = this.#makeInvalid()
      this.valueBytes = this.#invalid === null ? -1 : this.#invalid.length
    } else if (this.click) {
      drawn.clicks++
      this.valueBytes = this.#clickTemplate.bytes.length
    } else {
      drawn.impressions++
      this.valueBytes = this.#impression.bytes.length
    }
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
    this.#write(this.click ? this.#clickTemplate : this.#impression, out, at)
  }

  #write(template: Template, out: Uint8Array, at: number): void {
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
    writeDigits(out, at + template.timeAt + TIME_HIGH_DIGITS, LOW_DIGITS, this.time - timeHigh * LOW_VALUES)
    writeDigits(out, at + template.sessionAt, this.#userDigits, this.#user)
  }

  #retime(template: Template, timeHigh: number): void {
    const time = this.time
    assert(time >= GENERATED_TIME_MIN_MS && time <= GENERATED_TIME_MAX_MS, 'generated times have 13 digits', { time })
    template.timeHigh = timeHigh
    writeDigits(template.bytes, template.timeAt, TIME_HIGH_DIGITS, timeHigh)
  }

  #template(type: string): Template {
    let text = ''
    const put = (before: string, digits: number): number => {
      text += before
      const at = text.length
      text += '0'.repeat(digits)
      return at
    }
    const seed = (this.#options.seed >>> 0).toString(16).padStart(8, '0')
    const sequenceAt = put(`{"event_id":"${seed}-`, SEQUENCE_HIGH_DIGITS + LOW_DIGITS)
    const userAt = put('","user_id":"u-', this.#userDigits)
    const productAt = put('","product_id":"p-', this.#productDigits)
    const timeAt = put(`","event_type":"${type}","timestamp":`, TIME_HIGH_DIGITS + LOW_DIGITS)
    const sessionAt = put(',"session_id":"s-', this.#userDigits)
    text += '"}'
    return { bytes: Buffer.from(text), sequenceHigh: 0, timeHigh: 0, sequenceAt, userAt, productAt, timeAt, sessionAt }
  }

  #makeInvalid(): Buffer | null {
    const kind = INVALID_KINDS[this.#random.below(INVALID_KINDS.length)] ?? 'tombstone'
    if (kind === 'tombstone') return null
    const template = this.click ? this.#clickTemplate : this.#impression
    const bytes = Buffer.alloc(template.bytes.length)
    this.#write(template, bytes, 0)
    if (kind === 'not-utf8') {
      bytes[template.userAt] = 0xff
      return bytes
    }
    if (kind === 'truncated') return bytes.subarray(0, 1 + this.#random.below(bytes.length - 1))
    const text = bytes.toString('latin1')
    const time = String(this.time)
    switch (kind) {
      case 'array':
        return Buffer.from(`[${text}]`)
      case 'no-product':
        return Buffer.from(text.replace(/"product_id":"[^"]*",/, ''))
      case 'no-user':
        return Buffer.from(text.replace(/"user_id":"[^"]*"/, '"user_id":null'))
      case 'unknown-type':
        return Buffer.from(text.replace(/"event_type":"[^"]*"/, '"event_type":"purchase"'))
      case 'no-time':
        return Buffer.from(text.replace(`"timestamp":${time}`, '"timestamp":null'))
      case 'epoch-zero':
        return Buffer.from(text.replace(time, '0'))
      case 'far-future':
        return Buffer.from(text.replace(time, String(this.time + 30 * DAY_MS)))
    }
  }
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
