/** What migrations are made of: steps, each of which finds in the database what is left of it, and the parts it is done by. */
import type { ClickHouseClient } from '@clickhouse/client'
import type { ActualObject } from './actual.ts'
import type { SchemaBook } from './book.ts'
import type { Form } from './objects.ts'

/** What a step finds. */
export interface State {
  readonly client: ClickHouseClient
  readonly form: Form
  readonly actual: ReadonlyMap<string, ActualObject>
  readonly book: SchemaBook
}

/** Of a step something that is done in one go. */
export interface Part {
  /** For people: `ctr_recent: 20261130`. */
  readonly name: string
  /** Each may run again, also beside one of a killed process that still runs. */
  readonly statements: readonly string[]
  /** What is moved; absent when it is nothing, or not known. */
  readonly rows?: number
  readonly bytes?: number
  /** Kept in the book when the part is done. */
  readonly note?: { readonly name: string; readonly detail: string }
  /** Inserts into this table that are under way must have ended before. */
  readonly afterInsertsInto?: string
  /** The table of which it mends what looks like a conflict. */
  readonly mends?: string
  /** What is lost by it, in words. */
  readonly loss?: string | undefined
}

/** A piece of a migration, or of what every version needs. */
export interface Step {
  /** Never changed once it was released: the book has what is done under it. */
  readonly name: string
  /** For people. */
  readonly what: string
  /** What is left to do, in order. Rejects as the client does. */
  readonly parts: (state: State) => Promise<readonly Part[]>
  /** What one part has done decides what comes next: parts are asked for until there are none. */
  readonly again?: true
}
