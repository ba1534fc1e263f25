/**
 * Outputs: where records leave the engine without being counted into a row, such as dead letters. Each goes to a Kafka topic or to a file,
 * in the one format of dead-letter.ts, and has one acknowledgement: `delivered`.
 *
 * Rule of the low-water mark: a mark moves past a record only when its output has acknowledged it. So at a barrier, once the sink is
 * through (it may put refused rows), `allDelivered` is awaited before anything is committed.
 */
import type { RecordEnvelope } from '../batch/record-envelope.ts'
import type { OutputName, TermName } from '../window/ledger.ts'

/** Where an output is, as the configuration has it; a topic that is created keeps its records for so long, or as the broker says. */
export type OutputTarget = { readonly topic: string; readonly retentionMs?: number } | { readonly file: string }

/** What an output is called: its records in messages, and its section of the configuration. */
export interface OutputLabel {
  readonly records: string
  readonly key: string
}

/** Those of `deadLetter`: invalid input and refused rows. */
export const DEAD_LETTERS: OutputLabel = { records: 'dead letters', key: 'deadLetter' }

/** Those of `late`: events that came too late. */
export const LATE_EVENTS: OutputLabel = { records: 'late events', key: 'late' }

/** What leaves, and where it came from. */
export interface OutputRecord {
  /** The term of the ledger that it is in; `row` for a row of many records. */
  readonly kind: TermName | 'row'
  /** Who lets it go: `ctr/<groupId>`. */
  readonly writer: string
  /** Empty, with partition = task and offset = -1, for a row. */
  readonly topic: string
  readonly partition: number
  readonly offset: number
  /** Of an element of the record's array: which one, from 0 on. */
  readonly element?: number | undefined
  /**
   * Reads key, headers and timestamp of the Kafka record, for whom they are worth it, during `put` only; undefined where no single record
   * stands behind it.
   */
  readonly envelope: (() => RecordEnvelope) | undefined
  /** Of a format that is not JSON: gives the value as such, during `put` only; undefined where it can't be told. */
  readonly asJson?: (() => string | undefined) | undefined
  /** Why, as a name and in words. */
  readonly reason: string
  readonly message: string
  /** What it is about; valid during `put` only. */
  readonly bytes: Uint8Array
  /** `bytes` are only the beginning of it. */
  readonly truncated: boolean
  /** The event's own time where it could be read, ms. */
  readonly eventTime: number | undefined
  /** Of a late event: how far its time is behind the watermark. */
  readonly lateMs?: number
  /** What `bytes` are of what was there, when it is not that: its structure, with values masked; nothing. */
  readonly payload?: 'masked' | 'none' | undefined
  /** Of bytes that are masked: the first one of what was there that did not fit. */
  readonly faultAt?: number | undefined
  /** Wall time, ms. */
  readonly createdAt: number
}

/** Bounded: when `full`, the caller awaits `room` before the next `put`. */
export interface Output {
  readonly full: boolean
  /** Why records wait although they are tried again and again, in words for an operator; undefined when all is well. */
  readonly trouble?: string | undefined
  put(record: OutputRecord): void
  room(): Promise<void>
  /** Resolves when all that was put before the call is acknowledged, however long it takes; rejects only when closed first. */
  delivered(): Promise<void>
  close(): Promise<void>
}

/** Outputs that are there only when the configuration says where. Their records are counted all the same. */
type Optional = 'late'

/** By the names in the list of the ledger's terms. */
export type Outputs = { readonly [name in Exclude<OutputName, Optional>]: Output } & { readonly [name in Optional]?: Output }

/** Those that are there. */
export function outputsOf(outputs: Outputs): readonly Output[] {
  return Object.values(outputs).filter((output) => output !== undefined)
}

/** Resolves when none of them is full. */
export async function allHaveRoom(outputs: Outputs): Promise<void> {
  await Promise.all(outputsOf(outputs).map((output) => output.room()))
}

/** Resolves when every output has acknowledged all that was put before the call. */
export async function allDelivered(outputs: Outputs): Promise<void> {
  await Promise.all(outputsOf(outputs).map((output) => output.delivered()))
}
