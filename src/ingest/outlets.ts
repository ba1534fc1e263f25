/** Where what is not counted leaves ingest. */
import type { Partition } from '../window/partition.ts'
import type { Cursor } from './cursor.ts'
import type { LateEvents } from './late.ts'

/** An input that can't be counted; bytes are valid during the call only. `records` is how many records it stands for. */
export interface Rejected {
  readonly cursor: Cursor
  readonly reason: number
  readonly offset: number
  readonly bytes: Uint8Array
  readonly start: number
  readonly end: number
  readonly time: number | undefined
  readonly records: number
  readonly detail: string | undefined
  /** Of an element of the record: which one. */
  readonly element?: number | undefined
  /** Where the Kafka record begins in `bytes`; absent when it stands for a batch. */
  readonly recordAt?: number
}

/** Takes rejected input; while `full`, nothing may be handed over. */
export interface Letters {
  readonly full: boolean
  /** Whether no letter is kept of one more of such a reason, which is counted as that; then `reject` need not be called. */
  leavesOut?(partition: Partition, reason: number): boolean
  reject(rejected: Rejected): void
}

/** Where records go that are not counted. Without `late`, late events are counted as that and no more. */
export interface Outlets {
  readonly letters: Letters
  readonly late?: LateEvents | undefined
}
