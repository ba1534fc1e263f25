import { describe, expect, test } from 'vitest'
import { Coordinator, type CoordinatorOptions } from '../../src/checkpoint/coordinator.ts'
import { type Cut, NotWritten, type Written } from '../../src/checkpoint/writer.ts'
import { CtrError } from '../../src/errors.ts'
import type { LedgerRow, WindowLedgerRow } from '../../src/window/ledger.ts'
import { Partition } from '../../src/window/partition.ts'
import { Task } from '../../src/window/task.ts'
import { RULES, silentLog } from '../../workshop/memory-run.ts'

const REFERENCE = { key: 'o', bytes: 10, crc32: 1, cells: 2, products: 1 }

/** A writer whose checkpoints are complete when the test says so. */
function handWriter(said: string[]) {
  const cuts: Cut[] = []
  const writing: { number: number; gate: PromiseWithResolvers<Written> }[] = []
  const writer = {
    ports: [],
    begin: (cut: Cut) => void cuts.push(cut),
    complete: (number: number) => {
      said.push(`complete ${number}`)
      const gate = Promise.withResolvers<Written>()
      writing.push({ number, gate })
      return gate.promise
    },
    abandon: (number: number) => void said.push(`abandon ${number}`),
    onDied: () => {},
    close: async () => {},
  }
  return { writer, cuts, writing }
}

/** A coordinator over one task, with everything it waits for in the test's hands. */
function bench(given: Partial<CoordinatorOptions> = {}, tolerableFailures = Number.POSITIVE_INFINITY) {
  const task = new Task(3, RULES)
  const partition = new Partition(0, 3, { position: 0, maxEventTime: undefined }, ['VALID', 'TYPE'], 0)
  task.partitions.push(partition)
  const said: string[] = []
  const time = { now: 0 }
  const timers: { at: number; resolve: () => void }[] = []
  const { writer, cuts, writing } = handWriter(said)
  const coordinator: Coordinator = new Coordinator({
    topics: ['t'],
    commitInterval: 100,
    checkpoints: { writer, policy: { interval: 1000, timeout: 5000, minPause: 200, tolerableFailures } },
    tasks: () => [task],
    marks: () => [{ topicIndex: 0, partition: 3, ...partition.lowWater() }],
    tell: async (number, cut) => {
      cut()
      said.push(`barrier ${number}`)
    },
    tellCheckpoint: async (number, tasks, cut) => {
      const copied = tasks()
      cut(copied)
      said.push(`checkpoint ${number} of ${copied}`)
    },
    delivered: async () => void said.push('outputs'),
    writeLedger: async (rows: readonly LedgerRow[], windows: readonly WindowLedgerRow[]) =>
      void said.push(`ledger ${rows.map(({ last }) => last)} ${windows.map(({ events }) => events)}`),
    commit: async ([mark]) => {
      said.push(`commit ${mark?.offset}`)
      return true
    },
    log: silentLog,
    clock: () => 1_700_000_000_000,
    monotonic: () => time.now,
    sleep: (ms, signal) =>
      new Promise((resolve) => {
        timers.push({ at: time.now + ms, resolve })
        signal?.addEventListener('abort', () => resolve(), { once: true })
      }),
    ...given,
  })
  const settle = () => new Promise((resolve) => setImmediate(resolve))
  const advance = async (ms: number) => {
    time.now += ms
    for (const { at, resolve } of timers) if (at <= time.now) resolve()
    await settle()
  }
  const since = () => said.splice(0)
  /** As if so many events had been read, all into one window. */
  const count = (events: number) => {
    partition.enterWindow(0, 10_000, partition.position, Number.NEGATIVE_INFINITY, 0).window.events += events
    partition.read += events
    partition.counted += events
    partition.position += events
  }
  const written = (number: number, object: Written['objects'][number]['object']): Written => {
    return { id: `c${number}`, objects: [{ task: 3, object }], cells: 2, bytes: 10, bytesWritten: 10, pausedMs: 1 }
  }
  const finish = async (object: Written['objects'][number]['object'] = REFERENCE) => {
    const { number, gate } = writing.at(-1)!
    gate.resolve(written(number, object))
    await settle()
  }
  return { coordinator, task, partition, cuts, since, advance, settle, count, finish, writing, time }
}

