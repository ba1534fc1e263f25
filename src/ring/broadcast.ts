import { BLOCK, type BlockKind } from './layout.ts'
import type { RingWriter } from './ring-writer.ts'

/**
 * Puts the same block without payload into every ring, or into none: -1 when done, else the index of a ring that is too full.
 * Being all or nothing in one synchronous call is what makes a barrier a consistent cut.
 */
export function tryBroadcast(writers: readonly RingWriter[], kind: BlockKind, task: number, aux: number, time: number): number {
  const full = openAll(writers, kind, task, 0)
  if (full < 0) for (const writer of writers) writer.close(0, 0, aux, 0, time)
  return full
}

/** The same for a checkpoint barrier, which lists the tasks to be copied. */
export function tryBroadcastCheckpoint(writers: readonly RingWriter[], number: number, tasks: readonly number[]): number {
  const full = openAll(writers, BLOCK.checkpoint, 0, tasks.length)
  if (full >= 0) return full
  for (const writer of writers) {
    writer.words.set(tasks, writer.payload)
    writer.close(tasks.length, tasks.length, number)
  }
  return -1
}

function openAll(writers: readonly RingWriter[], kind: BlockKind, task: number, payloadWords: number): number {
  for (let i = 0; i < writers.length; i++) {
    if (writers[i]?.tryOpen(kind, task, payloadWords)) continue
    for (let j = 0; j < i; j++) writers[j]?.abandon()
    return i
  }
  return -1
}
