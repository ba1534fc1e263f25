/**
 * A source over JSON-lines files, bounded. Each file is a partition of the one topic, or, with `partitions`, the lines of all files are
 * dealt out to so many in turn. Files are read one after the other, streamed: memory is bounded by the batches and the longest line.
 *
 * A line is one event; its record has no timestamp. Blank lines at the end of a file are ignored, others are events without a value;
 * a byte-order mark at the start of a file belongs to the file, not to the event, and is dropped. The end offset of a partition is told
 * once, after its last batch.
 */
import { createReadStream } from 'node:fs'
import { access, constants, stat } from 'node:fs/promises'
import { pipeline, type Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { RecordBatchWriter } from '../batch/record-batch-writer.ts'
import { CtrError } from '../errors.ts'
import { Gate } from './gate.ts'
import { LineReader } from './line-reader.ts'
import type { Source, SourceHandler } from './source.ts'

export interface ReplaySourceOptions {
  /** Paths; `.gz` is decompressed, `-` is standard input. */
  readonly files: readonly string[]
  /** Deal lines out to so many partitions instead of one per file. */
  readonly partitions?: number | undefined
  readonly batchBytes?: number | undefined
  readonly lineMaxBytes?: number | undefined
  /** What `-` stands for. */
  readonly stdin?: Readable | undefined
}

/** The topic that replayed files appear as in rows, metrics and dead letters. */
export const REPLAY_TOPIC = 'files'

const BATCH_BYTES = 256 * 1024
const LINE_MAX_BYTES = 64 * 1024 * 1024
const READ_BYTES = 128 * 1024
const NO_TIMESTAMP = -1

interface ReplayLane {
  readonly partition: number
  readonly writer: RecordBatchWriter
  offset: number
}

/** Files of JSON lines as a bounded source. `start` rejects with CTR_INPUT when a file can't be read. */
export function replaySource(options: ReplaySourceOptions): Source {
  return new ReplaySource(options)
}

class ReplaySource implements Source {
  readonly #options: ReplaySourceOptions
  readonly #gate = new Gate()
  #stream: Readable | undefined
  #running: Promise<void> = Promise.resolve()

  constructor(options: ReplaySourceOptions) {
    this.#options = options
  }

  async start(handler: SourceHandler): Promise<void> {
    const { files, partitions } = this.#options
    if (files.length === 0) throw new CtrError('CTR_USAGE', 'no file to replay; name one or more, or - for standard input')
    if (files.filter((file) => file === '-').length > 1) throw new CtrError('CTR_USAGE', 'standard input (-) can be given only once')
    for (const file of files) if (file !== '-') await checkReadable(file)
    const count = partitions ?? files.length
    const assigned = Array.from({ length: count }, (_, partition) => partition)
    handler.assigned(
      assigned.map((partition) => ({ topicIndex: 0, partition, position: 0, maxEventTime: undefined, endOffset: undefined })),
    )
    this.#running = this.#run(handler).catch((error) => {
      if (!this.#gate.stopped) handler.failed(error)
    })
  }

  pause(_topicIndex: number, partition: number): void {
    this.#gate.pause(partition)
  }

  resume(_topicIndex: number, partition: number): void {
    this.#gate.resume(partition)
  }

  async refreshEndOffsets(): Promise<void> {}

  async commit(): Promise<boolean> {
    return true
  }

  async stop(): Promise<void> {
    this.#gate.stop()
    this.#stream?.destroy()
    await this.#running
  }

  async close(): Promise<void> {
    await this.stop()
  }

  async #run(handler: SourceHandler): Promise<void> {
    const { files, partitions } = this.#options
    if (partitions !== undefined) {
      const lanes = Array.from({ length: partitions }, (_, partition) => this.#lane(partition))
      const dealer = new Dealer(lanes)
      for (const file of files) await this.#readFile(handler, file, dealer)
      for (const lane of lanes) await this.#end(handler, lane)
      return
    }
    for (const [partition, file] of files.entries()) {
      const lane = this.#lane(partition)
      await this.#readFile(handler, file, new Dealer([lane]))
      await this.#end(handler, lane)
    }
  }

  #lane(partition: number): ReplayLane {
    const writer = new RecordBatchWriter(this.#options.batchBytes ?? BATCH_BYTES)
    writer.begin(0)
    return { partition, writer, offset: 0 }
  }

  async #readFile(handler: SourceHandler, file: string, dealer: Dealer): Promise<void> {
    if (this.#gate.stopped) return
    dealer.blank = 0
    const lines = new LineReader(this.#options.lineMaxBytes ?? LINE_MAX_BYTES)
    const stream = this.#open(file)
    this.#stream = stream
    try {
      for await (const chunk of stream) {
        lines.add(chunk)
        await this.#take(handler, lines, dealer)
        if (this.#gate.stopped) return
      }
      lines.finish()
      await this.#take(handler, lines, dealer)
    } catch (cause) {
      throw unreadable(file, cause)
    }
  }

  /** Puts the lines at hand into record batches and delivers those that are full. */
  async #take(handler: SourceHandler, lines: LineReader, dealer: Dealer): Promise<void> {
    while (lines.next()) {
      let start = lines.start
      if (lines.lines === 1 && hasByteOrderMark(lines.bytes, start, lines.end)) start += 3
      if (start === lines.end) {
        dealer.blank++
        continue
      }
      for (; dealer.blank > 0; dealer.blank--) await this.#append(handler, dealer.next(), lines.bytes, start, start)
      const lane = dealer.next()
      if (!lane.writer.append(NO_TIMESTAMP, null, lines.bytes, start, lines.end))
        await this.#append(handler, lane, lines.bytes, start, lines.end)
      if (this.#gate.stopped) return
    }
  }

  async #append(handler: SourceHandler, lane: ReplayLane, bytes: Buffer, start: number, end: number): Promise<void> {
    while (!lane.writer.append(NO_TIMESTAMP, null, bytes, start, end)) {
      await this.#deliver(handler, lane)
      if (this.#gate.stopped) return
    }
  }

  async #deliver(handler: SourceHandler, lane: ReplayLane): Promise<void> {
    while (!this.#gate.open(lane.partition)) {
      await this.#gate.changed()
      if (this.#gate.stopped) return
    }
    const { partition, writer } = lane
    const end = writer.finish()
    lane.offset += writer.count
    const taken = handler.batch({ topicIndex: 0, partition, bytes: writer.bytes, start: 0, end })
    if (taken !== undefined) await taken
    writer.begin(lane.offset)
  }

  async #end(handler: SourceHandler, lane: ReplayLane): Promise<void> {
    if (lane.writer.count > 0 && !this.#gate.stopped) await this.#deliver(handler, lane)
    if (!this.#gate.stopped) handler.endOffset(0, lane.partition, lane.offset)
  }

  #open(file: string): Readable {
    if (file === '-') return this.#options.stdin ?? process.stdin
    const plain = createReadStream(file, { highWaterMark: READ_BYTES })
    if (!file.endsWith('.gz')) return plain
    // pipeline carries a read error to the gunzip stream, where the reader sees it, and closes both.
    const gunzip = createGunzip({ chunkSize: READ_BYTES })
    pipeline(plain, gunzip, () => {})
    return gunzip
  }
}

/** Whose turn it is to get a line; blank lines are held back until it is known that another line follows. */
class Dealer {
  blank = 0
  readonly #lanes: readonly ReplayLane[]
  #turn = 0

  constructor(lanes: readonly ReplayLane[]) {
    this.#lanes = lanes
  }

  next(): ReplayLane {
    const lane = this.#lanes[this.#turn] as ReplayLane
    this.#turn = (this.#turn + 1) % this.#lanes.length
    return lane
  }
}

function hasByteOrderMark(bytes: Buffer, start: number, end: number): boolean {
  return end - start >= 3 && bytes[start] === 0xef && bytes[start + 1] === 0xbb && bytes[start + 2] === 0xbf
}

async function checkReadable(file: string): Promise<void> {
  try {
    await access(file, constants.R_OK)
    if ((await stat(file)).isDirectory()) throw new CtrError('CTR_INPUT', `${file} is a directory; name the files in it`)
  } catch (cause) {
    throw unreadable(file, cause)
  }
}

function unreadable(file: string, cause: unknown): CtrError {
  const name = file === '-' ? 'standard input' : file
  if (cause instanceof CtrError) {
    return cause.message.startsWith(name) ? cause : new CtrError(cause.code, `${name}: ${cause.message}`, { cause })
  }
  const { code = '', message = String(cause) } = cause as { code?: string; message?: string }
  const reasons: Record<string, string> = {
    ENOENT: 'no such file',
    EACCES: 'not allowed to read it',
    Z_DATA_ERROR: 'not gzip data, or damaged',
    Z_BUF_ERROR: 'the gzip data ends too soon; the file is cut off',
  }
  return new CtrError('CTR_INPUT', `can't read ${name}: ${reasons[code] ?? message}`, { cause })
}
