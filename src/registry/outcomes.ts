/** What can come of a request to a registry, as the metric names it. */
export const OUTCOMES = ['found', 'unknown', 'denied', 'limited', 'refused', 'failed'] as const

/** One of them. */
export type RequestOutcome = (typeof OUTCOMES)[number]
