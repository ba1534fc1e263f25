/**
 * The limit: the bytes of the topics over one bare socket, with nothing done to them. No Kafka client: Metadata, ListOffsets and Fetch
 * requests are written here, and of a response only the batch headers are looked at, one in some hundred kilobytes, for the next offset
 * and the number of records.
 *
 *   --brokers a,b  --topics a,b
 *
 * The first broker must lead every partition, as the one of the bench's stand does. Two requests are under way, each for half of the
 * partitions, so that the broker never waits for us. Reads up to the present ends and prints one JSON line.
 *
 *   request  | length i32 | api i16 | version i16 | correlation i32 | client string | body
 *   response | length i32 | correlation i32 | body
 */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { parseArgs } from 'node:util'

const FETCH = 1
const FETCH_VERSION = 4
const LIST_OFFSETS = 2
const LIST_OFFSETS_VERSION = 1
const METADATA = 3
const METADATA_VERSION = 1
const LATEST = -1n
const PARTITION_BYTES = 2 * 1024 * 1024
const RESPONSE_BYTES = 16 * 1024 * 1024
const MAX_WAIT_MS = 100
const BATCH_HEADER_BYTES = 61
const LENGTH_BYTES = 4

interface Partition {
  readonly topic: string
  readonly partition: number
  position: bigint
  readonly end: bigint
}

/** Reads whole responses into buffers that are used again: one per correlation number. */
class Wire {
  readonly #socket: Socket
  readonly #head = Buffer.alloc(LENGTH_BYTES + 4)
  readonly #buffers: Buffer[] = []
  readonly #waiting = new Map<number, (body: Buffer) => void>()
  #body: Buffer | undefined
  #filled = 0

