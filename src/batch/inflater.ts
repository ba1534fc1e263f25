/**
 * gzip and zstd by node:zlib, with one decoder that is used again and again, straight into a buffer of the caller's. The functions that
 * Node has for whole buffers make a decoder for every call and join pieces of new memory: twice the CPU for a batch of Kafka's (1.1
 * against 0.55 ns a byte for zstd, 1.2 against 0.7 for gzip), not counting the collector's. What is used of Node for that is internal, so
 * where it is not as in the pinned version, those functions do the work.
 *
 * How much comes out is not believed from any header. What does not fit into KEPT_MAX_BYTES is decompressed once into a scratch that is
 * written over, only to be counted; then either it is beyond the bound, and no memory was taken for it, or memory of exactly its size is.
 * A decoder keeps what it has decompressed last, up to its window, which is 128 MiB at most and no more than came out. One that has had
 * more than KEPT_MAX_BYTES is given back.
 */
import { constants, createGunzip, createZstdDecompress, gunzipSync, zstdDecompressSync } from 'node:zlib'
import { KEPT_MAX_BYTES, type OutputPool } from './output-pool.ts'

interface Handle {
  onerror: (message: string) => void
  reset(): void
  close(): void
  writeSync(flush: number, input: Uint8Array, inAt: number, inBytes: number, output: Uint8Array, outAt: number, outBytes: number): void
}

interface Internals {
  readonly _handle?: Partial<Handle>
  /** Bytes left of output and input. */
  readonly _writeState?: Uint32Array
}

interface Decoder {
  readonly handle: Handle
  readonly state: Uint32Array
}

/** Decompresses to a buffer of the pool; undefined when more than `maxBytes` would come out. Throws an Error for damaged input. */
export type Inflate = (bytes: Uint8Array, pool: OutputPool, maxBytes: number) => Uint8Array | undefined

/** JSON shrinks to a tenth to a third. */
const FIRST_GUESS = 8
const SCRATCH_BYTES = 256 * 1024

class Inflater {
  readonly #create: () => unknown
  readonly #finish: number
  readonly #whole: Inflate
  #kept: Decoder | undefined
  #usable = true
  #fault: string | undefined

  constructor(create: () => unknown, finish: number, whole: Inflate) {
    this.#create = create
    this.#finish = finish
    this.#whole = whole
  }

  /** See Inflate. */
  inflate(bytes: Uint8Array, pool: OutputPool, maxBytes: number): Uint8Array | undefined {
    const decoder = this.#decoder()
    if (decoder === undefined) return this.#whole(bytes, pool, maxBytes)
    let out = this.#inflateSmall(decoder, bytes, pool)
    if (out !== undefined && out.length <= maxBytes) return out
    if (out !== undefined) pool.giveBack(out)
    out = this.#fault === undefined ? this.#inflateLarge(decoder, bytes, pool, maxBytes) : undefined
    // What it remembers of damaged input is nobody's business, nor may it hold on to a large window.
    decoder.handle.close()
    this.#kept = undefined
    if (this.#fault !== undefined) throw new Error(this.#fault)
    return out
  }

  #decoder(): Decoder | undefined {
    if (this.#kept === undefined && this.#usable) {
      const { _handle: handle, _writeState: state } = this.#create() as Internals
      const methods = [handle?.writeSync, handle?.reset, handle?.close]
      this.#usable = methods.every((method) => typeof method === 'function') && state instanceof Uint32Array
      if (this.#usable) this.#kept = { handle: handle as Handle, state: state as Uint32Array }
    }
    return this.#kept
  }

  #begin({ handle }: Decoder): void {
    this.#fault = undefined
    handle.onerror = (message) => {
      this.#fault = message
    }
    handle.reset()
  }

  /** Decompresses to one buffer that grows up to KEPT_MAX_BYTES; undefined when that is too small, or there is a fault. */
  #inflateSmall(decoder: Decoder, bytes: Uint8Array, pool: OutputPool): Uint8Array | undefined {
    const { handle, state } = decoder
    this.#begin(decoder)
    let out = pool.take(Math.min(bytes.length * FIRST_GUESS, KEPT_MAX_BYTES / 2))
    let size = 0
    let at = 0
    for (;;) {
      handle.writeSync(this.#finish, bytes, at, bytes.length - at, out, size, out.length - size)
      if (this.#fault !== undefined) break
      size = out.length - state[0]!
      at = bytes.length - state[1]!
      if (state[0] !== 0) return out.subarray(0, size)
      if (out.length >= KEPT_MAX_BYTES) break
      const larger = pool.take(out.length)
      larger.set(out)
      pool.giveBack(out)
      out = larger
    }
    pool.giveBack(out)
    return undefined
  }

  #inflateLarge(decoder: Decoder, bytes: Uint8Array, pool: OutputPool, maxBytes: number): Uint8Array | undefined {
    const size = this.#measure(decoder, bytes, maxBytes)
    if (this.#fault !== undefined || size > maxBytes) return undefined
    const out = pool.take(size)
    this.#begin(decoder)
    decoder.handle.writeSync(this.#finish, bytes, 0, bytes.length, out, 0, out.length)
    return out.subarray(0, size)
  }

  /** How many bytes come out; more than `maxBytes` are not counted to their end. */
  #measure(decoder: Decoder, bytes: Uint8Array, maxBytes: number): number {
    const { handle, state } = decoder
    const scratch = Buffer.allocUnsafeSlow(SCRATCH_BYTES)
    this.#begin(decoder)
    let size = 0
    for (let left = bytes.length; ; left = state[1]!) {
      handle.writeSync(this.#finish, bytes, bytes.length - left, left, scratch, 0, SCRATCH_BYTES)
      if (this.#fault !== undefined) return size
      size += SCRATCH_BYTES - state[0]!
      if (state[0] !== 0 || size > maxBytes) return size
    }
  }
}

function inflater(create: () => unknown, finish: number, whole: Inflate): Inflate {
  const one = new Inflater(create, finish, whole)
  return one.inflate.bind(one)
}

/** As Node's functions for whole buffers do it. */
function wholly(decompress: (bytes: Uint8Array, maxOutputLength: number) => Uint8Array): Inflate {
  return (bytes, _pool, maxBytes) => {
    try {
      return decompress(bytes, maxBytes)
    } catch (error) {
      if ((error as { code?: unknown }).code === 'ERR_BUFFER_TOO_LARGE') return undefined
      throw error
    }
  }
}

/** See Inflate. */
export const gunzip = inflater(
  createGunzip,
  constants.Z_FINISH,
  wholly((bytes, maxOutputLength) => gunzipSync(bytes, { maxOutputLength, finishFlush: constants.Z_FINISH })),
)
/** See Inflate. */
export const unzstd = inflater(
  createZstdDecompress,
  constants.ZSTD_e_end,
  wholly((bytes, maxOutputLength) => zstdDecompressSync(bytes, { maxOutputLength })),
)
