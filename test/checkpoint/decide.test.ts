import { describe, expect, test } from 'vitest'
import { type Candidate, decideTaskStart, marksRevised, type StartWish } from '../../src/checkpoint/decide.ts'
import type { StateRules } from '../../src/checkpoint/manifest.ts'
import type { OfferedPartition } from '../../src/source/source.ts'
import { noTotals } from '../../src/window/ledger.ts'
import { eventsWith } from '../../workshop/plain-rules.ts'

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
function kept(
  createdAt: number,
  a: number,
  b: number | undefined,
  given: Partial<Candidate['manifest']> = {},
  ids: { topicId?: string; remade?: number } = {},
): Candidate {
  const partition = (topic: string, position: number) => {
    return { topic, partition: 3, ...ids, position, maxEventTime: null, totals: NONE, windows: [] }
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

/** Marks of which retention has taken what they need. */
function lost(origin: OfferedPartition['origin'], earliest: number): OfferedPartition[] {
  return offered(origin, earliest, earliest, earliest).map((one) => ({ ...one, lost: true }))
}

/** One of the marks has let go of a window. */
function partial([first, ...others]: OfferedPartition[]): OfferedPartition[] {
  return [{ ...first!, carried: { offset: first!.position, facts: { windowsFrom: 3 } } }, ...others]
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
    ['at the checkpoint when its marks are further but not whole', decide(partial(offered('mark', 31, 30)), two), 2],
    ['as offered when they are not whole and nothing is kept', decide(partial(offered('mark', 31, 30)), []), 'offered'],
    [
      'as offered when they are not whole and what is kept is of an earlier life',
      decide(
        partial(offered('mark', 31, 30)).map((one) => ({ ...one, incarnation: 1 })),
        two,
      ),
      'offered',
    ],
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
    ['as offered when retention has passed what is kept, and not the marks', decide(offered('mark', 31, 31, 31), two), 'offered'],
    ['at what is kept when retention has passed that and the marks', decide(lost('mark', 31), two), 2],
    ['at what is kept when retention has passed that and there are no marks', decide(offered('none', 31, 31, 31), two), 2],
    ['at what is kept when open windows need what is gone, however far the marks are', decide(lost('mark', 50), two), 2],
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

  describe('of events', () => {
    const decided = (before: object, now: object, windows: boolean) => {
      const events = (words: object) => ({ a: eventsWith(words) })
      const { manifest, entry } = kept(2, 30, 30, { rules: rules({ events: events(before) }) })
      const open = { end: 10_000, offset: 3, maxEventTime: null, totals: noTotals(0), events: 1 }
      const partitions = entry.partitions.map((partition) => ({ ...partition, windows: windows ? [open] : [] }))
      const candidate = { manifest, entry: { ...entry, partitions } }
      return decideTaskStart(offered('mark'), [candidate], LATEST, rules({ events: events(now) }), new Set())
    }
    test('that could take from open windows is refused, and named', () => {
      const start = decided({ types: { click: ['click', 'tap'] } }, { types: { click: ['click'] } }, true)
      expect(start).toMatchObject({ kind: 'refused', why: expect.stringMatching(/events\.types\.click click, tap, now click/) })
    })
    test('that can not is taken, and any where no window is open', () => {
      expect(decided({ types: { click: ['click'] } }, { types: { click: ['click', 'tap'] } }, true).kind).not.toBe('refused')
      expect(decided({ type: 'click' }, {}, false).kind).not.toBe('refused')
      expect(decided({ type: 'click' }, {}, true).kind).toBe('refused')
    })
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

describe('of windows that were counted into', () => {
  /** Windows from 100,000 are open, and 125,000 is the largest event time. */
  const made = (revision: number | undefined, revisionFrom?: number, believed = true) => {
    const { manifest, entry } = kept(2, 30, 30, { rules: { ...RULES, revision, revisionFrom } })
    const windows = [{ end: 110_000, offset: 1, maxEventTime: null, events: 1, totals: NONE }]
    const partitions = entry.partitions.map((one, i) => ({
      ...one,
      maxEventTime: believed ? 125_000 - i : null,
      windows: i === 1 ? windows : [],
    }))
    return [{ manifest, entry: { ...entry, partitions } }]
  }
  const start = (candidates: Candidate[], revision: number, revisionFrom?: number, ignoreState = false) =>
    decideTaskStart(offered('mark'), candidates, { from: 'latest', ignoreState }, { ...RULES, revision, revisionFrom }, new Set())
  const from = 'sink.revisionFrom: 1970-01-01T00:02:10.000Z or later'

  test.each<[string, Candidate[], number, number | undefined, string]>([
    ['is raised', made(0), 1, undefined, `sink.revision 0 for the window of 1970-01-01T00:01:40.000Z, now 1: let it begin with .*${from}`],
    ['is raised from the last of them on', made(0), 1, 120_000, `1970-01-01T00:02:00.000Z, now 1: .*${from}`],
    [
      'is raised before any event time is believed',
      made(0, undefined, false),
      1,
      undefined,
      '00:01:40.000Z, now 1: .*00:01:50.000Z or later',
    ],
    ['is raised by two', made(0), 2, 130_000, 'now 1: raise it by one at a time'],
    ['is lowered', made(2), 1, undefined, 'can only rise'],
    ['begins later', made(1, 100_000), 1, 120_000, 'sink.revision 1 for the window of 1970-01-01T00:01:40.000Z, now 0: .*can only rise'],
    ['begins before it did, with an open one', made(1, 110_000), 1, undefined, '00:01:40.000Z, now 1'],
  ])('a revision that %s is refused', (_, candidates, revision, revisionFrom, why) => {
    expect(start(candidates, revision, revisionFrom)).toMatchObject({ kind: 'refused', why: expect.stringMatching(why) })
    expect(start(candidates, revision, revisionFrom, true)).toMatchObject({ kind: 'offered' })
  })

  test.each<[string, Candidate[], number, number | undefined]>([
    ['that is the same', made(1), 1, undefined],
    ['that begins with a window that none was counted into', made(0), 1, 130_000],
    ['that began before all that are open', made(1, 100_000), 1, undefined],
    ['that is raised where nothing was counted', [kept(2, 30, 30, { rules: { ...RULES, revision: 0 } })], 1, undefined],
    ['that the version before did not keep', made(undefined), 7, undefined],
  ])('a revision %s is taken', (_, candidates, revision, revisionFrom) => {
    expect(start(candidates, revision, revisionFrom)).toMatchObject({ kind: 'kept' })
  })
})

describe('of a start at marks, which were made by an engine that believed 125,000', () => {
  const marks = (revision: number | undefined, revisionFrom?: number, origin: OfferedPartition['origin'] = 'mark') => {
    const [a, b] = offered(origin)
    return [{ ...a!, maxEventTime: 125_000, revision: revision === undefined ? undefined : { revision, revisionFrom } }, b!]
  }

  // Windows that can be open beside that of 125,000: 10 s, out of order by 5 s, corrected for 5 s.
  test.each<[string, OfferedPartition[], number, number | undefined, string]>([
    ['is raised', marks(0), 1, undefined, 'now 1: .*sink.revisionFrom: 1970-01-01T00:02:30.000Z or later'],
    ['is raised with a window that may be open', marks(0), 1, 140_000, 'of 1970-01-01T00:02:20.000Z, now 1: .*00:02:30.000Z or later'],
    ['is lowered', marks(1), 0, undefined, 'can only rise'],
    ['begins later than it did', marks(1, 120_000), 1, 130_000, 'can only rise'],
  ])('a revision that %s is refused', (_, partitions, revision, revisionFrom, why) => {
    expect(marksRevised(partitions, { ...RULES, revision, revisionFrom })).toMatch(new RegExp(why))
  })

  test.each<[string, OfferedPartition[], number, number | undefined]>([
    ['that is the same', marks(1), 1, undefined],
    ['that begins behind all that may be open', marks(0), 1, 150_000],
    ['that began before all of them', marks(1, 100_000), 1, undefined],
    ['over marks that say none', marks(undefined), 3, undefined],
    ['over offsets that somebody else has set', marks(0, undefined, 'foreign'), 3, undefined],
    ['over marks of no time', offered('mark').map((one) => ({ ...one, revision: { revision: 0 } })), 3, undefined],
  ])('a revision %s is taken', (_, partitions, revision, revisionFrom) => {
    expect(marksRevised(partitions, { ...RULES, revision, revisionFrom })).toBeUndefined()
  })
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
  test('when it lies past the end', () => expect(decide(offered('mark', 0, 0, 0, 19), [named], wish)).toBe('refused'))
  test('but not when retention has passed it', () => expect(decide(offered('mark', 30, 30, 30), [named], wish)).toBe(1))
})

describe('a topic that was made again', () => {
  const by = (topicId: string, origin: OfferedPartition['origin'], at: number, given: Partial<OfferedPartition> = {}) =>
    offered(origin, at, at).map((one) => ({ ...one, topicId, ...given }))
  const old = kept(1, 90, 90, {}, { topicId: 'A' })

  test.each<[string, unknown, unknown]>([
    ['goes on at what was kept of the old one, also beyond its end', decide(by('B', 'none', 0, { latest: 20 }), [old]), 1],
    ['though the old one had been made by the same name once more', decide(by('C', 'none', 0), [old]), 1],
    [
      'at what was kept of the new one, though it is not as far',
      decide(by('B', 'none', 0), [old, kept(2, 5, 5, {}, { topicId: 'B', remade: 1 })]),
      2,
    ],
    ['at its own marks, when the old windows are closed', decide(by('B', 'mark', 20), [old]), 'offered'],
    ['at what was kept, while some are open', decide(by('B', 'mark', 20, { lost: true }), [old]), 1],
    ['as ever where the id is not known', decide(by('B', 'mark', 20), [kept(1, 30, 30)]), 1],
  ])('%s', (_, got, want) => expect(got).toBe(want))
})

test('state of another version of the time zones is refused where an open window would begin or end elsewhere', () => {
  const calendar = { unit: 'day', zone: 'Europe/Berlin', weekStart: 'monday' } as const
  const now: StateRules = { ...RULES, windowType: 'calendar', windowSize: 26 * 3_600_000, calendar, tzdata: '2026b' }
  const from = (hours: number, tzdata: string) => {
    const start = Date.parse('2026-06-01T00:00Z') + hours * 3_600_000
    const window = { start, end: start + 24 * 3_600_000, offset: 1, maxEventTime: null, events: 1, totals: NONE }
    const { manifest, entry } = kept(1, 50, undefined, { rules: { ...now, tzdata } })
    const partitions = entry.partitions.map((partition) => ({ ...partition, windows: [window] }))
    const own = { ...entry, partitions }
    return decideTaskStart(offered('mark'), [{ manifest: { ...manifest, tasks: [own] }, entry: own }], LATEST, now, new Set())
  }
  expect([from(22, '2026a').kind, from(22, '2026b').kind, from(23, '2026b').kind]).toEqual(['kept', 'kept', 'kept'])
  expect(from(23, '2026a')).toMatchObject({
    kind: 'refused',
    why: expect.stringContaining(
      'tzdata 2026a, by which its day from 2026-06-01T23:00:00.000Z to 2026-06-02T23:00:00.000Z is none with tzdata 2026b',
    ),
  })
  const other = { ...now, calendar: { ...calendar, zone: 'UTC' } }
  const { manifest, entry } = kept(1, 50, undefined, { rules: now })
  expect(decideTaskStart(offered('mark'), [{ manifest, entry }], LATEST, other, new Set())).toMatchObject({
    why: expect.stringContaining('window.zone Europe/Berlin, now UTC'),
  })
})
