/**
 * A source over files of JSON, in lines, arrays or one value behind the other, of CSV, or of Avro; bounded. Each file is a partition of the
 * one topic, and so a task of its own. Files are read one after the other, streamed: memory is bounded by the batches and the longest event
 * or block of Avro, and, when events are sorted first, by the sorter.
 *
 * A line, value or row is one record; its record has no timestamp. Blank lines at the end of a file are ignored, others are events without
 * a value; a byte-order mark at the start of a file belongs to the file, not to the event, and is dropped. The end offset of a partition is
 * told once, after its last batch.
 */
import { createHash } from 'node:crypto'
import { access, constants, stat } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { RecordBatchWriter } from '../batch/record-batch-writer.ts'
import { CtrError } from '../errors.ts'
import { type AvroValues, readAvroFile } from './avro-file.ts'
import { readCsv } from './csv-rows.ts'
import { Gate } from './gate.ts'
import { LineReader } from './line-reader.ts'
import { LineSorter, type LineSorterOptions, type TakeLine } from './line-sorter.ts'
import { lookAtInput, openBytes } from './open-input.ts'
import type { Source, SourceHandler } from './source.ts'
import { ValuesReader } from './values-reader.ts'

export interface ReplaySourceOptions {
  /** Paths; gzip and zstd are decompressed, `-` is standard input. */
  readonly files: readonly string[]
  /** They are tables with a head of names. */
  readonly csv?: boolean | undefined
  /** What separates cells; what the head has most of when not given. */
  readonly separator?: string | undefined
  /** The partition of each file; asked for once, when all files can be read and before the first record. */
  readonly numbers: () => Promise<readonly number[]>
  /** Told of each file, by its place, when it has been read to its end: bytes, decompressed, and their SHA-256 in hex. */
  readonly onRead?: ((place: number, bytes: number, hash: string) => void) | undefined
  /** What is to be known of an Avro file's records by its schema, which is told here. Throws CTR_INPUT for one that can't be used. */
  readonly avro: (schema: string) => AvroRecords
  /** Lines are read in this order. */
  readonly sort?: LineSorterOptions | undefined
  readonly batchBytes?: number | undefined
  readonly lineMaxBytes?: number | undefined
  /** What `-` stands for. */
  readonly stdin?: Readable | undefined
}

/** Records of Avro, which carry headers that say what they were written by. */
export interface AvroRecords extends AvroValues {
  /** Behind every value, as a record has them. */
  readonly headers: Uint8Array
  /** What a value is sorted by. */
  readonly timeOf: LineSorterOptions['keyOf']
}

/** The topic that replayed files appear as in rows, metrics and dead letters. */
export const REPLAY_TOPIC = 'files'

const BATCH_BYTES = 256 * 1024
const LINE_MAX_BYTES = 64 * 1024 * 1024
const NO_TIMESTAMP = -1

interface ReplayLane {
  readonly partition: number
  readonly writer: RecordBatchWriter
  offset: number
  /** Blank lines that are held back until it is known that another line follows. */
  blank: number
  /** Of a file of Avro. */
  avro: AvroRecords | undefined
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
    const { files, numbers } = this.#options
    if (files.length === 0) throw new CtrError('CTR_USAGE', 'no file to replay; name one or more, or - for standard input')
    if (files.filter((file) => file === '-').length > 1) throw new CtrError('CTR_USAGE', 'standard input (-) can be given only once')
    for (const file of files) if (file !== '-') await checkReadable(file)
    const assigned = await numbers()
    handler.assigned(
      assigned.map((partition) => ({ topicIndex: 0, partition, position: 0, maxEventTime: undefined, endOffset: undefined })),
    )
    this.#running = this.#run(handler, assigned).catch((error) => {
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

  async #run(handler: SourceHandler, numbers: readonly number[]): Promise<void> {
    for (const place of this.#options.files.keys()) {
      const writer = new RecordBatchWriter(this.#options.batchBytes ?? BATCH_BYTES)
      writer.begin(0)
      const lane: ReplayLane = { partition: numbers[place] as number, writer, offset: 0, blank: 0, avro: undefined }
      const put: TakeLine = (bytes, start, end) => this.#put(handler, lane, bytes, start, end)
      const { sort } = this.#options
      if (sort === undefined) await this.#readFile(place, lane, put)
      else await this.#readSorted(place, lane, put, sort)
      await this.#end(handler, lane)
    }
  }

