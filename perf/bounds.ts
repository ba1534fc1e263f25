/**
 * What a producer can make large, read by an engine in a memory cgroup of 1 GiB:
 *
 *   node perf/bounds.ts [--only bombs] [--products 10_000_000] [--ids 256] [--windows 10_000] [--json FILE]
 *
 *   bombs     batches of all four codecs that become 128 to 512 MiB, between good ones: each is one letter, the good ones are counted
 *   products  so many products in one window, with ids of so many bytes at least: reading waits and says so, the process goes on, can be
 *             stopped, and started again from its savepoint
 *   matched   the same, counted as one product by products.match: read to the end
 *   windows   so many windows open at once: read to the end, or waits and says so
 *   small     the same engine in 128 MiB: refused with the sum
 *
 * It needs root, for the cgroup (workshop/memory-cgroup.ts). A process that the kernel kills, or that ends otherwise than it should, is a
 * fault.
 */
import { CODEC } from '../src/batch/codec.ts'
import { RecordBatchWriter } from '../src/batch/record-batch-writer.ts'
import { sleep } from '../src/clock.ts'
import { BatchProducer } from '../src/kafka/batch-producer.ts'
import type { Engine } from '../workshop/engine.ts'
import { startEngine } from '../workshop/engine.ts'
import { sourceOptions } from '../workshop/kafka-harness.ts'
import type { LogLine } from '../workshop/log-line.ts'
import { type MemoryCgroup, memoryCgroup } from '../workshop/memory-cgroup.ts'
import { scriptOptions } from '../workshop/options.ts'
import { conclude, place, table } from '../workshop/report.ts'
import { runScript, type Stand, withStand } from '../workshop/stand.ts'
import { peakRssOf } from '../workshop/usage.ts'

const options = scriptOptions('perf/bounds.ts', { only: '', products: 10_000_000, ids: 0, windows: 10_000, json: '' })

const MIB = 1024 * 1024
const LIMIT_BYTES = 1024 * MIB
const SMALL_BYTES = 128 * MIB
const BATCH_BYTES = 512 * 1024
const WINDOW_MS = 10_000
/** Long ago, so that no time is in the future. */
const FROM = Date.UTC(2026, 0, 1)
const END_MAX_MS = 300_000
const HOLD_MS = 5_000
const BOMBS = [
  ['gzip', CODEC.gzip, 512 * MIB],
  ['snappy', CODEC.snappy, 128 * MIB],
  ['lz4', CODEC.lz4, 512 * MIB],
  ['zstd', CODEC.zstd, 512 * MIB],
] as const
const BOMB_RECORDS = 64
const GOOD = 50_000
const PARTITIONS = 2

interface Outcome {
  readonly name: string
  readonly what: string
  readonly peakMiB: number
  readonly seconds: number
  readonly faults: readonly string[]
}

/** An engine in a cgroup, and what it says. */
interface Held {
  readonly engine: Engine
  readonly group: MemoryCgroup
  readonly lines: LogLine[]
  peakRssBytes(): number
  get(path: string): Promise<string>
}

/** To be removed, whatever happens. */
const groups: MemoryCgroup[] = []

function start(stand: Stand, name: string, limitBytes: number, untilEnd: boolean, sets: readonly string[] = []): Held {
  const group = memoryCgroup(name, limitBytes)
  groups.push(group)
  const lines: LogLine[] = []
  const engine = startEngine(stand, {
    topics: [name.split('-')[0] ?? name],
    groupId: name,
    database: name.replace('-', '_'),
    untilEnd,
    under: group.under,
    sets: ['tenant=bounds', ...sets],
    onLog: (line) => void lines.push(line),
  })
  let peak = 0
  const timer = setInterval(() => {
    peak = Math.max(peak, peakRssOf(engine.pid) ?? 0)
  }, 100)
  engine.process.once('exit', () => clearInterval(timer))
  const get = async (path: string) => {
    const url = lines.find(({ msg }) => msg === 'health and metrics')?.url
    return url === undefined ? '' : (await fetch(`${String(url)}${path}`)).text()
  }
  return { engine, group, lines, peakRssBytes: () => peak, get }
}

async function ends(held: Held, maxMs = END_MAX_MS): Promise<{ readonly code: number | null; readonly said: string }> {
  const timer = setTimeout(() => held.engine.process.kill('SIGKILL'), maxMs)
  const { code, signal, stdout, stderr } = await held.engine.ended
  clearTimeout(timer)
  return { code: signal === null ? code : null, said: `${stdout}\n${stderr.join('\n')}` }
}

