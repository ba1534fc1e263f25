/**
 * The whole pipeline in one process: real workers and rings, with second implementations of its narrow ports. Record batches come from
 * memory in a seeded interleaving, rows end in a Map that keeps the largest version, as ReplacingMergeTree does.
 */
import assert from 'node:assert/strict'
import { RecordBatchWriter } from '../src/batch/record-batch-writer.ts'
import { Restorer } from '../src/checkpoint/restore.ts'
import { sleep } from '../src/clock.ts'
import type { IngestRules } from '../src/ingest/ingest.ts'
import { Random } from '../src/load/random.ts'
import type { PipelineStats } from '../src/metrics/stats.ts'
import { type DeadLetter, deadLetterOf } from '../src/output/dead-letter.ts'
import type { Output } from '../src/output/output.ts'
import type { StateLimits } from '../src/products/product-budget.ts'
import { readBarrier } from '../src/ring/blocks.ts'
import { BLOCK } from '../src/ring/layout.ts'
import { RingReader } from '../src/ring/ring-reader.ts'
import { readRows } from '../src/ring/row-blocks.ts'
import { Pipeline } from '../src/run/pipeline.ts'
import type { Checkpoints, PipelineOptions } from '../src/run/pipeline-options.ts'
import type { Sink } from '../src/sink/sink.ts'
import { createSinkStats, readSinkStats } from '../src/sink/sink-stats.ts'
import type { LowWaterMark, OfferedPartition, Source, SourceHandler } from '../src/source/source.ts'
import type { ObjectStore } from '../src/store/object-store.ts'
import type { LedgerRow, WindowLedgerRow } from '../src/window/ledger.ts'
import { bookWriter } from './book-writer.ts'
import { type OracleRecord, type OracleRow, rowKey } from './oracle.ts'
import { readRow } from './read-row.ts'
import { takenBack } from './take-back.ts'

export const RULES: IngestRules = {
  windowSize: 10_000,
  outOfOrderness: 5_000,
  allowedLateness: 5_000,
  idleTimeout: 3_600_000,
  maxDrift: 600_000,
  maxJump: 600_000,
  futureTolerance: 60_000,
  oldest: 946_684_800_000,
  wallClockGuard: Number.POSITIVE_INFINITY,
  checkCrc: false,
  maxBatchBytes: 64 * 1024 * 1024,
}

export const silentLog = { info() {}, warn() {}, error() {} }

export interface MemoryRunOptions {
  readonly rules?: Partial<IngestRules>
  readonly workers?: number
  readonly ringBytes?: number
  readonly stateTtl?: number
  readonly stateLimits?: StateLimits
  /** Stop by drain this many ms after the start, whatever has been delivered. */
  readonly drainAfterMs?: number
  /** Of the interleaving of partitions. */
  readonly seed?: number
  /** Records per batch and batches per delivery, at most. */
  readonly batchRecords?: number
  readonly deliveryBatches?: number
  readonly codec?: number
  readonly revision?: number
  readonly formats?: PipelineOptions['formats']
  /** Rows already there, as after a restart. */
  readonly rows?: Map<string, OracleRow>
  readonly marks?: readonly LowWaterMark[]
  /** Stop by drain after so many deliveries; undefined runs to the end. */
  readonly drainAfter?: number
  /** As a SIGKILL: give up everything after so many deliveries. */
  readonly killAfter?: number
  /** Where checkpoints go; without it there are none. */
  readonly store?: ObjectStore
  /** Ledger rows already there, by key. */
  readonly ledger?: Map<string, LedgerRow | WindowLedgerRow>
}

export interface MemoryRun {
  readonly rows: Map<string, OracleRow>
  readonly letters: DeadLetter[]
  readonly stats: PipelineStats
  readonly committed: readonly LowWaterMark[]
  readonly ledger: Map<string, LedgerRow | WindowLedgerRow>
  readonly log: readonly { kind: 'pause' | 'resume'; topicIndex: number; partition: number }[]
}

const FIRST_COMMIT_MAX_MS = 20_000

const TOPICS = ['impressions', 'clicks']

