import { expect, onTestFinished, test, vi } from 'vitest'
import { BugError } from '../../src/assert.ts'
import { CtrError, type CtrErrorCode } from '../../src/errors.ts'
import { decideRestart, type RestartPolicy, type Run, supervise } from '../../src/run/supervisor.ts'
import { someStats } from '../../workshop/stats.ts'

const POLICY: RestartPolicy = { attempts: 3, delay: 0, window: 1_000 }
const failure = (code: CtrErrorCode, retriable = false) => new CtrError(code, 'it broke', { retriable })

test.each<[what: string, error: unknown, want: 'restart' | 'end']>([
  ['a worker thread', failure('CTR_WORKER_DIED'), 'restart'],
  ['the sink thread', failure('CTR_SINK_DIED'), 'restart'],
  ['a stall', failure('CTR_STALLED'), 'restart'],
  ['too many failed checkpoints', failure('CTR_CHECKPOINT_FAILED'), 'restart'],
  ['a store that does not answer', failure('CTR_CHECKPOINT_STORE'), 'restart'],
  ['a Kafka client that fails again and again', failure('CTR_KAFKA_CRASHED', true), 'restart'],
  ['brokers', failure('CTR_KAFKA_UNREACHABLE', true), 'restart'],
  ['a group that others use in another way', failure('CTR_KAFKA_CRASHED', false), 'end'],
  ['a wrong password of Kafka', failure('CTR_KAFKA_AUTH'), 'end'],
  ['a wrong password of ClickHouse', failure('CTR_CLICKHOUSE_AUTH'), 'end'],
  ['a wrong configuration', failure('CTR_CONFIG'), 'end'],
  ['another window than the checkpoint has', failure('CTR_STATE_MISMATCH'), 'end'],
  ['a batch that can not be read', failure('CTR_KAFKA_CORRUPT_BATCH'), 'end'],
  ['a missing table', failure('CTR_CLICKHOUSE_REFUSED'), 'end'],
  ['a ledger that does not balance', failure('CTR_LEDGER'), 'end'],
  ['a shutdown that took too long', failure('CTR_SHUTDOWN_TIMEOUT'), 'end'],
  ['a bug on the main thread', new BugError('no'), 'end'],
  ['a bug that nobody foresaw', new TypeError('no'), 'end'],
])('after the failure of %s', (_, error, want) => {
  expect(decideRestart(error, 0, [], POLICY).kind).toBe(want)
})

const USED = 'restart.attempts (3) within restart.window (1s) are used up'

test.each<[now: number, failures: number[], attempts: number, want: unknown]>([
  [0, [], 3, { kind: 'restart', attempt: 1 }],
  [100, [1, 2], 3, { kind: 'restart', attempt: 3 }],
  [100, [1, 2, 3], 3, { kind: 'end', remark: USED }],
  // Failures count for as long as the window is, and not a millisecond longer.
  [1_000, [1, 2, 3], 3, { kind: 'end', remark: USED }],
  [1_001, [1, 2, 3], 3, { kind: 'restart', attempt: 3 }],
  [1_002, [1, 2, 3], 3, { kind: 'restart', attempt: 2 }],
  [1_003, [1, 2, 3], 3, { kind: 'restart', attempt: 1 }],
  [0, [], 0, { kind: 'end', remark: '' }],
])('at %d ms, after failures at %j and with %d attempts', (now, failures, attempts, want) => {
  expect(decideRestart(failure('CTR_WORKER_DIED'), now, failures, { ...POLICY, attempts })).toEqual(want)
})

/** A run whose end the test decides. */
function someRun() {
  const finished = Promise.withResolvers<void>()
  const released = Promise.withResolvers<void>()
  finished.promise.catch(() => {})
  let drains = 0
  const run: Run = {
    finished: finished.promise,
    released: released.promise,
    start: async () => {},
    drain: async () => {
      drains++
      finished.resolve()
      released.resolve()
    },
    stats: () => someStats({ rowsWritten: 7 }),
  }
  return {
    run,
    drains: () => drains,
    end: () => finished.resolve(),
    fail: (error: unknown) => finished.reject(error),
    release: () => released.resolve(),
  }
}

/** A supervisor over these runs, one after the other. */
function over(runs: readonly (ReturnType<typeof someRun> | Error)[], policy: Partial<RestartPolicy> = {}) {
  const aborting = new AbortController()
  const lines: string[] = []
  const log = { info: (_: unknown, line: string) => void lines.push(line), error: (_: unknown, line: string) => void lines.push(line) }
  let begun = 0
  const start = () => {
    const next = runs[begun++]
    if (next === undefined || next instanceof Error) throw next ?? new Error('no run is left')
    return next.run
  }
  const supervisor = supervise({ start, policy: { ...POLICY, ...policy }, log, clock: Date.now, signal: aborting.signal })
  return { supervisor, lines, begun: () => begun, abort: () => aborting.abort() }
}