async function finish(name: string, what: string, held: Held, faults: string[], began: number): Promise<Outcome> {
  const kills = held.group.kills()
  if (kills > 0) faults.push(`${name}: the kernel has killed ${kills} processes`)
  const peakMiB = Math.round(held.peakRssBytes() / MIB)
  await held.group.remove()
  process.stderr.write(`${name}: ${what}, ${peakMiB} MiB${faults.length === 0 ? '' : `; ${faults.join('; ')}`}\n`)
  return { name, what, peakMiB, seconds: (performance.now() - began) / 1000, faults }
}

/** Events of what `product` and `time` (ms) say, in batches of `codec`, to the partitions in turn. */
async function send(
  producer: BatchProducer,
  topic: string,
  partitions: number,
  count: number,
  event: (i: number) => { readonly product: string; readonly time: number },
): Promise<void> {
  let i = 0
  for (let partition = 0; i < count; partition = (partition + 1) % partitions) {
    const writer = new RecordBatchWriter(BATCH_BYTES)
    for (writer.begin(0); i < count; i++) {
      const { product, time } = event(i)
      const type = i % 4 === 0 ? 'click' : 'impression'
      const value = Buffer.from(`{"user_id":"u","product_id":"${product}","event_type":"${type}","timestamp":${time}}`)
      if (!writer.append(time, null, value)) break
    }
    await producer.send(topic, partition, writer.bytes.subarray(0, writer.finish(CODEC.zstd)))
  }
}

async function bombs(stand: Stand, producer: BatchProducer): Promise<Outcome> {
  const began = performance.now()
  await producer.prepareTopics(['bombs'], 1, { 'max.message.bytes': String(64 * MIB) })
  const good = (part: number) =>
    send(producer, 'bombs', 1, GOOD, (i) => ({ product: `p-${i % 100}`, time: FROM + part * 1000 + (i % 1000) }))
  for (const [part, [, codec, size]] of BOMBS.entries()) {
    await good(part)
    const writer = new RecordBatchWriter(size + MIB)
    writer.begin(0)
    const value = Buffer.alloc(size / BOMB_RECORDS, ' ')
    for (let i = 0; i < BOMB_RECORDS; i++) if (!writer.append(FROM, null, value)) throw new Error('a bomb does not fit')
    const batch = writer.bytes.subarray(0, writer.finish(codec))
    await producer.send('bombs', 0, batch)
  }
  await good(BOMBS.length)
  const held = start(stand, 'bombs', LIMIT_BYTES, true)
  const { code, said } = await ends(held)
  const faults: string[] = []
  if (code !== 0) faults.push(`bombs: ended with ${code}: ${said}`)
  const counts = await countsOf(stand, 'bombs')
  const wanted = { counted: GOOD * (BOMBS.length + 1), invalid: BOMBS.length * BOMB_RECORDS }
  if (counts.counted !== wanted.counted || counts.invalid !== wanted.invalid || counts.inRows !== wanted.counted) {
    faults.push(`bombs: ${JSON.stringify(counts)} instead of ${JSON.stringify(wanted)}`)
  }
  const letters = held.lines.filter(({ reason }) => reason === 'BATCH_TOO_LARGE').length
  if (letters !== BOMBS.length) faults.push(`bombs: ${letters} letters of ${BOMBS.length} were told`)
  return finish('bombs', `${letters} bombs lettered with ${counts.invalid} records, ${counts.counted} events counted`, held, faults, began)
}

/** Of the ledger in ClickHouse, and of the rows. */
async function countsOf({ clickhouse }: Stand, database: string): Promise<{ counted: number; invalid: number; inRows: number }> {
  const [ledger] = await clickhouse.rows<{ counted: number; invalid: number }>(
    `SELECT sum(c) AS counted, sum(i) AS invalid
     FROM (SELECT max(counted) AS c, max(invalid) AS i FROM db.ctr_ledger GROUP BY topic, partition)`,
    database,
  )
  const [rows] = await clickhouse.rows<{ events: number }>('SELECT sum(impressions + clicks) AS events FROM db.ctr_windows', database)
  return { counted: Number(ledger?.counted), invalid: Number(ledger?.invalid), inRows: Number(rows?.events) }
}

/** `again`: from the savepoint that the first one has left. */
async function products(stand: Stand, again: boolean): Promise<Outcome> {
  const began = performance.now()
  const held = start(stand, 'products', LIMIT_BYTES, false)
  const faults: string[] = []
  let degraded = ''
  while (held.engine.process.exitCode === null && performance.now() - began < END_MAX_MS && !degraded.includes('stateFull')) {
    await sleep(500)
    degraded = await held.get('/readyz').catch(() => '')
  }
  if (!degraded.includes('stateFull')) faults.push(`products: not held: ${degraded}`)
  await sleep(HOLD_MS)
  const state = JSON.parse((await held.get('/readyz').catch(() => '')) || '{}') as {
    ready?: boolean
    degraded?: { code: string; message: string }[]
  }
  if (state.ready !== true) faults.push(`products: not ready while it holds: ${JSON.stringify(state)}`)
  const why = state.degraded?.find(({ code }) => code === 'stateFull')?.message ?? ''
  const stopping = performance.now()
  held.engine.process.kill('SIGTERM')
  const { code, said } = await ends(held)
  if (code !== 0) faults.push(`products: ended with ${code}: ${said}`)
  const stopped = ((performance.now() - stopping) / 1000).toFixed(1)
  return finish(again ? 'again' : 'products', `held ${/\(.*?\)/.exec(why)?.[0] ?? ''}, stopped in ${stopped} s`, held, faults, began)
}