describe('a checkpoint that refers to what is not there any more', () => {
  const missing = () => new NotWritten({ kind: 'missing', tasks: [3] }, 'the store was emptied')

  test('is taken again at once, with that task, and is no failure', async () => {
    const { coordinator, cuts, settle, count, finish, writing } = bench({}, 0)
    const through = async () => {
      await settle()
      coordinator.acknowledge(cuts.length)
      await settle()
    }
    count(5)
    const first = coordinator.take(null)
    await through()
    await finish()
    await first
    const second = coordinator.take('blue')
    await through()
    expect(cuts.map(({ tasks }) => tasks.map(({ copied }) => copied))).toEqual([[true], [false]])
    writing.at(-1)!.gate.reject(missing())
    await settle()
    await through()
    expect(cuts.map(({ tasks, savepoint }) => [savepoint, tasks.map(({ copied }) => copied)])[2]).toEqual(['blue', [true]])
    await finish()
    expect(await second).toMatchObject({ id: 'c3' })
    expect(coordinator.stats.failures).toBe(0)
  })

  test('twice is a failure like any other', async () => {
    const { coordinator, cuts, settle, count, writing } = bench({}, 0)
    count(5)
    const failed = expect(coordinator.take(null)).rejects.toThrow('checkpoint.tolerableFailures is 0: the store was emptied')
    for (let round = 1; round <= 2; round++) {
      await settle()
      coordinator.acknowledge(round)
      await settle()
      writing.at(-1)!.gate.reject(missing())
      await settle()
    }
    await failed
    expect(cuts).toHaveLength(2)
    expect(coordinator.stats.failures).toBe(1)
  })
})

test('a topic that was made again has a ledger of its own, and that of the old one ends where it was read to', async () => {
  const told: string[] = []
  const writeLedger = async (rows: readonly LedgerRow[]) =>
    void told.push(...rows.map(({ topic, last, totals }) => `${topic} ${totals.read}@${last}`))
  const { coordinator, task, partition, count, settle } = bench({ writeLedger, marks: () => [] })
  count(5)
  const made = new Partition(0, 3, { position: 0, maxEventTime: undefined, topicId: 'B', remade: 1 }, ['VALID'], 0)
  Object.assign(made, { read: 2, counted: 2, position: 2 })
  task.former.push(partition)
  task.partitions[0] = made
  for (let barrier = 1; barrier <= 2; barrier++) {
    const last = coordinator.last(true)
    await settle()
    coordinator.acknowledge(barrier)
    await last
  }
  expect(told).toEqual(['t 5@4', 't#B 2@1'])
})

test('a savepoint whose name belongs to another is no failure of checkpoints', async () => {
  const { coordinator, settle, writing } = bench({}, 0)
  const taken = coordinator.take('blue')
  taken.catch(() => {})
  await settle()
  coordinator.acknowledge(1)
  await settle()
  writing.at(-1)!.gate.reject(new NotWritten({ kind: 'taken' }, 'blue has been taken'))
  await expect(taken).rejects.toThrow('blue has been taken')
  expect(coordinator.stats.failures).toBe(0)
})

