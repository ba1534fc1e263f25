/** Made incidents, second by second: which sentence comes, when, and that near misses bring none. */
import { describe, expect, test } from 'vitest'
import { type CausesFound, CauseWatch } from '../../src/diagnosis/cause-watch.ts'
import { causeOfReason } from '../../src/diagnosis/rules-trouble.ts'
import type { EngineSample, PartitionSample } from '../../src/diagnosis/sample.ts'

const START = Date.UTC(2026, 0, 1)

const PARTITION: PartitionSample = {
  topic: 'clicks',
  partition: 0,
  task: 0,
  lagRecords: 0,
  behindSeconds: 0,
  watermark: null,
  recordsPerSecond: 1000,
  idle: false,
  paused: false,
  ended: false,
}

const HEALTHY: Omit<EngineSample, 'at'> = {
  state: 'running',
  ready: true,
  reasons: [],
  degraded: [],
  restarts: 0,
  rates: { recordsPerSecond: 10_000, rowsPerSecond: 100, backpressureShare: 0 },
  totals: { checkpointFailures: 0, sinkRetries: 0, rowsParked: 0 },
  rowsPending: 10,
  lagRecords: 200,
  behindSeconds: 0.1,
  watermark: { lagSeconds: 6, task: 0 },
  sink: { insertShare: 0.1 },
  checkpoint: { enabled: true, ageSeconds: 10 },
  workers: [0, 1, 2].map((worker) => ({ worker, ringFillShare: 0.02 })),
  memory: { rssBytes: 400e6, limitBytes: 2e9 },
  cost: { threads: [{ thread: 'main', coresUsed: 0.3 }] },
  partitions: ['clicks', 'impressions'].flatMap((topic) =>
    [0, 1].map((partition) => ({ ...PARTITION, topic, partition, task: partition })),
  ),
  tasks: [0, 1].map((task) => ({ task, lagSeconds: 6, heldBy: null })),
}

type Change = Partial<Omit<EngineSample, 'at'>>

/** Plays an incident: `change` says what differs from a healthy engine in each second. Gives what was found in each. */
function play(seconds: number, change: (second: number) => Change, diagnosis = new CauseWatch(), from = 0): CausesFound[] {
  return Array.from({ length: seconds }, (_, i) => {
    const second = from + i
    return diagnosis.next({ ...HEALTHY, at: new Date(START + second * 1000).toISOString(), ...change(second) })
  })
}

const lastOf = (found: readonly CausesFound[]): CausesFound => found.at(-1)!

/** The lag grows by so much a second; each of the partitions has its part. */
const lagging = (second: number, perSecond = 20_000): Change => ({
  lagRecords: 50_000 + perSecond * second,
  behindSeconds: 5 + second,
  partitions: HEALTHY.partitions.map((each) => ({ ...each, lagRecords: (50_000 + perSecond * second) / 4, behindSeconds: 5 + second })),
})

const full = (...fills: number[]) => fills.map((ringFillShare, worker) => ({ worker, ringFillShare }))
const main = (coresUsed: number): EngineSample['cost'] => ({ threads: [{ thread: 'main', coresUsed }] })
const UNREACHABLE =
  'clickhouse.url: http://127.0.0.1:8123 does not answer (connect ECONNREFUSED 127.0.0.1:8123); check that it runs and can be reached'

