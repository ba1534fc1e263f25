import { inject } from 'vitest'

/** How much a run of tests wants to know: `npm run test:unit`, `npm test`, which is what CI runs, and `npm run test:long`. */
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

/** As many of the list as the run is worth, in their order, drawn anew in every run; in a long one all of them. */
export function drawn<T>(list: readonly T[], times: Readonly<Record<Exclude<Effort, 'long'>, number>>): readonly T[] {
  const effort = inject('effort')
  if (effort === 'long') return list
  const left = new Set(list.keys())
  while (left.size > times[effort]) left.delete([...left][Math.floor(Math.random() * left.size)]!)
  return list.filter((_, i) => left.has(i))
}
