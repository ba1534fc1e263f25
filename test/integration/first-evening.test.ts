/** A stranger's topics on the first evening: looked at, mapped, checked, counted, by the command line alone and on a real broker. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import kafkajs from 'kafkajs'
import { beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest'
import { parse } from 'yaml'
import { initVerb } from '../../src/cli/init.ts'
import { type EngineProcess, runEngine, startEngine, workFolder } from '../../workshop/engine-process.ts'
import { createTopics, fresh, plainClient } from '../../workshop/kafka-harness.ts'
import { PRODUCER_SHAPES } from '../probe/producer-shapes.ts'
import { type ShapedRecord, UNSEEN_SHAPES } from '../probe/unseen-shapes.ts'
import { sharedBrokers } from '../support/shared-broker.ts'

const brokers = await sharedBrokers()
const SHAPES = { ...PRODUCER_SHAPES, ...UNSEEN_SHAPES }

/** Produces each shape to a topic that ends in its name; the names of the topics. */
async function produceShapes(shapes: { readonly [shape: string]: readonly ShapedRecord[] }): Promise<string[]> {
  const prefix = fresh('e')
  const topics = Object.keys(shapes).map((shape) => `${prefix}-${shape}`)
  await createTopics(brokers, topics, 1, { 'retention.ms': '-1' })
  const producer = plainClient(brokers).producer({ createPartitioner: kafkajs.Partitioners.DefaultPartitioner })
  await producer.connect()
  for (const [i, records] of Object.values(shapes).entries()) {
    const messages = records.map(({ text, events, timestamp }) => ({
      value: text,
      timestamp: String(timestamp ?? events[0]?.time ?? Date.now()),
    }))
    await producer.send({ topic: topics[i] ?? '', messages, acks: -1, compression: kafkajs.CompressionTypes.GZIP })
  }
  await producer.disconnect()
  return topics
}

async function ctr(folder: string, words: readonly string[], environment: Record<string, string> = {}): Promise<EngineProcess> {
  const engine = await runEngine(words, { folder, environment })
  return engine
}

/** What is said on stderr but for log lines, and the exit code. */
const outcome = async (engine: EngineProcess) => ({ exit: await engine.exit(), said: engine.complaints.join('\n') })

test('topics in all shapes: init writes a configuration, the check agrees, and a run counts each event once', async () => {
  const folder = workFolder()
  const topics = await produceShapes(SHAPES)
  const named = topics.flatMap((topic) => ['--topic', topic])
  const init = await ctr(folder, ['init', '--brokers', brokers.join(','), ...named, '--yes'])
  expect((await outcome(init)).exit, init.story()).toBe(0)
  expect(init.stdout).toContain('npx ctr config check --sample 500')
  const text = readFileSync(join(folder, 'ctr.yaml'), 'utf8')
  expect(text.split('\n')[0]).toBe('# yaml-language-server: $schema=./.ctr/ctr.schema.json')
  expect(existsSync(join(folder, '.ctr/ctr.schema.json'))).toBe(true)
  const variables = [...text.matchAll(/\$\{(\w+):/g)].map(([, name = '']) => name).filter((name) => name !== 'NAME')
  const example = readFileSync(join(folder, '.env.example'), 'utf8')
  for (const name of variables) expect(example).toContain(`\n${name}=`)

  const check = await ctr(folder, ['config', 'check', '--sample', '1000', '--max-invalid', '0'])
  expect((await outcome(check)).exit, check.story()).toBe(0)
  const run = await ctr(folder, ['run', '--until-end', '--http.port=0', '--max-late=0'])
  expect((await outcome(run)).exit, run.story()).toBe(0)
  expect(run.stdout).toMatch(/ledger +exact/)
  const sql = 'SELECT product_id, sum(impressions) AS impressions, sum(clicks) AS clicks FROM ctr_windows GROUP BY ALL'
  const query = await ctr(folder, ['query', sql, '--format', 'JSONEachRow'])
  const rows = query.stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Row)
  expect(byProduct(rows)).toEqual(wantedRows())
}, 60_000)

