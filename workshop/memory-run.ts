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
import { readBarrier } from '../src/ring/blocks.ts'
import { BLOCK } from '../src/ring/layout.ts'
import { RingReader } from '../src/ring/ring-reader.ts'
import { readRows } from '../src/ring/row-blocks.ts'
import { type Checkpoints, Pipeline } from '../src/run/pipeline.ts'
import type { Sink } from '../src/sink/sink.ts'
import { createSinkStats, readSinkStats } from '../src/sink/sink-stats.ts'
import type { LowWaterMark, OfferedPartition, Source, SourceHandler } from '../src/source/source.ts'
import type { ObjectStore } from '../src/store/object-store.ts'
import type { LedgerRow, WindowLedgerRow } from '../src/window/ledger.ts'
import { bookWriter } from './book-writer.ts'
import { type OracleRecord, type OracleRow, rowKey } from './oracle.ts'

export const RULES: IngestRules = {
  windowSize: 10_000,
  outOfOrderness: 5_000,
  allowedLateness: 5_000,
  idleTimeout: 3_600_000,
  maxDrift: 600_000,
  futureTolerance: 60_000,
  checkCrc: false,
}

export const silentLog = { info() {}, warn() {}, error() {} }

export interface MemoryRunOptions {
  readonly rules?: Partial<IngestRules>
  readonly workers?: number
  readonly ringBytes?: number
  readonly stateTtl?: number
  /** Of the interleaving of partitions. */
  readonly seed?: number
  /** Records per batch and batches per delivery, at most. */
  readonly batchRecords?: number
  readonly deliveryBatches?: number
  readonly codec?: number
  readonly revision?: number
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
    tenant: 'default',
    revision: options.revision ?? 0,
    workers: options.workers ?? 1,
    ringBytes: options.ringBytes ?? 64 * 1024,
    emitInterval: 20,
    commitInterval: 5,
    maintainIntervalMs: 2,
    sweepsPerRound: 1,
    shutdownTimeout: 30_000,
    bounded: options.drainAfter === undefined,
    name: 'ctr/test',
    source,
    outputs: { deadLetters: memoryOutput(letters) },
    sink: (rings) => {
      sink = new MemorySink(rings, rows, ledger)
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
  try {
    await pipeline.finished
  } catch (error) {
    if (!(error instanceof Error && error.message === 'killed')) throw error
  }
  return { rows, letters, stats: pipeline.stats(), committed: source.committed, ledger, log: source.log }
}

function keptIn(store: ObjectStore, rules: IngestRules): Checkpoints {
  const { windowSize, outOfOrderness, allowedLateness } = rules
  const state = { windowType: 'tumbling', windowSize, outOfOrderness, allowedLateness, topics: TOPICS, tenant: 'default' }
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
        const { maxEventTime, totals } = mark ?? {}
        const origin = mark === undefined ? 'none' : 'mark'
        return { topicIndex, partition, position: mark?.offset ?? 0, maxEventTime, totals, endOffset, earliest: 0, latest, origin }
      })
    const assigned = await handler.restore!(offered)
    handler.assigned(assigned)
    const feeds = assigned.map(({ topicIndex, partition, position }) => {
      const list = this.#lists.find((one) => one[0]?.topic === TOPICS[topicIndex] && one[0]?.partition === partition)!
      const next = list.findIndex(({ offset }) => offset >= position)
      return { list, topicIndex, partition, next: next < 0 ? list.length : next }
    })
    this.#running = this.#feed(feeds).catch((error: unknown) => handler.failed(error))
  }

  async #feed(feeds: { list: readonly OracleRecord[]; topicIndex: number; partition: number; next: number }[]): Promise<void> {
    const { batchRecords = 50, deliveryBatches = 4, codec = 0, drainAfter, killAfter } = this.#options
    if (killAfter !== undefined) await this.#firstCommit()
    for (let delivery = 0; ; delivery++) {
      if (delivery === drainAfter) return this.onDone()
      if (delivery === killAfter) return this.onKill()
      const open = feeds.filter(
        ({ list, next, topicIndex, partition }) => next < list.length && !this.#paused.has(`${topicIndex}/${partition}`),
      )
      if (open.length === 0) {
        if (this.#stopped || feeds.every(({ list, next }) => next >= list.length)) break
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
      const bytes = new Uint8Array(Buffer.concat(batches))
      await this.#handler!.batch({ topicIndex: feed.topicIndex, partition: feed.partition, bytes, start: 0, end: bytes.length })
      if (this.#stopped) return
      // Lives that end early are slowed down, so that barriers get through before they do.
      if (this.#random.chance(killAfter === undefined ? 0.05 : 0.5)) await sleep(2)
    }
    if (drainAfter !== undefined) this.onDone()
    if (killAfter !== undefined) this.onKill()
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
    if (this.#options.killAfter === undefined) await this.#running
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
  readonly #reached: number[]
  #onBarrier: (number: number) => void = () => {}
  #cut = false

  constructor(rings: readonly SharedArrayBuffer[], rows: Map<string, OracleRow>, ledger: Map<string, LedgerRow | WindowLedgerRow>) {
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
    const { row, end } = readRow(bytes, start)
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
      const key = `${row.task} ${row.start}`
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

/** Reads one RowBinary row of ctr_results, independently of its writer. */
export function readRow(bytes: Uint8Array, start: number): { row: OracleRow; end: number } {
  const copy = Buffer.from(bytes.subarray(start, start + 1024))
  let at = 0
  const text = () => {
    let length = 0
    for (let shift = 0; ; shift += 7) {
      const byte = copy[at++]!
      length |= (byte & 127) << shift
      if (byte < 128) break
    }
    at += length
    return copy.toString('utf8', at - length, at)
  }
  const int64 = () => {
    at += 8
    return Number(copy.readBigInt64LE(at - 8))
  }
  const tenant = text()
  const product = text()
  const windowStart = int64()
  const windowEnd = int64()
  const task = copy.readUInt32LE(at)
  at += 4
  const impressions = int64()
  const clicks = int64()
  const ctr = copy.readDoubleLE(at)
  at += 8
  const version = int64()
  int64()
  return { row: { tenant, product, windowStart, windowEnd, task, impressions, clicks, ctr, version }, end: start + at }
}
