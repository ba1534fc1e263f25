import { inject } from 'vitest'

declare module 'vitest' {
  export interface ProvidedContext {
    short: boolean
  }
}

/** How often a test of random input repeats itself: in the whole suite, and where `npm run test:unit` wants an answer within a minute. */
export function repetitions(whole: number, short: number): number {
  return inject('short') ? short : whole
}
