/**
 * The ledger: of every record read it is known what became of it. TERMS is the list of what can become of one; the balance
 *
 *   read = counted + late + invalid + ignored
 *
 * and with it the metric ctr_ledger_records_total, the columns and views of ctr_ledger, the stored totals, the summary, the live view and
 * the checks at the end of a run follow from the list. A new term is a row here and a counter of the same name in Partition, which the
 * compiler asks for.
 *
 * Totals are those of a partition over a span of its offsets. They depend on the records alone (for partitions that don't go idle), so
 * the sums from the same first offset to the same last one are equal whoever computed them, and however often: they may be written again
 * at any time. Reasons are coarser after a start that went by marks alone: those of the records before it are EARLIER.
 *
 * Stored totals, in manifests and in commit metadata, have a field each for `counted` and `late`. Everything else is an entry of the map
 * `invalid`: the reasons of invalid records in upper case, and any other term in lower case under its own name. So a version that does not
 * know a term keeps its number, hands it on and balances all the same: to it the term is one more reason.
 */

interface Term {
  /** As metric label, column and stored entry: lower case, at most TERM_NAME_MAX letters. */
  readonly name: string
  /** What became of its records. */
  readonly means: string
  /** Where its records leave the engine, if at all: low-water marks wait until that output has acknowledged them. */
  readonly output: string | undefined
  /** It is told by reason as well. */
  readonly reasons: boolean
}

/** What becomes of a record. The first is the good end; each record read ends in exactly one. */
export const TERMS = [
  { name: 'counted', means: 'counted into a window', output: undefined, reasons: false },
  { name: 'late', means: 'left out, for its window was closed for good', output: 'late', reasons: false },
  { name: 'invalid', means: 'not a valid event', output: 'deadLetters', reasons: true },
  { name: 'ignored', means: 'of a type that is not counted, or without a value', output: undefined, reasons: false },
] as const satisfies readonly Term[]

/** A name of the list. */
export type TermName = (typeof TERMS)[number]['name']
/** The outputs that records leave by. */
export type OutputName = NonNullable<(typeof TERMS)[number]['output']>
/** Records read, and of them so many by term. */
export type LedgerCounts = { readonly [name in 'read' | TermName]: number }

/** Names in the order of the list. */
export const TERM_NAMES: readonly TermName[] = TERMS.map(({ name }) => name)
/** For people. */
export const BALANCE = `read = ${TERM_NAMES.join(' + ')}`
/** Those that are an entry of the map in stored totals. */
const ENTRY_NAMES = TERM_NAMES.filter((name) => name !== 'counted' && name !== 'late' && name !== 'invalid')

/** Invalid records of which the reasons are no longer known: those before the low-water mark that a start went by. */
export const EARLIER = 'EARLIER'

/** Bounds of what is carried on of a newer version's terms where there is little room. */
const CARRIED_TERMS_MAX = 6
const TERM_NAME_MAX = 12
const CARRIED_NAME = new RegExp(`^[a-z][a-z_]{0,${TERM_NAME_MAX - 1}}$`)

/** Plain data, as it is stored. */
export interface LedgerTotals {
  /** Where the span begins: the first offset ever read of the partition by this group, as far as it is known. */
  readonly first: number
  readonly read: number
  readonly counted: number
  readonly late: number
  /** By reason, and other terms by name, see above; entries without a record are left out. */
  readonly invalid: Readonly<Record<string, number>>
}

/** Totals of no record. */
export function noTotals(first: number): LedgerTotals {
  return { first, read: 0, counted: 0, late: 0, invalid: {} }
}

