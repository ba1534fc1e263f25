/**
 * Where the counts of a pane lie. There is memory only for pages of PAGE_IDS products of which at least one was counted: ids are given in
 * the order in which products appear, the lowest free one first, so those that are counted in one window lie close together.
 *
 *   directory   page of ids 0 to 511 | page of ids 512 to 1023 | ...       0: none of them was counted
 *   counts      page 0, all zero | page 1 | page 2 | ...       a page: impressions of its first id | its clicks | those of the next | ...
 */

import { MEASURE_BITS } from './measures.ts'

/** id >> PAGE_SHIFT is its place in the directory. */
export const PAGE_SHIFT = 9
/** Products of a page. */
export const PAGE_IDS = 1 << PAGE_SHIFT
/** code >> PAGE_COUNTS_SHIFT is the place of a code's page in the directory. */
export const PAGE_COUNTS_SHIFT = PAGE_SHIFT + MEASURE_BITS
/** Counts of a page. */
export const PAGE_COUNTS = 1 << PAGE_COUNTS_SHIFT

/** Index of a product's impressions in `counts`; its clicks come next. For one that wasn't counted, a cell of page 0. */
export function cellOf(directory: Int32Array, id: number): number {
  return (directory[id >> PAGE_SHIFT]! << PAGE_COUNTS_SHIFT) | ((id & (PAGE_IDS - 1)) << MEASURE_BITS)
}

/** How long a directory for ids below `limit` is. */
export function directoryLength(limit: number): number {
  return (limit + PAGE_IDS - 1) >> PAGE_SHIFT
}