describe('the cause is named, not the place that waits', () => {
  test('ClickHouse does not answer, while rings are full and records wait', () => {
    const found = lastOf(
      play(10, (second) => ({
        ...lagging(second),
        ready: false,
        reasons: [UNREACHABLE],
        workers: full(1, 1, 1),
        rates: { ...HEALTHY.rates, backpressureShare: 1 },
      })),
    )
    expect(found).toMatchObject({ cause: 'clickhouse', severity: 'critical', trend: 'worse', others: [] })
    expect(found.sentence).toContain('does not answer (connect ECONNREFUSED')
    expect(found.remedy).toBe('Check that it runs and can be reached.')
    expect(found.since).toBe('2026-01-01T00:00:00.000Z')
  })

  test('ClickHouse is slow, which fills rings and makes records wait', () => {
    const slow = (second: number): Change => ({
      ...lagging(second),
      rowsPending: 200_000,
      sink: { insertShare: 0.99 },
      workers: full(0.9, 0.95, 1),
      rates: { recordsPerSecond: 5000, rowsPerSecond: 20_000, backpressureShare: 0.6 },
    })
    expect(lastOf(play(10, slow))).toMatchObject({ cause: 'clickhouse', severity: 'critical', others: [] })
    // As busy, but nothing waits for it.
    const busy = lastOf(play(10, () => ({ sink: { insertShare: 0.99 }, rowsPending: 150 })))
    expect(busy).toMatchObject({ cause: 'none', severity: 'ok' })
  })

  test('one worker has more than it can do', () => {
    const hot = (second: number): Change => ({
      ...lagging(second),
      workers: full(0.1, 0.2, 0.97),
      rates: { ...HEALTHY.rates, backpressureShare: 0.4 },
    })
    const found = lastOf(play(10, hot))
    expect(found).toMatchObject({ cause: 'worker', subject: 'worker 2', others: [] })
    expect(found.sentence).toContain('97 % full, those of the others 20 % at most')
    const all = lastOf(play(10, (second) => ({ ...hot(second), workers: full(0.9, 0.85, 0.97) })))
    expect(all).toMatchObject({ cause: 'worker', subject: '' })
    expect(all.remedy).toContain('engine.workers')
  })

  test('a ring that is full for a moment, without main having to wait, is nothing', () => {
    expect(lastOf(play(10, () => ({ workers: full(0.1, 0.2, 0.97) })))).toMatchObject({ cause: 'none' })
  })

  test('main reads all it can, and more comes', () => {
    const found = lastOf(play(10, (second) => ({ ...lagging(second), cost: main(0.97) })))
    expect(found).toMatchObject({ cause: 'main', trend: 'worse', others: [] })
    expect(found.remedy).toContain('another process of the group')
  })

  test('the broker gives less than could be counted', () => {
    expect(lastOf(play(10, (second) => ({ ...lagging(second), cost: main(0.2) })))).toMatchObject({ cause: 'broker', others: [] })
  })

  test('one partition has the lag, others none', () => {
    const found = lastOf(
      play(10, (second) => ({
        ...lagging(second),
        partitions: HEALTHY.partitions.map((each, i) => ({ ...each, lagRecords: i === 1 ? 50_000 + 20_000 * second : 0 })),
      })),
    )
    expect(found).toMatchObject({ cause: 'partition', subject: 'clicks/1' })
  })

  test('a silent partition holds a task; those that are paused for it are not the cause', () => {
    const silent = (second: number): Change => ({
      partitions: HEALTHY.partitions.map((each, i) => (i === 3 ? { ...each, recordsPerSecond: 0 } : each)),
      tasks: [{ task: 1, lagSeconds: 30 + second, heldBy: { topic: 'impressions', partition: 1, bySeconds: 25 + second } }],
      degraded: [
        {
          code: 'alignment',
          subject: 'clicks/1',
          message: 'clicks/1 is paused, more than time.maxDrift ahead',
          since: '2026-01-01T00:00:00Z',
        },
      ],
    })
    const found = lastOf(play(20, silent))
    expect(found).toMatchObject({ cause: 'watermark', subject: 'impressions/1', trend: 'worse', others: [] })
    expect(found.sentence).toContain('brings no records, and holds the windows of task 1 back by 44.0 s')
    // It is behind by less than windows are wont to wait.
    const near = () => ({ tasks: [{ task: 1, lagSeconds: 12, heldBy: { topic: 'impressions', partition: 1, bySeconds: 19.9 } }] })
    expect(lastOf(play(20, near))).toMatchObject({ cause: 'none' })
  })

  test('a partition that is read too slowly holds its task too, and is told as what is read too slowly', () => {
    const slow = (second: number): Change => ({
      ...lagging(second),
      cost: main(0.99),
      tasks: [{ task: 1, lagSeconds: 60, heldBy: { topic: 'impressions', partition: 1, bySeconds: 50 } }],
    })
    expect(lastOf(play(10, slow))).toMatchObject({ cause: 'main', others: [] })
  })

  test('dead letters that nobody takes', () => {
    const reasons = ['3 dead letters not delivered to topic ctr-dead-letters: The broker is not available; trying again']
    expect(lastOf(play(3, () => ({ reasons, ready: false })))).toMatchObject({ cause: 'dead-letters', severity: 'critical' })
  })

  test('a schema that is not here yet', () => {
    const message = 'clicks/0 waits for schema id:17; schemaRegistry.url does not answer'
    const degraded = [{ code: 'schemaUnknown', subject: 'clicks/0', message, since: '2025-12-31T23:00:00.000Z' }]
    const found = lastOf(play(3, () => ({ degraded })))
    expect(found).toMatchObject({ cause: 'registry', subject: 'clicks/0', since: '2025-12-31T23:00:00.000Z' })
  })

  test('a store that takes no checkpoints, until one is complete', () => {
    const diagnosis = new CauseWatch()
    const failing = (second: number): Change => ({
      totals: { ...HEALTHY.totals, checkpointFailures: Math.floor(second / 30) },
      checkpoint: { enabled: true, ageSeconds: 60 + second },
    })
    const found = play(100, failing, diagnosis)
    expect(found.slice(0, 30).every(({ cause }) => cause === 'none')).toBe(true)
    // Not over between two attempts.
    expect(found.slice(30).every(({ cause }) => cause === 'checkpoints')).toBe(true)
    expect(lastOf(found)).toMatchObject({ severity: 'warning', since: '2026-01-01T00:00:30.000Z' })
    const after = play(
      20,
      () => ({ totals: { ...HEALTHY.totals, checkpointFailures: 3 }, checkpoint: { enabled: true, ageSeconds: 1 } }),
      diagnosis,
      100,
    )
    expect(lastOf(after)).toMatchObject({ cause: 'none' })
  })

  test('a run that fails and begins again', () => {
    const found = play(60, (second) => (second === 5 ? { state: 'restarting' } : { restarts: second > 5 ? 1 : 0 }))
    expect(found[4]).toMatchObject({ cause: 'none' })
    expect(found[7]).toMatchObject({ cause: 'process', severity: 'critical' })
    expect(lastOf(found)).toMatchObject({ cause: 'none' })
  })

  test('memory near its limit comes beside what is worse', () => {
    const memory = { rssBytes: 1.9e9, limitBytes: 2e9 }
    expect(lastOf(play(20, () => ({ memory })))).toMatchObject({ cause: 'memory' })
    const both = lastOf(play(20, () => ({ memory, reasons: [UNREACHABLE] })))
    expect(both).toMatchObject({ cause: 'clickhouse', others: [{ cause: 'memory' }] })
    expect(lastOf(play(20, () => ({ memory: { rssBytes: 1.79e9, limitBytes: 2e9 } })))).toMatchObject({ cause: 'none' })
  })
})

