/** Bytes in memory that others use again. */

/** The bytes [from, to) in memory of their own. Not by `slice`: that of a Buffer, which most bytes here are, gives a view and no copy. */
export function copyOf(bytes: Uint8Array, from: number, to: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(bytes.subarray(from, to))
}
