/**
 * How ids of products are shown, as `ui.products` says. A hash keeps them from being read off a screen, and not from being guessed. The ids
 * behind the hashes that were shown are remembered, so that one can be asked for.
 */
import { createHash } from 'node:crypto'

const HASH_DIGITS = 16
const REMEMBERED_MAX = 10_000

export class ProductNames {
  readonly mode: 'show' | 'hash' | 'hide'
  readonly #tenant: string
  readonly #ids = new Map<string, string>()

  constructor(mode: 'show' | 'hash' | 'hide', tenant: string) {
    this.mode = mode
    this.#tenant = tenant
  }

  shown(id: string): string {
    if (this.mode === 'show') return id
    if (this.mode === 'hide') return ''
    const hash = createHash('sha256').update(`${this.#tenant}\0${id}`).digest('hex').slice(0, HASH_DIGITS)
    this.#ids.delete(hash)
    this.#ids.set(hash, id)
    if (this.#ids.size > REMEMBERED_MAX) for (const oldest of this.#ids.keys()) return this.#forget(oldest, hash)
    return hash
  }

  /** The id that was shown so; undefined when that is not known. */
  meant(shown: string): string | undefined {
    if (this.mode === 'show') return shown
    return this.mode === 'hide' ? undefined : this.#ids.get(shown)
  }

  #forget(oldest: string, hash: string): string {
    this.#ids.delete(oldest)
    return hash
  }
}
