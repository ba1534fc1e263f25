/**
 * A few of the newest invalid inputs, for who looks at the running engine: where they are, and how they look. Names of fields stay, and of
 * everything else only which letters and digits there are, for the bytes may name a user. Which they are is decided by whoever logs them.
 */
import { isUtf8 } from 'node:buffer'
import type { MaskedValue } from '../privacy/json-mask.ts'

export interface LetterSample {
  /** Wall time, ms. */
  readonly at: number
  readonly reason: string
  readonly topic: string
  readonly partition: number
  readonly offset: number
  /** What is wrong, in words. */
  readonly message: string
  /** undefined for bytes that are no text. */
  readonly masked: string | undefined
  /** From the beginning of the value: where JSON ends to be JSON; undefined where it does not. */
  readonly byteAtFault: number | undefined
}

const SAMPLES_MAX = 50
const LOOKED_MAX_BYTES = 4096
const SHOWN_MAX = 200
const FIELD_NAME = /"[A-Za-z_][A-Za-z0-9_.$-]{0,40}"(?=\s*:)/g

export class LetterSamples {
  readonly #newest: LetterSample[] = []

  /** The newest last. */
  get newest(): readonly LetterSample[] {
    return this.#newest
  }

  add(sample: LetterSample): void {
    this.#newest.push(sample)
    if (this.#newest.length > SAMPLES_MAX) this.#newest.shift()
  }
}

/** How bytes look that `privacy` lets leave. */
export function maskedLook(masked: MaskedValue | undefined): Pick<LetterSample, 'masked' | 'byteAtFault'> {
  return { masked: masked?.text.slice(0, SHOWN_MAX), byteAtFault: masked?.faultAt }
}

/** How the bytes look, with nothing of what they say. */
export function lookOf(value: Uint8Array): Pick<LetterSample, 'masked' | 'byteAtFault'> {
  const bytes = value.subarray(0, LOOKED_MAX_BYTES)
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8')
  if (!isUtf8(value)) return { masked: undefined, byteAtFault: undefined }
  let masked = ''
  let from = 0
  for (const { 0: name, index } of text.matchAll(FIELD_NAME)) {
    masked += mask(text.slice(from, index)) + name
    from = index + name.length
  }
  masked += mask(text.slice(from))
  return { masked: masked.slice(0, SHOWN_MAX), byteAtFault: value.length > LOOKED_MAX_BYTES ? undefined : faultIn(text) }
}

function mask(text: string): string {
  return text
    .replaceAll(/\p{L}/gu, 'a')
    .replaceAll(/\p{N}/gu, '0')
    .replaceAll(/[^\x20-\x7e]/gu, '?')
}

function faultIn(text: string): number | undefined {
  const message = faultOf(text)
  if (message === undefined) return undefined
  const said = /at position (\d+)/.exec(message)?.[1]
  const at = said === undefined ? (isToken(message) ? tokenAt(text) : text.length) : Number(said)
  return Buffer.byteLength(text.slice(0, at))
}

/** Of this fault alone it is not said where it is: at the end of the shortest beginning of the text that has it. */
function tokenAt(text: string): number {
  let [without, having] = [0, text.length]
  while (having - without > 1) {
    const middle = (without + having) >> 1
    if (isToken(faultOf(text.slice(0, middle)) ?? '')) having = middle
    else without = middle
  }
  return having - 1
}

function isToken(message: string): boolean {
  return message.startsWith('Unexpected token')
}

function faultOf(text: string): string | undefined {
  try {
    JSON.parse(text)
    return undefined
  } catch (error) {
    return (error as Error).message
  }
}
