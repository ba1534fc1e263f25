/** Checkpoints and savepoints of a real engine: what a start makes of them, and what trouble with their store means. */
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { sleep } from '../../src/clock.ts'
import { Random } from '../../src/load/random.ts'
import { type ConfigTree, type EngineProcess, into, merged, runEngine, startEngine, workFolder } from '../../workshop/engine-process.ts'
import { fresh, plainClient } from '../../workshop/kafka-harness.ts'
import { ledgerFaults } from '../../workshop/ledger-rows.ts'
import { runOracle } from '../../workshop/oracle.ts'
import { Feeder, freshTopics, from, placed, type Topics } from '../support/feed.ts'
import { makeRecords } from '../support/records.ts'
import { differences, finalRows } from '../support/rows.ts'
import { sharedServers } from '../support/shared-clickhouse.ts'
import { tmpfs } from '../support/tmpfs.ts'

const PARTITIONS = 2

const { brokers, clickhouse } = await sharedServers()

/** Topics with records, of which `part` are there at first; the rest comes with `more`. */
async function bench(seed: number, more: ConfigTree = {}, partitions = PARTITIONS) {
  const topics = await freshTopics(brokers, PARTITIONS)
  const tenant = fresh('tenant')
  const folder = workFolder()
  // Partitions are fed one after the other, so none may wait for another.
  const time = { maxDrift: '10m' }
  const own = { kafka: { clientId: fresh('pod') }, checkpoint: { interval: '300ms', minPause: '0ms' }, time }
  const config = merged(from(brokers, topics), into(clickhouse, tenant), own, more)
  const lists = placed(makeRecords({ seed, partitions, records: 6_000, products: 60, stepMs: 10 }), topics)
  const feeder = await Feeder.connect(brokers, topics)
  onTestFinished(() => feeder.close())
  const grow = async (fromShare: number, toShare: number) => {
    await feeder.appendAll(lists.map((list) => list.slice(Math.floor(list.length * fromShare), Math.floor(list.length * toShare))))
  }
  const finish = async (words: readonly string[] = [], over: ConfigTree = {}) => {
    const last = await runEngine(['run', '--until-end', ...words], { config: merged(config, over), folder })
    expect([await last.exit(), last.complaints]).toEqual([0, []])
    const { rows, ledgers } = runOracle(lists, { tenant })
    expect(differences(await finalRows(clickhouse, tenant), rows)).toEqual([])
    expect(await ledgerFaults(clickhouse, ledgers, { tenant })).toEqual([])
    return last
  }
  return { topics, tenant, folder, config, lists, feeder, grow, finish }
}

async function checkpointed(engine: EngineProcess, more = 1): Promise<void> {
  const seen = engine.logs.filter(({ msg }) => msg === 'checkpoint complete').length
  await engine.until('a checkpoint', () => engine.logs.filter(({ msg }) => msg === 'checkpoint complete').length >= seen + more)
}

async function hasRead(engine: EngineProcess, events: number): Promise<void> {
  await engine.until(`${events} events`, async () => (await engine.metric('ctr_events_processed_total')) >= events)
}

function stored(folder: string, { group }: Topics, kind: string): string[] {
  const directory = join(folder, '.ctr/checkpoints', group, kind)
  return readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.includes('.') && !name.endsWith('.claim'))
    .map((name) => join(directory, name))
    .toSorted()
}

test('killed again and again, with other workers each time, the rows are those of the oracle', async () => {
  const seed = Date.now() % 1_000_000
  console.log(`seed ${seed}`)
  const random = new Random(seed)
  const { config, folder, grow, finish } = await bench(seed)
  let kept = 0
  for (let life = 0; life < 5; life++) {
    await grow(life / 6, (life + 1) / 6)
    const engine = startEngine(['run'], { config: merged(config, { engine: { workers: 1 + random.below(3) } }), folder })
    await engine.until('it runs', () => engine.logs.some(({ state }) => state === 'running'))
    // One life at least leaves something behind.
    if (life === 2) await checkpointed(engine)
    await sleep(200 + random.below(1_500))
    kept += engine.logs.filter(({ msg }) => msg.startsWith('the task begins at checkpoint')).length
    engine.signal('SIGKILL')
    expect([await engine.exit(), engine.complaints]).toEqual(['SIGKILL', []])
  }
  await grow(5 / 6, 1)
  expect(kept).toBeGreaterThan(0)
  await finish()
}, 120_000)

