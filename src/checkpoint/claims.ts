/**
 * Who takes a savepoint of a name: an object for each of its tasks, which only one can create. So of two that take it at once, in one
 * process or in two, one gets the name and the other is told. Processes that have different tasks share the name.
 *
 *   <group>/savepoints/<name>/<task>.claim               the id of the manifest that it is for
 *   <group>/savepoints/<name>/<task>-after-<id>.claim    the same, of who took over from the manifest `id`
 *
 * A claim without its manifest, of somebody who has died or failed in between, counts for an hour. Then the next one creates the claim
 * after it, and takes nothing away: of two that find the same old claim only one can. Claims go with their savepoint when that is deleted.
 */
import type { ObjectStore } from '../store/object-store.ts'
import { savepointKey, savepointPrefix, timeOfKey } from './manifest.ts'
import { NotWritten } from './writer.ts'

const STALE_MS = 3_600_000

/** A savepoint to be taken. */
export interface Claim {
  readonly group: string
  readonly name: string
  /** Of the manifest. */
  readonly id: string
  readonly tasks: readonly number[]
}

/** What was claimed. */
export interface Claimed {
  readonly id: string
  readonly keys: readonly string[]
}

/** Claims all tasks or none. Throws NotWritten when one belongs to another manifest. */
export async function claimName(store: ObjectStore, claim: Claim, nowMs: number, signal?: AbortSignal): Promise<Claimed> {
  const { id, name, tasks } = claim
  const keys: string[] = []
  for (const task of tasks) {
    const key = await claimTask(store, claim, task, nowMs, signal)
    if (key !== undefined) keys.push(key)
    else {
      await dropClaims(store, { id, keys }, nowMs)
      const message = `savepoint ${name} has been taken, or is being taken, of task ${task}; delete it first, or choose another name`
      throw new NotWritten({ kind: 'taken' }, message)
    }
  }
  return { id, keys }
}

/** Gives the name back, since the manifest is not there. Somebody may be after an old claim, so that is left to lie. */
export async function dropClaims(store: ObjectStore, { id, keys }: Claimed, nowMs: number): Promise<void> {
  if ((timeOfKey(id) ?? 0) > nowMs - STALE_MS / 2) await store.remove(keys).catch(() => undefined)
}

/** Its key; undefined when somebody else has the task. */
async function claimTask(
  store: ObjectStore,
  { group, name, id }: Claim,
  task: number,
  nowMs: number,
  signal?: AbortSignal,
): Promise<string | undefined> {
  const options = { ifAbsent: true, ...(signal && { signal }) }
  for (let key = claimKey(group, name, `${task}`); ; ) {
    if (await store.put(key, Buffer.from(id), options)) return key
    const bytes = await store.get(key, signal)
    if (bytes === undefined) continue // given back just now
    const holder = Buffer.from(bytes).toString()
    const begun = timeOfKey(holder)
    if (begun !== undefined && begun > nowMs - STALE_MS) return undefined
    if (begun !== undefined && (await store.get(savepointKey(group, name, holder), signal)) !== undefined) return undefined
    key = claimKey(group, name, `${task}-after-${begun === undefined ? 'unreadable' : holder}`)
  }
}

function claimKey(group: string, name: string, which: string): string {
  return `${savepointPrefix(group, name)}${which}.claim`
}
