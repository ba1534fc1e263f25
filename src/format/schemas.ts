/**
 * Where the schemas come from that records were written with. A format asks for them by what a record's frame names; who answers keeps,
 * fetches or reads them.
 */

import type { CtrErrorCode } from '../errors.ts'

/**
 * What a frame names a schema by: `id:17` (Confluent), `guid:b2e3…` (Confluent's header), `glue:UUID`, `apicurio:17` (an id of 8 bytes),
 * or `file:PATH` of the configuration. UUIDs are in lower case with dashes.
 */
export type SchemaKey = string

/** A schema as its registry has it. What is under a key never changes. */
export interface WriterSchema {
  readonly type: 'avro' | 'json-schema' | 'protobuf'
  readonly text: string
  /** What `text` refers to, however indirectly, each before those that refer to it; `name` as it is written where it is referred to. */
  readonly references: readonly { readonly name: string; readonly text: string }[]
}

export interface Schemas {
  /**
   * Answers at once: the schema; undefined when it is not here yet, and then it has been asked for and the record must wait; or `unknown`
   * when it will not come, and records that name it are invalid. Allocates nothing for a key that it has answered before.
   */
  find(key: SchemaKey): WriterSchema | 'unknown' | undefined
  /** Called once for a key and a topic's format: the schema can't be used, and why in words. */
  unfit(key: SchemaKey, why: string): void
}

/** Why a schema does not come. */
export interface SchemaTrouble {
  /** CTR_SCHEMA_UNKNOWN, CTR_SCHEMA_CHANGED, or that of a registry that does not give it. */
  readonly code: CtrErrorCode
  /** What is seen, and what to do, in words for an operator. */
  readonly message: string
}
