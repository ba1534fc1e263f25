import { inject } from 'vitest'

/** How much a run of tests wants to know: `npm run test:unit`, `npm test`, and `npm run test:long`, which is what CI runs. */
export type Effort = 'unit' | 'all' | 'long'

declare module 'vitest' {
  export interface ProvidedContext {
    effort: Effort
  }
}

/** How often a test of random input repeats itself. */
export function repetitions(times: Readonly<Record<Effort, number>>): number {
  return times[inject('effort')]
}
