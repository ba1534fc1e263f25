/**
 * The manifest of a checkpoint or savepoint: what it holds of which tasks, and where. It is written last, so a checkpoint exists when its
 * manifest does. Format 1:
 *
 *   {"format":1,"id":…,"tasks":[…],"crc32":"1a2b3c4d"}\n      one line of JSON; crc32 is that of the bytes before `,"crc32"`, in hex
 *
 * Keys in a store, with group and name percent-encoded:
 *
 *   <group>/objects/<task>/<id>.ctr           panes and products of a task (task-object.ts)
 *   <group>/checkpoints/<id>.json             manifests
 *   <group>/savepoints/<name>/<id>.json
 *   <group>/schemas/…                         what a schema registry has said (src/registry/kept-schemas.ts)
 *   id = <epoch ms, 13 digits>-<writer, 8 hex digits>-<number>; sorts by time
 */
import { crc32 } from 'node:zlib'
import { assert } from '../assert.ts'
import { CALENDAR_UNITS, type Calendar, WEEKDAYS } from '../config/calendar.ts'
import { LIMITS } from '../config/limits.ts'
import { CtrError } from '../errors.ts'
import { shape, shaped } from '../shape.ts'
import type { ObjectStore, StoredObject } from '../store/object-store.ts'
import { CANDIDATES_TEXT, type OrphanFacts, type PartitionFacts, type TaskFacts, type WindowFacts } from '../window/facts.ts'
import type { LedgerTotals } from '../window/ledger.ts'

/** Where a task's panes and products are. */
export interface ObjectReference {
  readonly key: string
  readonly bytes: number
  readonly crc32: number
  /** Live (product, window) pairs in it. */
  readonly cells: number
  readonly products: number
}

/** A task in a manifest; without an object it has no open pane. */
export interface TaskEntry extends TaskFacts {
  readonly object: ObjectReference | null
}

/** The rules that state depends on, ms. */
export interface StateRules {
  readonly windowType: string
  readonly windowSize: number
  /** Absent where windows have none. */
  readonly windowSlide?: number | undefined
  readonly windowOffset?: number | undefined
  readonly calendar?: Calendar | undefined
  /** By which version of the time zones its windows lie where they do. */
  readonly tzdata?: string | undefined
  readonly outOfOrderness: number
  readonly allowedLateness: number
  readonly topics: readonly string[]
  readonly tenant: string
  /** See RevisionRule; absent in what was written before there was one. */
  readonly revision?: number | undefined
  readonly revisionFrom?: number | undefined
  /** What the configuration says of events, by topic; absent in what was written before it said anything. */
  readonly events?: { readonly [topic: string]: object } | undefined
}

export interface Manifest {
  readonly format: 1
  readonly id: string
  /** A savepoint's name; null for a checkpoint. */
  readonly savepoint: string | null
  readonly group: string
  /** kafka.clientId of the process that wrote it. */
  readonly writer: string
  /** Wall time of the cut, ms. */
  readonly createdAt: number
  readonly rules: StateRules
  readonly tasks: readonly TaskEntry[]
}

/** What a task object says of its task beside panes and products, as of its writing. */
export interface ObjectFacts extends TaskFacts {
  readonly rules: StateRules
  /** Wall time of the cut, ms. */
  readonly createdAt: number
  readonly writer: string
}

const { int, text, flag, oneOf, anything, optional, nullable, list, record, object } = shape
const count = int(0)
const eventTime = nullable(int())
const named = text(/./s)
const ID = /^\d{13}-[0-9a-f]{8}-\d+$/

/** Terms of the ledger that this version doesn't know are entries of `invalid`, so they are kept; see ledger.ts. */
const totals = object<LedgerTotals>({ first: count, read: count, counted: count, late: count, invalid: record(count) })
const candidates = optional(text(CANDIDATES_TEXT))
/** A place without a correction is 0. */
const partly = optional(list(count, LIMITS.windowsPerEventMax))
const windowFacts = object<WindowFacts>({
  end: int(),
  start: optional(int()),
  offset: count,
  maxEventTime: eventTime,
  candidates,
  events: count,
  partly,
  totals,
  first: optional(count),
  released: optional(flag()),
  ageEvents: optional(count),
})
const partitionFacts = object<PartitionFacts>({
  topic: text(),
  partition: count,
  topicId: optional(text()),
  remade: optional(count),
  position: count,
  maxEventTime: eventTime,
  candidates,
  idleSince: optional(count),
  totals,
  windows: list(windowFacts),
})
const taskFacts = {
  task: count,
  lineage: optional(count),
  published: eventTime,
  partitions: list(partitionFacts),
  orphans: optional(list(object<OrphanFacts>({ end: int(), events: count, partly }))),
}
const objectReference = object<ObjectReference>({ key: text(), bytes: count, crc32: int(0, 0xffff_ffff), cells: count, products: count })
const rules = object<StateRules>({
  windowType: text(),
  windowSize: int(1),
  windowSlide: optional(int(1)),
  windowOffset: optional(count),
  calendar: optional(object<Calendar>({ unit: oneOf(CALENDAR_UNITS), zone: text(), weekStart: oneOf(WEEKDAYS) })),
  tzdata: optional(text()),
  outOfOrderness: count,
  allowedLateness: count,
  topics: list(text()),
  tenant: text(),
  revision: optional(count),
  revisionFrom: optional(count),
  events: optional(record(record(anything()))),
})
const written = { writer: text(), createdAt: count, rules }
const manifestShape = object<Manifest>({
  format: oneOf([1]),
  id: text(ID),
  savepoint: nullable(named),
  group: named,
  ...written,
  tasks: list(object<TaskEntry>({ ...taskFacts, object: nullable(objectReference) })),
})