/** Feeds the records (each list one partition of one topic, in offset order) through a pipeline. Rejects as the pipeline does. */
export async function runInMemory(lists: readonly (readonly OracleRecord[])[], options: MemoryRunOptions = {}): Promise<MemoryRun> {
  const letters: DeadLetter[] = []
  const rows = options.rows ?? new Map<string, OracleRow>()
  const ledger = options.ledger ?? new Map<string, LedgerRow | WindowLedgerRow>()
  const source = new MemorySource(lists, options)
  let sink: MemorySink | undefined
  const pipeline = new Pipeline({
    topics: TOPICS,
    rules: { ...RULES, ...options.rules },
    stateTtl: options.stateTtl ?? 3_600_000,
    stateLimits: options.stateLimits,
    tenant: 'default',
    revision: options.revision ?? 0,
    workers: options.workers ?? 1,
    ringBytes: options.ringBytes ?? 64 * 1024,
    formats: options.formats,
    emitInterval: 20,
    commitInterval: 5,
    maintainIntervalMs: 2,
    sweepsPerRound: 1,
    shutdownTimeout: 30_000,
    bounded: options.drainAfter === undefined && options.drainAfterMs === undefined,
    name: 'ctr/test',
    source,
    outputs: { deadLetters: memoryOutput(letters) },
    sink: (rings) => {
      const { windowSize = RULES.windowSize, windowSlide = windowSize } = options.rules ?? {}
      sink = new MemorySink(rings, rows, ledger, windowSlide < windowSize)
      return sink
    },
    checkpoints: options.store && keptIn(options.store, { ...RULES, ...options.rules }),
    log: silentLog,
    clock: Date.now,
  })
  source.onDone = () => void pipeline.drain()
  source.onKill = () => {
    sink?.cut()
    source.failNow(new Error('killed'))
  }
  await pipeline.start()
  if (options.drainAfterMs !== undefined) setTimeout(() => void pipeline.drain(), options.drainAfterMs)
  try {
    await pipeline.finished
  } catch (error) {
    if (!(error instanceof Error && error.message === 'killed')) throw error
  }
  return { rows, letters, stats: pipeline.stats(), committed: source.committed, ledger, log: source.log }
}

function keptIn(store: ObjectStore, rules: IngestRules): Checkpoints {
  const { windowSize, windowSlide, windowOffset, calendar, outOfOrderness, allowedLateness } = rules
  const windows = { windowType: windowSlide === undefined ? 'tumbling' : 'sliding', windowSize, windowSlide, windowOffset, calendar }
  const state = { ...windows, outOfOrderness, allowedLateness, topics: TOPICS, tenant: 'default' }
  return {
    policy: { interval: 10, timeout: 60_000, minPause: 0, tolerableFailures: 0 },
    savepointOnStop: true,
    writer: (workers) => bookWriter(store, 'test', state, workers),
    restorer: new Restorer({
      open: async () => store,
      group: 'test',
      rules: state,
      wish: { from: 'latest', ignoreState: false },
      log: silentLog,
    }),
  }
}

/** A partition's records, how far they are delivered, and the delivery that is under way. */
type Feed = { readonly list: readonly OracleRecord[]; readonly topicIndex: number; readonly partition: number; next: number; held: boolean }
/** For so long a delivery is waited for before others are made beside it. */
const HELD_MS = 20

class MemorySource implements Source {
  committed: readonly LowWaterMark[]
  readonly log: { kind: 'pause' | 'resume'; topicIndex: number; partition: number }[] = []
  onDone: () => void = () => {}
  onKill: () => void = () => {}
  readonly #lists: readonly (readonly OracleRecord[])[]
  readonly #options: MemoryRunOptions
  readonly #random: Random
  readonly #paused = new Set<string>()
  #handler: SourceHandler | undefined
  #stopped = false
  #committing = false
  readonly #held: Promise<void>[] = []
  #running: Promise<void> = Promise.resolve()

  constructor(lists: readonly (readonly OracleRecord[])[], options: MemoryRunOptions) {
    this.#lists = lists
    this.#options = options
    this.#random = new Random(options.seed ?? 1)
    this.committed = options.marks ?? []
  }

