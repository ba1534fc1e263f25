/** Dead letters back into their topics on a real broker: in order, once, and whole whenever the process that does it is killed. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { REASON_TEXT } from '../../src/format/reasons.ts'
import { type DeadLetter, deadLetterOf } from '../../src/output/dead-letter.ts'
import { type ConfigTree, type EngineProcess, into, merged, runEngine, startEngine, workFolder } from '../../workshop/engine-process.ts'
import { createTopics, plainClient, produce, sourceOptions, until, withSource } from '../../workshop/kafka-harness.ts'
import { sumOfWindows } from '../../workshop/result-rows.ts'
import { deadLetters, event, feed, freshTopics, from, record, type Topics } from '../support/feed.ts'
import { sharedServers } from '../support/shared-clickhouse.ts'

const { brokers, clickhouse } = await sharedServers()

/** A letter of a record whose type is unknown; its product tells which record it is. */
function letter(topic: string, partition: number, offset: number, more: Partial<DeadLetter> = {}): DeadLetter {
  const made = deadLetterOf({
    kind: 'invalid',
    writer: 'ctr/g',
    topic,
    partition,
    offset,
    envelope: undefined,
    reason: 'TYPE',
    message: REASON_TEXT.TYPE,
    bytes: event(`${partition}-${offset}`, 'click', 1),
    truncated: false,
    eventTime: undefined,
    createdAt: Date.now(),
  })
  return { ...made, ...more }
}

/** The products of the records of each partition of a topic, as the engine reads them: committed ones. */
async function productsIn(topic: string, partitions: number, records: number): Promise<string[][]> {
  return withSource(sourceOptions(brokers, [topic], { startFrom: 'earliest' }), async (taker) => {
    await until(`${records} records of ${topic}`, () => taker.count >= records)
    await new Promise((resolve) => setTimeout(resolve, 500)) // what is too many would come now
    return Array.from({ length: partitions }, (_, i) =>
      taker.values(`0/${i}`).map((value) => String((JSON.parse(value ?? '') as { product_id: string }).product_id)),
    )
  })
}

async function written(topics: readonly string[]): Promise<number> {
  const admin = plainClient(brokers).admin()
  await admin.connect()
  const spans = await Promise.all(topics.map((topic) => admin.fetchTopicOffsets(topic)))
  await admin.disconnect()
  return spans.flat().reduce((sum, { high }) => sum + Number(high), 0)
}

const configOf = (topics: Topics, more: ConfigTree = {}) => merged(from(brokers, topics), more)

/** So that there is time to interfere, however fast the machine is. */
function slowly(topics: Topics, perTransaction: string): EngineProcess {
  const folder = workFolder()
  writeFileSync(join(folder, 'slow.mjs'), 'export default (bytes) => new Promise((done) => setTimeout(done, 10, bytes))\n')
  const words = ['letters', 'retry', '--per-transaction', perTransaction, '--map', 'slow.mjs']
  return startEngine(words, { folder, config: configOf(topics) })
}

interface Outcome {
  readonly back: number
  readonly before: number
  readonly again: number
  readonly not: Record<string, number>
}

async function ctr(topics: Topics, ...words: string[]) {
  const command = await runEngine(['letters', ...words], { folder: workFolder(), config: configOf(topics) })
  const code = await command.exit()
  return { code, out: command.stdout, complaints: command.complaints.join('\n') }
}

