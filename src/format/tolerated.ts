/** What is no JSON, and costs an event nothing where nobody reads it. */

/** The kinds, each with its bit. */
export const TOLERATED = { bom: 1, not_finite: 2, not_utf8: 4, control: 8 } as const

/** Why an event's JSON is none, and counts all the same. */
export type Tolerated = keyof typeof TOLERATED

/** In the order of their counters. */
export const TOLERATED_KINDS = Object.keys(TOLERATED) as readonly Tolerated[]
