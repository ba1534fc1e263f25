/**
 * Finds checkpoints by what people call them:
 *
 *   latest                   each task's furthest one, savepoints included: what a start would go on from
 *   NAME, savepoint:NAME     a savepoint, from whichever processes wrote parts of it
 *   ID                       one checkpoint or savepoint by its id
 *
 * Of several that hold a task the furthest is taken: the largest sum of positions, the newest among equals.
 */
import { CtrError } from '../errors.ts'
import type { ManifestListing, StoredManifest, TaskEntry } from './manifest.ts'

/** The savepoint of a drain. Of each task the newest one counts, so it needs no other name. */
export const STOP_SAVEPOINT = 'stop'

/** A task and the manifest that it was found in. */
export interface SelectedTask {
  readonly entry: TaskEntry
  readonly from: StoredManifest
}

/** By task. */
export interface Selection {
  /** As it was asked for. */
  readonly name: string
  readonly tasks: readonly SelectedTask[]
}

/** What can't be the name of a savepoint, since it says something else, or would have to be quoted. */
export function nameFault(name: string): string | undefined {
  if (!/^[A-Za-z0-9._-]{1,100}$/.test(name)) return 'use up to 100 of A-Z a-z 0-9 dot, dash and underscore'
  if (name === 'latest' || name === 'none') return `${name} has a meaning of its own`
  return /^\d{13}-/.test(name) ? 'that looks like the id of a checkpoint' : undefined
}

/** Throws CtrError CTR_USAGE, saying what there is, when nothing goes by that name. */
export function select({ manifests, unreadable }: ManifestListing, what: string): Selection {
  const name = what.replace(/^savepoint:/, '')
  const asked = manifests.filter(({ manifest }) => {
    if (what === name && (what === 'latest' || manifest.id === what)) return true
    return manifest.savepoint === name
  })
  if (asked.length > 0) return { name: what, tasks: furthest(asked) }
  const broken = unreadable.find(({ key }) => key.endsWith(`/${what}.json`) || key.includes(`/savepoints/${name}/`))
  if (broken !== undefined) throw broken.reason
  throw new CtrError('CTR_USAGE', `there is no checkpoint or savepoint ${JSON.stringify(what)}; there is ${inShort(manifests)}`)
}

/** Each task in its furthest state. `manifests` are newest first. */
export function furthest(manifests: readonly StoredManifest[]): SelectedTask[] {
  const best = new Map<number, SelectedTask>()
  for (const from of manifests) {
    for (const entry of from.manifest.tasks) {
      const known = best.get(entry.task)
      if (known === undefined || compareProgress(entry, known.entry) > 0) best.set(entry.task, { entry, from })
    }
  }
  return [...best.values()].sort((a, b) => a.entry.task - b.entry.task)
}

/** Above 0 when `a` is further than `b`: of a later life, else of topics made again more often, else by the sum of its positions. */
export function compareProgress(a: TaskEntry, b: TaskEntry): number {
  return incarnationOf(a) - incarnationOf(b) || remadeOf(a) - remadeOf(b) || progressOf(a) - progressOf(b)
}

/** The incarnation of the task that was stored. */
export function incarnationOf({ lineage = 0 }: TaskEntry): number {
  return lineage
}

function remadeOf({ partitions }: TaskEntry): number {
  return partitions.reduce((sum, { remade = 0 }) => sum + remade, 0)
}

function progressOf({ partitions }: TaskEntry): number {
  return partitions.reduce((sum, { position }) => sum + position, 0)
}

const SHOWN_MAX = 5

function inShort(manifests: readonly StoredManifest[]): string {
  const names = [...new Set(manifests.map(({ manifest }) => manifest.savepoint ?? manifest.id))]
  if (names.length === 0) return 'none at all'
  return `${names.slice(0, SHOWN_MAX).join(', ')}${names.length > SHOWN_MAX ? ` and ${names.length - SHOWN_MAX} more` : ''}`
}
