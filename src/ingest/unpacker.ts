/** Decompresses the batches that cursors stand in. */
import { assert } from '../assert.ts'
import { decompress } from '../batch/decompress.ts'
import { KEPT_MAX_BYTES, OutputPool } from '../batch/output-pool.ts'
import { BATCH_HEADER_BYTES } from '../batch/record-batch.ts'
import { formatSize } from '../config/units.ts'
import { CtrError } from '../errors.ts'
import { REASON } from '../format/reasons.ts'
import type { Cursor } from './cursor.ts'

export class Unpacker {
  readonly #maxBatchBytes: number
  readonly #outputs = new OutputPool()

  /** `maxBatchBytes`: what a batch may decompress to. */
  constructor(maxBatchBytes: number) {
    this.#maxBatchBytes = maxBatchBytes
  }

  /** Puts the cursor at the decompressed records of its batch; or says why they can't be read. */
  unpack(cursor: Cursor): { readonly reason: number; readonly detail: string } | undefined {
    const { header, at } = cursor
    try {
      const unpacked = decompress(header.codec, cursor.bytes.subarray(cursor.recordAt, at), this.#maxBatchBytes, this.#outputs)
      if (unpacked !== undefined) {
        cursor.records = unpacked
        cursor.recordAt = 0
        cursor.recordsEnd = unpacked.length
        return undefined
      }
    } catch (error) {
      if (!(error instanceof CtrError)) throw error
      return { reason: REASON.CORRUPT_BATCH, detail: error.message }
    }
    const size = `${header.sizeBytes} bytes become more than kafka.maxBatchBytes (${formatSize(this.#maxBatchBytes)})`
    return { reason: REASON.BATCH_TOO_LARGE, detail: `${size}; raise it to read the batch` }
  }

  /** Makes again what `release` has given back. */
  unpackAgain(cursor: Cursor): void {
    const { bytes, at, header } = cursor
    const packed = bytes.subarray(at - header.sizeBytes + BATCH_HEADER_BYTES, at)
    const unpacked = decompress(header.codec, packed, this.#maxBatchBytes, this.#outputs)
    assert(unpacked?.length === cursor.recordsEnd, 'a batch decompresses to what it was', { offset: header.baseOffset })
    cursor.records = unpacked
    cursor.view = viewOf(unpacked, cursor.view)
    cursor.released = false
  }

  /**
   * The delivery is about to wait: a large decompressed batch is not kept for that long, for many may wait at a time. The next `run` makes
   * it again.
   */
  release(cursor: Cursor): void {
    if (cursor.records === cursor.bytes || cursor.records.length <= KEPT_MAX_BYTES) return
    this.giveBack(cursor)
    cursor.view = viewOf(cursor.bytes, cursor.view)
    cursor.released = true
  }

  /** The records of its batch are read, or wait to be made again. */
  giveBack(cursor: Cursor): void {
    if (cursor.records !== cursor.bytes) this.#outputs.giveBack(cursor.records)
    cursor.records = cursor.bytes
  }
}

/** A view of the same memory as `bytes`; `last`, if it is one. */
export function viewOf({ buffer, byteOffset, byteLength }: Uint8Array, last: DataView): DataView {
  if (last.buffer === buffer && last.byteOffset === byteOffset && last.byteLength === byteLength) return last
  return new DataView(buffer, byteOffset, byteLength)
}
