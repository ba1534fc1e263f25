/**
 * What may go from a store. A manifest goes before the objects it refers to, so that none ever refers to what is gone.
 *
 *   checkpoint          stays while it is among the `retain` newest that mention one of its tasks, or the furthest of one: a pod whose
 *                       clock is behind writes what looks old
 *   savepoint           stays, unless each of its tasks is in a newer manifest of the same name
 *   unreadable one      stays as a savepoint, and while it is the store that can't give it; as a corrupt checkpoint until every readable
 *                       one that stays is newer
 *   object              stays while a manifest that stays refers to it; while an unreadable one stays that may refer to it (begun later
 *                       than it, or less than an hour before by a clock that is behind); and for an hour after it was begun: its
 *                       manifest may still be on its way, from any process of the group. It goes in the second pass that finds no
 *                       manifest referring to it: another process may just have restored the last that did, or may lose the task to one
 *                       that did, and its manifest, which refers to the same object, may have come after the first pass listed
 *   one's own object    goes without that hour, so that a store holds little more than what is retained: a writer knows which of its
 *                       checkpoints are behind it. But not while the next checkpoint of the same writer may refer to it
 *
 * Safe with other processes at work: a new manifest refers to new objects and to those of the manifest it goes on from, which is among
 * the newest of its tasks or a savepoint, or was when the manifest was begun.
 */

import type { ObjectStore, StoredObject } from '../store/object-store.ts'
import { listManifests, type ManifestListing, objectsPrefix, type StoredManifest, timeOfKey } from './manifest.ts'
import { furthest } from './selection.ts'

const YOUNG_MS = 3_600_000

/** Keys to remove, the manifests first. */
export interface Expired {
  readonly manifests: readonly string[]
  readonly objects: readonly string[]
  /**
   * Objects to which no manifest that stays refers, whether they go or not: what the next pass wants as `loose`. With `own` of its own
   * only those of its checkpoints up to this one: of later ones the manifest is on its way.
   */
  readonly loose: ReadonlySet<string>
}

/** What a writer knows of its own checkpoints: none of those with numbers above `after` and up to `number` is on its way any more. */
export interface OwnCheckpoints {
  /** 8 hexadecimal digits, as in ids. */
  readonly writerId: string
  readonly number: number
  /** All up to `number` without it. */
  readonly after?: number
  /** What the pass before found loose; nothing else goes. */
  readonly loose?: ReadonlySet<string>
  /** Objects as they were listed before its last manifest was written; listed anew without it. */
  readonly objects?: readonly StoredObject[] | undefined
  /** Whether its next one may refer to an object. Asked when all is listed: others may have removed each manifest that does so far. */
  readonly holds?: (key: string) => boolean
}

/** The decision alone. `objects` must have been listed before the manifests were. */
export function expired(
  listing: ManifestListing,
  objects: readonly StoredObject[],
  retain: number,
  nowMs: number,
  own?: OwnCheckpoints,
): Expired {
  const kept = new Set<StoredManifest>([...keptCheckpoints(listing.manifests, retain), ...keptSavepoints(listing.manifests)])
  const gone = listing.manifests.filter((stored) => !kept.has(stored)).map(({ key }) => key)
  const oldestKept = Math.min(...[...kept].filter(isCheckpoint).map(({ key }) => begunAt(key)))
  const isOver = ({ key, reason }: ManifestListing['unreadable'][number]) => {
    const isOld = Number.isFinite(oldestKept) && key.includes('/checkpoints/') && begunAt(key) < oldestKept
    return isOld && reason.code === 'CTR_CHECKPOINT_CORRUPT'
  }
  const over = listing.unreadable.filter(isOver).map(({ key }) => key)
  const unclear = listing.unreadable.filter((one) => !isOver(one))
  const unclearUntil = Math.max(...unclear.map(({ key }) => begunAt(key))) + YOUNG_MS
  const referred = objectsOf([...kept])
  const listed = objectsOf(listing.manifests)
  const wasLoose = (key: string) => own === undefined || (own.loose?.has(key) === true && !listed.has(key))
  const isDone = (key: string) => begunAt(key) < nowMs - YOUNG_MS || (own !== undefined && isOwn(key, own))
  const isHeld = (key: string) => referred.has(key) || own?.holds?.(key) === true
  const isGone = ({ key }: StoredObject) => !isHeld(key) && wasLoose(key) && begunAt(key) > unclearUntil && isDone(key)
  const isComplete = (key: string) => own === undefined || !isOf(key, own.writerId) || isOwn(key, own)
  const loose = new Set(objects.map(({ key }) => key).filter((key) => !referred.has(key) && isComplete(key)))
  return { manifests: [...gone, ...over], objects: objects.filter(isGone).map(({ key }) => key), loose }
}

function objectsOf(manifests: readonly StoredManifest[]): Set<string> {
  return new Set(manifests.flatMap(({ manifest }) => manifest.tasks.flatMap(({ object }) => object?.key ?? [])))
}

const WRITTEN_AS = /\/\d{13}-([0-9a-f]{8})-(\d+)\.\w+$/

function isOf(key: string, writerId: string): boolean {
  return WRITTEN_AS.exec(key)?.[1] === writerId
}

function isOwn(key: string, { writerId, number, after = -1 }: OwnCheckpoints): boolean {
  const of = Number(WRITTEN_AS.exec(key)?.[2])
  return isOf(key, writerId) && of > after && of <= number
}

/** What has no time in its key is not ours to judge: it never gets old. */
const begunAt = (key: string) => timeOfKey(key) ?? Number.POSITIVE_INFINITY

const isCheckpoint = ({ manifest }: StoredManifest) => manifest.savepoint === null

function keptCheckpoints(manifests: readonly StoredManifest[], retain: number): StoredManifest[] {
  const checkpoints = manifests.filter(isCheckpoint)
  return [...newestOfEachTask(checkpoints, () => '', retain), ...furthest(checkpoints).map(({ from }) => from)]
}

function keptSavepoints(manifests: readonly StoredManifest[]): StoredManifest[] {
  return newestOfEachTask(
    manifests.filter((stored) => !isCheckpoint(stored)),
    ({ manifest }) => manifest.savepoint ?? '',
    1,
  )
}

/** Those that are among the `count` newest with one of their tasks, each name for itself. `manifests` are newest first. */
function newestOfEachTask(
  manifests: readonly StoredManifest[],
  nameOf: (stored: StoredManifest) => string,
  count: number,
): StoredManifest[] {
  const seen = new Map<string, number>()
  return manifests.filter((stored) => {
    const places = stored.manifest.tasks.map(({ task }) => {
      const key = `${task}/${nameOf(stored)}`
      const place = (seen.get(key) ?? 0) + 1
      seen.set(key, place)
      return place
    })
    return places.some((place) => place <= count)
  })
}

/** Removes what may go; gives what it was. `own` as in `expired`, `known` as in listManifests. Throws what the store throws. */
export async function removeExpired(
  store: ObjectStore,
  group: string,
  retain: number,
  nowMs: number,
  own?: OwnCheckpoints,
  known?: Map<string, StoredManifest>,
): Promise<Expired> {
  const objects = own?.objects ?? (await store.list(objectsPrefix(group)))
  const listing = await listManifests(store, group, undefined, known)
  // What another process has just put in the place of a manifest may refer to any object: nothing goes in this pass.
  if (listing.isTorn) return { manifests: [], objects: [], loose: own?.loose ?? new Set() }
  const gone = expired(listing, objects, retain, nowMs, own)
  await store.remove(gone.manifests)
  await store.remove(gone.objects)
  return gone
}
