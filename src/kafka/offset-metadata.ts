/**
 * The text committed beside a group's offset, which is a low-water mark: what is known of the records before it.
 *
 *   {"v":1,"maxEventTime":1700000000000,"ledger":{"first":0,"read":12,"counted":8,"late":1,"invalid":{"EARLIER":2,"ignored":1}},
 *    "lineage":2,"revision":1,"revisionFrom":1700000000000,
 *    "facts":{"topicId":"…","remade":1,"orphansUntil":…,"idleSince":…,"candidates":"…","windowsFrom":…}}
 *
 *   maxEventTime   largest event time that is believed (window/believed.ts), ms; absent when there is none
 *   ledger         the totals as sums (window/ledger.ts): all reasons of invalid records are one, EARLIER, for nothing bounds how many
 *                  there are. Reasons are in checkpoints and in ctr_ledger. Terms that only a newer version knows are kept by name
 *   lineage        the task's incarnation; absent: 0
 *   revision       of the rows that were written, and `revisionFrom`, see RevisionRule; absent: nothing is known
 *   facts          see MarkFacts; absent: none
 *
 * At most METADATA_MAX_BYTES with every number at its largest: a broker refuses more than 4 KiB, and with it the offset.
 *
 * Why still `"v":1`: pods of two versions run side by side while they are replaced, and a release may be taken back. The first version
 * keeps unknown entries of `invalid`, counts them as reasons, and passes over keys that it does not know; so its marks, rows and balance
 * stay exact. Under another number it would take the offset for one that somebody else has set, and leave its checkpoints. What going back
 * costs: the facts are lost, and a newer version's terms stand among the invalid and the dead-lettered records.
 *
 * Text of anybody else reads as "nothing known".
 */
import { assert } from '../assert.ts'
import { LIMITS } from '../config/limits.ts'
import { CANDIDATES_TEXT, type MarkFacts } from '../window/facts.ts'
import { type LedgerTotals, withoutReasons } from '../window/ledger.ts'
import type { RevisionRule } from '../window/revision.ts'

const VERSION = 1
/** Bound of the text. */
export const METADATA_MAX_BYTES = 1024

/** What is known of the records before a committed offset. */
export interface OffsetMetadata {
  readonly maxEventTime: number | undefined
  readonly totals?: LedgerTotals | undefined
  readonly incarnation?: number | undefined
  /** What the engine that committed it wrote rows with. */
  readonly revision?: RevisionRule | undefined
  readonly facts?: MarkFacts | undefined
}

/** The text for it. */
export function encodeOffsetMetadata({ maxEventTime, totals, incarnation = 0, revision, facts }: OffsetMetadata): string {
  const text = JSON.stringify({
    v: VERSION,
    maxEventTime,
    ledger: totals && withoutReasons(totals),
    lineage: incarnation === 0 ? undefined : incarnation,
    revision: revision?.revision,
    revisionFrom: revision?.revisionFrom,
    facts,
  })
  assert(text.length <= METADATA_MAX_BYTES, 'what is committed beside an offset fits', { length: text.length })
  return text
}

/** undefined when the text is not this engine's. */
export function decodeOffsetMetadata(text: string | null | undefined): OffsetMetadata | undefined {
  if (!text?.startsWith('{')) return undefined
  try {
    const { v, maxEventTime, ledger, lineage, revision, revisionFrom, facts } = JSON.parse(text) as Record<string, unknown>
    if (v !== VERSION) return undefined
    return {
      maxEventTime: whole(maxEventTime),
      totals: isTotals(ledger) ? withoutReasons(ledger) : undefined,
      incarnation: whole(lineage, 1),
      revision: ruleOf(whole(revision, 0), whole(revisionFrom)),
      facts: factsOf(facts),
    }
  } catch {
    return undefined
  }
}

function isTotals(value: unknown): value is LedgerTotals {
  if (typeof value !== 'object' || value === null) return false
  const { first, read, counted, late, invalid } = value as Record<string, unknown>
  if (typeof invalid !== 'object' || invalid === null) return false
  return [first, read, counted, late, ...Object.values(invalid)].every((count) => whole(count, 0) !== undefined)
}

function ruleOf(revision: number | undefined, revisionFrom: number | undefined): RevisionRule | undefined {
  return revision === undefined || revision > LIMITS.revisionMax ? undefined : { revision, revisionFrom }
}

const TOPIC_ID = /^[\w-]{22}$/

/** What of it fits; undefined when nothing does. */
function factsOf(value: unknown): MarkFacts | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const { topicId, remade, orphansUntil, idleSince, candidates, windowsFrom } = value as Record<string, unknown>
  const facts = {
    topicId: matching(topicId, TOPIC_ID),
    remade: whole(remade, 1),
    orphansUntil: whole(orphansUntil),
    idleSince: whole(idleSince, 0),
    candidates: matching(candidates, CANDIDATES_TEXT),
    windowsFrom: whole(windowsFrom, 0),
  }
  return Object.values(facts).some((fact) => fact !== undefined) ? facts : undefined
}

function whole(value: unknown, least = Number.MIN_SAFE_INTEGER): number | undefined {
  return Number.isSafeInteger(value) && (value as number) >= least ? (value as number) : undefined
}

function matching(value: unknown, pattern: RegExp): string | undefined {
  return typeof value === 'string' && pattern.test(value) ? value : undefined
}