/** How the facts of an object must look; keys that a later version may add are dropped. */
export const objectFactsShape = object<ObjectFacts>({ ...taskFacts, ...written })

/** The bytes of a manifest. */
export function encodeManifest(manifest: Manifest): Uint8Array {
  const checked = shaped(manifestShape, manifest)
  assert(checked.fault === undefined, 'a manifest that is written can be read', checked)
  assert(new Set(manifest.tasks.map(({ task }) => task)).size === manifest.tasks.length, 'a manifest has each task once')
  const body = Buffer.from(JSON.stringify(checked.value).slice(0, -1))
  return Buffer.concat([body, Buffer.from(`,"crc32":"${crc32(body).toString(16).padStart(8, '0')}"}\n`)])
}

const TAIL = /^,"crc32":"([0-9a-f]{8})"\}\n$/
const TAIL_BYTES = 21

/** The manifest in `bytes`. Throws CtrError CTR_CHECKPOINT_CORRUPT with the reason; `name` is what the message calls it. */
export function decodeManifest(bytes: Uint8Array, name = 'the manifest'): Manifest {
  const corrupt = (reason: string) => new CtrError('CTR_CHECKPOINT_CORRUPT', `${name}: ${reason}`)
  const tailAt = Math.max(0, bytes.length - TAIL_BYTES)
  const tail = TAIL.exec(Buffer.from(bytes.subarray(tailAt)).toString('latin1'))
  if (tail === null) throw corrupt('its end is missing or is no checksum')
  if (Number.parseInt(tail[1] ?? '', 16) !== crc32(bytes.subarray(0, tailAt))) throw corrupt("its bytes don't match its checksum")
  let input: unknown
  try {
    input = JSON.parse(Buffer.from(bytes).toString('utf8'))
  } catch (error) {
    throw corrupt(`it is not JSON: ${(error as Error).message}`)
  }
  const format = (input as { format?: unknown }).format
  if (format !== 1) throw corrupt(`its format is ${JSON.stringify(format)}, this version reads 1`)
  const { value: manifest, fault } = shaped(manifestShape, input)
  if (fault !== undefined) throw corrupt(fault)
  const tasks = manifest.tasks.map(({ task }) => task)
  if (new Set(tasks).size !== tasks.length) throw corrupt('it has a task twice')
  for (const { task, object } of manifest.tasks) {
    if (object !== null && !isObjectKey(object.key, manifest.group)) throw corrupt(`the key of task ${task} is not that of an object`)
  }
  return manifest
}

/** A manifest that somebody has made must not lead anywhere else in the store, or out of it. */
function isObjectKey(key: string, group: string): boolean {
  return key.startsWith(objectsPrefix(group)) && key.split('/').every((part) => /^[A-Za-z0-9._%-]+$/.test(part) && !/^\.{1,2}$/.test(part))
}

/** A new id; `writer` is 8 hex digits of the process, `number` its own count. */
export function checkpointId(createdAt: number, writer: string, number: number): string {
  const id = `${String(createdAt).padStart(13, '0')}-${writer}-${number}`
  assert(ID.test(id), 'an id is <ms>-<8 hex digits>-<number>', { id })
  return id
}

/** When the thing under `key` was begun, ms, as its id says; undefined for a key without one. */
export function timeOfKey(key: string): number | undefined {
  const match = /(?:^|\/)(\d{13})-[0-9a-f]{8}-\d+(?:\.\w+)?$/.exec(key)
  return match === null ? undefined : Number(match[1])
}

