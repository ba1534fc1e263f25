/**
 * What a ctr database is made of, as data: tables, the feeds that fill one table from the inserts into another, and views to read. The
 * objects say what is wanted whatever the ClickHouse; render.ts writes the DDL for the form of one.
 */
import type { Config } from '../config/schema.ts'
import type { TablePlacement } from './placement.ts'

/** For how long rows are kept, by kind of row: ms, or undefined for ever. */
export type Retention = Config['clickhouse']['retention']

/** Of the intervals of CTRs: their level, and of how many impressions on a CTR is told to say enough. */
export type Intervals = Config['clickhouse']['intervals']

/** On what kind of ClickHouse the objects stand. */
export interface Form {
  readonly database: string
  /** An embedded engine has another default for a database's engine than servers have. */
  readonly embedded: boolean
  /** Of the servers that have the tables together; undefined for one server, and for ClickHouse Cloud, which is one to whoever asks. */
  readonly cluster: string | undefined
  readonly retention: Retention
  readonly intervals: Intervals
  /** Whether every emission is kept (emissions.ts). */
  readonly history: boolean
}

/** How a query names the tables. */
export interface Names {
  /** A table or view with all its rows, wherever they lie: for whoever reads. */
  all(name: string): string
  /** The part of a table that lies on the server that runs the query: for feeds, which write the same part of another. */
  here(name: string): string
  /** For how long rows are kept, for queries whose answer must not depend on whether rows that may go are gone. */
  readonly retention: Retention
  readonly intervals: Intervals
}

/** A column: its name, its type, and what else its declaration says, such as `DEFAULT now64(3)`. */
export type TableColumn = readonly [name: string, type: string, more?: string]

/** A table that holds rows; of rows with one key the one with the largest `newest` column is the row. */
export interface StoredTable {
  readonly kind: 'table'
  readonly name: string
  readonly columns: readonly TableColumn[]
  /** Each as the DDL has it: `inserted_at_range inserted_at TYPE minmax GRANULARITY 1`. */
  readonly indexes?: readonly string[]
  readonly newest: string
  readonly partitionBy?: string
  /** The key. */
  readonly orderBy: readonly string[]
  /** The columns that the index holds, when that is not the whole key: a column that was added to the key later is not in it. */
  readonly primaryKey?: readonly string[]
  /** When a row may go, as an expression of DateTime; undefined: never. */
  readonly expires?: (retention: Retention) => string | undefined
  readonly settings?: Readonly<Record<string, number | string>>
  /** In a cluster: rows of a product on one shard (`product`), or every row on every server (`copy`). */
  readonly spread: 'product' | 'copy'
}

/** A query under a name. */
export interface View {
  readonly kind: 'view'
  readonly name: string
  /**
   * In a cluster: each shard runs it over its own rows, since whatever it takes together is of one product (`product`), or one server runs
   * it over the rows of all (`all`).
   */
  readonly spread: 'product' | 'all'
  readonly query: (names: Names) => string
}

/** Runs its query over every insert into the table that the query reads, and appends the answer to the table `to`. */
export interface Feed {
  readonly kind: 'feed'
  readonly name: string
  readonly to: string
  readonly query: (names: Names) => string
}

/** In a cluster: a table or view with the rows of all servers, each of which has its own in `of`. */
export interface Distributed {
  readonly kind: 'distributed'
  readonly name: string
  readonly of: StoredTable | View
}

/** One of them. */
export type SchemaObject = StoredTable | View | Feed | Distributed

/** A view or feed that is not wanted, such as one that an older version has made. It is dropped wherever it is found. */
export interface Retired {
  readonly kind: 'retired'
  readonly name: string
  /** For people. */
  readonly because: string
  /** What is to be done before, in the database; nothing for most. */
  readonly before?: (database: string) => string
  /** What is lost by it, to be told aloud. */
  readonly loss?: string
}

/** What the configuration says of the form; whoever changes tables must know of the history. */
export function formOf({ url, database, cluster, retention, intervals }: Config['clickhouse'], history = false): Form {
  return { database, embedded: url === undefined, cluster, retention, intervals, history }
}

/** What the configuration says of where the tables stand. */
export function placementOf({ cluster, singleServer, applySchema }: Config['clickhouse']): TablePlacement {
  return { cluster, singleServer, makesTables: applySchema }
}
