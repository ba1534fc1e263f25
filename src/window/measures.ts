/**
 * What is counted, and how a count is spelled wherever it goes. Whoever handles counts takes their arithmetic from here.
 *
 *   measures    impressions, clicks: every event is one of them and counts once
 *   code        of an event: id << 1 | measure, where id is its product's number in its worker; so it names one measure of one cell
 *   event       in a ring: | code | time relative to its block's base, ms |
 *   cell        in a pane: | impressions | clicks | from counts[2 · id]; arrays with one number a cell, as of totals, have it at id
 *   cell        in a ring, when a checkpoint is put back, from a multiple of 8 bytes: | id | 0 | impressions (double) | clicks (double) |
 *   cell        in a task object: impressions and clicks as varints (checkpoint/task-object.ts)
 *   events      of a cell: the sum of its measures, which only grows. A row's version is made of it (sink/row-binary.ts).
 *
 * Constants and one-line functions only: the loops that use them run for every event or every cell.
 */

/** Place of a measure in a cell, and its bit in a code; impressions come first. */
export const CLICKS = 1
/** Below a product's id in a code lies the measure; a pane's cell is as many counts long. */
export const MEASURE_BITS = 1

/** Words of an event in a ring; the code comes first. */
export const EVENT_WORDS = 2
/** Place of the relative time in them. */
export const EVENT_TIME = 1

/** Words of a cell in a ring. */
export const CELL_WORDS = 6

/** A product's code for an impression, to which a click adds its bit. */
export function codeOfId(id: number): number {
  return id << MEASURE_BITS
}

/** The product's id in a code. */
export function idOfCode(code: number): number {
  return code >> MEASURE_BITS
}

/** Where a cell's total lies in an array with one number a cell. */
export function totalAt(cell: number): number {
  return cell >> MEASURE_BITS
}

/** How many events a cell with these counts holds. */
export function eventsOf(impressions: number, clicks: number): number {
  return impressions + clicks
}

/** Whether anything was counted in the cell that begins at `cell` of a pane's counts. */
export function isCounted(counts: Uint32Array | Float64Array, cell: number): boolean {
  return counts[cell] !== 0 || counts[cell + CLICKS] !== 0
}

/** Writes a cell as a ring carries it to words[at]; `doubles` is the same memory. */
export function writeCell(words: Int32Array, doubles: Float64Array, at: number, id: number, impressions: number, clicks: number): void {
  words[at] = id
  words[at + 1] = 0
  doubles[(at >> 1) + 1] = impressions
  doubles[(at >> 1) + 2] = clicks
}

/** Impressions of the cell at word `at`; its id is that word. */
export function impressionsAt(doubles: Float64Array, at: number): number {
  return doubles[(at >> 1) + 1]!
}

/** Clicks of the cell at word `at`. */
export function clicksAt(doubles: Float64Array, at: number): number {
  return doubles[(at >> 1) + 2]!
}