  async #readSorted(place: number, lane: ReplayLane, put: TakeLine, sort: LineSorterOptions): Promise<void> {
    const keyOf: typeof sort.keyOf = (bytes, start, end) => (lane.avro?.timeOf ?? sort.keyOf)(bytes, start, end)
    const sorter = new LineSorter({ ...sort, keyOf })
    try {
      await this.#readFile(place, lane, (bytes, start, end) => sorter.add(bytes, start, end))
      await sorter.drain((bytes, start, end) => (this.#gate.stopped ? undefined : put(bytes, start, end)))
    } finally {
      await sorter.close()
    }
  }

  /** Gives what is one record each to `take`, one after the other. */
  async #readFile(place: number, lane: ReplayLane, take: TakeLine): Promise<void> {
    if (this.#gate.stopped) return
    const file = this.#options.files[place] as string
    const { csv = false, separator, stdin = process.stdin, lineMaxBytes = LINE_MAX_BYTES } = this.#options
    const hash = createHash('sha256')
    let bytes = 0
    async function* counted(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
      for await (const chunk of chunks) {
        hash.update(chunk)
        bytes += chunk.length
        yield chunk
      }
    }
    try {
      this.#stream = openBytes(file, stdin)
      const input = await lookAtInput(this.#stream, { file, csv, separator })
      const chunks = counted(input.chunks)
      if (input.layout === 'csv') {
        await readCsv(Readable.from(chunks), input.separator, lineMaxBytes, take, () => !this.#gate.stopped)
      } else if (input.layout === 'avro') {
        const open = (schema: string) => this.#openAvro(lane, schema)
        await readAvroFile({ chunks, open, blockMaxBytes: lineMaxBytes, goesOn: () => !this.#gate.stopped }, take)
      } else await this.#readJson(chunks, input.layout === 'lines' ? new LineReader(lineMaxBytes) : new ValuesReader(lineMaxBytes), take)
    } catch (cause) {
      this.#stream?.destroy()
      throw unreadable(file, cause)
    }
    if (!this.#gate.stopped) this.#options.onRead?.(place, bytes, hash.digest('hex'))
  }

  #openAvro(lane: ReplayLane, schema: string): AvroRecords {
    const records = this.#options.avro(schema)
    lane.avro = records
    lane.writer.headers = records.headers
    return records
  }

  async #readJson(chunks: AsyncIterable<Buffer>, reader: LineReader | ValuesReader, take: TakeLine): Promise<void> {
    for await (const chunk of chunks) {
      reader.add(chunk)
      await this.#takeAll(reader, take)
      if (this.#gate.stopped) return
    }
    reader.finish()
    await this.#takeAll(reader, take)
  }

  async #takeAll(lines: LineReader | ValuesReader, take: TakeLine): Promise<void> {
    while (lines.next()) {
      const marked = lines.lines === 1 && hasByteOrderMark(lines.bytes, lines.start, lines.end)
      const taken = take(lines.bytes, marked ? lines.start + 3 : lines.start, lines.end)
      if (taken !== undefined) await taken
      if (this.#gate.stopped) return
    }
  }

  /** Puts a line into the record batch at hand, and delivers that when it is full. */
  #put(handler: SourceHandler, lane: ReplayLane, bytes: Buffer, start: number, end: number): Promise<void> | undefined {
    if (start === end) {
      lane.blank++
      return undefined
    }
    if (lane.blank === 0 && lane.writer.append(NO_TIMESTAMP, null, bytes, start, end)) return undefined
    return this.#putBehind(handler, lane, bytes, start, end)
  }

  async #putBehind(handler: SourceHandler, lane: ReplayLane, bytes: Buffer, start: number, end: number): Promise<void> {
    for (; lane.blank > 0; lane.blank--) await this.#append(handler, lane, bytes, start, start)
    await this.#append(handler, lane, bytes, start, end)
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
    if (cause.message.startsWith(name)) return cause
    return new CtrError(cause.code, /^(?:is|looks|has) /.test(cause.message) ? `${name} ${cause.message}` : `${name}: ${cause.message}`, {
      cause,
    })
  }
  const { code = '', message = String(cause) } = cause as { code?: string; message?: string }
  const reasons: Record<string, string> = {
    ENOENT: 'no such file',
    EACCES: 'not allowed to read it',
    Z_DATA_ERROR: 'not gzip data, or damaged',
    Z_BUF_ERROR: file.endsWith('.gz') ? 'the gzip data ends too soon; the file is cut off' : 'the data ends too soon; the file is cut off',
  }
  return new CtrError('CTR_INPUT', `can't read ${name}: ${reasons[code] ?? message}`, { cause })
}
