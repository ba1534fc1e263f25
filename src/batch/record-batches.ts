/**
 * Walks the record batches of one partition in a fetch response, by their headers only, and says which bytes are to be read.
 * record-batch.ts has the layout of a header.
 *
 * Left out, as read_committed wants: control batches, and batches of aborted transactions. A transaction is aborted from its first offset,
 * which the broker lists, to its abort marker. The last batch may be cut off by the fetch size, the first one never is: a broker returns at
 * least one whole batch. So a first batch that doesn't fit is damaged, and any other is left for the next fetch.
 */
import { oldFormatOf } from './old-messages.ts'
import {
  ATTRIBUTES_AT,
  BASE_OFFSET_AT,
  BATCH_HEADER_BYTES,
  BATCH_PREFIX_BYTES,
  CONTROL,
  LAST_OFFSET_DELTA_AT,
  LENGTH_AT,
  MAGIC,
  MAGIC_AT,
  PRODUCER_ID_AT,
  TRANSACTIONAL,
} from './record-batch.ts'

const ABORT_MARKER = 0

/** From the fetch response: this producer aborted what it began at this offset. */
export interface AbortedTransaction {
  readonly producerId: number
  readonly firstOffset: number
}

/** Whole batches back to back, to be read. */
export interface Span {
  readonly start: number
  end: number
  readonly baseOffset: number
  /** First offset after the span's last batch. */
  nextOffset: number
}

/** What a walk over the batches of a partition found. */
export interface Walk {
  readonly spans: readonly Span[]
  /** First offset after everything walked over; -1 when there was nothing. */
  readonly nextOffset: number
  /** Set when the first batch can't be read at all. */
  readonly corrupt: CorruptBatch | undefined
}

/** A batch that can't be read, and where to go on after it if that can be told. */
export interface CorruptBatch {
  readonly offset: number
  readonly reason: string
  /** It is a message of this format, of Kafka before 0.11, which can't be unpacked (old-messages.ts). */
  readonly oldFormat: 0 | 1 | undefined
  readonly nextOffset: number | undefined
  /** Its bytes, as far as they can be told from what follows. */
  readonly start: number
  readonly end: number
}

/** Walks bytes[start, end). `aborted` as in the fetch response. */
export function walkBatches(bytes: Buffer, start: number, end: number, aborted: readonly AbortedTransaction[]): Walk {
  const spans: Span[] = []
  const aborting = aborted.length === 0 ? undefined : new AbortedProducers(aborted)
  let span: Span | undefined
  let nextOffset = -1
  let at = start
  while (at < end) {
    const fault = faultOf(bytes, at, end)
    if (fault !== undefined) {
      return { spans, nextOffset, corrupt: at === start ? corruptBatch(bytes, at, end, fault) : undefined }
    }
    const size = BATCH_PREFIX_BYTES + bytes.readInt32BE(at + LENGTH_AT)
    const baseOffset = readLong(bytes, at + BASE_OFFSET_AT)
    nextOffset = baseOffset + bytes.readInt32BE(at + LAST_OFFSET_DELTA_AT) + 1
    const attributes = bytes.readInt16BE(at + ATTRIBUTES_AT)
    aborting?.reach(nextOffset - 1)
    if ((attributes & CONTROL) !== 0) {
      aborting?.control(bytes, at)
      span = undefined
    } else if (aborting !== undefined && (attributes & TRANSACTIONAL) !== 0 && aborting.has(readLong(bytes, at + PRODUCER_ID_AT))) {
      span = undefined
    } else if (span === undefined) {
      span = { start: at, end: at + size, baseOffset, nextOffset }
      spans.push(span)
    } else {
      span.end = at + size
      span.nextOffset = nextOffset
    }
    at += size
  }
  return { spans, nextOffset, corrupt: undefined }
}

