/**
 * What stands for what is masked:
 *
 *   ***text:2026-01:9f86d081884c7d65        of a key: its id, and the first 16 hexadecimal digits of the HMAC-SHA-256 of the value
 *   ***rest:2026-01:9f86d081884c7d65:57     of bytes that were not told apart: how many there were
 *   ***text                                 without a key
 *
 * The value of a text is its characters in UTF-8, of a number what is written: equal values have equal masks, wherever they were, and
 * `printf %s VALUE | openssl dgst -sha256 -hmac KEY` has them too. Whoever has no key can't try values.
 */
import { createHmac } from 'node:crypto'
import type { MaskKey } from '../config/mask-keys.ts'

/** What it was: a value of JSON, a key of an object that is in no list, bytes behind a fault, or all of a value. */
export type MaskedKind = 'text' | 'number' | 'boolean' | 'name' | 'rest' | 'bytes'

/** How every mask begins. */
export const MASKED = '***'
const DIGITS = 16

/** The mask of a value; of `rest` and `bytes` with its size. */
export function maskOf(kind: MaskedKind, value: string | Uint8Array, key: MaskKey | undefined): string {
  const size = kind === 'rest' || kind === 'bytes' ? `:${Buffer.byteLength(value)}` : ''
  return `${MASKED}${kind}${key === undefined ? '' : `:${key.id}:${hmacOf(value, key)}`}${size}`
}

/** What the masks of a value have behind their kind, by each of the keys. */
export function masksHolding(value: string, keys: readonly MaskKey[]): string[] {
  return keys.map((key) => `:${key.id}:${hmacOf(value, key)}`)
}

function hmacOf(value: string | Uint8Array, { secret }: MaskKey): string {
  return createHmac('sha256', secret).update(value).digest('hex').slice(0, DIGITS)
}
