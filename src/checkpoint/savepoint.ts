/**
 * Savepoints at rest: made from what the store has, without a running pipeline.
 *
 *   create   each task's furthest checkpoint is written again under the savepoint's name, one manifest for each that it comes from, with
 *            the same objects; then every byte is verified, since somebody may have removed an object meanwhile
 *   remove   its manifests go; objects that nothing refers to any more go with retention
 */
import type { Clock } from '../clock.ts'
import { CtrError } from '../errors.ts'
import type { ObjectStore } from '../store/object-store.ts'
import { type Claimed, claimName, dropClaims } from './claims.ts'
import {
  checkpointId,
  encodeManifest,
  listManifests,
  type Manifest,
  manifestKey,
  type StoredManifest,
  savepointPrefix,
  timeOfKey,
} from './manifest.ts'
import { furthest, nameFault, type SelectedTask } from './selection.ts'
import { verifyManifest } from './verify.ts'

/** Who makes it, and when. */
export interface SavepointMaker {
  /** Of this process, 8 hexadecimal digits. */
  readonly writerId: string
  readonly clock: Clock
}

function checkName(name: string): void {
  const fault = nameFault(name)
  if (fault !== undefined) throw new CtrError('CTR_USAGE', `a savepoint can't be called ${JSON.stringify(name)}: ${fault}`)
}

/**
 * The tasks that are in it. Throws CtrError: CTR_USAGE when the name is taken or there is no checkpoint, CTR_CHECKPOINT_CORRUPT when what
 * it would refer to is broken; nothing is left of it then.
 */
export async function createSavepoint(store: ObjectStore, group: string, name: string, maker: SavepointMaker): Promise<SelectedTask[]> {
  checkName(name)
  if ((await store.list(savepointPrefix(group, name))).some(({ key }) => timeOfKey(key) !== undefined))
    throw new CtrError('CTR_USAGE', `there is a savepoint ${name} already; delete it first, or choose another name`)
  const { manifests } = await listManifests(store, group)
  const tasks = furthest(manifests)
  if (tasks.length === 0)
    throw new CtrError('CTR_USAGE', `${store.place} has no checkpoint of group ${group} to make a savepoint from; check kafka.groupId`)
  const sources = [...new Set(tasks.map(({ from }) => from))]
  const written = sources.map((source, i) => savepointOf(source, tasks, name, checkpointId(maker.clock(), maker.writerId, i)))
  const claims = written.map(({ manifest }) => ({ group, name, id: manifest.id, tasks: manifest.tasks.map(({ task }) => task) }))
  const claimed: Claimed[] = []
  try {
    for (const claim of claims) claimed.push(await claimName(store, claim, maker.clock()))
    for (const { key, manifest } of written) await store.put(key, encodeManifest(manifest), { ifAbsent: true })
    for (const one of written) {
      const problem = (await verifyManifest(store, one)).flatMap(({ problems }) => problems)[0]
      if (problem !== undefined) throw new CtrError('CTR_CHECKPOINT_CORRUPT', `savepoint ${name} is not made: ${problem}`)
    }
  } catch (error) {
    await store.remove(written.map(({ key }) => key)).catch(() => undefined)
    for (const claim of claimed) await dropClaims(store, claim, maker.clock())
    throw error
  }
  return tasks
}

function savepointOf(source: StoredManifest, tasks: readonly SelectedTask[], name: string, id: string): StoredManifest {
  const own = tasks.filter(({ from }) => from === source).map(({ entry }) => entry)
  const manifest: Manifest = { ...source.manifest, id, savepoint: name, tasks: own }
  return { key: manifestKey(manifest), bytes: source.bytes, manifest }
}

/** How many manifests it was. Throws CtrError CTR_USAGE when there is no such savepoint. */
export async function removeSavepoint(store: ObjectStore, group: string, name: string): Promise<number> {
  checkName(name)
  const keys = (await store.list(savepointPrefix(group, name))).map(({ key }) => key)
  if (keys.length === 0) throw new CtrError('CTR_USAGE', `there is no savepoint ${name}; \`ctr savepoint list\` shows what there is`)
  // The manifests first: while a claim is there, nobody else takes the name.
  const manifests = keys.filter((key) => timeOfKey(key) !== undefined)
  await store.remove(manifests)
  await store.remove(keys.filter((key) => timeOfKey(key) === undefined))
  return manifests.length
}