test('killed again and again while it puts records back, it goes on: each is there once, in the order in which they were', async () => {
  const topics = await freshTopics(brokers, 2)
  const OFFSETS = 120
  await createTopics(brokers, [topics.dead], 2)
  const names = [topics.impressions, topics.clicks]
  // Letters lie in any order over the partitions of their topic, some of them twice, among others that can't go back.
  const all = names.flatMap((topic) =>
    [0, 1].flatMap((partition) => Array.from({ length: OFFSETS }, (_, i) => letter(topic, partition, i * 3))),
  )
  const mixed = [...all, ...all.slice(0, 50)].map((each, i) => ({ each, at: (i * 7919) % 1009 })).toSorted((a, b) => a.at - b.at)
  const lines = mixed.map(({ each }) => JSON.stringify(each))
  const others = [
    letter(topics.clicks, 0, 1, { rawTruncated: true }),
    letter('', 0, -1, { errorCode: 'ROW_REFUSED' }),
    // Two of one record: neither goes back, and neither is taken for the other.
    letter(topics.clicks, 0, 2, { element: 1 }),
    letter(topics.clicks, 0, 2, { element: 3 }),
  ].map((each) => JSON.stringify(each))
  await produce(brokers, topics.dead, 0, [...lines.slice(0, 300), ...others, 'no letter', null])
  await produce(brokers, topics.dead, 1, lines.slice(300))

  const dry = await ctr(topics, 'retry', '--dry-run', '--json')
  expect(dry.code).toBe(1)
  expect(JSON.parse(dry.out)).toMatchObject({
    dryRun: true,
    back: 4 * OFFSETS,
    before: 0,
    again: 50,
    into: { [topics.clicks]: 2 * OFFSETS },
  })
  expect(await written(names)).toBe(0)

  // A choice first, which later ones have among theirs.
  const clicks = await ctr(topics, 'retry', '--topic', topics.clicks, '--reason', 'type', '--limit', '30', '--json')
  expect(JSON.parse(clicks.out), clicks.complaints).toMatchObject({ back: 30, before: 0 })
  let kills = 0
  for (const goal of [40, 120, 240, 360]) {
    const engine = slowly(topics, '5')
    await engine.until(`${goal} records`, async () => (await written(names)) > goal)
    engine.signal('SIGKILL')
    expect(await engine.exit()).toBe('SIGKILL')
    kills++
  }
  expect(kills).toBe(4)
  const rest = await ctr(topics, 'retry', '--json')
  expect(rest.code, rest.complaints).toBe(1) // for what can't go back
  const outcome = JSON.parse(rest.out) as Outcome
  expect(outcome.back + outcome.before).toBe(4 * OFFSETS)
  expect(outcome.before).toBeGreaterThan(100)
  expect(Object.values(outcome.not)).toEqual([1, 1, 2])
  const again = await ctr(topics, 'retry', '--json')
  expect(JSON.parse(again.out)).toMatchObject({ back: 0, before: 4 * OFFSETS })
  // The order of the topic; the choice that went first is at its beginning all the same.
  const want = [0, 1].map((partition) => Array.from({ length: OFFSETS }, (_, i) => `${partition}-${i * 3}`))
  for (const topic of names) expect(await productsIn(topic, 2, 2 * OFFSETS)).toEqual(want)
}, 120_000)

test('of two at once one ends, and no record comes back twice', async () => {
  const topics = await freshTopics(brokers, 1)
  const RECORDS = 300
  await createTopics(brokers, [topics.dead], 1)
  await produce(
    brokers,
    topics.dead,
    0,
    Array.from({ length: RECORDS }, (_, i) => JSON.stringify(letter(topics.clicks, 0, i))),
  )
  const first = slowly(topics, '1')
  await first.until('some are back', async () => (await written([topics.clicks])) > 10)
  const second = await ctr(topics, 'retry', '--json')
  expect(second.code, second.complaints).toBe(0)
  expect(await first.exit(), first.complaints.join('\n')).toBe(2)
  expect(first.complaints.join('\n')).toMatch(/CTR_GROUP_BUSY: transactional id .*-dead-retried: (.*most likely )?somebody else has begun/)
  const want = Array.from({ length: RECORDS }, (_, i) => `0-${i}`)
  expect(await productsIn(topics.clicks, 1, RECORDS)).toEqual([want])
}, 60_000)