describe('a plain barrier', () => {
  test('comes at each commit interval; its marks are committed when the sink and the letters are through', async () => {
    const { coordinator, since, advance, settle } = bench()
    await advance(99)
    expect(coordinator.tick()).toBeUndefined()
    await advance(1)
    void coordinator.tick()
    await settle()
    expect([...since(), coordinator.hasCommitted]).toEqual(['barrier 1', false])
    expect(coordinator.tick()).toBeUndefined() // one at a time
    coordinator.acknowledge(1)
    await settle()
    expect([...since(), coordinator.hasCommitted]).toEqual(['outputs', 'commit 0', true])
    await advance(100)
    void coordinator.tick()
    coordinator.acknowledge(2)
    await settle()
    expect(since()).toEqual(['barrier 2', 'outputs']) // the same marks are not committed again
  })

  test('takes closed windows to the ledger before its marks are committed, and the totals with them', async () => {
    const { coordinator, task, since, advance, settle, count } = bench()
    count(5)
    task.publish(15_000)
    await advance(100)
    void coordinator.tick()
    coordinator.acknowledge(1)
    await settle()
    expect(since()).toEqual(['barrier 1', 'outputs', 'ledger 4 5', 'commit 5'])
  })

  test('whose mark has gone back ends the run, and commits nothing', async () => {
    const { coordinator, partition, since, advance, settle } = bench()
    partition.position = 5
    await advance(100)
    void coordinator.tick()
    coordinator.acknowledge(1)
    await settle()
    expect(since().at(-1)).toBe('commit 5')
    partition.position = 4
    await advance(100)
    await expect(coordinator.tick()).rejects.toThrow('a low-water mark lies in what was read and never goes back')
    expect(since()).toEqual([])
  })

  test('whose ledger can not be written ends the run, and commits nothing', async () => {
    const { coordinator, since, advance, count, task } = bench({ writeLedger: async () => Promise.reject(new Error('gone')) })
    count(1)
    task.publish(15_000)
    await advance(100)
    const ticking = coordinator.tick()
    coordinator.acknowledge(1)
    await expect(ticking).rejects.toThrow('gone')
    expect(since().filter((line) => line.startsWith('commit'))).toEqual([])
  })
})

