/** What the live scenarios are: loads, one after the other, that the engine has to follow. */
import type { GenerateOptions } from '../src/load/generate.ts'

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

interface ScenarioDefaults extends ScenarioOptions {
  /** Size of windows in seconds, 10 when absent. */
  readonly window?: number
  /** So many seconds are left out when the growth of memory is judged: things are still being allocated. */
  readonly settle?: number
}

export interface Scenario {
  readonly what: string
  readonly defaults: ScenarioDefaults
  /** The engine starts when all has been produced. */
  readonly backlog?: boolean
  /** The engine must keep up (judge.ts), */
  readonly long?: boolean
  /** and memory must not grow. */
  readonly judgeMemory?: boolean
  /** And of 100 windows 99 must be in ClickHouse so soon after they may close. */
  readonly delayMaxMs?: number
  /** More `key=value` for the engine. */
  readonly sets?: readonly string[]
  /** Of topics, and of the broker: lines of server.properties. */
  readonly topicConfig?: Readonly<Record<string, string>>
  readonly brokerProperties?: Record<string, string>
  readonly phases: (options: ScenarioOptions) => readonly Phase[]
}

/** Within what is forgiven: no event is late, so that every one must be in a row in the end. */
const PUNCTUAL: Partial<GenerateOptions> = { disorderMs: 2_000, products: 1_000 }
const BURST = 4

/** In half an hour 4 million products take the places of others. */
const SOAK: Partial<GenerateOptions> = { ...PUNCTUAL, products: 1_000_000, productsPerMinute: 4_000_000 / 30, skew: 0 }

/** A gibibyte of each partition is kept, which is most of a minute: the disk is not large enough for all. */
const SHORT_TOPICS: Pick<Scenario, 'topicConfig' | 'brokerProperties'> = {
  topicConfig: { 'retention.ms': '-1', 'retention.bytes': `${2 ** 30}`, 'segment.bytes': `${2 ** 27}`, 'file.delete.delay.ms': '1000' },
  brokerProperties: { 'log.retention.check.interval.ms': '5000' },
}

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
  million: {
    what: 'a million events a second, 100,000 products',
    defaults: { rate: 1_000_000, seconds: 300, settle: 60 },
    long: true,
    delayMaxMs: 2_000,
    ...SHORT_TOPICS,
    phases: ({ rate, seconds }) => [{ rate, seconds, generate: { ...PUNCTUAL, products: 100_000 } }],
  },
  soak: {
    what: '1,000,000 products, all alike, of which every minute 133,333 go and others come, for long; no roll-ups',
    defaults: { rate: 500_000, seconds: 1800, window: 60, settle: 300 },
    long: true,
    judgeMemory: true,
    // Of 17,000 rows a second roll-ups cost ClickHouse CPU which a machine shared with the rest lacks.
    sets: ['state.ttl=2m', 'clickhouse.rollUps.interval=off'],
    ...SHORT_TOPICS,
    phases: ({ rate, seconds }) => [{ rate, seconds, generate: SOAK }],
  },
}