test('what an engine could not count is listed, counted, shown, mended, put back, and counted', async () => {
  const topics = await freshTopics(brokers, 1)
  const { database } = clickhouse.own('letters')
  const config = configOf(topics, merged(into(clickhouse, 'letters'), { clickhouse: { database } }))
  const T0 = 1_790_000_000_000
  const clicks = Array.from({ length: 5 }, (_, i) => {
    const made = record(topics.clicks, `p${i}`, 'click', T0 + i)
    return { ...made, value: Buffer.from(String(made.value).replace(/"timestamp":\d+/, '"timestamp":"soon"')) }
  })
  await feed(brokers, topics, [[record(topics.impressions, 'p0', 'impression', T0)], [record(topics.clicks, 'p0', 'click', T0), ...clicks]])
  const run = async () => {
    const engine = await runEngine(['run', '--until-end', '--max-invalid', '100%'], { config })
    expect(await engine.exit(), engine.story()).toBe(0)
  }
  await run()
  expect(await sumOfWindows(clickhouse, database)).toBe(2)
  expect(await deadLetters(brokers, topics.dead, 5)).toHaveLength(5)

  const stats = await ctr(topics, 'stats')
  expect(stats.out, stats.complaints).toMatch(new RegExp(`TIME +${topics.clicks} +5 .*\n5 letters in topic ${topics.dead}\n$`))
  const list = await ctr(topics, 'list', '--limit', '2', '--reason', 'TIME')
  const [place] = /\d\/\d+/.exec(list.out) ?? []
  expect(list.out).toContain('2 of 5 letters')
  const shown = await ctr(topics, 'show', place ?? '')
  expect(shown.out).toContain('"timestamp":"soon"')
  expect(shown.out).toContain('ctr explain TIME says what to do about it')
  expect(await ctr(topics, 'show', '0/99999')).toMatchObject({ code: 2 })
  expect(await ctr(topics, 'list', '--reason', 'TIM')).toMatchObject({
    code: 2,
    complaints: expect.stringContaining('no such reason, but TIME'),
  })

  const folder = workFolder()
  writeFileSync(
    join(folder, 'mend.mjs'),
    `export default (bytes, { letter }) => letter.offset === 1 ? undefined : bytes.toString().replace('"soon"', '${T0}')\n`,
  )
  const retry = await runEngine(['letters', 'retry', '--map', 'mend.mjs', '--json'], { folder, config: configOf(topics) })
  expect(await retry.exit(), retry.story()).toBe(0)
  expect(JSON.parse(retry.stdout)).toMatchObject({ letters: 5, back: 4, leftOut: 1, into: { [topics.clicks]: 4 } })
  await run()
  expect(await sumOfWindows(clickhouse, database)).toBe(6)
}, 90_000)

test('what can not be meant is refused before anything is written', async () => {
  const topics = await freshTopics(brokers, 1)
  expect(await ctr(topics, 'stats')).toMatchObject({
    code: 1,
    complaints: expect.stringContaining(`deadLetter.topic ${topics.dead}: there is no such topic`),
  })
  await createTopics(brokers, [topics.dead], 1)
  await produce(brokers, topics.dead, 0, [JSON.stringify(letter('elsewhere', 0, 1)), JSON.stringify(letter(topics.clicks, 3, 1))])
  expect(await ctr(topics, 'retry')).toMatchObject({
    code: 2,
    complaints: expect.stringContaining('letters of topic elsewhere, which is none of kafka.topics'),
  })
  expect(await ctr(topics, 'retry', '--topic', topics.clicks)).toMatchObject({
    code: 2,
    complaints: expect.stringContaining('has 1 partitions, and there are letters of partition 3'),
  })
  expect(await ctr(topics, 'retry', '--topic', topics.clicks, '--set', 'events.time.source=record')).toMatchObject({
    code: 2,
    complaints: expect.stringContaining(`events.time.source of topic ${topics.clicks} is record`),
  })
  const folder = workFolder()
  writeFileSync(join(folder, 'none.mjs'), 'export const a = 1\n')
  const none = await runEngine(['letters', 'retry', '--map', 'none.mjs'], { folder, config: configOf(topics) })
  expect(await none.exit()).toBe(2)
  expect(none.complaints.join()).toContain('its default export is no function')
  expect(await written([topics.impressions, topics.clicks])).toBe(0)
}, 60_000)

test('letters in a file are read the same way', async () => {
  const topics = await freshTopics(brokers, 1)
  const folder = workFolder()
  const file = join(folder, 'letters.jsonl')
  writeFileSync(file, `${[0, 1, 2].map((offset) => JSON.stringify(letter(topics.clicks, 0, offset))).join('\n')}\n`)
  const config = { ...configOf(topics), deadLetter: { file } }
  const run = async (...words: string[]) => {
    const command = await runEngine(['letters', ...words], { folder, config })
    return { code: await command.exit(), out: command.stdout, complaints: command.complaints }
  }
  expect((await run('show', '2')).out).toContain('"product_id":"0-1"')
  const retry = await run('retry', '--json')
  expect(JSON.parse(retry.out), retry.complaints.join()).toMatchObject({ back: 3, progressTopic: `${topics.group}-deadLetter-retried` })
  expect(await productsIn(topics.clicks, 1, 3)).toEqual([['0-0', '0-1', '0-2']])
}, 60_000)
