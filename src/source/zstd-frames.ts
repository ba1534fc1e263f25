/**
 * Cuts a stream of zstd so that no chunk reaches from one frame into the next. Node's decoder drops, without a word, what follows the end
 * of a frame within a chunk, and files of several frames are common: pzstd and `cat a.zst b.zst` make them.
 *
 *   frame      | magic 28 b5 2f fd | descriptor 1 | window 0–1 | dictionary 0–4 | content size 0–8 | block … | checksum 0 or 4 |
 *   block      | header 3: last 1 bit, type 2 bits, size 21 bits | size bytes, of a run (type 1) one |
 *   skippable  | magic 5x 2a 4d 18 | size 4 | size bytes |
 */
import { CtrError } from '../errors.ts'

const MAGIC = 0xfd2fb528
const SKIPPABLE = 0x184d2a50
const SKIPPABLE_MASK = 0xfffffff0
const DICTIONARY_BYTES = [0, 1, 2, 4]
const CONTENT_SIZE_BYTES = [0, 2, 4, 8]
const BLOCK_BYTES = 3
const RUN = 1
const RESERVED = 3

/** By the parts of a frame, what must be known of each before the next one can be found. */
const HEAD_BYTES = { magic: 4, 'skipped size': 4, descriptor: 1, block: BLOCK_BYTES, checksum: 4 } as const
type Part = keyof typeof HEAD_BYTES

/** The same bytes, cut at the ends of frames. Throws CTR_INPUT for what is no zstd, or is damaged. */
export async function* zstdFrames(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const walk = new FrameWalk()
  for await (const chunk of chunks) yield* walk.take(chunk)
}

class FrameWalk {
  #part: Part = 'magic'
  /** What has come of the part's head; behind it so many bytes pass. */
  #head = Buffer.alloc(0)
  #passing = 0
  #hasChecksum = false

  /** Which part follows the one whose head has come. */
  #after(head: Buffer): Part {
    switch (this.#part) {
      case 'magic': {
        const magic = head.readUInt32LE()
        if (magic === MAGIC) return 'descriptor'
        if ((magic & SKIPPABLE_MASK) >>> 0 !== SKIPPABLE) throw damaged('what follows a frame is no frame')
        return 'skipped size'
      }
      case 'skipped size':
        this.#passing = head.readUInt32LE()
        return 'magic'
      case 'descriptor': {
        const descriptor = head[0] ?? 0
        const isSingle = (descriptor & 0x20) !== 0
        this.#hasChecksum = (descriptor & 0x04) !== 0
        const sizeFlag = descriptor >> 6
        const size = sizeFlag === 0 && isSingle ? 1 : (CONTENT_SIZE_BYTES[sizeFlag] ?? 0)
        this.#passing = (isSingle ? 0 : 1) + (DICTIONARY_BYTES[descriptor & 3] ?? 0) + size
        return 'block'
      }
      case 'block': {
        const header = head.readUIntLE(0, BLOCK_BYTES)
        const type = (header >> 1) & 3
        if (type === RESERVED) throw damaged('a block is of no type there is')
        this.#passing = type === RUN ? 1 : header >> 3
        const isLast = (header & 1) === 1
        if (!isLast) return 'block'
        return this.#hasChecksum ? 'checksum' : 'magic'
      }
      case 'checksum':
        return 'magic'
    }
  }

  *take(chunk: Buffer): Generator<Buffer> {
    let from = 0
    for (let at = 0; at < chunk.length; ) {
      if (this.#passing > 0) {
        const passed = Math.min(this.#passing, chunk.length - at)
        this.#passing -= passed
        at += passed
      } else {
        const taken = Math.min(HEAD_BYTES[this.#part] - this.#head.length, chunk.length - at)
        this.#head = Buffer.concat([this.#head, chunk.subarray(at, at + taken)])
        at += taken
        if (this.#head.length === HEAD_BYTES[this.#part]) {
          this.#part = this.#after(this.#head)
          this.#head = Buffer.alloc(0)
        }
      }
      if (this.#part === 'magic' && this.#passing === 0 && this.#head.length === 0) {
        yield chunk.subarray(from, at)
        from = at
      }
    }
    if (from < chunk.length) yield chunk.subarray(from)
  }
}

function damaged(what: string): CtrError {
  return new CtrError('CTR_INPUT', `not zstd data, or damaged: ${what}`)
}
