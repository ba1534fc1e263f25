/** What must hold of the believed time, whatever producers' clocks do; and it is what the naive twin says, from any offset on. */
import { describe, expect, test } from 'vitest'
import { Random } from '../../src/load/random.ts'
import { AGREEING_MIN, Candidates, FIRST_AGREEING_MIN, RECENT_EVENTS } from '../../src/window/believed.ts'
import { CANDIDATES_TEXT } from '../../src/window/facts.ts'
import { PartitionClock } from '../../workshop/oracle.ts'
import { repetitions } from '../support/effort.ts'
import { expectSame } from '../support/expect-same.ts'

const SEED = Number(process.env.CTR_TEST_SEED ?? Date.now() % 1_000_000_007)
const SEEDS = Array.from({ length: repetitions({ unit: 3, all: 6, long: 40 }) }, (_, i) => SEED + i)
const START = 1_700_000_000_000
const MINUTE = 60_000
const YEAR = 365 * 86_400_000
const MAX_JUMP = 10 * MINUTE
const DISORDER = 2_000

/** As a partition does it: near events move the time by themselves. */
class Believed {
  time = Number.NEGATIVE_INFINITY
  events = 0
  candidates: Candidates

  constructor(text?: string) {
    this.candidates = new Candidates(MAX_JUMP, text)
  }

  see(time: number): void {
    this.events++
    if (time > this.time + MAX_JUMP) this.time = this.candidates.consider(time, this.events, this.events, this.time)
    else if (time > this.time) this.time = time
  }

  /** Another one that begins with what a mark would say. */
  restarted(): Believed {
    const text = this.candidates.textAt(this.events, this.time)
    if (text !== undefined && !CANDIDATES_TEXT.test(text)) throw new Error(`not as it may be written: ${text}`)
    const other = new Believed(text)
    other.time = this.time
    return other
  }
}

interface Traffic {
  readonly share: number
  /** How far ahead the wrong clock is, ms; undefined: another way each time. */
  readonly ahead?: number | undefined
  readonly gaps: boolean
}

function* traffic(random: Random, count: number, { share, ahead, gaps }: Traffic): Generator<{ time: number; now: number; bad: boolean }> {
  let now = START
  for (let i = 0; i < count; i++) {
    now += 1 + random.below(50)
    if (gaps && random.chance(20 / count)) now += [20, 60, 600][random.below(3)]! * MINUTE
    const bad = random.chance(share)
    const skew = ahead ?? MAX_JUMP + DISORDER + 1 + random.below(random.chance(0.5) ? MAX_JUMP : YEAR)
    yield { time: bad ? now + skew : now - random.below(DISORDER), now, bad }
  }
}

test.each(SEEDS)('it is what the naive twin says, from any offset on: seed %i', (seed) => {
  const random = new Random(seed)
  for (const share of [0, 0.001, 0.1, 0.3, 0.6, 0.9]) {
    const twin = new PartitionClock(MAX_JUMP)
    let believed = new Believed()
    let events = 0
    for (const { time } of traffic(random, 3_000, { share, gaps: true })) {
      twin.see(time)
      believed.see(time)
      expectSame(believed.time, twin.time ?? Number.NEGATIVE_INFINITY, () => `share ${share}, event ${events}`)
      events++
      if (random.chance(0.1)) believed = believed.restarted()
    }
  }
})

describe('nobody is late', () => {
  const lateOf = (random: Random, count: number, how: Traffic, rule: { time: number; see(time: number): void }) => {
    let late = 0
    for (const { time, bad } of traffic(random, count, how)) {
      if (!bad && time + 2 * DISORDER <= rule.time) late++
      rule.see(time)
    }
    return late
  }
  const shares = [0, 0.0001, 0.01, 0.1]
  const cases = shares.flatMap((share) => [1_800_000, 3_000_000, YEAR, undefined].map((ahead) => ({ share, ahead })))

  test.each(cases)('when a share of $share is ahead by $ahead ms', ({ share, ahead }) => {
    for (const seed of SEEDS)
      for (const gaps of [false, true]) expect(lateOf(new Random(seed), 10_000, { share, ahead, gaps }, new Believed())).toBe(0)
  })

  test('and with the plain maximum most are', () => {
    const plain = {
      time: Number.NEGATIVE_INFINITY,
      see(time: number) {
        this.time = Math.max(this.time, time)
      },
    }
    expect(lateOf(new Random(SEED), 10_000, { share: 0.01, ahead: YEAR, gaps: false }, plain)).toBeGreaterThan(5_000)
  })

  test('when one record is wrong, wherever it stands, and by whatever', () => {
    for (const at of [...Array.from({ length: 50 }, (_, i) => i), 500]) {
      for (const ahead of [MAX_JUMP + DISORDER + 1, 1_800_000, YEAR]) {
        const believed = new Believed()
        let late = 0
        for (let i = 0; i < 600; i++) {
          const time = START + i * 1_000
          if (i !== at && believed.time > time) late++
          believed.see(i === at ? time + ahead : time)
        }
        expect(late).toBe(0)
      }
    }
  })
})

describe('a gap in the traffic', () => {
  test('costs as many events as must agree, however sparse they are', () => {
    for (const stepMs of [1, 1_000, 5 * MINUTE]) {
      const believed = new Believed()
      for (let i = 0; i < 100; i++) believed.see(START + i * stepMs)
      const behind = START + 100 * stepMs + 60 * MINUTE
      let events = 0
      while (believed.time < behind) believed.see(behind + events++ * stepMs)
      expect(events).toBe(AGREEING_MIN)
    }
  })

  test('costs no more than the last events that are looked at, when a tenth is wrong', () => {
    for (const seed of SEEDS) {
      const random = new Random(seed)
      const believed = new Believed()
      for (const { time } of traffic(random, 200, { share: 0.1, ahead: YEAR, gaps: false })) believed.see(time)
      let events = 0
      const behind = believed.time + 60 * MINUTE
      while (believed.time < behind) believed.see(behind + events++ + (events % 10 === 0 ? YEAR : 0))
      expect(events).toBeLessThanOrEqual(RECENT_EVENTS)
    }
  })

  test('longer than maxJump before each event: the time follows at that distance', () => {
    const believed = new Believed()
    for (let i = 0; i < 100; i++) believed.see(START + i * (MAX_JUMP + 1))
    expect((START + 99 * (MAX_JUMP + 1) - believed.time) / (MAX_JUMP + 1)).toBeLessThan(RECENT_EVENTS)
  })
})

describe('the first time', () => {
  test.each([
    [FIRST_AGREEING_MIN - 1, Number.NEGATIVE_INFINITY],
    [FIRST_AGREEING_MIN, START],
    [FIRST_AGREEING_MIN + 1, START + FIRST_AGREEING_MIN],
  ])('after %i events is %i', (count, time) => {
    const believed = new Believed()
    for (let i = 0; i < count; i++) believed.see(START + i)
    expect(believed.time).toBe(time)
  })

  test('is known in the middle of that', () => {
    const believed = new Believed()
    for (let i = 0; i < 5; i++) believed.see(START + i)
    const other = believed.restarted()
    for (let i = 5; i < 8; i++) other.see(START + i)
    expect(other.time).toBe(START)
  })
})
