/**
 * Makes up values for the test that both parsers mean the same: events written with every freedom and every fault that comes to mind,
 * then, every fourth one, damaged bytewise. About half are valid. Quick (over 300,000 a second): fragments are copied, nothing is parsed.
 *
 * The bytes behind an event are left as they were: those of a cut event go on after its end, which a parser must not be led by.
 */
import { Random } from '../src/load/random.ts'
import {
  ESCAPED_KEYS,
  FIELD_KEYS,
  JUNK_KEYS,
  LITERALS,
  NUMBERS,
  PRODUCTS,
  SPACES,
  STRINGS,
  TAILS,
  TIMES,
  TYPES,
  USERS,
} from './fragments.ts'

/** No made-up event is longer. */
export const MUTATED_MAX_BYTES = 64 * 1024

/** Beyond this, nothing that nests is begun. */
const NEST_MAX_BYTES = MUTATED_MAX_BYTES / 2

const PRODUCT = 0
const USER = 1
const TYPE = 2
const TIME = 3
const SESSION = 5
const DIGITS = Uint8Array.from('0123456789', (digit) => digit.charCodeAt(0))

export class EventMutator {
  readonly #random: Random
  #out: Uint8Array = new Uint8Array(0)
  #at = 0
  #nestEnd = 0
  /** One in so many choices is an odd one in the event being written; 0 is a plain event. */
  #oddity = 0

  constructor(seed: number) {
    this.#random = new Random(seed)
  }

  /** Writes the next event to out[start …), which needs room for MUTATED_MAX_BYTES; returns its end. */
  next(out: Uint8Array, start: number): number {
    this.#out = out
    this.#at = start
    this.#nestEnd = start + NEST_MAX_BYTES
    const random = this.#random
    this.#oddity = random.chance(0.1) ? 0 : random.chance(0.7) ? 0.02 : 0.1
    if (this.#odd(0.05)) this.#put(pick(random, SPACES))
    if (this.#odd(0.2)) this.#wrong()
    else this.#object()
    if (this.#odd(0.1)) this.#put(pick(random, TAILS))
    return random.chance(0.25) ? this.#damage(start, this.#at) : this.#at
  }

  #odd(factor = 1): boolean {
    return this.#oddity !== 0 && this.#random.chance(this.#oddity * factor)
  }

  #put(bytes: Uint8Array): void {
    this.#out.set(bytes, this.#at)
    this.#at += bytes.length
  }

  #byte(byte: number): void {
    this.#out[this.#at++] = byte
  }

  #space(): void {
    while (this.#odd(0.7)) this.#put(pick(this.#random, SPACES))
  }

  /** Something else than an object. */
  #wrong(): void {
    const array = this.#random.chance(0.5)
    if (array) this.#byte(0x5b)
    if (this.#random.chance(0.5)) this.#object()
    else this.#junk(0)
    if (array) this.#byte(0x5d)
  }

