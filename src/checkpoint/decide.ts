/**
 * Where a task begins: a pure decision from what is kept of it, what Kafka has of it and what the user wants. Asked again, with one more
 * checkpoint known to be broken, until what it chose can be read.
 *
 *   --reset, --from none, offsets set by somebody else                     → as offered, in a new incarnation
 *   a savepoint by its name                                                → that, in a new incarnation, or refused when it can't be read
 *   what was kept in an earlier incarnation than that of the group's marks     → passed over
 *   the furthest kept state (sum of positions; later wins a tie)               → that, unless the group's marks are further, and whole:
 *                                                                            no window is open of which they have let go
 *   kept state made by other rules                                         → refused, or left with --ignore-state
 *   nothing left                                                           → as offered: Kafka's low-water marks are exact too
 *
 * Example: a task has checkpoints with position 500 and 900 of its one partition, both of incarnation 0, and the group's mark is 800. A
 * start takes the one at 900, since it is further than the mark. When that can't be read, the one at 500 is behind the mark, so the task
 * begins at 800. After `--from none` the task is of incarnation 1 and commits marks of it; a start after a crash then finds two checkpoints
 * of incarnation 0, passes both over, and begins at the mark.
 */
import { keptEvents, shrinkingChange } from '../config/events-change.ts'
import type { OfferedPartition } from '../source/source.ts'
import { isOtherTopic } from '../window/facts.ts'
import { firstRevised, type RevisionRule, revisionOf } from '../window/revision.ts'
import { windowDifference, windowsOf } from '../window/windows.ts'
import type { Manifest, StateRules, TaskEntry } from './manifest.ts'
import { compareProgress, incarnationOf } from './selection.ts'
import { isoTime } from './summary.ts'

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
  /** `left`: what is kept of the task and would have served. */
  | { readonly kind: 'offered'; readonly incarnation: number; readonly why: string; readonly left?: readonly Candidate[] }
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
  const left = candidates.filter(({ entry }) => incarnationOf(entry) >= marked)
  if (wish.from === 'none') return { kind: 'offered', incarnation: anew, why: '--from none', left }
  if (savepoint === undefined) {
    if (offered.some(({ origin }) => origin === 'asked')) return { kind: 'offered', incarnation: anew, why: '--reset', left }
    if (offered.some(({ origin }) => origin === 'foreign'))
      return { kind: 'offered', incarnation: anew, why: "the group's offsets were set by somebody else", left }
  }
  const usable = candidates
    .filter(({ manifest, entry }) => (savepoint === undefined ? incarnationOf(entry) >= marked : manifest.savepoint === savepoint))
    .toSorted((a, b) => compareProgress(b.entry, a.entry) || b.manifest.createdAt - a.manifest.createdAt)
  let why = usable.length === 0 ? 'nothing is kept of it' : 'nothing that is kept of it can be used'
  for (const candidate of usable) {
    const { manifest, entry } = candidate
    const obstacle = obstacleOf(candidate, offered, rules, broken)
    if (obstacle === undefined) {
      if (savepoint === undefined && incarnationOf(entry) === marked && isBehind(offered, entry, rules.topics) && areWhole(offered))
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
): { readonly kind: 'rules' | 'broken' | 'past'; readonly why: string } | undefined {
  if (broken.has(manifest.id)) return { kind: 'broken', why: "can't be read" }
  const difference =
    differenceOf(manifest.rules, rules) ??
    movedEdge(entry, manifest.rules, rules) ??
    revised(entry, manifest.rules, rules) ??
    remapped(entry, manifest.rules, rules)
  if (difference !== undefined) return { kind: 'rules', why: `was made with ${difference}` }
  const past = pastEnd(offered, entry, rules.topics)
  return past === undefined ? undefined : { kind: 'past', why: `is of no use: ${past}` }
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

/** In which way an open window of the entry would begin or end elsewhere, for the rules of a time zone are others than they were. */
function movedEdge({ partitions }: TaskEntry, kept: StateRules, now: StateRules): string | undefined {
  if (now.calendar === undefined || kept.tzdata === now.tzdata) return undefined
  const windows = windowsOf(now)
  for (const { start, end } of partitions.flatMap((partition) => partition.windows)) {
    if (start === undefined || (windows.startOf(end) === start && windows.sliceEnd(start) === end)) continue
    const was = `its ${now.calendar.unit} from ${isoTime(start)} to ${isoTime(end)}`
    return `the time zones of tzdata ${kept.tzdata}, by which ${was} is none with tzdata ${now.tzdata}, of this Node.js`
  }
  return undefined
}

/** In which way events that open windows of the entry have counted might be counted no more. */
function remapped({ partitions, orphans = [] }: TaskEntry, kept: StateRules, now: StateRules): string | undefined {
  if (orphans.length === 0 && partitions.every(({ windows }) => windows.length === 0)) return undefined
  for (const [topic, events] of Object.entries(now.events ?? {})) {
    const before = kept.events?.[topic]
    const change = before === undefined ? undefined : shrinkingChange(keptEvents(before), keptEvents(events))
    if (change !== undefined) return `other events of ${topic}: ${change}`
  }
  return undefined
}

/**
 * In which way windows that the entry has counted events into would change their revision. Those that are open would be written with the
 * new one, and those that other tasks have closed not: so a revision changes at a window that no task has come to. Earlier windows than
 * the open ones are written by nobody who has this state.
 */
function revised({ partitions, orphans = [] }: TaskEntry, kept: StateRules, now: StateRules): string | undefined {
  if (kept.revision === undefined || now.revision === undefined) return undefined
  const before = { revision: kept.revision, revisionFrom: kept.revisionFrom }
  const after = { revision: now.revision, revisionFrom: now.revisionFrom }
  const windows = windowsOf(kept)
  const times = partitions.flatMap(({ maxEventTime }) => (maxEventTime === null ? [] : [windows.startUpTo(maxEventTime)]))
  const open = [...partitions.flatMap((partition) => partition.windows), ...orphans].map(({ end }) => ({
    first: windows.windowStart(windows.firstEnd(end)),
    last: windows.windowStart(windows.lastEnd(end)),
  }))
  // Windows far ahead of the time that is believed are not closed by anybody. Before any time is believed, the open ones are all there is.
  const reached = times.length === 0 ? open.map(({ last }) => last) : times
  if (reached.length === 0) return undefined
  const last = Math.max(...reached)
  return changeBetween(before, after, Math.min(last, ...open.map(({ first }) => first)), last, windows)
}

/**
 * The same where a task begins at its marks: the windows around the largest time before a mark are rebuilt from there, by this task alone.
 * What came after the mark is not known of, so windows that can have been open beside each other are all taken to be reached.
 */
export function marksRevised(offered: readonly OfferedPartition[], now: StateRules): string | undefined {
  const windows = windowsOf(now)
  const { revision = 0, revisionFrom, windowSize, outOfOrderness, allowedLateness } = now
  const span = windowSize + outOfOrderness + allowedLateness
  for (const { origin, revision: before, maxEventTime } of offered) {
    if (origin !== 'mark' || before === undefined || maxEventTime === undefined) continue
    const [first, last] = [windows.startUpTo(maxEventTime - span), windows.startUpTo(maxEventTime + span)]
    const change = changeBetween(before, { revision, revisionFrom }, first, last, windows)
    if (change !== undefined) return change
  }
  return undefined
}

function changeBetween(
  before: RevisionRule,
  after: RevisionRule,
  first: number,
  last: number,
  windows: ReturnType<typeof windowsOf>,
): string | undefined {
  const start = firstRevised(before, after, first, last, windows)
  if (start === undefined) return undefined
  const change = `sink.revision ${revisionOf(before, start)} for the window of ${isoTime(start)}, now ${revisionOf(after, start)}`
  if (after.revision === before.revision + 1) {
    const free = isoTime(windows.startFrom(last + 1))
    return `${change}: let it begin with a window that nothing was counted into, sink.revisionFrom: ${free} or later`
  }
  return after.revision > before.revision
    ? `${change}: raise it by one at a time`
    : `${change}: it changes at one window, and can only rise`
}

/**
 * Why Kafka can't be read on from where the entry stands. Partitions that it doesn't have came later; they begin as offered. A topic that
 * was made again and a gap that retention has left are no obstacle, see go-on.ts.
 */
function pastEnd(offered: readonly OfferedPartition[], entry: TaskEntry, topics: readonly string[]): string | undefined {
  for (const { topicIndex, partition, latest, topicId } of offered) {
    const kept = partitionOf(entry, topics[topicIndex])
    if (kept === undefined || isOtherTopic(kept.topicId, topicId) || kept.position <= latest) continue
    return `its position ${kept.position} in ${kept.topic}/${partition} is past the end ${latest} (topic created again?)`
  }
  return undefined
}

/**
 * The group's own marks lie further than the entry: reading on from them repeats less. They are better too when Kafka has all that they
 * need and not what the entry needs. Where open windows need what is gone, only the entry has it.
 */
function isBehind(offered: readonly OfferedPartition[], entry: TaskEntry, topics: readonly string[]): boolean {
  const known = offered.flatMap((offer) => {
    const kept = partitionOf(entry, topics[offer.topicIndex])
    return kept === undefined ? [] : [{ offer, kept }]
  })
  if (!known.every(({ offer }) => offer.origin === 'mark' && offer.lost !== true)) return false
  const isGone = known.some(({ offer, kept }) => isOtherTopic(kept.topicId, offer.topicId) || kept.position < offer.earliest)
  return isGone || known.reduce((sum, { offer, kept }) => sum + offer.position - kept.position, 0) > 0
}

/** The marks are all that it takes: no open window holds anything that lies before its mark. */
function areWhole(offered: readonly OfferedPartition[]): boolean {
  return offered.every(({ carried }) => carried?.facts.windowsFrom === undefined)
}

function partitionOf(entry: TaskEntry, topic: string | undefined): TaskEntry['partitions'][number] | undefined {
  return entry.partitions.find((one) => one.topic === topic)
}
