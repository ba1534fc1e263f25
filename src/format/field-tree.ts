/** The keys on the way to an event's fields, as a tree: what a reader of an object needs to know at each of its keys. */
import { type EventRules, FIELD_COUNT } from './event-rules.ts'

/** A key of an object on the way. */
export interface TreeKey {
  /** Numbers the keys of the tree. */
  readonly id: number
  readonly text: string
  /** UTF-8. */
  readonly bytes: Uint8Array
  /** The field that lies here, or -1, and the how-manieth of its places this is. */
  readonly field: number
  readonly rank: number
  /** A null here says that the record is empty. */
  readonly isEmpty: boolean
  /** What to look for in an object that lies here. */
  readonly inside: TreeNode | undefined
  /** All keys inside, however deep. */
  readonly below: readonly TreeKey[]
}

/** The keys of one object. */
export class TreeNode {
  readonly keys: readonly TreeKey[]
  readonly #byLength: TreeKey[][] = []

  constructor(keys: readonly TreeKey[]) {
    this.keys = keys
    for (const key of keys) this.#byLength[key.bytes.length] = [...(this.#byLength[key.bytes.length] ?? []), key]
  }

  /** The key that bytes[at, at + length) spells, if it is on the way. */
  find(bytes: Uint8Array, at: number, length: number): TreeKey | undefined {
    const keys = this.#byLength[length]
    if (keys === undefined) return undefined
    for (const key of keys) if (same(bytes, at, key.bytes)) return key
    return undefined
  }
}

function same(bytes: Uint8Array, at: number, word: Uint8Array): boolean {
  for (let i = 0; i < word.length; i++) if (bytes[at + i] !== word[i]) return false
  return true
}

interface Draft {
  field: number
  rank: number
  isEmpty: boolean
  readonly inside: Map<string, Draft>
}

/** No place of the field has been met. */
export const NO_RANK = 1 << 20

/** A tree of places. */
export interface FieldTree {
  readonly root: TreeNode
  /** How many keys it has. */
  readonly keys: number
  /** By field, which of its places is the whole value, not a key in it; NO_RANK for none. */
  readonly wholes: readonly number[]
}

/** The tree of places, by field. */
export function fieldTree(places: EventRules['places'], emptyAt: EventRules['emptyAt'] = []): FieldTree {
  const draft = newDraft()
  const wholes = Array.from({ length: FIELD_COUNT }, () => NO_RANK)
  places.forEach((paths, field) => {
    paths.forEach((path, rank) => {
      if (path?.length === 0) wholes[field] = Math.min(wholes[field]!, rank)
      if (path === undefined || path.length === 0) return
      const at = draftAt(draft, path)
      // The same place twice is the first of them.
      if (at.field === field) return
      at.field = field
      at.rank = rank
    })
  })
  for (const path of emptyAt) draftAt(draft, path).isEmpty = true
  let keys = 0
  const nodeOf = ({ inside }: Draft): TreeNode =>
    new TreeNode(
      [...inside].map(([text, { field, rank, isEmpty, ...own }]) => {
        const node = own.inside.size === 0 ? undefined : nodeOf({ field, rank, isEmpty, ...own })
        const below = node?.keys.flatMap((key) => [key, ...key.below]) ?? []
        return { id: keys++, text, bytes: new TextEncoder().encode(text), field, rank, isEmpty, inside: node, below }
      }),
    )
  const root = nodeOf(draft)
  return { root, keys, wholes }
}

function newDraft(): Draft {
  return { field: -1, rank: 0, isEmpty: false, inside: new Map() }
}

function draftAt(root: Draft, path: readonly string[]): Draft {
  return path.reduce((draft, step) => {
    const inside = draft.inside.get(step) ?? newDraft()
    draft.inside.set(step, inside)
    return inside
  }, root)
}
