/**
 * Where a task begins: a pure decision from what is kept of it, what Kafka has of it and what the user wants. Asked again, with one more
 * checkpoint known to be broken, until what it chose can be read.
 *
 *   a start that was asked for, --from none, offsets set by somebody else  → as offered, in a new incarnation
 *   a savepoint by its name                                                → that, in a new incarnation, or refused when it can't be read
 *   what was kept in an earlier incarnation than that of the group's marks     → passed over
 *   the furthest kept state (sum of positions; later wins a tie) that can be read on from → that, unless the group's marks are further
 *   kept state made by other rules                                         → refused, or left with --ignore-state
 *   nothing left                                                           → as offered: Kafka's low-water marks are exact too
 *
 * Example: a task has checkpoints with position 500 and 900 of its one partition, both of incarnation 0, and the group's mark is 800. A
 * start takes the one at 900, since it is further than the mark. When that can't be read, the one at 500 is behind the mark, so the task
 * begins at 800. After `--from none` the task is of incarnation 1 and commits marks of it; a start after a crash then finds two checkpoints
 * of incarnation 0, passes both over, and begins at the mark.
 */
import type { OfferedPartition } from '../source/source.ts'
import { windowDifference } from '../window/windows.ts'
import type { Manifest, StateRules, TaskEntry } from './manifest.ts'
import { compareProgress, incarnationOf } from './selection.ts'

/** What `--from` and `--ignore-state` say. */
export interface StartWish {
  readonly from: 'latest' | 'none' | { readonly savepoint: string }
  readonly ignoreState: boolean
}

/** A task in a checkpoint or savepoint. */
export interface Candidate {
  readonly manifest: Manifest
  readonly entry: TaskEntry
}

/** The decision, and why it is that one. */
export type Start =
  | { readonly kind: 'kept'; readonly candidate: Candidate; readonly incarnation: number; readonly why: string }
  | { readonly kind: 'offered'; readonly incarnation: number; readonly why: string }
  | { readonly kind: 'refused'; readonly why: string }

/** `offered` are the task's partitions, `broken` the ids that could not be read. Topics by topic index. */
export function decideTaskStart(
  offered: readonly OfferedPartition[],
  candidates: readonly Candidate[],
  wish: StartWish,
  rules: StateRules,
  broken: ReadonlySet<string>,
): Start {
  const savepoint = typeof wish.from === 'object' ? wish.from.savepoint : undefined
  const marked = Math.max(0, ...offered.map(({ incarnation = 0 }) => incarnation))
  const anew = Math.max(marked, ...candidates.map(({ entry }) => incarnationOf(entry))) + 1
  if (wish.from === 'none') return { kind: 'offered', incarnation: anew, why: '--from none' }
  if (savepoint === undefined) {
    if (offered.some(({ origin }) => origin === 'asked')) return { kind: 'offered', incarnation: anew, why: 'kafka.startFrom asks for it' }
    if (offered.some(({ origin }) => origin === 'foreign'))
      return { kind: 'offered', incarnation: anew, why: "the group's offsets were set by somebody else" }
  }
  const usable = candidates
    .filter(({ manifest, entry }) => (savepoint === undefined ? incarnationOf(entry) >= marked : manifest.savepoint === savepoint))
    .toSorted((a, b) => compareProgress(b.entry, a.entry) || b.manifest.createdAt - a.manifest.createdAt)
  let why = usable.length === 0 ? 'nothing is kept of it' : 'nothing that is kept of it can be used'
  for (const candidate of usable) {
    const { manifest, entry } = candidate
    const obstacle = obstacleOf(candidate, offered, rules, broken)
    if (obstacle === undefined) {
      if (savepoint === undefined && incarnationOf(entry) === marked && isBehind(offered, entry, rules.topics))
        return { kind: 'offered', incarnation: marked, why: "the group's offsets are further" }
      return { kind: 'kept', candidate, incarnation: savepoint === undefined ? incarnationOf(entry) : anew, why: nameOf(manifest) }
    }
    why = `${nameOf(manifest)} ${obstacle.why}`
    // What was asked for by its name is not replaced by something else.
    if ((obstacle.kind === 'rules' && !wish.ignoreState) || savepoint !== undefined) return { kind: 'refused', why }
  }
  return { kind: 'offered', incarnation: wish.ignoreState && usable.length > 0 ? anew : marked, why }
}

function obstacleOf(
  { manifest, entry }: Candidate,
  offered: readonly OfferedPartition[],
  rules: StateRules,
  broken: ReadonlySet<string>,
): { readonly kind: 'rules' | 'broken' | 'gap'; readonly why: string } | undefined {
  if (broken.has(manifest.id)) return { kind: 'broken', why: "can't be read" }
  const difference = differenceOf(manifest.rules, rules)
  if (difference !== undefined) return { kind: 'rules', why: `was made with ${difference}` }
  const gap = gapOf(offered, entry, rules.topics)
  return gap === undefined ? undefined : { kind: 'gap', why: `is of no use: ${gap}` }
}

/** For messages. */
export function nameOf({ id, savepoint }: Manifest): string {
  return savepoint === null ? `checkpoint ${id}` : `savepoint ${savepoint} (${id})`
}

/** In which way state of `kept` can't be gone on with under `now`; disorder and lateness may change, they only decide what comes. */
function differenceOf(kept: StateRules, now: StateRules): string | undefined {
  const windows = windowDifference(kept, now)
  if (windows !== undefined) return windows
  if (kept.tenant !== now.tenant) return `tenant ${kept.tenant}, now ${now.tenant}`
  const sorted = (topics: readonly string[]) => topics.toSorted().join(', ')
  if (sorted(kept.topics) !== sorted(now.topics)) return `kafka.topics ${sorted(kept.topics)}, now ${sorted(now.topics)}`
  return undefined
}

/** Why Kafka can't be read on from where the entry stands. Partitions that it doesn't have came later; they begin as offered. */
function gapOf(offered: readonly OfferedPartition[], entry: TaskEntry, topics: readonly string[]): string | undefined {
  for (const { topicIndex, partition, earliest, latest } of offered) {
    const position = positionOf(entry, topics[topicIndex])
    const place = `${topics[topicIndex]}/${partition}`
    if (position === undefined) continue
    if (position < earliest) return `records ${position} to ${earliest - 1} of ${place} are gone (retention)`
    if (position > latest) return `its position ${position} in ${place} is past the end ${latest} (topic created again?)`
  }
  return undefined
}

/** The group's own marks lie further than the entry: reading on from them repeats less. */
function isBehind(offered: readonly OfferedPartition[], entry: TaskEntry, topics: readonly string[]): boolean {
  const known = offered.filter(({ topicIndex }) => positionOf(entry, topics[topicIndex]) !== undefined)
  if (!known.every(({ origin }) => origin === 'mark')) return false
  const ahead = known.reduce((sum, { position, topicIndex }) => sum + position - (positionOf(entry, topics[topicIndex]) ?? 0), 0)
  return ahead > 0
}

function positionOf(entry: TaskEntry, topic: string | undefined): number | undefined {
  return entry.partitions.find((one) => one.topic === topic)?.position
}