test('a savepoint is taken of the running pipeline, listed, started from and deleted', async () => {
  const { config, folder, topics, grow, finish } = await bench(11)
  await grow(0, 0.5)
  const engine = startEngine(['run'], { config, folder })
  await hasRead(engine, 12_000)
  const { url } = await engine.logged('health and metrics')
  const ctr = async (...words: string[]) => {
    const verb = await runEngine(words, { config, folder })
    return [await verb.exit(), verb.stdout, verb.complaints.join('\n')] as const
  }
  const [code, said] = await ctr('savepoint', 'create', 'blue', '--url', String(url))
  expect([code, said]).toEqual([0, expect.stringMatching(/savepoint blue: 2 tasks of the pipeline at .* as of now/)])
  expect(await ctr('savepoint', 'create', 'a/b', '--url', String(url))).toMatchObject([1, '', expect.stringContaining('named by')])
  expect((await ctr('savepoint', 'list'))[1]).toContain('blue')
  await grow(0.5, 1)
  await hasRead(engine, 24_000)
  expect(await engine.terminate()).toBe(0)

  expect(stored(folder, topics, 'savepoints').map((path) => path.split('/').at(-2))).toEqual(['blue', 'stop'])
  expect((await ctr('checkpoint', 'verify'))[0]).toBe(0)
  const again = await finish(['--from', 'savepoint:blue'])
  expect(again.stdout).toContain('12,000 events')
  expect((await ctr('savepoint', 'delete', 'blue'))[0]).toBe(0)
  expect(await ctr('run', '--until-end', '--from', 'savepoint:blue')).toMatchObject([2, '', expect.stringContaining('no such savepoint')])
})

test('SIGTERM takes a savepoint: the next start reads nothing twice', async () => {
  const { config, folder, grow, finish } = await bench(12, { checkpoint: { interval: '1h' } })
  await grow(0, 0.5)
  const engine = startEngine(['run'], { config, folder })
  await hasRead(engine, 12_000)
  expect(await engine.terminate()).toBe(0)
  await grow(0.5, 1)
  expect((await finish()).stdout).toContain('12,000 events')
})

test('state made with another window is refused until the user says so', async () => {
  const { config, folder, grow } = await bench(13)
  await grow(0, 0.5)
  const engine = startEngine(['run'], { config, folder })
  await hasRead(engine, 12_000)
  expect(await engine.terminate()).toBe(0)
  const other = merged(config, { window: { size: '1m' }, tenant: fresh('tenant') })
  const refused = await runEngine(['run', '--until-end'], { config: other, folder })
  expect([await refused.exit(), refused.complaints.join('\n')]).toEqual([
    2,
    expect.stringMatching(/CTR_STATE_MISMATCH.*window\.size 10000 ms, now 60000 ms/s),
  ])
  const ignored = await runEngine(['run', '--until-end', '--ignore-state'], { config: other, folder })
  expect([await ignored.exit(), ignored.complaints]).toEqual([0, []])
})

test('a checkpoint that does not verify is passed over for the one before it, and without any the marks in Kafka will do', async () => {
  const { config, folder, topics, grow, finish } = await bench(14, { checkpoint: { savepointOnStop: false } })
  await grow(0, 0.5)
  const engine = startEngine(['run'], { config, folder })
  await hasRead(engine, 4_000)
  await checkpointed(engine)
  await hasRead(engine, 12_000)
  await checkpointed(engine)
  engine.signal('SIGKILL')
  await engine.exit()
  await grow(0.5, 1)
  const newest = stored(folder, topics, 'objects').at(-1)!
  const bytes = readFileSync(newest)
  bytes[bytes.length >> 1] = bytes[bytes.length >> 1]! ^ 1
  writeFileSync(newest, bytes)

  const next = startEngine(['run'], { config, folder })
  await next.logged("can't be read")
  await next.until('it tells', async () => (await next.metric('ctr_restore_fallbacks_total')) > 0)
  next.signal('SIGKILL')
  await next.exit()

  rmSync(join(folder, '.ctr/checkpoints'), { recursive: true })
  const last = await finish()
  expect(last.logs.some(({ msg }) => msg === 'the task begins at the offsets of its group')).toBe(true)
})