async function matched(stand: Stand): Promise<Outcome> {
  const began = performance.now()
  const held = start(stand, 'products-matched', LIMIT_BYTES, true, ['products.match.pattern=^p-[0-9]{1,3}$'])
  const { code, said } = await ends(held)
  const faults: string[] = []
  if (code !== 0) faults.push(`matched: ended with ${code}: ${said}`)
  const { counted, inRows } = await countsOf(stand, 'products_matched').catch(() => ({ counted: -1, inRows: -1 }))
  if (counted !== options.products || inRows !== options.products) faults.push(`matched: ${counted} counted, ${inRows} in rows`)
  return finish('matched', `${counted} events counted`, held, faults, began)
}

async function windows(stand: Stand, producer: BatchProducer): Promise<Outcome> {
  const began = performance.now()
  const { windows: count } = options
  await producer.prepareTopics(['windows'], PARTITIONS, {})
  await send(producer, 'windows', PARTITIONS, count * 20, (i) => ({ product: `p-${i % 7}`, time: FROM + (i % count) * WINDOW_MS }))
  const lateness = Math.floor((count * WINDOW_MS) / 1000) - 70
  const held = start(stand, 'windows', LIMIT_BYTES, true, [`time.allowedLateness=${lateness}s`])
  const { code, said } = await ends(held)
  const faults: string[] = []
  const told = /CTR_STATE_TOO_LARGE|stateFull/.test(said) || held.lines.some(({ msg }) => msg.includes('at their bound'))
  const { counted, inRows } = await countsOf(stand, 'windows').catch(() => ({ counted: -1, inRows: -1 }))
  if (code !== 0 && !(code === 1 && told)) faults.push(`windows: ended with ${code}: ${said}`)
  if (code === 0 && counted !== inRows) faults.push(`windows: ${counted} counted, ${inRows} in rows`)
  const what = code === 0 ? `${counted} of ${count * 20} events counted, in rows ${inRows}` : 'held, and told'
  return finish('windows', what, held, faults, began)
}

async function small(stand: Stand): Promise<Outcome> {
  const began = performance.now()
  const held = start(stand, 'small', SMALL_BYTES, true)
  const { code, said } = await ends(held)
  const faults = code === 2 && said.includes('kafka.maxBatchBytes') ? [] : [`small: ended with ${code}: ${said}`]
  return finish('small', 'refused with the sum', held, faults, began)
}

async function main(stand: Stand): Promise<number> {
  const producer = new BatchProducer(sourceOptions([...stand.brokers], []))
  await producer.connect()
  const wants = (name: string) => options.only === '' || options.only.split(',').includes(name)
  const outcomes: Outcome[] = []
  if (wants('small')) outcomes.push(await small(stand))
  if (wants('bombs')) outcomes.push(await bombs(stand, producer))
  if (wants('windows')) outcomes.push(await windows(stand, producer))
  if (wants('products') || wants('matched')) {
    await producer.prepareTopics(['products'], PARTITIONS, {})
    await send(producer, 'products', PARTITIONS, options.products, (i) => ({
      product: `id-${i}`.padEnd(options.ids, '-'),
      time: FROM + (i % WINDOW_MS),
    }))
    process.stderr.write(`${options.products} events of as many products sent\n`)
    if (wants('products')) outcomes.push(await products(stand, false), await products(stand, true))
    if (wants('matched')) outcomes.push(await matched(stand))
  }
  await producer.close()
  const faults = outcomes.flatMap((one) => one.faults)
  const rows = outcomes.map(({ name, what, peakMiB, seconds }) => [name, what, String(peakMiB), seconds.toFixed(0)])
  return conclude(
    { place: place(), faults, ...{ outcomes } },
    table(['of what', 'what happened', 'peak MiB', 'seconds'], rows),
    options.json,
  )
}

await runScript(async () => {
  try {
    return await withStand(main, { 'message.max.bytes': String(64 * MIB), 'replica.fetch.max.bytes': String(64 * MIB) })
  } finally {
    for (const group of groups) await group.remove()
  }
})
