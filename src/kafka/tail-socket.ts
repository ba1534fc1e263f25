/**
 * Sockets that send a request's bulk without copying it. kafkajs copies a request twice into buffers it makes for that; for record batches
 * this was half of the cost of producing them. So a Produce request goes through kafkajs as its head alone, with a ticket where the length
 * of its batch belongs, and the batch joins it at the socket, in the same frame:
 *
 *   from kafkajs   | size i32              | api i16 = 0 | … | client string | head … | ticket i32       |
 *   on the wire    | size + batch's length | api i16 = 0 | … | client string | head … | batch length i32 | batch |
 *
 * The caller leaves the batch alone until the request is answered.
 */
import type { Socket } from 'node:net'
import type { ISocketFactory } from 'kafkajs'

const PRODUCE_API_KEY = 0
const API_AT = 4
const INT32_BYTES = 4

interface Tail {
  readonly head: Buffer
  readonly batch: Buffer
}

/** What waits for its head to come by. */
export class Tails {
  readonly #waiting = new Map<number, Tail>()
  #last = 0

  /** Keeps the batch for a request that ends in `head`, whose last four bytes become the ticket. Returns the ticket. */
  add(head: Buffer, batch: Buffer): number {
    this.#last = (this.#last + 1) | 0
    head.writeInt32BE(this.#last, head.length - INT32_BYTES)
    this.#waiting.set(this.#last, { head, batch })
    return this.#last
  }

  /** The request was answered, or given up. */
  drop(ticket: number): void {
    this.#waiting.delete(ticket)
  }

  /** The batch of the request in this frame, which is made whole; undefined when it has none. */
  take(frame: Buffer): Buffer | undefined {
    if (frame.length < API_AT + 2 + INT32_BYTES || frame.readInt16BE(API_AT) !== PRODUCE_API_KEY) return undefined
    const tail = this.#waiting.get(frame.readInt32BE(frame.length - INT32_BYTES))
    if (tail === undefined || !frame.subarray(-tail.head.length).equals(tail.head)) return undefined
    frame.writeInt32BE(frame.readInt32BE(0) + tail.batch.length, 0)
    frame.writeInt32BE(tail.batch.length, frame.length - INT32_BYTES)
    return tail.batch
  }
}

/** Sockets of `factory` that send what waits in `tails` behind its head. */
export function tailSocketFactory(factory: ISocketFactory, tails: Tails): ISocketFactory {
  return (args) => {
    const socket = factory(args) as Socket
    const write = socket.write.bind(socket) as (data: Uint8Array | string, encoding?: BufferEncoding) => boolean
    const join = (data: Uint8Array | string, encoding?: BufferEncoding): boolean => {
      const batch = Buffer.isBuffer(data) ? tails.take(data) : undefined
      if (batch === undefined) return write(data, encoding)
      socket.cork()
      write(data)
      const more = write(batch)
      socket.uncork()
      return more
    }
    socket.write = join as typeof socket.write
    return socket
  }
}