  #object(): void {
    const random = this.#random
    if (!this.#odd(0.05)) this.#byte(0x7b)
    const shift = random.below(6)
    const fields = this.#odd(0.5) ? random.below(9) : 6
    // 5 is coprime with 6: all fields once, in either direction, from anywhere.
    const step = random.chance(0.5) ? 1 : 5
    for (let index = 0; index < fields; index++) {
      if (index > 0 && !this.#odd(0.05)) this.#byte(0x2c)
      if (this.#odd(0.03)) this.#byte(0x2c)
      if (this.#odd(0.5)) {
        this.#pair(-1)
        this.#byte(0x2c)
      }
      this.#pair(this.#odd(0.2) ? random.below(6) : (shift + index * step) % 6)
    }
    if (this.#odd(0.05)) this.#byte(0x2c)
    this.#space()
    if (!this.#odd(0.05)) this.#byte(0x7d)
    this.#space()
  }

  /** A key and its value; -1 is a key that means nothing to the engine. */
  #pair(field: number): void {
    const random = this.#random
    this.#space()
    if (field < 0) this.#put(pick(random, JUNK_KEYS))
    else if (this.#odd(0.2)) this.#put(pick(random, ESCAPED_KEYS[field]!))
    else this.#put(pick(random, FIELD_KEYS[field]!))
    this.#space()
    if (!this.#odd(0.03)) this.#byte(0x3a)
    this.#space()
    if (field < 0) this.#junk(0)
    else this.#value(field)
    this.#space()
  }

  #value(field: number): void {
    const random = this.#random
    if (this.#odd(0.3)) {
      this.#junk(0)
      return
    }
    if (field === PRODUCT) {
      if (this.#odd(2)) this.#put(pick(random, PRODUCTS))
      else this.#word(0x70, 4)
    } else if (field === USER) {
      if (this.#odd()) this.#put(pick(random, USERS))
      else this.#word(0x75, 6)
    } else if (field === TYPE) {
      // The first six are the valid ones.
      this.#put(this.#odd(0.5) ? pick(random, TYPES) : TYPES[random.below(6)]!)
    } else if (field === TIME) this.#time()
    else if (this.#odd()) this.#junk(0)
    else this.#word(field === SESSION ? 0x73 : 0x65, 8)
  }

  #word(letter: number, digits: number): void {
    this.#byte(0x22)
    this.#byte(letter)
    this.#byte(0x2d)
    this.#digits(digits)
    this.#byte(0x22)
  }

  #digits(count: number): void {
    for (let index = 0; index < count; index++) this.#byte(DIGITS[this.#random.below(10)]!)
  }

  #time(): void {
    const random = this.#random
    if (this.#odd(2)) {
      this.#put(pick(random, TIMES))
      return
    }
    const form = this.#oddity === 0 ? 0 : random.below(8)
    if (form === 6) {
      this.#date(0x20, false)
      return
    }
    if (form === 7) {
      this.#date(0x54, true)
      return
    }
    if (form === 5) this.#byte(0x22)
    this.#byte(0x31)
    this.#byte(0x36)
    this.#digits(11)
    if (form === 4 && this.#odd(3)) {
      this.#byte(random.chance(0.5) ? 0x2e : 0x65)
      this.#digits(1 + random.below(3))
    }
    if (form === 5) this.#byte(0x22)
  }

  /** A date string of either form: mostly right, its numbers at and over their bounds now and then. */
  #date(separator: number, zone: boolean): void {
    const random = this.#random
    this.#byte(0x22)
    this.#number(this.#odd(2) ? random.below(10_000) : 1970 + random.below(100), 4)
    this.#byte(this.#odd(0.2) ? random.below(128) : 0x2d)
    this.#number(this.#odd() ? random.below(20) : 1 + random.below(12), 2)
    this.#byte(0x2d)
    this.#number(random.chance(0.8) ? 1 + random.below(28) : random.below(34), 2)
    this.#byte(this.#odd(0.2) ? random.below(128) : separator)
    this.#number(this.#odd() ? random.below(30) : random.below(24), 2)
    this.#byte(0x3a)
    this.#number(this.#odd() ? random.below(70) : random.below(60), 2)
    this.#byte(0x3a)
    this.#number(this.#odd() ? random.below(70) : random.below(60), 2)
    if (zone ? random.chance(0.5) : this.#odd(0.3)) {
      this.#byte(0x2e)
      this.#digits(this.#odd() ? random.below(12) : 1 + random.below(9))
    }
    if (zone ? !this.#odd(0.3) : this.#odd(0.3)) this.#zone()
    this.#byte(0x22)
  }

  #zone(): void {
    const random = this.#random
    if (random.chance(0.5)) {
      this.#byte(this.#odd() ? 0x7a : 0x5a)
      return
    }
    this.#byte(random.chance(0.5) ? 0x2b : 0x2d)
    this.#number(this.#odd() ? random.below(30) : random.below(24), 2)
    if (!this.#odd()) this.#byte(0x3a)
    this.#number(this.#odd() ? random.below(70) : random.below(60), 2)
  }

  #number(value: number, digits: number): void {
    let divisor = 10 ** (digits - 1)
    for (let index = 0; index < digits; index++) {
      this.#byte(DIGITS[Math.floor(value / divisor) % 10]!)
      divisor /= 10
    }
  }

  /** Any JSON value, or nearly one. */
  #junk(depth: number): void {
    const random = this.#random
    const kind = random.below(depth < 6 && this.#at < this.#nestEnd ? 8 : 5)
    if (kind === 0 || kind === 1) this.#put(pick(random, STRINGS))
    else if (kind === 2 || kind === 3) this.#put(pick(random, NUMBERS))
    else if (kind === 4) this.#put(pick(random, LITERALS))
    else if (kind === 5 && this.#odd(0.2)) this.#tower()
    else this.#container(kind === 6, depth)
  }

  #container(array: boolean, depth: number): void {
    const random = this.#random
    this.#byte(array ? 0x5b : 0x7b)
    const count = random.below(4)
    for (let index = 0; index < count; index++) {
      if (index > 0 && !this.#odd(0.1)) this.#byte(0x2c)
      this.#space()
      if (!array) {
        this.#put(random.chance(0.3) ? pick(random, FIELD_KEYS[random.below(6)]!) : pick(random, STRINGS))
        this.#space()
        if (!this.#odd(0.1)) this.#byte(0x3a)
        this.#space()
      }
      this.#junk(depth + 1)
      this.#space()
    }
    if (this.#odd(0.1)) this.#byte(0x2c)
    if (this.#odd(0.1)) return
    this.#byte(array !== this.#odd(0.1) ? 0x5d : 0x7d)
  }

  /** Nesting, around the depths where a parser may give up. */
  #tower(): void {
    const random = this.#random
    const depth = random.chance(0.9) ? 10 + random.below(14) : random.below(1200)
    const arrays = random.chance(0.5)
    for (let level = 0; level < depth; level++) {
      if (arrays) this.#byte(0x5b)
      else this.#put(TOWER_FLOOR)
    }
    if (!arrays) this.#byte(0x31)
    const closed = this.#odd() ? depth - 1 + random.below(3) : depth
    for (let level = 0; level < closed; level++) this.#byte(arrays ? 0x5d : 0x7d)
  }

  /** One to three injuries: a bit or byte changed, put in, taken out, a stretch repeated, the end cut off. */
  #damage(start: number, end: number): number {
    const random = this.#random
    const out = this.#out
    let last = end
    for (let injuries = 1 + random.below(3); injuries > 0 && last > start + 1; injuries--) {
      const at = start + random.below(last - start)
      switch (random.below(8)) {
        case 0:
          out[at] = out[at]! ^ (1 << random.below(8))
          break
        case 1:
          out[at] = random.below(256)
          break
        case 2:
          out[at] = STRUCTURE[random.below(STRUCTURE.length)]!
          break
        case 3:
          out.copyWithin(at + 1, at, last++)
          out[at] = STRUCTURE[random.below(STRUCTURE.length)]!
          break
        case 4:
          out.copyWithin(at + 1, at, last++)
          out[at] = random.below(256)
          break
        case 5:
          out.copyWithin(at, at + 1, last--)
          break
        case 6: {
          const length = Math.min(1 + random.below(40), last - at)
          out.copyWithin(at + length, at, last)
          last += length
          break
        }
        default:
          // Nearer the end more often: what is cut off lies right behind the event.
          last = random.chance(0.5) ? Math.max(start, last - 1 - random.below(4)) : at
      }
    }
    return last
  }
}

const TOWER_FLOOR = Buffer.from('{"a":')
const STRUCTURE = Buffer.from('{}[],:"\\ \t\n\r\0\x1f/-+.eE09tfnu\x7f\x80\xff\xc0\xe2\xed\xf4', 'latin1')

function pick(random: Random, from: readonly Uint8Array[]): Uint8Array {
  return from[random.below(from.length)]!
}
