/**
 * Proof that a simulation can fail: each mutation breaks one promise of the engine, or one of those it relies on, and must be noticed.
 */
import './virtual-time.ts'
import { expect, test } from 'vitest'
import { repetitions } from '../support/effort.ts'
import { simulate } from './simulate.ts'
import { MUTATIONS } from './world.ts'

/** The first seed that notices each, as the engine and the plans of seeds were last. Where one no longer does, another is looked for. */
const NOTICED_BY: Readonly<Record<(typeof MUTATIONS)[number], number>> = {
  'commit before the rows are acknowledged': 24,
  'version ignored': 8,
  'marks without event time': 8,
  'marks without totals': 8,
  'marks without candidates': 14,
  'marks without windowsFrom': 8,
  'checkpoint before the rows are acknowledged': 36,
  'changed task refers to its old object': 4,
  'restore without first offsets': 1,
  'dirty panes restored as clean': 1,
  'dead letters not awaited': 156,
  'ledger not awaited': 66,
  'ids of topics ignored': 4,
  'objects that are gone are listed': 3,
}
const SEEDS_MAX = 200
/** Of a search, beside others on a small machine. */
const TIMEOUT_MS = 300_000

test.each(MUTATIONS.slice(0, repetitions({ unit: 1, all: MUTATIONS.length, long: MUTATIONS.length })))(
  'what is broken is noticed: %s',
  async (mutation) => {
    const isNoticed = async (seed: number) => (await simulate(seed, mutation)).violations.length > 0
    if (await isNoticed(NOTICED_BY[mutation])) return
    let seed = 1
    while (seed <= SEEDS_MAX && !(await isNoticed(seed))) seed++
    expect(seed).toBeLessThanOrEqual(SEEDS_MAX)
  },
  TIMEOUT_MS,
)