describe('hysteresis', () => {
  test('what lasts for less than it must is not told', () => {
    const found = play(20, (second) => (second % 4 === 3 ? {} : { ...lagging(second), cost: main(0.97) }))
    expect(found.map(({ cause }) => cause)).not.toContain('main')
  })

  test('what was told is not over with a moment, and is after a while', () => {
    const diagnosis = new CauseWatch()
    play(20, (second) => ({ ...lagging(second), cost: main(0.97) }), diagnosis)
    const pause = play(5, () => ({}), diagnosis, 20)
    expect(pause.every(({ cause }) => cause === 'main')).toBe(true)
    const again = play(5, (second) => ({ ...lagging(second), cost: main(0.97) }), diagnosis, 25)
    expect(lastOf(again)).toMatchObject({ cause: 'main', since: '2026-01-01T00:00:01.000Z' })
    expect(lastOf(play(15, () => ({}), diagnosis, 30))).toMatchObject({ cause: 'none' })
  })

  test('a lag that gets less is catching up, and better', () => {
    const found = lastOf(play(20, (second) => lagging(20 - second)))
    expect(found).toMatchObject({ cause: 'catching-up', severity: 'info', trend: 'better' })
  })

  test('an amount that stays is steady, and unknown at first', () => {
    const found = play(30, () => ({ reasons: [UNREACHABLE] }))
    expect(found[3]).toMatchObject({ trend: 'unknown' })
    expect(lastOf(found)).toMatchObject({ trend: 'steady' })
  })
})

test('nothing to read is no fault', () => {
  const silence: Change = { lagRecords: 0, rates: { recordsPerSecond: 0, rowsPerSecond: 0, backpressureShare: 0 } }
  expect(lastOf(play(15, () => silence))).toMatchObject({ cause: 'quiet', severity: 'info' })
  expect(lastOf(play(15, () => ({ ...silence, partitions: [] }))).sentence).toContain('has no partitions')
  expect(lastOf(play(1, () => ({ state: 'starting', reasons: ['ClickHouse is not connected yet'] })))).toMatchObject({ cause: 'starting' })
  expect(lastOf(play(1, () => ({ state: 'draining' }))).sentence).toBe('The pipeline is draining.')
})

test('reasons are known by their words', () => {
  expect(causeOfReason(UNREACHABLE)).toBe('clickhouse')
  expect(causeOfReason('kafka.brokers 127.0.0.1:9092: no answer for 10 s; check kafka.brokers')).toBe('broker')
  expect(causeOfReason('3 records not delivered to topic ctr-late: no leader')).toBe('dead-letters')
  expect(causeOfReason('the pipeline is draining')).toBe(undefined)
})

test('a clock that was set back changes nothing of what is told, and when it ends', () => {
  const straight = new CauseWatch()
  const set = new CauseWatch()
  play(60, lagging, straight)
  play(60, lagging, set)
  const told = lastOf(play(2, (second) => lagging(second), straight, 60))
  const back = 60 - 86_400
  const after = lastOf(play(2, (second) => lagging(second - back + 60), set, back))
  expect([after.cause, after.subject]).toEqual([told.cause, told.subject])
  expect(told.cause).not.toBe('none')
  expect(Date.parse(after.since!)).toBeLessThanOrEqual(START + back * 1000)
  expect(lastOf(play(600, () => ({}), straight, 62)).cause).toBe('none')
  expect(lastOf(play(600, () => ({}), set, back + 2)).cause).toBe('none')
})
