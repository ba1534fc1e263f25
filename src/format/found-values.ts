/** The values that an exact parser has met on the way to an event's fields, and which of them the fields have. */
import type { TypedValue } from './event-check.ts'
import { FIELDS } from './event-rules.ts'
import type { TreeKey, TreeNode } from './field-tree.ts'

export class FoundValues {
  /** By field, once `choose` has been called. */
  readonly values: (TypedValue | undefined)[] = FIELDS.map(() => undefined)
  /** A null stands where it says that the record is empty. */
  isEmpty = false
  readonly #keys: readonly TreeKey[]
  readonly #byKey: (TypedValue | undefined)[]
  readonly #nulls: boolean[]

  constructor(root: TreeNode) {
    this.#keys = root.keys.flatMap((key) => [key, ...key.below])
    this.#byKey = this.#keys.map(() => undefined)
    this.#nulls = this.#keys.map(() => false)
  }

  /** Forgets all. */
  begin(): void {
    this.isEmpty = false
    this.#byKey.fill(undefined)
    this.#nulls.fill(false)
  }

  /** The key comes now; of one that comes twice the last value counts. */
  meet(key: TreeKey): void {
    for (const { id } of [key, ...key.below]) {
      this.#byKey[id] = undefined
      this.#nulls[id] = false
    }
  }

  /** What stands there. */
  put({ id }: TreeKey, value: TypedValue): void {
    this.#byKey[id] = value
  }

  /** A null stands there. */
  putNull({ id }: TreeKey): void {
    this.#nulls[id] = true
  }

  /** Of each field's places the first that is there and not null. */
  choose(): void {
    this.values.fill(undefined)
    const ranks = FIELDS.map(() => Number.POSITIVE_INFINITY)
    for (const { id, field, rank, isEmpty } of this.#keys) {
      if (isEmpty && this.#nulls[id] === true) this.isEmpty = true
      const value = this.#byKey[id]
      if (field < 0 || value === undefined || rank >= ranks[field]!) continue
      ranks[field] = rank
      this.values[field] = value
    }
  }
}
