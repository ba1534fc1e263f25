import type { BlockKind } from './layout.ts'
import type { RingWriter } from './ring-writer.ts'

/**
 * Puts the same block without payload into every ring, or into none: -1 when done, else the index of a ring that is too full.
 * Being all or nothing in one synchronous call is what makes a barrier a consistent cut.
 */
export function tryBroadcast(writers: readonly RingWriter[], kind: BlockKind, task: number, aux: number, time: number): number {
  for (let i = 0; i < writers.length; i++) {
    if (writers[i]?.tryOpen(kind, task, 0)) continue
    for (let j = 0; j < i; j++) writers[j]?.abandon()
    return i
  }
  for (const writer of writers) writer.close(0, 0, aux, 0, time)
  return -1
}
