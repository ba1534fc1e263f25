/**
 * Whether a checkpoint could be restored: every byte of its objects is read and checked, and what its manifest says is compared with what
 * is in them. For each open window, the events that main counted must be the sum of the cells that the workers counted: two ways that
 * meet only here.
 */
import { CtrError } from '../errors.ts'
import type { ObjectStore } from '../store/object-store.ts'
import { isOtherTopic } from '../window/facts.ts'
import type { ObjectReference, StoredManifest, TaskEntry } from './manifest.ts'
import { eventsIn, openPanes, openWindows, readObject } from './stored-task.ts'
import type { DecodedTask } from './task-object-reader.ts'

/** What was found out about one task. */
export interface TaskVerdict {
  readonly task: number
  readonly bytes: number
  /** Empty when it is sound. */
  readonly problems: readonly string[]
}

/** One by one, so that a single object is in memory. Throws what the store throws when it doesn't answer. */
export async function verifyManifest(store: ObjectStore, { manifest }: StoredManifest, signal?: AbortSignal): Promise<TaskVerdict[]> {
  const verdicts: TaskVerdict[] = []
  for (const entry of manifest.tasks) {
    const { object } = entry
    const problems = object === null ? windowProblems(entry, undefined) : await objectProblems(store, entry, object, signal)
    verdicts.push({ task: entry.task, bytes: object?.bytes ?? 0, problems })
  }
  return verdicts
}

async function objectProblems(store: ObjectStore, entry: TaskEntry, object: ObjectReference, signal?: AbortSignal): Promise<string[]> {
  try {
    const task = await readObject(store, object, signal)
    return [...factProblems(entry, task), ...windowProblems(entry, task)]
  } catch (error) {
    if (error instanceof CtrError && error.code === 'CTR_CHECKPOINT_CORRUPT') return [error.message]
    throw error
  }
}

function factProblems(entry: TaskEntry, { facts }: DecodedTask): string[] {
  const problems: string[] = []
  if (facts.task !== entry.task) problems.push(`its object is of task ${facts.task}`)
  for (const { topic, partition, position, topicId } of facts.partitions) {
    const now = entry.partitions.find((one) => one.topic === topic && one.partition === partition)
    if (now !== undefined && !isOtherTopic(now.topicId, topicId) && now.position < position)
      problems.push(`${topic}/${partition} stands at ${now.position}, its object at ${position} already`)
  }
  return problems
}

function windowProblems(entry: TaskEntry, task: DecodedTask | undefined): string[] {
  const panes = new Map(openPanes(task, entry).map((pane) => [pane.end, eventsIn(pane)]))
  return [...openWindows(entry)].flatMap(([end, events]) => {
    const total = panes.get(end)
    // A window that was entered just before a ring was full is open, but no event of it is in any pane yet.
    if ((total ?? 0) === events) return []
    const held = total === undefined ? 'no such window is in its object' : `its object has ${total}`
    return [`the window that ends at ${new Date(end).toISOString()} has ${events} events, ${held}`]
  })
}
