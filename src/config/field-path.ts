/**
 * Where a value lies in an event: the keys from the outside in, apart by dots. A key that holds a dot, or anything unusual, is put into
 * double quotes, in which \" and \\ stand for themselves: payload.after.sku, data."product.id". Brackets behind a key lead into each
 * element of an array, once at most: items[].item_id, product_ids[].
 */

const STEP = /(?:"((?:[^"\\]|\\["\\])*)"|([^."\s[\]]+))(\[\])?(?:\.|$)/y

/** The keys of a path; of one into an array those of the array, and those within an element, of which there may be none. */
export interface FieldPath {
  readonly steps: readonly string[]
  readonly element: readonly string[] | undefined
}

/** The path that a text is, or undefined for a text that is none. */
export function pathOf(text: string): FieldPath | undefined {
  const steps: string[] = []
  let element: string[] | undefined
  STEP.lastIndex = 0
  while (STEP.lastIndex < text.length) {
    const match = STEP.exec(text)
    if (match === null) return undefined
    const [, quoted, plain = '', each] = match
    const key = quoted?.replaceAll(/\\(["\\])/g, '$1') ?? plain
    ;(element ?? steps).push(key)
    if (each === undefined) continue
    if (element !== undefined) return undefined
    element = []
  }
  return text === '' || text.endsWith('.') ? undefined : { steps, element }
}