test('partitions added since the checkpoint are read from their beginning', async () => {
  const { config, folder, topics, lists, feeder, finish } = await bench(17, {}, PARTITIONS + 1)
  const old = lists.filter((list) => (list[0]?.partition ?? 0) < PARTITIONS)
  await feeder.appendAll(old.map((list) => list.slice(0, 3_000)))
  const engine = startEngine(['run'], { config, folder })
  await hasRead(engine, 12_000)
  await checkpointed(engine)
  engine.signal('SIGKILL')
  await engine.exit()

  const admin = plainClient(brokers).admin()
  await admin.connect()
  const grown = [topics.impressions, topics.clicks].map((topic) => ({ topic, count: PARTITIONS + 1 }))
  await admin.createPartitions({ topicPartitions: grown })
  await admin.disconnect()
  await feeder.refresh()
  await feeder.appendAll([...old.map((list) => list.slice(3_000)), ...lists.filter((list) => list[0]?.partition === PARTITIONS)])
  const last = await finish()
  expect(last.logs.filter(({ msg }) => msg.startsWith('the task begins at checkpoint')).length).toBe(PARTITIONS)
})

test('offsets that somebody has set are obeyed, and what was kept before does not come back', async () => {
  const { config, folder, topics, grow, finish } = await bench(18)
  await grow(0, 1)
  const engine = startEngine(['run'], { config, folder })
  await hasRead(engine, 24_000)
  await checkpointed(engine)
  engine.signal('SIGKILL')
  await engine.exit()
  await sleep(6_500) // the group must be empty before its offsets can be set
  const admin = plainClient(brokers).admin()
  await admin.connect()
  const partitions = Array.from({ length: PARTITIONS }, (_, partition) => ({ partition, offset: '0' }))
  for (const topic of [topics.impressions, topics.clicks]) await admin.setOffsets({ groupId: topics.group, topic, partitions })
  await admin.disconnect()

  const again = startEngine(['run'], { config, folder })
  await hasRead(again, 24_000)
  await checkpointed(again)
  again.signal('SIGKILL')
  await again.exit()
  const last = await finish()
  expect(last.logs.filter(({ msg }) => msg.startsWith('the task begins at checkpoint')).length).toBe(PARTITIONS)
}, 120_000)

test('a store that is full or read-only costs checkpoints, nothing else, and they come back with it', async () => {
  using disk = tmpfs('1m')
  const { config, folder, grow, finish } = await bench(15, { checkpoint: { storage: disk.path } })
  await grow(0, 0.3)
  const engine = startEngine(['run'], { config, folder })
  await hasRead(engine, 7_000)
  await checkpointed(engine)

  writeFileSync(join(disk.path, 'ballast'), Buffer.alloc(2 ** 20 - 64 * 1024))
  await fillUp(disk.path)
  await grow(0.3, 0.6)
  const full = await engine.logged('the disk is full')
  expect(full).toMatchObject({ level: 'warn', code: 'CTR_CHECKPOINT_STORE', msg: expect.stringContaining('checkpoint.storage') })
  await hasRead(engine, 14_000)
  expect(await engine.metric('ctr_checkpoint_failures_total')).toBeGreaterThan(0)
  expect((await engine.readiness()).status).toBe(200)
  rmSync(join(disk.path, 'ballast'))
  rmSync(join(disk.path, 'more'), { force: true })
  await checkpointed(engine)

  disk.remount('ro')
  await grow(0.6, 1)
  await engine.logged('read-only')
  await hasRead(engine, 24_000)
  disk.remount('rw')
  await checkpointed(engine)
  engine.signal('SIGKILL')
  await engine.exit()
  await finish()
})

async function fillUp(folder: string): Promise<void> {
  try {
    writeFileSync(join(folder, 'more'), Buffer.alloc(2 ** 20))
  } catch {
    // that was the point
  }
}

test('a store that is not there yet is waited for', async () => {
  const { config, folder, grow, finish } = await bench(16, { checkpoint: { storage: '/proc/nowhere/checkpoints' } })
  await grow(0, 1)
  const engine = startEngine(['run'], { config, folder })
  await hasRead(engine, 24_000)
  await engine.until('it fails', async () => (await engine.metric('ctr_checkpoint_failures_total')) > 1)
  expect((await engine.readiness()).status).toBe(200)
  expect(await engine.terminate()).toBe(0)
  await finish()
})
