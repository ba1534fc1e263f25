/** Record batches read by kafkajs's own decoder: an oracle for what we write that shares no code with it. Codecs: none and gzip. */
import { createRequire } from 'node:module'

const require = createRequire(import.meta.url)
const Decoder = require('kafkajs/src/protocol/decoder')
const decodeRecordBatch = require('kafkajs/src/protocol/recordBatch/v0/decoder')
const crc32C = require('kafkajs/src/protocol/recordBatch/crc32C')

export interface DecodedRecord {
  readonly offset: number
  readonly timestamp: number
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: Readonly<Record<string, Buffer>>
}

export interface DecodedBatch {
  readonly firstOffset: number
  readonly maxTimestamp: number
  readonly lastOffsetDelta: number
  readonly inTransaction: boolean
  readonly isControlBatch: boolean
  readonly producerId: number
  readonly producerEpoch: number
  readonly firstSequence: number
  readonly records: DecodedRecord[]
}

interface Raw extends Pick<DecodedRecord, 'key' | 'value' | 'headers'> {
  readonly offset: string
  readonly timestamp: string
}

/** All batches of bytes[start, end), which must end with a whole batch; throws when one's CRC is wrong. */
export async function decodeBatches(bytes: Uint8Array, start: number, end: number): Promise<DecodedBatch[]> {
  const batches: DecodedBatch[] = []
  let at = start
  while (at < end) {
    const whole = Buffer.from(bytes.subarray(at, end))
    const size = 12 + whole.readInt32BE(8)
    if (size > whole.length) throw new Error(`a batch of ${size} bytes in ${whole.length}`)
    const batch = whole.subarray(0, size)
    const crc = crc32C(batch.subarray(21)) >>> 0
    if (crc !== batch.readUInt32BE(17)) throw new Error(`CRC ${batch.readUInt32BE(17)} of the batch at byte ${at} should be ${crc}`)
    const decoded = await decodeRecordBatch(new Decoder(batch))
    batches.push({
      firstOffset: Number(decoded.firstOffset),
      maxTimestamp: Number(decoded.maxTimestamp),
      lastOffsetDelta: decoded.lastOffsetDelta,
      inTransaction: decoded.inTransaction,
      isControlBatch: decoded.isControlBatch,
      producerId: Number(decoded.producerId),
      producerEpoch: decoded.producerEpoch,
      firstSequence: decoded.firstSequence,
      records: decoded.records.map(({ offset, timestamp, key, value, headers }: Raw) => {
        return { offset: Number(offset), timestamp: Number(timestamp), key, value, headers }
      }),
    })
    at += size
  }
  return batches
}
