/** What the live scenarios are: loads, one after the other, that the engine has to follow. */
import type { GenerateOptions } from '../src/source/generate.ts'

export interface Phase {
  /** Events per second; 0 is as fast as it goes. */
  readonly rate: number
  readonly seconds: number
  /** Instead of an end by time. */
  readonly count?: number
  readonly generate: Partial<GenerateOptions>
}

export interface ScenarioOptions {
  /** Events per second. */
  readonly rate: number
  /** Of the load in all. */
  readonly seconds: number
}

export interface Scenario {
  readonly what: string
  readonly defaults: ScenarioOptions
  /** The engine starts when all has been produced. */
  readonly backlog?: boolean
  readonly phases: (options: ScenarioOptions) => readonly Phase[]
}

/** Within what is forgiven: no event is late, so that every one must be in a row in the end. */
const PUNCTUAL: Partial<GenerateOptions> = { disorderMs: 2_000, products: 1_000 }
const BURST = 4

/** By the name that `npm run perf -- NAME` takes. */
export const SCENARIOS: Readonly<Record<string, Scenario>> = {
  burst: {
    what: `a fifth of the time ${BURST} times the rate`,
    defaults: { rate: 100_000, seconds: 60 },
    phases: ({ rate, seconds }) => [
      { rate, seconds: seconds * 0.4, generate: PUNCTUAL },
      { rate: rate * BURST, seconds: seconds * 0.2, generate: { ...PUNCTUAL, seed: 2 } },
      { rate, seconds: seconds * 0.4, generate: { ...PUNCTUAL, seed: 3 } },
    ],
  },
  skew: {
    what: '100,000 products by Zipf with exponent 1.5: two of five events are of one product',
    defaults: { rate: 100_000, seconds: 60 },
    phases: ({ rate, seconds }) => [{ rate, seconds, generate: { ...PUNCTUAL, products: 100_000, skew: 1.5 } }],
  },
  cardinality: {
    what: '1,000,000 products, all alike',
    defaults: { rate: 100_000, seconds: 60 },
    phases: ({ rate, seconds }) => [{ rate, seconds, generate: { ...PUNCTUAL, products: 1_000_000, skew: 0 } }],
  },
  backlog: {
    what: 'all is there before the engine starts',
    defaults: { rate: 100_000, seconds: 60 },
    backlog: true,
    phases: ({ rate, seconds }) => [{ rate: 0, seconds: 0, count: rate * seconds, generate: PUNCTUAL }],
  },
  soak: {
    what: '5,000,000 products, all alike, for long',
    defaults: { rate: 500_000, seconds: 1800 },
    phases: ({ rate, seconds }) => [{ rate, seconds, generate: { ...PUNCTUAL, products: 5_000_000, skew: 0 } }],
  },
}
