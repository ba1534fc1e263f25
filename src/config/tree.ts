/** Trees of plain values, as YAML gives them, walked by paths. */

/** A plain object of the raw tree. */
export type Tree = { [key: string]: unknown }

/** Whether a value of the raw tree is a section. */
export function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The value at a path of a tree; undefined when there is none. */
export function valueAt(tree: unknown, path: readonly PropertyKey[]): unknown {
  let at = tree
  for (const part of path) {
    if (Array.isArray(at) && typeof part === 'number') at = at[part]
    else if (isTree(at) && typeof part === 'string' && Object.hasOwn(at, part)) at = at[part]
    else return undefined
  }
  return at
}