const turns = async (count = 20) => {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setTimeout(resolve, 1))
}

test('a run that ends by itself is the end', async () => {
  const only = someRun()
  const { supervisor, begun } = over([only])
  only.end()
  await supervisor.finished
  expect([begun(), supervisor.stats().restarts]).toEqual([1, 0])
})

test('the next run begins when the failed one has let go of everything, and not before', async () => {
  const [first, second] = [someRun(), someRun()]
  const { supervisor, begun, lines } = over([first, second], { delay: 1 })
  first.fail(failure('CTR_WORKER_DIED'))
  await turns()
  expect(begun()).toBe(1)
  expect(supervisor.stats()).toMatchObject({
    state: 'restarting',
    notReady: ['restarting after CTR_WORKER_DIED: it broke'],
    rowsWritten: 7,
    restarts: 0,
  })
  first.release()
  await turns()
  expect(begun()).toBe(2)
  expect(supervisor.stats()).toMatchObject({ state: 'running', notReady: [], restarts: 1 })
  expect(lines).toEqual(['the pipeline failed: it broke; restarting in 1ms', 'the pipeline starts again'])
  second.end()
  await supervisor.finished
})

test('after the last attempt the reason is told, with the keys that say how often', async () => {
  const runs = [someRun(), someRun(), someRun()]
  const { supervisor, begun } = over(runs, { attempts: 2 })
  for (const { fail, release } of runs) {
    fail(failure('CTR_SINK_DIED'))
    release()
    await turns()
  }
  const error = await supervisor.finished.catch((reason: unknown) => reason)
  const message = 'it broke; not restarted again: restart.attempts (2) within restart.window (1s) are used up'
  expect(error).toMatchObject({ code: 'CTR_SINK_DIED', message })
  expect(begun()).toBe(3)
})

test('a failure that a restart can not mend ends at once, as it is', async () => {
  const only = someRun()
  const { supervisor } = over([only, someRun()])
  const reason = failure('CTR_KAFKA_AUTH')
  only.fail(reason)
  await expect(supervisor.finished).rejects.toBe(reason)
})

test('a signal drains the present run', async () => {
  const only = someRun()
  const { supervisor, abort } = over([only])
  abort()
  await supervisor.finished
  expect(only.drains()).toBe(1)
})

test('a signal before the first run has begun ends it', async () => {
  const only = someRun()
  const signal = AbortSignal.abort()
  const log = { info() {}, error() {} }
  await supervise({ start: () => only.run, policy: POLICY, log, clock: Date.now, signal }).finished
  expect(only.drains()).toBe(1)
})

test('a signal during the delay is a clean end without another run', async () => {
  const first = someRun()
  const { supervisor, begun, abort } = over([first, someRun()], { delay: 60_000 })
  first.fail(failure('CTR_WORKER_DIED'))
  first.release()
  await turns()
  abort()
  await supervisor.finished
  expect([begun(), first.drains()]).toEqual([1, 0])
})

test('a run that fails while it is drained is not restarted', async () => {
  const only = someRun()
  only.run.drain = async () => only.fail(failure('CTR_WORKER_DIED'))
  const { supervisor, abort, begun } = over([only, someRun()])
  abort()
  await expect(supervisor.finished).rejects.toMatchObject({ code: 'CTR_WORKER_DIED' })
  expect(begun()).toBe(1)
})

test('what is thrown while the first run is made is thrown on; while a later one is made it counts as its failure', async () => {
  expect(() => over([failure('CTR_STALLED')])).toThrow('it broke')
  const [first, last] = [someRun(), someRun()]
  const { supervisor, begun } = over([first, failure('CTR_STALLED'), last])
  first.fail(failure('CTR_WORKER_DIED'))
  first.release()
  await turns()
  expect([begun(), supervisor.stats().restarts]).toEqual([3, 1])
  last.end()
  await supervisor.finished
})

test('a run that does not let go of its threads is followed by no other', async () => {
  vi.useFakeTimers()
  onTestFinished(() => void vi.useRealTimers())
  const first = someRun()
  const { supervisor, begun } = over([first, someRun()])
  first.fail(failure('CTR_WORKER_DIED'))
  const told = supervisor.finished.catch((reason: unknown) => reason)
  await vi.advanceTimersByTimeAsync(60_000)
  expect(await told).toMatchObject({ code: 'CTR_WORKER_DIED', message: expect.stringContaining('threads and connections do not close') })
  expect(begun()).toBe(1)
})
