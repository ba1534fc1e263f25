/**
 * The port through which checkpoints are written. Behind it stand the checkpoint thread (checkpoint-thread.ts) and, in simulations, the
 * same code (book.ts) without a thread.
 *
 * Protocol: `begin` in the step in which the barrier goes into the rings, then `complete` when every row before it is acknowledged, or
 * `abandon`. One checkpoint at a time; numbers ascend.
 */
import type { MessagePort } from 'node:worker_threads'
import { CtrError } from '../errors.ts'
import type { TaskFacts } from '../window/facts.ts'
import type { ObjectReference } from './manifest.ts'

/** One task at the cut. */
export interface TaskCut extends TaskFacts {
  /** The workers send copies of it. Otherwise `object` is what it has been written to before, or null when no pane is open. */
  readonly copied: boolean
  readonly object: ObjectReference | null
}

/** What main knows at the cut. */
export interface Cut {
  readonly number: number
  /** Wall time, ms. */
  readonly createdAt: number
  /** Name of a savepoint; null for a checkpoint. */
  readonly savepoint: string | null
  readonly tasks: readonly TaskCut[]
}

/** What came of it. */
export interface Written {
  readonly id: string
  /** Where each task now is. */
  readonly objects: readonly { readonly task: number; readonly object: ObjectReference | null }[]
  /** Live cells, and bytes of all objects that the manifest refers to. */
  readonly cells: number
  readonly bytes: number
  /** Bytes written now. */
  readonly bytesWritten: number
  /** The longest that any worker stood still, ms. */
  readonly pausedMs: number
}

/** Why one is not written though the store works: objects that it refers to are not there, or its name belongs to another. */
export type Excuse = { readonly kind: 'missing'; readonly tasks: readonly number[] } | { readonly kind: 'taken' }

/** It is no failure of checkpoints. */
export class NotWritten extends CtrError {
  readonly excuse: Excuse

  constructor(excuse: Excuse, message: string) {
    super('CTR_CHECKPOINT_FAILED', message)
    this.excuse = excuse
  }
}

/** See the file's comment. */
export interface CheckpointWriter {
  /** One per worker, for its copies; to be transferred. Empty when copies come another way. */
  readonly ports: readonly MessagePort[]
  begin(cut: Cut): void
  /** Rejects with CtrError; then nothing counts as written. */
  complete(number: number): Promise<Written>
  abandon(number: number): void
  /** `callback` is told, once, when it can write no more though nobody has closed it. */
  onDied(callback: (error: CtrError) => void): void
  close(): Promise<void>
}
