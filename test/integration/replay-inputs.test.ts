/** `ctr replay` again and again: what replaces, what adds, what is refused, and how it ends. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { beforeEach, expect, test } from 'vitest'
import { INPUTS_FROM } from '../../src/tables/counting.ts'
import { type ConfigTree, type EngineProcess, into, merged, runEngine, startEngine, workFolder } from '../../workshop/engine-process.ts'
import { fresh } from '../../workshop/kafka-harness.ts'
import { avroFile } from '../support/avro-file.ts'
import { sharedClickHouse } from '../support/shared-clickhouse.ts'

const T0 = 1_790_000_000_000
const clickhouse = await sharedClickHouse()

let folder: string
let tenant: string
beforeEach(() => {
  folder = workFolder()
  tenant = fresh('tenant')
})

/** A line for each product and second of these, product after product. */
function lines(products: readonly string[], seconds: number): string {
  return products
    .flatMap((product) =>
      Array.from(
        { length: seconds },
        (_, i) => `{"product_id":"${product}","user_id":"u","event_type":"view","timestamp":${T0 + i * 1000}}\n`,
      ),
    )
    .join('')
}

function file(name: string, content: string | Buffer): string {
  const path = join(folder, name)
  writeFileSync(path, content)
  return path
}

/** Roll-ups at the end, for who looks at them. */
let computing: ConfigTree = {}

async function replay(...words: string[]): Promise<{ exit: unknown; said: string; engine: EngineProcess }> {
  const engine = await runEngine(['replay', ...words], { folder, config: merged(into(clickhouse, tenant), computing) })
  return { exit: await engine.exit(), said: engine.stdout + engine.complaints.join('\n'), engine }
}

async function sums(view = 'ctr_windows'): Promise<Record<string, number>> {
  const sql = `SELECT product_id, sum(impressions) AS views FROM db.${view} WHERE tenant = '${tenant}' GROUP BY 1 ORDER BY 1`
  const rows = await clickhouse.rows<{ product_id: string; views: number }>(sql, clickhouse.endpoint.database)
  return Object.fromEntries(rows.map(({ product_id, views }) => [product_id, views]))
}

const unbalanced = () =>
  clickhouse.rows(`SELECT * FROM db.ctr_reconciliation WHERE tenant = '${tenant}' AND NOT balanced`, clickhouse.endpoint.database)

