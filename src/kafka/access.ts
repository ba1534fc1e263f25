/**
 * Denied access to topics or the group, and whether it is waited out. Without any access so far it is missing, and somebody has to grant
 * it: the run ends. Rights that were there may be gone for a while, as when somebody mends them or brokers have trouble of their own.
 */
import { isDenied } from './kafka-errors.ts'

/** What the sources of a process know together, one after the other: whether anything could ever be read. */
export interface Access {
  proven: boolean
}

export class DeniedAccess {
  /** Access was denied, and nothing could be read since. */
  lasting = false
  readonly #access: Access
  /** What was told since something could be read. */
  readonly #told = new Set<string>()

  constructor(access: Access) {
    this.#access = access
  }

  /** Whether this failure is one to wait out, though nothing but a grant can mend it. */
  passes(error: unknown): boolean {
    const denied = isDenied(error)
    if (denied) this.lasting = true
    return denied && this.#access.proven
  }

  /** Whether this was not told yet; it is from then on. */
  isNews(message: string): boolean {
    const news = !this.#told.has(message)
    this.#told.add(message)
    return news
  }

  /** Something could be read. True when that was not so before. */
  answered(): boolean {
    this.#access.proven = true
    const over = this.lasting
    this.lasting = false
    this.#told.clear()
    return over
  }
}
