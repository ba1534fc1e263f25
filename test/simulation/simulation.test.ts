/** A short set of seeds and the seeds that have found something. `npm run test:sim` is the long set. */
import './virtual-time.ts'
import { expect, test } from 'vitest'
import { repetitions } from '../support/effort.ts'
import { FOUND_SEEDS } from './found-seeds.ts'
import { simulate } from './simulate.ts'

const SHORT_SET = repetitions({ unit: 3, all: 20, long: 60 })
const LOG_LINES = 40
/** Beside others on a small machine. */
const TIMEOUT_MS = 300_000

test(
  `seeds 1 to ${SHORT_SET} and those that have found something`,
  async () => {
    const seeds = [...Array.from({ length: SHORT_SET }, (_, i) => i + 1), ...FOUND_SEEDS]
    for (const seed of seeds) {
      const { violations, log } = await simulate(seed)
      const last = violations.length > 0 ? log.slice(-LOG_LINES).join('\n') : ''
      expect(violations, `seed ${seed}; node test/simulation/run.ts --seeds 1 --from ${seed} --log shows all of\n${last}`).toEqual([])
    }
  },
  TIMEOUT_MS,
)

test.each([
  ['sliding', SHORT_SET],
  ['several', SHORT_SET],
  ['sliding-several', Math.ceil(SHORT_SET / 4)],
] as const)(
  `%s: windows that overlap, or records that are several events, or both`,
  async (variant, seeds) => {
    for (let seed = 1; seed <= seeds; seed++) {
      const { violations, log } = await simulate(seed, undefined, variant)
      const last = violations.length > 0 ? log.slice(-LOG_LINES).join('\n') : ''
      expect(violations, `seed ${seed}; run.ts --seeds 1 --from ${seed} --variant ${variant} --log shows all of\n${last}`).toEqual([])
    }
  },
  TIMEOUT_MS,
)

test('a seed goes the same way every time', async () => {
  const [one, other] = [await simulate(7), await simulate(7)]
  expect(one.events).toBe(other.events)
  expect(one.starts).toBe(other.starts)
})
