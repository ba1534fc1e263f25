/**
 * A task as a store holds it. Its object may be older than its manifest: windows that were closed since are in the object still. Those
 * that count are the ones that the manifest calls open.
 */
import { CtrError } from '../errors.ts'
import type { ObjectStore } from '../store/object-store.ts'
import type { ObjectReference, TaskEntry } from './manifest.ts'
import { type DecodedPane, type DecodedTask, decodeTask } from './task-object-reader.ts'

/** Ends of the windows that are open at the cut, with the events that were counted into each. */
export function openWindows({ partitions, orphans = [] }: TaskEntry): Map<number, number> {
  const open = new Map(orphans.map(({ end, events }) => [end, events]))
  for (const { windows } of partitions) for (const { end, events } of windows) open.set(end, (open.get(end) ?? 0) + events)
  return open
}

/** Panes of the object that are open. */
export function openPanes(task: DecodedTask | undefined, entry: TaskEntry): readonly DecodedPane[] {
  const open = openWindows(entry)
  return (task?.panes ?? []).filter(({ end }) => open.has(end))
}

/** Events in a pane, corrections included. */
export function eventsIn({ total, corrections = [] }: DecodedPane): number {
  return corrections.reduce((sum, { impressions, clicks }) => sum + totalOf(impressions) + totalOf(clicks), total)
}

function totalOf(counts: Float64Array): number {
  return counts.reduce((sum, count) => sum + count, 0)
}

/** Reads and verifies an object. Throws CtrError: what the store throws, or CTR_CHECKPOINT_CORRUPT, also when it is missing. */
export async function readObject(store: ObjectStore, reference: ObjectReference, signal?: AbortSignal): Promise<DecodedTask> {
  const bytes = await store.get(reference.key, signal)
  if (bytes === undefined) throw new CtrError('CTR_CHECKPOINT_CORRUPT', `${reference.key}: it is missing`)
  return decodeTask(bytes, reference)
}

/** A product's id. */
export function productOf({ products: { bytes, starts } }: DecodedTask, product: number): string {
  return Buffer.from(bytes.subarray(starts[product], starts[product + 1])).toString()
}
