/** What a format whose records are written by schemas makes of one of them. */
import type { EventRules } from './event-rules.ts'
import type { ReaderSource } from './reader-code.ts'
import type { WriterSchema } from './schemas.ts'
import type { EventSlot } from './slot.ts'

export interface SchemaFormat {
  readonly type: WriterSchema['type']
  /** Bytes behind what names a schema, which say which of its types a value is of; -1 when they are not right. */
  preambleBytes(bytes: Uint8Array, start: number, end: number, kind: number): number
  /** The shortest preamble that says the same. */
  shortest(preamble: Uint8Array): Uint8Array
  /** Throws a SchemaFault for one that can't be used. */
  read(schema: WriterSchema, rules: EventRules): SchemaTypes
}

/** A schema that has been read, which is what takes long. */
export interface SchemaTypes {
  /** Throws a SchemaFault for a type that can't be used. `preamble` is as above; `message` names a type, and is '' for the first. */
  open(preamble: Uint8Array, message: string): OpenSchema
}

/** Both parsers of the values of one type of a schema. */
export interface OpenSchema {
  readonly exact: ExactValues
  /** Undefined when there is none. */
  readonly source: ReaderSource | undefined
  /** A value as JSON, for people; undefined when it can't be read. */
  readonly text: (bytes: Uint8Array) => string | undefined
}

export interface ExactValues {
  /** More words to the reason that was returned last. */
  readonly detail: string | undefined
  /** VALID with the event in the slot and its product in slot.product, IGNORED, or why bytes[start, end) is none. */
  parse(bytes: Uint8Array, start: number, end: number, slot: EventSlot): number
}