interface Row {
  readonly product_id: string
  readonly impressions: number | string
  readonly clicks: number | string
}

const byProduct = (rows: readonly Row[]) =>
  Object.fromEntries(rows.map(({ product_id, impressions, clicks }) => [product_id, [Number(impressions), Number(clicks)]]))

function wantedRows(): { [product: string]: [number, number] } {
  const wanted: { [product: string]: [number, number] } = {}
  for (const { product, click } of Object.values(SHAPES).flatMap((records) => records.flatMap(({ events }) => events))) {
    const counts = wanted[product] ?? [0, 0]
    counts[click ? 1 : 0]++
    wanted[product] = counts
  }
  return wanted
}

describe('on topics that are there', () => {
  const group = fresh('group')
  let topic = ''
  let odd = ''
  let useless = ''
  beforeAll(async () => {
    const shapes = {
      segment: PRODUCER_SHAPES['segment-track'] ?? [],
      odd: [
        '{"type":"track","event":"Product Viewed","userId":"secret-1","timestamp":"yesterday","properties":{"product_id":"p"}}',
        'CSV,is,not,JSON',
      ].map((line) => ({ text: line, events: [] })),
      useless: ['a,b,c', '1,2,3'].map((line) => ({ text: line, events: [] })),
    }
    ;[topic = '', odd = '', useless = ''] = await produceShapes(shapes)
  })

  const init = (folder: string, ...words: string[]) => ctr(folder, ['init', '--brokers', brokers.join(','), ...words])

  test('--print writes the configuration to stdout and no file', async () => {
    const folder = workFolder()
    const engine = await init(folder, '--topic', topic, '--print')
    expect(await engine.exit()).toBe(0)
    const written = parse(engine.stdout) as { kafka: { topics: unknown[] } }
    expect(written.kafka.topics).toMatchObject([
      { name: topic, events: { envelope: 'segment', fields: { product: 'properties.product_id' } } },
    ])
    expect(engine.complaints.join('\n')).toContain('Product Viewed')
    expect(existsSync(join(folder, 'ctr.yaml'))).toBe(false)
    expect(existsSync(join(folder, '.env.example'))).toBe(false)
  })

  test('a file that is there is kept, unless --force', async () => {
    const folder = workFolder()
    writeFileSync(join(folder, 'ctr.yaml'), 'tenant: mine\n')
    const refused = await init(folder, '--topic', topic, '--yes')
    expect(await outcome(refused)).toMatchObject({ exit: 2, said: expect.stringContaining('--force') })
    expect(readFileSync(join(folder, 'ctr.yaml'), 'utf8')).toBe('tenant: mine\n')
    const forced = await init(folder, '--topic', topic, '--force')
    expect(await forced.exit()).toBe(0)
    expect(readFileSync(join(folder, 'ctr.yaml'), 'utf8')).toContain(topic)
  })

  test('without a terminal it asks nothing, and takes what looks countable', async () => {
    const folder = workFolder()
    const engine = await init(folder)
    expect(await engine.exit()).toBe(0)
    const { kafka } = parse(readFileSync(join(folder, 'ctr.yaml'), 'utf8')) as { kafka: { topics: { name: string }[] } }
    const names = kafka.topics.map(({ name }) => name)
    expect(names).toContain(topic)
    expect(names).not.toContain(useless)
  })

  test('on a terminal it asks which topics, and whether to write', async () => {
    const folder = workFolder()
    const output = join(folder, 'ctr.yaml')
    const told = vi.spyOn(process.stderr, 'write').mockImplementation(() => true)
    const out = vi.spyOn(process.stdout, 'write').mockImplementation(() => true)
    onTestFinished(() => {
      told.mockRestore()
      out.mockRestore()
    })
    const questions: string[] = []
    const answers =
      (...list: string[]) =>
      async (question: string) => {
        questions.push(question)
        return list.shift() ?? ''
      }
    const options = { set: [], brokers: brokers.join(','), sample: 100, output }
    expect(await initVerb(options, answers(topic, 'n'))).toBe(0)
    expect(existsSync(output)).toBe(false)
    await expect(initVerb(options, answers('no-such'))).rejects.toMatchObject({ code: 'CTR_USAGE' })
    expect(await initVerb(options, answers(topic, ''))).toBe(0)
    const { kafka } = parse(readFileSync(output, 'utf8')) as { kafka: { topics: { name: string }[] } }
    expect(kafka.topics.map(({ name }) => name)).toEqual([topic])
    expect(questions.at(-2)).toContain(topic)
    expect(questions.at(-1)).toBe(`Write ${output}, with ${topic}? [Y/n] `)
    questions.length = 0
    expect(await initVerb({ ...options, force: true, yes: true }, answers())).toBe(0)
    expect(questions).toEqual([])
  })

  test('a topic without anything to count ends with 1 and says why; no broker does, too', async () => {
    const folder = workFolder()
    expect(await outcome(await init(folder, '--topic', useless))).toMatchObject({
      exit: 1,
      said: expect.stringMatching(/CTR_INPUT: nothing of it can be counted: \S+-useless: 100.00 % of the values .* text but not JSON/),
    })
    expect(await outcome(await init(folder, '--topic', 'no-such-topic'))).toMatchObject({
      exit: 1,
      said: expect.stringContaining('no topic no-such-topic'),
    })
    const nobody = await ctr(folder, ['init', '--brokers', '127.0.0.1:1'])
    expect(await outcome(nobody)).toMatchObject({ exit: 1, said: expect.stringContaining('CTR_KAFKA_UNREACHABLE') })
    expect(existsSync(join(folder, 'ctr.yaml'))).toBe(false)
  })

  const configured = async (): Promise<string> => {
    const folder = workFolder()
    const config = {
      kafka: { brokers, groupId: group, topics: [topic, odd] },
      events: { envelope: 'segment', types: { impression: ['Product Viewed'], click: ['Product Clicked'] } },
    }
    writeFileSync(join(folder, 'ctr.yaml'), JSON.stringify(config))
    return folder
  }

  test('the check prints what becomes of records, masks people, and fails where too much is invalid', async () => {
    const check = await ctr(await configured(), ['config', 'check', '--sample', '100'])
    expect(await outcome(check)).toMatchObject({ exit: 1, said: expect.stringContaining(`nothing of ${odd} is counted`) })
    expect(check.stdout).toMatch(/counted or late +90\.00 % +36/)
    expect(check.stdout).toMatch(/ignored +10\.00 % +4 +"Cart Viewed" 4/)
    expect(check.stdout).toMatch(/TIME +50\.00 % +1 .*ISO-8601/)
    expect(check.stdout).toMatch(/such as offset 0 of .*: byte 73 begins timestamp/)
    expect(check.stdout).toContain('"userId":***')
    expect(check.stdout).not.toContain('secret-1')
    const lenient = await ctr(await configured(), ['config', 'check', '--sample', '100', '--max-invalid', '0.1', '--kafka.topics', topic])
    expect(await lenient.exit()).toBe(0)
  })

  test('tap shows each record with its verdict, masks people, and leaves no trace in any group', async () => {
    const folder = await configured()
    const tap = await ctr(folder, ['tap', '--from', 'earliest', '--limit', '42'])
    expect(await tap.exit()).toBe(0)
    const lines = tap.stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { verdict: string; reason?: string })
    expect(
      Object.fromEntries(Object.entries(Object.groupBy(lines, ({ verdict }) => verdict)).map(([kind, all]) => [kind, all?.length])),
    ).toEqual({
      counted: 36,
      ignored: 4,
      invalid: 2,
    })
    expect(tap.stdout).not.toContain('secret-1')
    const invalid = await ctr(folder, ['tap', '--from', '-10', '--topic', odd, '--invalid', '--limit', '2', '--show-users'])
    const shown = invalid.stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as object)
    expect(shown).toMatchObject([
      { topic: odd, offset: 0, verdict: 'invalid', reason: 'TIME', faultAt: 73, value: expect.stringContaining('secret-1') },
      { topic: odd, offset: 1, verdict: 'invalid', reason: 'NOT_JSON', faultAt: 0 },
    ])
    const admin = plainClient(brokers).admin()
    await admin.connect()
    onTestFinished(() => admin.disconnect())
    const { groups } = await admin.listGroups()
    expect(groups.filter(({ groupId }) => groupId === group)).toEqual([])
  })

  test('tap goes on with what comes, until a signal', async () => {
    const folder = await configured()
    const tap = startEngine(['tap', '--topic', odd], { folder })
    const more = plainClient(brokers).producer({ createPartitioner: kafkajs.Partitioners.DefaultPartitioner })
    await more.connect()
    const value = { event: 'Product Clicked', timestamp: '2024-11-28T13:20:00Z', properties: { product_id: '\u202eevil\u001b[2J' } }
    await tap.until('a record that came later', async () => {
      await more.send({ topic: odd, messages: [{ value: JSON.stringify(value) }] })
      return tap.stdout.includes('"verdict":"counted"')
    })
    await more.disconnect()
    expect(await tap.terminate()).toBe(0)
    expect(tap.complaints.join('\n')).toMatch(/counted, 0 late, 0 ignored, 0 invalid/)
    for (const character of ['\u001b', '\u202e']) expect(tap.stdout).not.toContain(character)
  })
})

