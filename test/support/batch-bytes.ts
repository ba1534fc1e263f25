/** Headers of record batches for tests of the framing; the records themselves are only filler. */

export interface BatchShape {
  readonly baseOffset: number
  readonly count: number
  readonly producerId?: number
  readonly transactional?: boolean
  /** A control batch: its marker. */
  readonly control?: 'abort' | 'commit'
  readonly filler?: number
  readonly magic?: number
}

export function batchBytes(shape: BatchShape): Buffer {
  const body = shape.control
    ? Buffer.from([32, 0, 0, 0, 8, 0, 0, 0, shape.control === 'abort' ? 0 : 1, 12, 0, 0, 0, 0, 0, 0, 0])
    : Buffer.alloc(shape.filler ?? 10, 0xee)
  const bytes = Buffer.concat([Buffer.alloc(61), body])
  bytes.writeBigInt64BE(BigInt(shape.baseOffset), 0)
  bytes.writeInt32BE(bytes.length - 12, 8)
  bytes[16] = shape.magic ?? 2
  bytes.writeInt16BE((shape.transactional ? 0x10 : 0) | (shape.control ? 0x30 : 0), 21)
  bytes.writeInt32BE(shape.count - 1, 23)
  bytes.writeBigInt64BE(BigInt(shape.producerId ?? -1), 43)
  bytes.writeInt32BE(shape.count, 57)
  return bytes
}

export interface PartitionShape {
  readonly partition: number
  readonly errorCode?: number
  readonly highWatermark?: number
  readonly lastStableOffset?: number
  readonly aborted?: readonly { producerId: number; firstOffset: number }[]
  readonly records?: Buffer
}

/** The body of a Fetch response (after the correlation id) of versions 4 to 11, and 13: then `topic` is an id. */
export function fetchBody(version: number, topics: readonly { topic: string; partitions: readonly PartitionShape[] }[]): Buffer {
  const parts: Buffer[] = []
  const flexible = version >= 13
  const length = (value: number) => (flexible ? parts.push(varint(value + 1)) : int32(value))
  /** One tagged field of three bytes, to be passed over. */
  const tags = () => {
    if (flexible) parts.push(Buffer.of(1, 0, 3, 9, 9, 9))
  }
  const int16 = (value: number) => {
    const bytes = Buffer.alloc(2)
    bytes.writeInt16BE(value)
    parts.push(bytes)
  }
  const int32 = (value: number) => {
    const bytes = Buffer.alloc(4)
    bytes.writeInt32BE(value)
    parts.push(bytes)
  }
  const int64 = (value: number) => {
    const bytes = Buffer.alloc(8)
    bytes.writeBigInt64BE(BigInt(value))
    parts.push(bytes)
  }
  if (flexible) parts.push(Buffer.of(0))
  int32(0)
  if (version >= 7) {
    int16(0)
    int32(0)
  }
  length(topics.length)
  for (const { topic, partitions } of topics) {
    if (!flexible) int16(Buffer.byteLength(topic))
    parts.push(Buffer.from(topic, flexible ? 'base64url' : 'utf8'))
    length(partitions.length)
    for (const shape of partitions) {
      int32(shape.partition)
      int16(shape.errorCode ?? 0)
      int64(shape.highWatermark ?? 100)
      int64(shape.lastStableOffset ?? shape.highWatermark ?? 100)
      if (version >= 5) int64(0)
      length(shape.aborted?.length ?? -1)
      for (const { producerId, firstOffset } of shape.aborted ?? []) {
        int64(producerId)
        int64(firstOffset)
        tags()
      }
      if (version >= 11) int32(-1)
      length(shape.records?.length ?? 0)
      if (shape.records) parts.push(shape.records)
      tags()
    }
    tags()
  }
  tags()
  return Buffer.concat(parts)
}

function varint(value: number): Buffer {
  return value < 0x80 ? Buffer.of(value) : Buffer.concat([Buffer.of((value & 0x7f) | 0x80), varint(value >>> 7)])
}
