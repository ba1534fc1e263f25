/**
 * Product ids of one task in one worker: id → UTF-8 bytes, as main announced them. An id in use is announced once; two products under
 * one id, or one id announced twice, would be two aggregates for one product and window: a bug that ends the process.
 */
import { assert } from '../assert.ts'
import type { CopyMemory } from '../checkpoint/copy-memory.ts'
import { KeyArena } from './key-arena.ts'

const FREE = -1
const FIRST_IDS = 64

export class Products {
  /** Ids in use. */
  size = 0
  /** Every id in use is below this. */
  limit = 0
  #places: Int32Array<ArrayBuffer> = new Int32Array(FIRST_IDS).fill(FREE)
  #arena = new KeyArena()

  get bytes(): Uint8Array {
    return this.#arena.bytes
  }

  add(id: number, source: Uint8Array, start: number, end: number): void {
    if (id >= this.#places.length) this.#grow(id + 1)
    assert(this.#places[id] === FREE, 'an id names one product', { id })
    this.#places[id] = this.#arena.add(source, start, end)
    this.size++
    if (id >= this.limit) this.limit = id + 1
  }

  remove(id: number): void {
    const place = this.#places[id] ?? FREE
    assert(place !== FREE, 'a forgotten id was in use', { id })
    this.#arena.free(place)
    this.#places[id] = FREE
    this.size--
    while (this.limit > 0 && this.#places[this.limit - 1] === FREE) this.limit--
    if (this.#places.length > FIRST_IDS && this.limit * 4 < this.#places.length) this.#resize(this.#places.length / 2)
    if (this.#arena.sparse) this.#compact()
  }

  has(id: number): boolean {
    return (this.#places[id] ?? FREE) !== FREE
  }

  startOf(id: number): number {
    const place = this.#places[id]!
    assert(place >= 0, 'a counted id names a product', { id })
    return this.#arena.startOf(place)
  }

  lengthOf(id: number): number {
    return this.#arena.lengthOf(this.#places[id]!)
  }

  /** Copies of the two arrays, as a checkpoint wants them (checkpoint/snapshot.ts). */
  copy(memory: CopyMemory): { places: Int32Array<ArrayBuffer>; arena: Uint8Array<ArrayBuffer> } {
    return { places: memory.copy(this.#places, this.limit), arena: memory.copy(this.#arena.bytes, this.#arena.usedBytes) }
  }

  #grow(ids: number): void {
    let capacity = this.#places.length
    while (capacity < ids) capacity *= 2
    this.#resize(capacity)
  }

  #resize(capacity: number): void {
    const places = new Int32Array(capacity).fill(FREE)
    places.set(this.#places.subarray(0, this.limit))
    this.#places = places
  }

  #compact(): void {
    const arena = new KeyArena(this.#arena.liveBytes)
    for (let id = 0; id < this.limit; id++) {
      const place = this.#places[id]!
      if (place === FREE) continue
      const start = this.#arena.startOf(place)
      this.#places[id] = arena.add(this.#arena.bytes, start, start + this.#arena.lengthOf(place))
    }
    this.#arena = arena
  }
}