  async start(handler: SourceHandler): Promise<void> {
    this.#handler = handler
    const offered: OfferedPartition[] = this.#lists
      .filter((list) => list.length > 0)
      .map((list) => {
        const { topic, partition } = list[0]!
        const topicIndex = TOPICS.indexOf(topic)
        const mark = this.committed.find((one) => one.topicIndex === topicIndex && one.partition === partition)
        const latest = list.at(-1)!.offset + 1
        const endOffset = this.#options.drainAfter === undefined ? latest : undefined
        const { maxEventTime, totals, facts } = mark ?? {}
        const carried = mark && facts && { offset: mark.offset, facts }
        const origin = mark === undefined ? 'none' : 'mark'
        return { topicIndex, partition, position: mark?.offset ?? 0, maxEventTime, totals, carried, endOffset, earliest: 0, latest, origin }
      })
    const assigned = await handler.restore!(offered)
    handler.assigned(assigned)
    const feeds = assigned.map(({ topicIndex, partition, position }) => {
      const list = this.#lists.find((one) => one[0]?.topic === TOPICS[topicIndex] && one[0]?.partition === partition)!
      const next = list.findIndex(({ offset }) => offset >= position)
      return { list, topicIndex, partition, next: next < 0 ? list.length : next, held: false }
    })
    this.#running = this.#feed(feeds).catch((error: unknown) => handler.failed(error))
  }