/** `before`, and what was counted since; `reasons` are those of the invalid ones since. */
export function addCounts(before: LedgerTotals, since: LedgerCounts, reasons: Readonly<Record<string, number>>): LedgerTotals {
  const invalid: Record<string, number> = { ...before.invalid }
  const add = (entry: string, count: number) => {
    if (count > 0) invalid[entry] = (invalid[entry] ?? 0) + count
  }
  for (const [reason, count] of Object.entries(reasons)) add(reason, count)
  for (const name of ENTRY_NAMES) add(name, since[name])
  return {
    first: before.first,
    read: before.read + since.read,
    counted: before.counted + since.counted,
    late: before.late + since.late,
    invalid,
  }
}

/** Records of a term. One that this version does not know is among the invalid, where its name stands beside the reasons. */
export function sumOf(totals: LedgerTotals, name: TermName): number {
  if (name === 'counted' || name === 'late') return totals[name]
  return sum(entriesOf(totals, name))
}

/** The entries of the stored map that make up a term: its reasons, when it has some. */
export function entriesOf({ invalid }: LedgerTotals, name: TermName): readonly (readonly [entry: string, count: number])[] {
  const entries = Object.entries(invalid)
  if (name !== 'invalid') return entries.filter(([entry]) => entry === name)
  return entries.filter(([entry]) => !ENTRY_NAMES.some((other) => other === entry))
}

/** Records that have left by an output. What a term of a newer version does is not known here, so its records are not among them. */
export function sumLeftBy(totals: LedgerTotals, output: OutputName): number {
  return TERMS.filter((term) => term.output === output).reduce((left, { name }) => {
    const entries = entriesOf(totals, name)
    return left + sum(name === 'invalid' ? entries.filter(([entry]) => !isTermName(entry)) : entries)
  }, 0)
}

/** A copy of the counts alone. */
export function countsOf(counts: LedgerCounts): LedgerCounts {
  const copy: { -readonly [name in keyof LedgerCounts]?: number } = { read: counts.read }
  for (const name of TERM_NAMES) copy[name] = counts[name]
  return copy as LedgerCounts
}

/** Records read that are in no term; 0 when the ledger balances. */
export function unaccounted(counts: LedgerCounts): number {
  return TERM_NAMES.reduce((rest, name) => rest - counts[name], counts.read)
}

/** The ledger with its numbers, for messages: `read 9, counted 5 + late 3 + invalid 0`. */
export function spellCounts(counts: LedgerCounts): string {
  return `read ${counts.read}, ${TERM_NAMES.map((name) => `${name} ${counts[name]}`).join(' + ')}`
}

/**
 * The same sums in little room: all reasons are one, EARLIER. Of other terms as many are kept as there is room for; the rest goes into
 * EARLIER too, so that the whole balances.
 */
export function withoutReasons(totals: LedgerTotals): LedgerTotals {
  const invalid: Record<string, number> = {}
  let earlier = 0
  let carried = 0
  for (const [entry, count] of Object.entries(totals.invalid)) {
    if (CARRIED_NAME.test(entry) && carried < CARRIED_TERMS_MAX) {
      invalid[entry] = count
      carried++
    } else earlier += count
  }
  return { ...totals, invalid: earlier === 0 ? invalid : { [EARLIER]: earlier, ...invalid } }
}

function isTermName(entry: string): boolean {
  return /^[a-z]/.test(entry)
}

function sum(entries: readonly (readonly [entry: string, count: number])[]): number {
  return entries.reduce((total, [, count]) => total + count, 0)
}

/** One row of ctr_ledger before it has a tenant: totals up to and including offset `last`. Times in ms. */
export interface LedgerRow {
  readonly topic: string
  readonly partition: number
  readonly last: number
  readonly totals: LedgerTotals
  /** Invalid records that are in dead letters. */
  readonly deadLettered: number
  /** The event time that is believed, or before there is one that of the earliest event; undefined before the first. */
  readonly maxEventTime: number | undefined
}

/** One row of ctr_ledger_windows: the events that main counted into a window that is closed for good. Times in ms. */
export interface WindowLedgerRow {
  readonly task: number
  readonly start: number
  readonly end: number
  readonly events: number
}
