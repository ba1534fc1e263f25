/** Products found in the dictionary: few and many, all alike popular and not. */

import { hashProduct } from '../../src/format/hash.ts'
import { PARSED_MAX, ParsedEvents } from '../../src/format/parsed-events.ts'
import { EventSlot, SLOT_PRODUCT_END, SLOT_PRODUCT_HASH, SLOT_PRODUCT_START } from '../../src/format/slot.ts'
import { Popularity } from '../../src/load/popularity.ts'
import { Random } from '../../src/load/random.ts'
import { Dictionary } from '../../src/products/dictionary.ts'
import type { Stage, StageMaker } from '../stage.ts'

const QUICK_SIZE = 1_000
const LOOKUPS = 65_536
const QUICK_LOOKUPS = 4_096
/** A table that is larger takes too long to fill for a bench. */
const INSERTS_MAX = 100_000
const KEY_BYTES = 9

/** Of a dictionary with so many products. */
export function dictionaryStages(size: number): StageMaker {
  return (quick) => (quick ? stagesOf(QUICK_SIZE, QUICK_LOOKUPS) : stagesOf(size, LOOKUPS))
}

function stagesOf(size: number, lookups: number): Stage[] {
  const keys = Buffer.alloc(size * KEY_BYTES)
  const hashes = new Int32Array(size)
  for (let i = 0; i < size; i++) {
    keys.write(`p-${String(i).padStart(7, '0')}`, i * KEY_BYTES, 'latin1')
    hashes[i] = hashProduct(keys, i * KEY_BYTES, (i + 1) * KEY_BYTES)
  }
  const dictionary = fill(keys, hashes)
  const stages: Stage[] = [['uniform', 0] as const, ['Zipf', 1] as const].map(([name, skew]) => {
    const popularity = new Popularity(size, skew)
    const random = new Random(1)
    // Ids are given in the order of insertion, and with one worker an entry's code is its id twice.
    const drawn = Int32Array.from({ length: lookups }, () => popularity.draw(random))
    const expected = drawn.reduce((sum, product) => sum + product * 2, 0)
    return {
      name: `dictionary: ${size.toLocaleString('en')} products, ${name}`,
      unit: 'lookup',
      units: lookups,
      expected,
      run: findAll(dictionary, keys, hashes, drawn),
    }
  })
  if (size > INSERTS_MAX) return stages
  const inserts: Stage = {
    name: `dictionary: ${size.toLocaleString('en')} inserts`,
    unit: 'lookup',
    units: size,
    expected: size,
    run: () => fill(keys, hashes).size,
  }
  return [...stages, inserts]
}

function fill(keys: Uint8Array, hashes: Int32Array): Dictionary {
  const dictionary = new Dictionary(1)
  for (let i = 0; i < hashes.length; i++) dictionary.insert(hashes[i]!, keys, i * KEY_BYTES, (i + 1) * KEY_BYTES)
  return dictionary
}

/** As ingest does it, a few hundred parsed events at a time; parsing them, and hashing, is not timed. */
function findAll(dictionary: Dictionary, keys: Uint8Array, hashes: Int32Array, drawn: Int32Array): () => number {
  const view = new DataView(keys.buffer, keys.byteOffset, keys.byteLength)
  const slot = new EventSlot()
  const all: ParsedEvents[] = []
  for (let i = 0; i < drawn.length; i++) {
    if (i % PARSED_MAX === 0) all.push(new ParsedEvents())
    const product = drawn[i]!
    slot.ints[SLOT_PRODUCT_START] = product * KEY_BYTES
    slot.ints[SLOT_PRODUCT_END] = (product + 1) * KEY_BYTES
    slot.ints[SLOT_PRODUCT_HASH] = hashes[product]!
    all.at(-1)!.add(slot, keys, 0, false, 0)
  }
  return () => {
    let sum = 0
    for (const parsed of all) {
      dictionary.findAll(parsed, keys, view)
      for (let i = 0; i < parsed.count; i++) sum += dictionary.codeOf(parsed.entries[i]!)
    }
    return sum
  }
}