/** Where in bytes[start, end), which `walkBatches` found whole, the first batch begins that reaches `position`. */
export function skipBelow(bytes: Buffer, start: number, end: number, position: number): number {
  let at = start
  while (at < end && readLong(bytes, at + BASE_OFFSET_AT) + bytes.readInt32BE(at + LAST_OFFSET_DELTA_AT) < position) {
    at += BATCH_PREFIX_BYTES + bytes.readInt32BE(at + LENGTH_AT)
  }
  return at
}

/** Where in the same bytes the first batch begins that holds nothing below `endOffset`. */
export function cutAt(bytes: Buffer, start: number, end: number, endOffset: number): number {
  let at = start
  while (at < end && readLong(bytes, at + BASE_OFFSET_AT) < endOffset) at += BATCH_PREFIX_BYTES + bytes.readInt32BE(at + LENGTH_AT)
  return at
}

/** A signed 64-bit integer as a double: exact for every offset and producer id there can be in practice, below 2^53. */
export function readLong(bytes: Buffer, at: number): number {
  return bytes.readInt32BE(at) * 4294967296 + bytes.readUInt32BE(at + 4)
}

function faultOf(bytes: Buffer, at: number, end: number): string | undefined {
  if (end - at < BATCH_HEADER_BYTES) return `${end - at} bytes are fewer than a batch header has`
  const magic = bytes[at + MAGIC_AT]
  if (magic !== MAGIC) return `magic byte ${magic} instead of ${MAGIC}`
  const length = bytes.readInt32BE(at + LENGTH_AT)
  if (length < BATCH_HEADER_BYTES - BATCH_PREFIX_BYTES || at + BATCH_PREFIX_BYTES + length > end) return `impossible length ${length}`
  const delta = bytes.readInt32BE(at + LAST_OFFSET_DELTA_AT)
  if (delta < 0) return `impossible last offset, ${-delta} before its first one`
  return undefined
}

function corruptBatch(bytes: Buffer, at: number, end: number, reason: string): CorruptBatch {
  const oldFormat = oldFormatOf(bytes, at, end)
  if (end - at < BATCH_PREFIX_BYTES) return { offset: -1, reason, oldFormat, nextOffset: undefined, start: at, end }
  const offset = readLong(bytes, at + BASE_OFFSET_AT)
  const next = at + BATCH_PREFIX_BYTES + bytes.readInt32BE(at + LENGTH_AT)
  const found = next > at && next < end && faultOf(bytes, next, end) === undefined
  if (!found) return { offset, reason, oldFormat, nextOffset: undefined, start: at, end }
  return { offset, reason, oldFormat, nextOffset: readLong(bytes, next + BASE_OFFSET_AT), start: at, end: next }
}

/** Which producers are, at the batch walked over, inside a transaction that was aborted. */
class AbortedProducers {
  readonly #coming: AbortedTransaction[]
  readonly #inside = new Set<number>()

  constructor(aborted: readonly AbortedTransaction[]) {
    this.#coming = aborted.toSorted((one, other) => other.firstOffset - one.firstOffset)
  }

  /** Transactions that begin up to `lastOffset` are entered; control batches count too, or their end would be missed. */
  reach(lastOffset: number): void {
    for (let next = this.#coming.at(-1); next !== undefined && next.firstOffset <= lastOffset; next = this.#coming.at(-1)) {
      this.#inside.add(next.producerId)
      this.#coming.pop()
    }
  }

  has(producerId: number): boolean {
    return this.#inside.has(producerId)
  }

  /** A control batch holds one record: length, attributes, two deltas, key length (varints), then the key {version, type}. */
  control(bytes: Buffer, at: number): void {
    let record = at + BATCH_HEADER_BYTES
    const skipVarint = () => {
      while ((bytes[record++] ?? 0) >= 128);
    }
    skipVarint()
    record += 1
    skipVarint()
    skipVarint()
    skipVarint()
    if (bytes.readInt16BE(record + 2) === ABORT_MARKER) this.#inside.delete(readLong(bytes, at + PRODUCER_ID_AT))
  }
}