/** What keys of a group's objects begin with. */
export const objectsPrefix = (group: string): string => `${segment(group)}/objects/`
const checkpointsPrefix = (group: string): string => `${segment(group)}/checkpoints/`
const savepointsPrefix = (group: string): string => `${segment(group)}/savepoints/`
/** What keys of schemas begin with that the group has met: no checkpoint refers to them, and they do not expire. */
export const schemasPrefix = (group: string): string => `${segment(group)}/schemas/`
/** What keys of one savepoint begin with: each process of the group writes a manifest of its own. */
export const savepointPrefix = (group: string, name: string): string => `${savepointsPrefix(group)}${segment(name)}/`

/** Where the object of a task is written. */
export const objectKey = (group: string, task: number, id: string): string => `${objectsPrefix(group)}${task}/${id}.ctr`
/** Where the manifest of a checkpoint is written. */
export const checkpointKey = (group: string, id: string): string => `${checkpointsPrefix(group)}${id}.json`
/** Where the manifest of a savepoint is written. */
export const savepointKey = (group: string, name: string, id: string): string => `${savepointPrefix(group, name)}${id}.json`

/** Where a process keeps what it remembers of itself. */
export const historyKey = (group: string, writer: string): string => `${segment(group)}/history/${segment(writer)}.ctr`

/** Where a manifest is written. */
export function manifestKey({ group, savepoint, id }: Pick<Manifest, 'group' | 'savepoint' | 'id'>): string {
  return savepoint === null ? checkpointKey(group, id) : savepointKey(group, savepoint, id)
}

/** One part of a key: percent-encoded beyond A-Z a-z 0-9 . _ -, and never `.` or `..`. */
function segment(name: string): string {
  assert(name !== '', 'a part of a key is not empty')
  const encoded = encodeURIComponent(name).replaceAll(/[!'()*~]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`)
  return /^\.{1,2}$/.test(encoded) ? encoded.replaceAll('.', '%2E') : encoded
}

/** A manifest as it lies in a store. */
export interface StoredManifest {
  readonly key: string
  readonly bytes: number
  readonly manifest: Manifest
}

/** What a store holds of a group. */
export interface ManifestListing {
  /** Checkpoints and savepoints, newest first. */
  readonly manifests: readonly StoredManifest[]
  /** Those that can't be read, newest first. */
  readonly unreadable: readonly { readonly key: string; readonly reason: CtrError }[]
  /** Some had been removed when they were to be read: there may be newer ones in their place, which the listing has not. */
  readonly isTorn: boolean
}

const READ_AT_ONCE = 8

/**
 * Reads all manifests of a group. `known` spares reading those that it holds, and is brought up to date; a manifest never changes. What has
 * no id in its key is none of ours (.DS_Store, .nfs0001). Throws what the store throws when it can't list, and the reason of `signal`; one
 * that it can't read counts as unreadable.
 */
export async function listManifests(
  store: ObjectStore,
  group: string,
  signal?: AbortSignal,
  known = new Map<string, StoredManifest>(),
): Promise<ManifestListing> {
  const prefixes = [checkpointsPrefix(group), savepointsPrefix(group)]
  const listed = (await Promise.all(prefixes.map((prefix) => store.list(prefix, signal)))).flat().filter(hasTime)
  const sizes = new Map(listed.map(({ key, bytes }) => [key, bytes]))
  for (const { key, bytes } of known.values()) if (sizes.get(key) !== bytes) known.delete(key)
  const unreadable: ManifestListing['unreadable'][number][] = []
  let isTorn = false
  const keys = [...sizes.keys()].filter((key) => !known.has(key))
  const readSome = async () => {
    for (let key = keys.pop(); key !== undefined; key = keys.pop()) {
      try {
        const bytes = await store.get(key, signal)
        if (bytes === undefined) isTorn = true
        else known.set(key, { key, bytes: bytes.length, manifest: decodeAt(key, bytes, group) })
      } catch (error) {
        if (!(error instanceof CtrError) || signal?.aborted) throw error
        unreadable.push({ key, reason: error })
      }
    }
  }
  await Promise.all(Array.from({ length: READ_AT_ONCE }, readSome))
  return { manifests: [...known.values()].sort(newestFirst), unreadable: unreadable.sort(newestFirst), isTorn }
}

const hasTime = ({ key }: StoredObject) => timeOfKey(key) !== undefined

/** A manifest that was moved to another key is as good as none: ids decide what is newest. */
function decodeAt(key: string, bytes: Uint8Array, group: string): Manifest {
  const manifest = decodeManifest(bytes, key)
  if (manifest.group === group && manifestKey(manifest) === key) return manifest
  throw new CtrError('CTR_CHECKPOINT_CORRUPT', `${key}: it is the manifest of ${manifestKey(manifest)}`)
}

function newestFirst(a: { key: string }, b: { key: string }): number {
  const [idA, idB] = [a, b].map(({ key }) => key.slice(key.lastIndexOf('/') + 1))
  return (idB ?? '').localeCompare(idA ?? '', 'en') || (a.key < b.key ? -1 : 1)
}