describe('a checkpoint', () => {
  async function take(given: ReturnType<typeof bench>, number: number) {
    void given.coordinator.tick()
    given.coordinator.acknowledge(number)
    await given.settle()
  }

  test('is completed only when its barrier is safe; other barriers go on meanwhile', async () => {
    const it = bench()
    it.count(2)
    await it.advance(1000)
    void it.coordinator.tick()
    await it.settle()
    expect(it.since()).toEqual(['checkpoint 1 of 3'])
    it.coordinator.acknowledge(1)
    await it.settle()
    expect(it.since()).toEqual(['outputs', 'ledger 1 ', 'commit 0', 'complete 1'])
    await it.advance(1000)
    await take(it, 2)
    expect(it.since()).toEqual(['barrier 2', 'outputs'])
    await it.finish()
    expect(it.coordinator.stats).toMatchObject({ completed: 1, failures: 0, cells: 2, bytes: 10, pausedSeconds: 0.001, ageSeconds: 1 })
  })

  test('refers to a task again that has not changed, and copies it when it has', async () => {
    const it = bench()
    it.count(2)
    await it.advance(1000)
    await take(it, 1)
    await it.finish()
    it.partition.read += 1 // an invalid record moves offsets, not panes
    it.partition.refuse(1, 1)
    it.partition.position += 1
    await it.advance(1000)
    await take(it, 2)
    await it.finish()
    it.count(1)
    await it.advance(1000)
    await take(it, 3)
    await it.finish(null)
    it.task.publish(15_000)
    await it.advance(1000)
    await take(it, 4)
    expect(it.cuts.map(({ tasks: [task] }) => [task?.copied, task?.object])).toEqual([
      [true, null],
      [false, REFERENCE],
      [true, null],
      [false, null],
    ])
    expect(it.cuts[1]?.tasks[0]?.partitions[0]?.position).toBe(3)
  })

  test('refers to what a task was restored from until something is counted', async () => {
    const it = bench()
    it.partition.reopen([{ end: 10_000, offset: 0, maxEventTime: null, events: 4, totals: it.partition.totals() }], (end) => end - 10_000)
    it.coordinator.begins(3, REFERENCE)
    await it.advance(1000)
    await take(it, 1)
    await it.finish()
    it.count(1)
    await it.advance(1000)
    await take(it, 2)
    expect(it.cuts.map(({ tasks: [task] }) => [task?.copied, task?.object])).toEqual([
      [false, REFERENCE],
      [true, null],
    ])
  })

  test('that fails is counted and tried again in its turn, and what it wrote is not referred to', async () => {
    const it = bench()
    it.count(2)
    await it.advance(1000)
    await take(it, 1)
    it.writing[0]?.gate.reject(new CtrError('CTR_CHECKPOINT_STORE', 'no space left'))
    await it.settle()
    expect(it.coordinator.stats).toMatchObject({ completed: 0, failures: 1 })
    expect(it.since().at(-1)).toBe('abandon 1')
    await it.advance(1000)
    await take(it, 2)
    expect(it.cuts[1]?.tasks[0]?.copied).toBe(true)
  })

  test('that takes longer than its timeout is given up; a late answer changes nothing', async () => {
    const it = bench()
    it.count(2)
    await it.advance(1000)
    await take(it, 1)
    await it.advance(4999)
    expect(it.coordinator.stats.failures).toBe(0)
    await it.advance(1)
    expect(it.coordinator.stats).toMatchObject({ completed: 0, failures: 1 })
    await it.finish()
    expect(it.coordinator.stats).toMatchObject({ completed: 0, failures: 1 })
  })

  test('ends the run when more fail in a row than are tolerated', async () => {
    const it = bench({}, 1)
    const fail = async (number: number) => {
      await it.advance(1000)
      const ticking = it.coordinator.tick()
      it.coordinator.acknowledge(number)
      await it.settle()
      it.writing.at(-1)?.gate.reject(new CtrError('CTR_CHECKPOINT_STORE', 'no space left'))
      return ticking
    }
    await fail(1)
    await expect(fail(2)).rejects.toMatchObject({
      code: 'CTR_CHECKPOINT_FAILED',
      message: expect.stringContaining('2 checkpoints in a row'),
    })
  })

  test('comes no sooner than the pause after the last one', async () => {
    const it = bench()
    await it.advance(1000)
    await take(it, 1)
    await it.advance(950)
    await it.finish()
    it.since()
    await it.advance(100) // 1050 after its cut, 100 after its end
    await take(it, 2)
    expect(it.since()[0]).toBe('barrier 2')
    await it.advance(100)
    await take(it, 3)
    expect(it.since()[0]).toBe('checkpoint 3 of ')
  })
})

describe('a savepoint', () => {
  test('waits for what is under way, and is told to whoever asked for it', async () => {
    const it = bench()
    await it.advance(100)
    void it.coordinator.tick()
    const taking = it.coordinator.take('blue')
    await it.settle()
    expect(it.cuts).toEqual([])
    it.coordinator.acknowledge(1)
    await it.settle()
    await it.settle()
    it.coordinator.acknowledge(2)
    await it.settle()
    await it.finish()
    expect(await taking).toMatchObject({ id: 'c2' })
    expect(it.cuts.map(({ savepoint }) => savepoint)).toEqual(['blue'])
  })

  test('that fails is told too', async () => {
    const it = bench()
    const taking = it.coordinator.take('blue')
    await it.settle()
    it.coordinator.acknowledge(1)
    await it.settle()
    it.writing[0]?.gate.reject(new CtrError('CTR_CHECKPOINT_STORE', 'no space left'))
    await expect(taking).rejects.toThrow('no space left')
  })

  test('can not be had without a storage', async () => {
    const { coordinator } = bench({ checkpoints: undefined })
    await expect(coordinator.take('blue')).rejects.toThrow('checkpoint.storage is none')
  })
})

test('the last barrier of a bounded run takes the windows still open to the ledger', async () => {
  const it = bench()
  it.count(3)
  const last = it.coordinator.last(true)
  await it.settle()
  it.coordinator.acknowledge(1)
  await last
  expect(it.since()).toEqual(['barrier 1', 'outputs', 'ledger 2 3', 'commit 0'])
})
