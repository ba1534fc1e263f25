/** A record of Kafka as an object, for the few that somebody looks at; and how batches become such. */
import { decompress } from '../batch/decompress.ts'
import { BATCH_HEADER_BYTES, BatchHeader, locateRecord, offsetOf, RecordPlace, readBatchHeader } from '../batch/record-batch.ts'
import { readEnvelope } from '../batch/record-envelope.ts'
import { copyOf } from '../bytes.ts'
import { CtrError } from '../errors.ts'

/** Its bytes are its own. */
export interface SampledRecord {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  /** ms since the epoch: the producer's, or the broker's when it stamps. */
  readonly timestamp: number
  readonly key: Uint8Array | null
  readonly headers: readonly (readonly [name: string, value: Uint8Array | null])[]
  readonly value: Uint8Array | null
  /** The headers as the record has them, for formats that look there. */
  readonly headerBytes?: Uint8Array
}

/** Whole batches, back to back. */
export interface Batches {
  readonly bytes: Buffer
  readonly start: number
  readonly end: number
}

/**
 * The records of whole batches from an offset on. Throws CTR_KAFKA_CORRUPT_BATCH where they can't be read, or take more than `maxBytes`.
 */
export function recordsOf(
  topic: string,
  partition: number,
  { bytes, start, end }: Batches,
  from: number,
  maxBytes: number,
): SampledRecord[] {
  const found: SampledRecord[] = []
  const header = new BatchHeader()
  const place = new RecordPlace()
  for (let at = start; at < end; at += header.sizeBytes) {
    const where = `${topic}/${partition}`
    if (!readBatchHeader(bytes, at, end, header)) throw new CtrError('CTR_KAFKA_CORRUPT_BATCH', `${where}: a record batch is cut off`)
    const packed = bytes.subarray(at + BATCH_HEADER_BYTES, at + header.sizeBytes)
    const records = decompress(header.codec, packed, maxBytes)
    if (records === undefined) {
      throw new CtrError('CTR_KAFKA_CORRUPT_BATCH', `${where}: the batch at ${header.baseOffset} takes more than kafka.maxBatchBytes`)
    }
    for (let record = 0; record < records.length; record = place.next) {
      if (!locateRecord(records, record, records.length, place)) {
        throw new CtrError('CTR_KAFKA_CORRUPT_BATCH', `${where}: a record of the batch at ${header.baseOffset} reaches past it`)
      }
      const offset = offsetOf(records, record, header.baseOffset)
      if (offset < from) continue
      const value = place.valueEnd > place.value ? copyOf(records, place.value, place.valueEnd) : null
      const headerBytes = copyOf(records, place.valueEnd, place.next)
      found.push({ topic, partition, offset, ...readEnvelope(records, record, header), value, headerBytes })
    }
  }
  return found
}
