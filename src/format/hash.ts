/** The hash of a product's bytes. */
import { randomBytes } from 'node:crypto'

/** Another one in every process, so that nobody can make product ids that all fall into one slot. */
export const HASH_SEED = randomBytes(4).readInt32LE()

/** One step of the product hash: four bytes, little-endian, missing ones zero. */
export function mixHash(hash: number, word: number): number {
  const mixed = Math.imul(hash ^ word, 0x9e3779b1)
  return Math.imul(mixed ^ (mixed >>> 15), 0x85ebca6b)
}

/** Hash of a product's bytes, a word at a time; `json-shape-code.ts` computes the same while it reads them. */
export function hashProduct(bytes: Uint8Array, start: number, end: number): number {
  let hash = HASH_SEED
  let at = start
  for (; at + 4 <= end; at += 4) hash = mixHash(hash, bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24))
  if (at < end) {
    let word = 0
    for (let shift = 0; at < end; at++, shift += 8) word |= bytes[at]! << shift
    hash = mixHash(hash, word)
  }
  return hash
}
