/**
 * Proof that a simulation can fail: each mutation breaks one promise of the engine, or one of those it relies on, and must be noticed.
 */
import './virtual-time.ts'
import { expect, test } from 'vitest'
import { repetitions } from '../support/effort.ts'
import { simulate } from './simulate.ts'
import { MUTATIONS } from './world.ts'

/** A mutation is noticed within so many seeds; most are within five. */
const SEEDS_MAX = 200
/** Beside others on a small machine. */
const TIMEOUT_MS = 300_000

test.each(MUTATIONS.slice(0, repetitions({ unit: 1, all: MUTATIONS.length, long: MUTATIONS.length })))(
  'what is broken is noticed: %s',
  async (mutation) => {
    let seed = 1
    while (seed <= SEEDS_MAX && (await simulate(seed, mutation)).violations.length === 0) seed++
    expect(seed).toBeLessThanOrEqual(SEEDS_MAX)
  },
  TIMEOUT_MS,
)
