import { describe, expect, test } from 'vitest'
import { type Candidate, decideTaskStart, type StartWish } from '../../src/checkpoint/decide.ts'
import type { StateRules } from '../../src/checkpoint/manifest.ts'
import type { OfferedPartition } from '../../src/source/source.ts'

const RULES: StateRules = {
  windowType: 'tumbling',
  windowSize: 10_000,
  outOfOrderness: 5_000,
  allowedLateness: 5_000,
  topics: ['a', 'b'],
  tenant: 'default',
}
const LATEST: StartWish = { from: 'latest', ignoreState: false }
const NONE = { first: 0, read: 0, counted: 0, late: 0, invalid: {} }

/** A checkpoint of task 3 at these positions in topics a and b. */
function kept(createdAt: number, a: number, b: number | undefined, given: Partial<Candidate['manifest']> = {}): Candidate {
  const partition = (topic: string, position: number) => {
    return { topic, partition: 3, position, maxEventTime: null, totals: NONE, windows: [] }
  }
  const partitions = b === undefined ? [partition('a', a)] : [partition('a', a), partition('b', b)]
  const entry = { task: 3, published: null, partitions, object: null }
  const id = `${String(createdAt).padStart(13, '0')}-0a0b0c0d-1`
  const manifest = { format: 1 as const, id, savepoint: null, group: 'g', writer: 'w', createdAt, rules: RULES, tasks: [entry], ...given }
  return { manifest, entry }
}

function offered(origin: OfferedPartition['origin'], a = 0, b = 0, earliest = 0, latest = 100): OfferedPartition[] {
  return [a, b].map((position, topicIndex) => {
    return { topicIndex, partition: 3, position, maxEventTime: undefined, endOffset: undefined, earliest, latest, origin }
  })
}

function decide(
  offers: OfferedPartition[],
  candidates: Candidate[],
  wish: StartWish = LATEST,
  rules = RULES,
  broken: Iterable<string> = [],
): unknown {
  const start = decideTaskStart(offers, candidates, wish, rules, new Set(broken))
  return start.kind === 'kept' ? start.candidate.manifest.createdAt : start.kind
}

describe('a task begins', () => {
  const two = [kept(1, 20, 20), kept(2, 30, 30)]
  const named = kept(1, 20, 20, { savepoint: 'blue' })

  test.each<[string, unknown, unknown]>([
    ['as offered when nothing is kept', decide(offered('mark', 5, 5), []), 'offered'],
    ['at the furthest checkpoint', decide(offered('mark', 5, 5), two), 2],
    ['at the furthest one whatever its age', decide(offered('mark', 5, 5), [kept(9, 20, 20), kept(2, 30, 30)]), 2],
    ['at the later one of two that are equally far', decide(offered('mark', 5, 5), [kept(1, 30, 30), kept(2, 30, 30)]), 2],
    ['at the one before it when that one is broken', decide(offered('mark', 5, 5), two, LATEST, RULES, [two[1]!.manifest.id]), 1],
    [
      'as offered when all are broken',
      decide(
        offered('mark', 5, 5),
        two,
        LATEST,
        RULES,
        two.map(({ manifest }) => manifest.id),
      ),
      'offered',
    ],
    ['at a checkpoint when the group has no offsets', decide(offered('none'), two), 2],
    ['as offered when its marks are further', decide(offered('mark', 31, 30), two), 'offered'],
    ['at the checkpoint when its marks are as far', decide(offered('mark', 30, 30), two), 2],
    ['as offered when somebody has set the offsets', decide(offered('foreign', 5, 5), two), 'offered'],
    ['as offered when a start was asked for', decide(offered('asked', 5, 5), two), 'offered'],
    ['as offered with --from none', decide(offered('mark', 5, 5), two, { from: 'none', ignoreState: false }), 'offered'],
    [
      'at the savepoint that was named, wherever else it could',
      decide(offered('asked', 50, 50), [...two, named], { from: { savepoint: 'blue' }, ignoreState: false }),
      1,
    ],
    [
      'as offered when the savepoint has not this task',
      decide(offered('mark'), two, { from: { savepoint: 'blue' }, ignoreState: false }),
      'offered',
    ],
    [
      'as offered when the furthest lies past the end and the next is behind its marks',
      decide(offered('mark', 25, 25, 0, 29), two),
      'offered',
    ],
    ['as offered when retention has passed what is kept', decide(offered('mark', 31, 31, 31), two), 'offered'],
    ['at a checkpoint at exactly the earliest offset', decide(offered('none', 30, 30, 30), two), 2],
    ['at a checkpoint at exactly the end', decide(offered('none', 0, 0, 0, 30), two), 2],
    ['as offered when it lies past the end', decide(offered('none', 0, 0, 0, 19), two), 'offered'],
    ['at a checkpoint that lacks a partition that came later', decide(offered('mark', 5, 5), [kept(1, 20, undefined)]), 1],
  ])('%s', (_, got, want) => expect(got).toBe(want))
})