  constructor(host: string, port: number) {
    this.#socket = connect({
      host,
      port,
      noDelay: true,
      onread: {
        buffer: () => (this.#body ?? this.#head).subarray(this.#filled),
        callback: (count: number) => {
          this.#advance(count)
          return true
        },
      },
    })
  }

  async connected(): Promise<void> {
    await once(this.#socket, 'connect')
  }

  close(): void {
    this.#socket.destroy()
  }

  /** The body is good until the next request with this correlation number. */
  request(api: number, version: number, correlation: number, body: Buffer): Promise<Buffer> {
    const client = text('bare')
    const head = Buffer.alloc(LENGTH_BYTES + 8)
    head.writeInt32BE(8 + client.length + body.length, 0)
    head.writeInt16BE(api, 4)
    head.writeInt16BE(version, 6)
    head.writeInt32BE(correlation, 8)
    this.#socket.write(Buffer.concat([head, client, body]))
    return new Promise((resolve) => this.#waiting.set(correlation, resolve))
  }

  #advance(count: number): void {
    this.#filled += count
    if (this.#filled < (this.#body ?? this.#head).length) return
    const correlation = this.#head.readInt32BE(LENGTH_BYTES)
    this.#filled = 0
    if (this.#body === undefined) {
      const size = this.#head.readInt32BE(0) - 4
      if ((this.#buffers[correlation]?.length ?? 0) < size) this.#buffers[correlation] = Buffer.allocUnsafeSlow(size)
      this.#body = this.#buffers[correlation]?.subarray(0, size)
    } else {
      const body = this.#body
      this.#body = undefined
      this.#waiting.get(correlation)?.(body)
    }
  }
}

function text(value: string): Buffer {
  const bytes = Buffer.alloc(2 + Buffer.byteLength(value))
  bytes.writeInt16BE(bytes.length - 2)
  bytes.write(value, 2)
  return bytes
}

function integer(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}

function long(value: bigint): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigInt64BE(value)
  return bytes
}

/** By topic, in the layout that ListOffsets and Fetch share: topics = n | topic | partitions = n | … */
function perTopic(partitions: readonly { topic: string; partition: number }[], fields: (index: number) => Buffer[]): Buffer {
  const topics = Map.groupBy(
    partitions.map((_, index) => index),
    (index) => partitions[index]!.topic,
  )
  const parts = [integer(topics.size)]
  for (const [topic, indices] of topics) {
    parts.push(text(topic), integer(indices.length))
    for (const index of indices) parts.push(integer(partitions[index]!.partition), ...fields(index))
  }
  return Buffer.concat(parts)
}

/** Metadata version 1: | brokers | controller | topics: error i16, name, internal i8, partitions: error i16, number i32, leader, … | */
async function partitionsOf(wire: Wire, topics: readonly string[]): Promise<{ topic: string; partition: number }[]> {
  const body = await wire.request(METADATA, METADATA_VERSION, 0, Buffer.concat([integer(topics.length), ...topics.map(text)]))
  let at = 0
  const skip = (bytes: number) => {
    at += bytes
    return at - bytes
  }
  const int16 = () => body.readInt16BE(skip(2))
  const int32 = () => body.readInt32BE(skip(4))
  const string = () => {
    const length = Math.max(int16(), 0)
    const from = skip(length)
    return body.toString('utf8', from, from + length)
  }
  for (let brokers = int32(); brokers > 0; brokers--) {
    int32()
    string()
    int32()
    string()
  }
  int32()
  const found: { topic: string; partition: number }[] = []
  for (let count = int32(); count > 0; count--) {
    if (int16() !== 0) throw new Error('a topic is not there')
    const topic = string()
    skip(1)
    for (let partitions = int32(); partitions > 0; partitions--) {
      int16()
      found.push({ topic, partition: int32() })
      int32()
      for (let lists = 0; lists < 2; lists++) skip(4 * int32())
    }
  }
  return found
}

/** ListOffsets version 1: | topics: name, partitions: number i32, error i16, timestamp i64, offset i64 | */
async function withEnds(wire: Wire, partitions: readonly { topic: string; partition: number }[]): Promise<Partition[]> {
  const request = Buffer.concat([integer(-1), perTopic(partitions, () => [long(LATEST)])])
  const body = await wire.request(LIST_OFFSETS, LIST_OFFSETS_VERSION, 0, request)
  const found: Partition[] = []
  let at = 4
  for (let topics = body.readInt32BE(0); topics > 0; topics--) {
    const length = body.readInt16BE(at)
    const topic = body.toString('utf8', at + 2, at + 2 + length)
    at += 2 + length
    const count = body.readInt32BE(at)
    at += 4
    for (let i = 0; i < count; i++, at += 22) {
      if (body.readInt16BE(at + 4) !== 0) throw new Error(`${topic} has no end: the broker does not lead it`)
      found.push({ topic, partition: body.readInt32BE(at), position: 0n, end: body.readBigInt64BE(at + 14) })
    }
  }
  return found.filter(({ end }) => end > 0n)
}

const totals = { events: 0, bytes: 0 }

/** Fetches these partitions until all are at their ends. */
async function drain(wire: Wire, correlation: number, all: readonly Partition[]): Promise<void> {
  const byName = new Map(all.map((one) => [`${one.topic}/${one.partition}`, one]))
  for (;;) {
    const open = all.filter(({ position, end }) => position < end)
    if (open.length === 0) return
    const head = Buffer.concat([integer(-1), integer(MAX_WAIT_MS), integer(1), integer(RESPONSE_BYTES), Buffer.of(0)])
    const wanted = perTopic(open, (index) => [long(open[index]!.position), integer(PARTITION_BYTES)])
    take(await wire.request(FETCH, FETCH_VERSION, correlation, Buffer.concat([head, wanted])), byName)
  }
}

/**
 * Fetch version 4: | throttle i32 | topics: name, partitions: number i32, error i16, high watermark i64, stable offset i64,
 * aborted: 16 bytes each, records: length i32, batches |
 */
function take(body: Buffer, byName: ReadonlyMap<string, Partition>): void {
  let at = 8
  for (let topics = body.readInt32BE(4); topics > 0; topics--) {
    const length = body.readInt16BE(at)
    const topic = body.toString('utf8', at + 2, at + 2 + length)
    at += 2 + length
    let count = body.readInt32BE(at)
    for (at += 4; count > 0; count--) {
      const partition = byName.get(`${topic}/${body.readInt32BE(at)}`)
      const error = body.readInt16BE(at + 4)
      if (partition === undefined || error !== 0) throw new Error(`a fetch of ${topic} failed with ${error}`)
      at += 26 + 16 * Math.max(body.readInt32BE(at + 22), 0)
      const size = body.readInt32BE(at)
      at += 4
      takeBatches(body, at, at + size, partition)
      at += size
    }
  }
}

function takeBatches(body: Buffer, start: number, end: number, partition: Partition): void {
  totals.bytes += end - start
  for (let at = start; at + BATCH_HEADER_BYTES <= end; ) {
    const size = 12 + body.readInt32BE(at + 8)
    // The last batch of a response may be cut off; it comes again.
    if (at + size > end) return
    const next = body.readBigInt64BE(at) + BigInt(body.readInt32BE(at + 23)) + 1n
    if (next > partition.position) {
      totals.events += body.readInt32BE(at + 57)
      partition.position = next
    }
    at += size
  }
}

const given = { type: 'string', default: '' } as const
const { values } = parseArgs({ options: { brokers: given, topics: given, group: given } })
const [, host = '', port = ''] = /^(.*):(\d+)$/.exec(values.brokers.split(',')[0] ?? '') ?? []
const wire = new Wire(host, Number(port))
await wire.connected()
const partitions = await withEnds(wire, await partitionsOf(wire, values.topics.split(',')))
const halves = [0, 1].map((half) => partitions.filter((_, index) => index % 2 === half))
const began = performance.now()
await Promise.all(halves.map((half, index) => drain(wire, index, half)))
console.log(JSON.stringify({ ...totals, seconds: (performance.now() - began) / 1000 }))
wire.close()
