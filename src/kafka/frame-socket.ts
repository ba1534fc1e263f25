/**
 * Sockets that hand over whole Kafka responses. A response is a big-endian 32-bit length followed by that many bytes; it is put together in
 * one buffer and emitted as one 'data' event, so that kafkajs never concatenates chunks.
 *
 * Reads go through node's `onread`: while no response is open they land in a small scratch, which may hold several small responses; as
 * soon as a response's length is known, the rest of it is read by the kernel (or decrypted by TLS) directly to its place.
 */
import net from 'node:net'
import tls from 'node:tls'
import type { ISocketFactory } from 'kafkajs'
import type { Frame, FramePool } from './frame-pool.ts'

const SCRATCH_BYTES = 64 * 1024
const LENGTH_BYTES = 4
/** More can't be a response to our requests: it is the answer of something that doesn't speak Kafka, or speaks TLS. */
const RESPONSE_MAX_BYTES = 256 * 1024 * 1024
const KEEP_ALIVE_MS = 60_000

/** Puts responses together from the pieces a socket reads. */
export class FrameAssembler {
  readonly #pool: FramePool
  readonly #deliver: (response: Buffer) => void
  readonly #scratch = Buffer.allocUnsafeSlow(SCRATCH_BYTES)
  readonly #length = Buffer.alloc(LENGTH_BYTES)
  #lengthFilled = 0
  #open: Buffer | undefined
  #filled = 0

  constructor(pool: FramePool, deliver: (response: Buffer) => void) {
    this.#pool = pool
    this.#deliver = deliver
  }

  /** Where the next read goes. */
  target(): Buffer {
    return this.#open === undefined ? this.#scratch : this.#open.subarray(this.#filled)
  }

  /** `count` bytes have been read to what `target` returned last. Throws when they can't be a Kafka response. */
  advance(count: number): void {
    if (this.#open === undefined) {
      this.#split(count)
    } else {
      this.#filled += count
      this.#closeIfFull()
    }
  }

  #split(count: number): void {
    const scratch = this.#scratch
    let at = 0
    while (at < count) {
      if (this.#open === undefined) {
        const part = Math.min(LENGTH_BYTES - this.#lengthFilled, count - at)
        scratch.copy(this.#length, this.#lengthFilled, at, at + part)
        this.#lengthFilled += part
        at += part
        if (this.#lengthFilled < LENGTH_BYTES) return
        this.#begin()
      }
      const open: Buffer | undefined = this.#open
      if (open === undefined) return
      const part = Math.min(open.length - this.#filled, count - at)
      scratch.copy(open, this.#filled, at, at + part)
      this.#filled += part
      at += part
      this.#closeIfFull()
    }
  }

  #begin(): void {
    const length = this.#length.readInt32BE(0)
    if (length < LENGTH_BYTES || length > RESPONSE_MAX_BYTES) {
      throw new Error(`a response of ${length} bytes: this is not a Kafka listener, or kafka.security.protocol is not the listener's`)
    }
    const size = LENGTH_BYTES + length
    const frame: Frame | undefined = this.#pool.take(size)
    this.#open = frame === undefined ? Buffer.allocUnsafeSlow(size) : frame.bytes.subarray(0, size)
    this.#length.copy(this.#open)
    this.#filled = LENGTH_BYTES
    this.#lengthFilled = 0
  }

  #closeIfFull(): void {
    const open = this.#open
    if (open === undefined || this.#filled < open.length) return
    this.#open = undefined
    this.#deliver(open)
  }
}

/** A kafkajs `socketFactory` whose sockets emit whole responses, in buffers of `pool`. */
export function frameSocketFactory(pool: FramePool): ISocketFactory {
  return ({ host, port, ssl, onConnect }) => {
    let socket: net.Socket
    const assembler = new FrameAssembler(pool, (response) => socket.emit('data', response))
    const onread = {
      buffer: () => assembler.target(),
      callback: (count: number) => {
        try {
          assembler.advance(count)
        } catch (error) {
          socket.destroy(error instanceof Error ? error : new Error(String(error)))
        }
        return true
      },
    }
    if (ssl) {
      const named = net.isIP(host) === 0 ? { servername: host } : {}
      // The types of node know `onread` for plain sockets only; tls.connect passes it on (see the TLS tests).
      const options: tls.ConnectionOptions = Object.assign({ host, port, onread }, named, ssl)
      socket = tls.connect(options, onConnect)
    } else {
      socket = net.connect({ host, port, onread }, onConnect)
    }
    socket.setKeepAlive(true, KEEP_ALIVE_MS)
    socket.setNoDelay(true)
    return socket
  }
}