describe('state made by other rules', () => {
  const candidates = [kept(2, 30, 30)]
  const rules = (given: Partial<StateRules>) => ({ ...RULES, ...given })

  test.each<[string, StateRules, RegExp]>([
    ['another window size', rules({ windowSize: 60_000 }), /window\.size 10000 ms, now 60000 ms/],
    ['another kind of window', rules({ windowType: 'sliding' }), /window\.type/],
    ['other topics', rules({ topics: ['a', 'c'] }), /kafka\.topics a, b, now a, c/],
    ['another tenant', rules({ tenant: 'blue' }), /tenant default, now blue/],
  ])('%s is refused, with the reason', (_, now, reason) => {
    const start = decideTaskStart(offered('mark'), candidates, LATEST, now, new Set())
    expect(start).toMatchObject({ kind: 'refused', why: expect.stringMatching(reason) })
  })

  test('is left alone with --ignore-state', () => {
    const wish: StartWish = { from: 'latest', ignoreState: true }
    expect(decide(offered('mark'), candidates, wish, rules({ windowSize: 60_000 }))).toBe('offered')
    expect(
      decide(
        offered('mark'),
        [...candidates, kept(1, 9, 9, { rules: rules({ windowSize: 60_000 }) })],
        wish,
        rules({ windowSize: 60_000 }),
      ),
    ).toBe(1)
  })

  test.each<[string, StateRules]>([
    ['topics in another order', rules({ topics: ['b', 'a'] })],
    ['another lateness', rules({ allowedLateness: 0 })],
    ['another out-of-orderness', rules({ outOfOrderness: 0 })],
  ])('%s is no obstacle', (_, now) => expect(decide(offered('mark'), candidates, LATEST, now)).toBe(2))
})

describe('a start from elsewhere begins a new incarnation', () => {
  const old = kept(5, 90, 90)
  const incarnationOf = (offers: OfferedPartition[], candidates: Candidate[], wish: StartWish = LATEST) => {
    const start = decideTaskStart(offers, candidates, wish, RULES, new Set())
    return start.kind === 'refused' ? start.kind : start.incarnation
  }
  const of = (candidate: Candidate, incarnation: number): Candidate => {
    const entry = { ...candidate.entry, lineage: incarnation }
    return { entry, manifest: { ...candidate.manifest, tasks: [entry] } }
  }
  const marks = (incarnation: number, at: number) => offered('mark', at, at).map((one) => ({ ...one, incarnation }))

  test.each<[string, OfferedPartition[], StartWish]>([
    ['offsets that somebody has set', offered('foreign', 5, 5), LATEST],
    ['a start that was asked for', offered('asked', 5, 5), LATEST],
    ['--from none', offered('mark', 5, 5), { from: 'none', ignoreState: false }],
  ])('%s', (_, offers, wish) => {
    expect(incarnationOf(offers, [old], wish)).toBe(1)
    expect(incarnationOf(offers, [old, of(old, 7)], wish)).toBe(8)
  })

  test('a savepoint by its name', () => {
    const named = kept(1, 20, 20, { savepoint: 'blue' })
    expect(incarnationOf(offered('mark', 90, 90), [old, named], { from: { savepoint: 'blue' }, ignoreState: false })).toBe(1)
  })

  test('and what was kept before is passed over from then on, however far it had come', () => {
    expect(decide(marks(1, 10), [old])).toBe('offered')
    expect(decide(marks(1, 10), [old, of(kept(9, 15, 15), 1)])).toBe(9)
    expect(incarnationOf(marks(1, 10), [old, of(kept(9, 15, 15), 1)])).toBe(1)
    // Killed before the first marks of the new incarnation: its checkpoint is enough to tell.
    expect(decide(marks(0, 95), [old, of(kept(9, 15, 15), 1)])).toBe(9)
  })

  test('while any other start goes on in the one there is', () => {
    expect(incarnationOf(marks(2, 10), [])).toBe(2)
    expect(incarnationOf(marks(2, 95), [of(old, 2)])).toBe(2)
    expect(incarnationOf(offered('none'), [])).toBe(0)
  })
})

describe('a savepoint that was named and can not be used ends the run', () => {
  const wish: StartWish = { from: { savepoint: 'blue' }, ignoreState: false }
  const named = kept(1, 20, 20, { savepoint: 'blue' })
  test('when it is broken', () => expect(decide(offered('mark'), [named], wish, RULES, [named.manifest.id])).toBe('refused'))
  test('when Kafka no longer has what it needs', () => expect(decide(offered('mark', 30, 30, 30), [named], wish)).toBe('refused'))
})
