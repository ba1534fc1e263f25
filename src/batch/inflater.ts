/**
 * gzip and zstd by node:zlib, with one decoder that is used again and again, straight into a buffer of the caller's. The functions that
 * Node has for whole buffers make a decoder for every call and join pieces of new memory: twice the CPU for a batch of Kafka's (1.1
 * against 0.55 ns a byte for zstd, 1.2 against 0.7 for gzip), not counting the collector's. What is used of Node for that is internal, so
 * where it is not as in the pinned version, those functions do the work.
 */
import { constants, createGunzip, createZstdDecompress, gunzipSync, zstdDecompressSync } from 'node:zlib'
import type { OutputPool } from './output-pool.ts'

interface Handle {
  onerror: (message: string) => void
  reset(): void
  writeSync(flush: number, input: Uint8Array, inAt: number, inBytes: number, output: Uint8Array, outAt: number, outBytes: number): void
}

interface Internals {
  readonly _handle?: Partial<Handle>
  /** Bytes left of output and input. */
  readonly _writeState?: Uint32Array
}

/** Decompresses to a buffer of the pool; throws an Error for damaged input, and for more than `maxBytes`. */
export type Inflate = (bytes: Uint8Array, pool: OutputPool, maxBytes: number) => Uint8Array

/** JSON shrinks to a tenth to a third. */
const FIRST_GUESS = 8

function inflater(create: () => unknown, finish: number, whole: Inflate): Inflate {
  let kept: { handle: Handle; state: Uint32Array } | undefined
  let usable = true
  let fault: string | undefined
  return (bytes, pool, maxBytes) => {
    if (kept === undefined && usable) {
      const { _handle: handle, _writeState: state } = create() as Internals
      usable = typeof handle?.writeSync === 'function' && typeof handle.reset === 'function' && state instanceof Uint32Array
      if (usable) kept = { handle: handle as Handle, state: state as Uint32Array }
    }
    if (kept === undefined) return whole(bytes, pool, maxBytes)
    const { handle, state } = kept
    fault = undefined
    handle.onerror = (message) => {
      fault = message
    }
    handle.reset()
    let out = pool.take(Math.min(bytes.length * FIRST_GUESS, maxBytes))
    let size = 0
    let at = 0
    for (;;) {
      handle.writeSync(finish, bytes, at, bytes.length - at, out, size, out.length - size)
      if (fault !== undefined) break
      size = out.length - state[0]!
      at = bytes.length - state[1]!
      if (size > maxBytes) fault = `more than ${maxBytes} bytes decompressed`
      if (state[0] !== 0 || fault !== undefined) break
      const larger = pool.take(out.length * 2)
      larger.set(out)
      pool.giveBack(out)
      out = larger
    }
    if (fault === undefined) return out.subarray(0, size)
    pool.giveBack(out)
    kept = undefined // what it remembers of damaged input is nobody's business
    throw new Error(fault)
  }
}

/** See Inflate. */
export const gunzip = inflater(createGunzip, constants.Z_FINISH, (bytes, _pool, maxOutputLength) =>
  gunzipSync(bytes, { maxOutputLength, finishFlush: constants.Z_FINISH }),
)
/** See Inflate. */
export const unzstd = inflater(createZstdDecompress, constants.ZSTD_e_end, (bytes, _pool, maxOutputLength) =>
  zstdDecompressSync(bytes, { maxOutputLength }),
)