test('the same name replaces, another name adds, in whatever order files come', async () => {
  const [a, b] = [file('a.jsonl', lines(['a'], 10)), file('b.jsonl', lines(['b1', 'b2'], 10))]
  const first = await replay(a, '--max-late', '1')
  expect([first.exit, await sums()]).toEqual([0, { a: 10 }])
  expect(first.said).toMatch(new RegExp(`input +a.jsonl: number ${Math.floor(INPUTS_FROM / 1e6)}\\d+, [\\d,]+ bytes\n`))
  const second = await replay(b, a, '--partitions', '3')
  expect([second.exit, await sums()]).toEqual([0, { a: 10, b1: 10, b2: 10 }])
  expect(second.said).toMatch(/input +a.jsonl: .*; replaces number \d+ \(the same content, counted \d{4}-/)
  expect(second.engine.logs.map(({ msg }) => msg)).toEqual(['--partitions has no effect any more: a file is one task; leave it out'])
  // Other content under the same name: what it lacks is gone.
  file('b.jsonl', lines(['b2'], 3))
  computing = { clickhouse: { rollUps: { interval: '1m' } } }
  const third = await replay(b)
  computing = {}
  expect([third.exit, await sums()]).toEqual([0, { a: 10, b2: 3 }])
  expect(third.said).toMatch(/replaces number \d+ \([\d,]+ bytes, counted/)
  expect(await sums('ctr_minutely')).toEqual({ a: 10, b2: 3 })
  expect(await sums('ctr_monthly')).toEqual({ a: 10, b2: 3 })
  const named = await replay(b, '--input', 'more', '--add')
  expect([named.exit, await sums()]).toEqual([0, { a: 10, b2: 6 }])
  expect(await unbalanced()).toEqual([])
})

test('content that counts under another name is refused, before it is read where that can be told', async () => {
  const content = lines(['a'], 20)
  expect((await replay(file('june', content))).exit).toBe(0)
  const again = await replay(file('july', content))
  expect([again.exit, again.engine.stdout]).toEqual([2, ''])
  expect(again.said).toMatch(/CTR_USAGE: july holds the same [\d,]+ bytes as the input june, counted .*; name it like the other .*--add$/m)
  const packed = await replay(file('july.gz', gzipSync(content)))
  expect(packed.exit).toBe(2)
  expect(packed.said).toMatch(/july.gz holds the same .* nothing of this run counts/)
  expect(await sums()).toEqual({ a: 20 })
  expect((await replay(join(folder, 'july.gz'), '--add')).exit).toBe(0)
  expect(await sums()).toEqual({ a: 40 })
  expect(await unbalanced()).toEqual([])
})

test('a file sorted by product fails with the remedy and leaves what was counted before, and --sort counts all of it', async () => {
  const products = ['a', 'b', 'c']
  const before = file('log', lines(['x'], 5))
  expect((await replay(before)).exit).toBe(0)
  const path = file('log', lines(products, 300))
  const unsorted = await replay(path)
  expect(unsorted.exit).toBe(1)
  expect(unsorted.said).toMatch(/CTR_INPUT: 5\d\d of the 900 records of log are late, more than --max-late 20%; .*--sort/)
  expect(unsorted.said).toMatch(/nothing of this run counts/)
  expect(unsorted.engine.logs.map(({ msg }) => msg).join()).toMatch(/5\d\d late events in log, up to /)
  expect(unsorted.engine.logs.map(({ msg }) => msg).join()).not.toContain('files/')
  expect(await sums()).toEqual({ x: 5 })
  expect((await replay(path, '--sort')).exit).toBe(0)
  expect(await sums()).toEqual({ a: 300, b: 300, c: 300 })
  const allowed = await replay(path, '--max-late', '100%')
  expect(allowed.exit).toBe(0)
  expect((await sums()).c).toBeLessThan(100)
})

test('a file of which nothing is counted ends with 1, an empty one with 0', async () => {
  const wrong = file('wrong', 'a\nb\n')
  const refused = await replay(wrong, file('right', lines(['a'], 1)), '--max-invalid', '1')
  expect(refused.exit).toBe(1)
  expect(refused.said).toMatch(/none of the 2 records of wrong was counted \(0 late, 2 invalid, 0 ignored\); .*dead-letters.jsonl says why/)
  expect(await sums()).toEqual({})
  expect((await replay(file('empty', ''))).exit).toBe(0)
  const query = await runEngine(['query', 'SELECT * FROM ctr_windows WHERE impressions < 0'], { folder, config: into(clickhouse, tenant) })
  expect([await query.exit(), query.stdout, query.complaints]).toEqual([0, '', ['ctr query: done; the answer has no rows']])
})

test('a replay that is stopped before its end counts for nothing, and says so', async () => {
  expect((await replay(file('log', lines(['a'], 4)))).exit).toBe(0)
  const words = [
    'replay',
    file(
      'log',
      lines(
        Array.from({ length: 300 }, (_, i) => `p${i}`),
        3600,
      ),
    ),
    '--sort',
  ]
  const engine = startEngine(words, { folder, config: into(clickhouse, tenant) })
  const claimed = `SELECT toUInt32(uniqExact(number)) AS n FROM db.ctr_inputs WHERE tenant = '${tenant}'`
  await engine.until('the number is claimed', async () => {
    const [row] = await clickhouse.rows<{ n: number }>(claimed, clickhouse.endpoint.database)
    return row?.n === 2
  })
  expect(await engine.terminate()).toBe(1)
  expect(engine.complaints.join('\n')).toMatch(/ended by SIGTERM before everything was read: .*; nothing of this run counts/)
  expect(await sums()).toEqual({ a: 4 })
})

const AVRO_EVENT = {
  type: 'record',
  name: 'Event',
  fields: [
    { name: 'product_id', type: 'string' },
    { name: 'user_id', type: ['null', 'string'] },
    { name: 'event_type', type: { type: 'enum', name: 'Type', symbols: ['view', 'click', 'cart'] } },
    { name: 'at', type: { type: 'long', logicalType: 'timestamp-millis' } },
  ],
}

test('a file of Avro gives the rows of its events in JSON, and a damaged one or a killed run nothing', async () => {
  const words = ['--set', 'events.fields.time=at']
  const events = Array.from({ length: 3000 }, (_, i) => ({
    product_id: `p-${i % 11}`,
    user_id: i % 4 === 0 ? null : 'u',
    event_type: i % 3 === 0 ? 'click' : i % 7 === 0 ? 'cart' : 'view',
    at: T0 + i * 100,
  }))
  const rows = () =>
    clickhouse.rows(
      `SELECT product_id, window_start, impressions, clicks FROM db.ctr_windows WHERE tenant = '${tenant}' ORDER BY ALL`,
      clickhouse.endpoint.database,
    )
  const json = await replay(file('log', events.map((event) => `${JSON.stringify(event)}\n`).join('')), ...words)
  expect(json.exit).toBe(0)
  const wanted = await rows()
  expect(wanted.length).toBeGreaterThan(300)
  for (const codec of ['deflate', 'snappy']) {
    const bytes = await avroFile(AVRO_EVENT, events, { codec, blockSize: 8192 })
    const whole = await replay(file('log', bytes), ...words)
    expect([whole.exit, await rows()]).toEqual([0, wanted])
    expect(whole.said).toMatch(/^3,000 events/m)
  }
  const bytes = await avroFile(AVRO_EVENT, events, { blockSize: 8192 })
  bytes[bytes.length - 3]! ^= 1
  const damaged = await replay(file('log', bytes), ...words)
  expect([damaged.exit, await rows()]).toEqual([1, wanted])
  expect(damaged.said).toMatch(/CTR_INPUT: .*log: the block at byte \d+ is damaged: the sync marker /)
  // Beside JSON in one run, and refused under another name, as all content is.
  const avro = file('more.avro', await avroFile(AVRO_EVENT, [{ product_id: 'avro', user_id: null, event_type: 'view', at: T0 }]))
  const both = await replay(avro, file('more', `{"product_id":"json","event_type":"view","at":${T0}}\n`), ...words)
  expect([both.exit, await sums()]).toMatchObject([0, { avro: 1, json: 1, 'p-1': expect.any(Number) }])
  const again = await replay(file('other.avro', readFileSync(avro)), ...words)
  expect([again.exit, again.said]).toEqual([2, expect.stringMatching(/other.avro holds the same [\d,]+ bytes as the input more.avro/)])

  const before = await rows()
  const long = Array.from({ length: 400_000 }, (_, i) => ({
    product_id: `l-${i % 997}`,
    user_id: 'u',
    event_type: 'view',
    at: T0 + i * 50,
  }))
  const path = file('log', await avroFile(AVRO_EVENT, long, { codec: 'deflate', blockSize: 65_536 }))
  const engine = startEngine(['replay', path, '--sort', ...words], { folder, config: into(clickhouse, tenant) })
  const claimed = `SELECT toUInt32(uniqExact(number)) AS n FROM db.ctr_inputs WHERE tenant = '${tenant}' AND name = 'log'`
  const numbers = async () => (await clickhouse.rows<{ n: number }>(claimed, clickhouse.endpoint.database))[0]?.n
  const known = (await numbers()) ?? 0
  await engine.until('the number is claimed', async () => ((await numbers()) ?? 0) > known)
  engine.signal('SIGKILL')
  expect(await engine.exit()).toBe('SIGKILL')
  expect(await rows()).toEqual(before)
  expect((await replay(path, ...words)).exit).toBe(0)
  const counted = Object.values(await sums()).reduce((sum, views) => sum + views, 0)
  expect(counted).toBe(400_000 + 2)
  expect(await unbalanced()).toEqual([])
})
