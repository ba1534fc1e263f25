/**
 * What a worker copies at a checkpoint barrier: the open panes of a task and its products as they lie in memory, array by array. Copying is
 * all that stops the worker; encoding is the checkpoint thread's work (task-object.ts).
 *
 *   places   id → word of the key in `arena`, or -1 for an id that names no product
 *   arena    at each place: a word with the key's length in bytes, then the key, padded to a word (products/key-arena.ts)
 *   directory, counts   of each pane, see window/cells.ts; ids at or above `limit` have none
 */

/** Corrections in a slice: of entry i the product's id, how many windows it has missed, and its counts from counts[2 i] on. */
export interface CorrectionsCopy {
  readonly ids: Int32Array<ArrayBuffer>
  readonly missed: Int32Array<ArrayBuffer>
  readonly counts: Float64Array<ArrayBuffer>
}

/** One open pane. Times in ms. */
export interface PaneCopy {
  readonly start: number
  readonly end: number
  /** Events in it. */
  readonly total: number
  /** It changed since it was last emitted. */
  readonly dirty: boolean
  /** It was emitted before. */
  readonly emitted: boolean
  readonly directory: Int32Array<ArrayBuffer>
  readonly counts: Uint32Array<ArrayBuffer> | Float64Array<ArrayBuffer>
  /** Absent without any. */
  readonly corrections?: CorrectionsCopy | undefined
}

/** One task's share of one worker. */
export interface ShardCopy {
  readonly task: number
  readonly limit: number
  readonly places: Int32Array<ArrayBuffer>
  readonly arena: Uint8Array<ArrayBuffer>
  readonly panes: readonly PaneCopy[]
  /** Overlapping windows that end at this time (ms) or before were written; -Infinity: none. Absent for other windows. */
  readonly emittedUpTo?: number | undefined
}

/** What one worker sends for one checkpoint. */
export interface WorkerCopy {
  readonly number: number
  readonly worker: number
  readonly shards: readonly ShardCopy[]
  /** How long the worker stood still for it, ms. */
  readonly pausedMs: number
}

/** The memory of all copies. */
export function buffersOf(shards: readonly ShardCopy[]): ArrayBuffer[] {
  return shards.flatMap(({ places, arena, panes }) => [
    places.buffer,
    arena.buffer,
    ...panes.flatMap(({ directory, counts }) => [directory.buffer, counts.buffer]),
    ...panes.flatMap(({ corrections: of }) => (of === undefined ? [] : [of.ids.buffer, of.missed.buffer, of.counts.buffer])),
  ])
}