describe('docs/first-evening.md', () => {
  /** The words of the commands in the document's blocks, in their order. */
  function commands(): string[][] {
    const text = readFileSync(new URL('../../docs/first-evening.md', import.meta.url), 'utf8')
    const lines = [...text.matchAll(/^```\n([\s\S]*?)^```$/gm)].flatMap(([, block = '']) => block.split('\n'))
    return lines.flatMap((line) => {
      const [program, name, ...words] = [...line.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? '')
      return program === 'npx' && name === 'ctr' ? [words] : []
    })
  }

  test('every command does what it says, one after the other', async () => {
    const folder = workFolder()
    const topic = fresh('shop')
    const rows = Array.from({ length: 50 }, (_, i) => `s${i % 5},${i % 5 === 0 ? 'click' : 'view'},2024-06-01 10:00:${10 + i}`)
    writeFileSync(join(folder, 'june.csv.gz'), gzipSync(`sku,action,at\n${rows.join('\n')}\n`))
    const said: string[] = []
    for (const words of commands()) {
      const own = words.map((word) => (word === 'localhost:9092' ? brokers.join(',') : word.replace('shop-events', topic)))
      // Others run beside this test.
      const port = own[0] === 'run' ? ['--http.port=0'] : []
      const engine = await ctr(folder, [...own, ...port])
      expect(await engine.exit(), engine.story()).toBe(0)
      said.push(engine.stdout)
    }
    const [load, init, check, tap, json, run, query, replay] = said
    expect(said).toHaveLength(8)
    expect(load).toContain('20,000 events')
    expect(init).toContain('npx ctr run --until-end')
    expect(check).toMatch(/counted or late +100\.00 % +1,000/)
    expect(tap?.trimEnd().split('\n')).toHaveLength(5)
    expect(json).toContain('"verdict":"counted"')
    expect(run).toMatch(/counted +20,000 /)
    expect(run).toMatch(/ledger +exact/)
    expect(query).toContain('p-0001')
    expect(replay).toMatch(/counted +50 +40 impressions, 10 clicks/)
  }, 90_000)
})