  async #feed(feeds: Feed[]): Promise<void> {
    const { batchRecords = 50, deliveryBatches = 4, codec = 0, drainAfter, killAfter } = this.#options
    if (killAfter !== undefined) await this.#firstCommit()
    for (let delivery = 0; ; delivery++) {
      if (delivery === drainAfter) return this.onDone()
      if (delivery === killAfter) return this.onKill()
      const open = feeds.filter(
        ({ list, next, held, topicIndex, partition }) => !held && next < list.length && !this.#paused.has(`${topicIndex}/${partition}`),
      )
      if (open.length === 0) {
        if (this.#stopped || feeds.every(({ list, next, held }) => !held && next >= list.length)) break
        await sleep(1)
        continue
      }
      const feed = open[this.#random.below(open.length)]!
      const batches: Buffer[] = []
      for (let i = 1 + this.#random.below(deliveryBatches); i > 0 && feed.next < feed.list.length; i--) {
        const records = feed.list.slice(feed.next, feed.next + 1 + this.#random.below(batchRecords))
        feed.next += records.length
        batches.push(encodeBatch(records, codec))
      }
      await this.#deliver(feed, Buffer.concat(batches))
      if (this.#stopped) return
      // Lives that end early are slowed down, so that barriers get through before they do.
      if (this.#random.chance(killAfter === undefined ? 0.05 : 0.5)) await sleep(2)
    }
    if (drainAfter !== undefined) this.onDone()
    if (killAfter !== undefined) this.onKill()
  }

  /** A delivery may be held back until other partitions have come up, so they must be fed meanwhile. */
  async #deliver(feed: Feed, records: Buffer): Promise<void> {
    const { topicIndex, partition } = feed
    const delivered = takenBack(records, (bytes) => this.#handler!.batch({ topicIndex, partition, bytes, start: 0, end: bytes.length }))
    if (delivered === undefined) return
    feed.held = true
    const over = delivered.then(() => {
      feed.held = false
    })
    over.catch((error: unknown) => this.#handler?.failed(error))
    this.#held.push(over)
    await Promise.race([over, sleep(HELD_MS)])
  }

  /** A life that ends early begins when acknowledgements get through, or it would leave nothing behind. */
  async #firstCommit(): Promise<void> {
    for (let waited = 0; !this.#committing && waited < FIRST_COMMIT_MAX_MS; waited += 5) await sleep(5)
  }

  failNow(error: Error): void {
    this.#stopped = true
    this.#handler?.failed(error)
  }

  pause(topicIndex: number, partition: number): void {
    this.log.push({ kind: 'pause', topicIndex, partition })
    this.#paused.add(`${topicIndex}/${partition}`)
  }

  resume(topicIndex: number, partition: number): void {
    this.log.push({ kind: 'resume', topicIndex, partition })
    this.#paused.delete(`${topicIndex}/${partition}`)
  }

  async refreshEndOffsets(partitions: readonly { topicIndex: number; partition: number }[]): Promise<void> {
    for (const { topicIndex, partition } of partitions) {
      const list = this.#lists.find((one) => one[0]?.topic === TOPICS[topicIndex] && one[0]?.partition === partition)
      this.#handler?.endOffset(topicIndex, partition, list === undefined ? 0 : list.at(-1)!.offset + 1)
    }
  }

  async commit(marks: readonly LowWaterMark[]): Promise<boolean> {
    this.#committing = true
    if (!this.#stopped || this.#options.killAfter === undefined) this.committed = marks
    return true
  }

  async stop(): Promise<void> {
    this.#stopped = true
    if (this.#options.killAfter !== undefined) return
    await this.#running
    await Promise.allSettled(this.#held)
  }

  async close(): Promise<void> {}
}

/** Records of one partition as a record batch. */
export function encodeBatch(records: readonly OracleRecord[], codec = 0): Buffer {
  const bytes = records.reduce((sum, { value }) => sum + 64 + (value?.length ?? 0), 1024)
  const writer = new RecordBatchWriter(bytes)
  const base = records[0]!.offset
  writer.begin(base)
  for (const { offset, recordTimestamp, value } of records) {
    writer.offsetDelta = offset - base
    if (!writer.append(recordTimestamp, null, value === null ? null : Buffer.from(value))) throw new Error('batch too small')
  }
  return Buffer.from(writer.bytes.subarray(0, writer.finish(codec)))
}

function memoryOutput(letters: DeadLetter[]): Output {
  const atOnce = async () => {}
  return { full: false, put: (record) => void letters.push(deadLetterOf(record)), room: atOnce, delivered: atOnce, close: atOnce }
}

class MemorySink implements Sink {
  readonly ready = Promise.resolve()
  readonly ended: Promise<void>
  readonly #rows: Map<string, OracleRow>
  readonly #ledger: Map<string, LedgerRow | WindowLedgerRow>
  readonly #stats = createSinkStats()
  readonly #named: boolean
  readonly #reached: number[]
  #onBarrier: (number: number) => void = () => {}
  #cut = false

  constructor(
    rings: readonly SharedArrayBuffer[],
    rows: Map<string, OracleRow>,
    ledger: Map<string, LedgerRow | WindowLedgerRow>,
    named: boolean,
  ) {
    this.#named = named
    this.#rows = rows
    this.#ledger = ledger
    this.#reached = rings.map(() => 0)
    this.ended = Promise.all(rings.map((ring, i) => this.#read(new RingReader(ring), i))).then(() => {})
  }

  async #read(reader: RingReader, ring: number): Promise<void> {
    while (!this.#cut) {
      while (reader.next()) {
        if (this.#cut) return
        if (reader.kind === BLOCK.rows) {
          const { bytes, start, count } = readRows(reader)
          let at = start
          for (let i = 0; i < count; i++) at = this.#keep(bytes, at)
        } else if (reader.kind === BLOCK.barrier) {
          this.#reached[ring] = readBarrier(reader)
          this.#onBarrier(Math.min(...this.#reached))
        } else if (reader.kind === BLOCK.end) {
          reader.release()
          return
        }
      }
      reader.release()
      await reader.waitAsync(20)
    }
  }

  #keep(bytes: Uint8Array, start: number): number {
    const { row, end } = readRow(bytes, start, this.#named)
    const key = rowKey(row)
    const old = this.#rows.get(key)
    if (old === undefined || row.version >= old.version) this.#rows.set(key, row)
    return end
  }

  cut(): void {
    this.#cut = true
  }

  onBarrier(callback: (number: number) => void): void {
    this.#onBarrier = callback
  }

  async writeLedger(rows: readonly LedgerRow[], windows: readonly WindowLedgerRow[]): Promise<void> {
    if (this.#cut) return new Promise(() => {})
    for (const row of rows) {
      const key = `${row.topic}/${row.partition} ${row.totals.first}-${row.last}`
      const there = this.#ledger.get(key)
      if (there !== undefined) assert.deepEqual(row, there, 'totals of the same offsets are the same')
      this.#ledger.set(key, row)
    }
    for (const row of windows) {
      const key = `${row.task} ${row.start} ${row.end}`
      const there = this.#ledger.get(key) as WindowLedgerRow | undefined
      if (there === undefined || row.events >= there.events) this.#ledger.set(key, row)
    }
  }

  onTrouble(): void {}
  onDied(): void {}
  onParked(): void {}
  stats() {
    return readSinkStats(this.#stats)
  }
  async stop(): Promise<void> {
    this.#cut = true
  }
}
