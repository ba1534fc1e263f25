import { LIMITS } from '../config/limits.ts'
import { clip } from '../text.ts'

/** Why a schema can't be used, in words. No failure of the engine: records that were written with it are invalid. */
export class SchemaFault extends Error {
  override readonly name = 'SchemaFault'
}

/** Why a schema can't be used, in words, which may quote its names; undefined for other errors. */
export function whyUnfit(error: unknown): string | undefined {
  if (error instanceof SchemaFault) return clip(error.message, LIMITS.detailMaxLength)
  // A text of another's making may overflow the stack, or a string.
  return error instanceof RangeError ? `it can't be read: ${error.message}` : undefined
}
