import { readEvents } from '../../src/ring/blocks.ts'
import { BLOCK } from '../../src/ring/layout.ts'
import type { RingReader } from '../../src/ring/ring-reader.ts'
import { EVENT_WORDS } from '../../src/window/measures.ts'

/** Reads what is published, up to a barrier, and gives the memory back; the sum of all words of events. */
export function sumBlocks(reader: RingReader): number {
  let sum = 0
  while (reader.next() && reader.kind !== BLOCK.barrier) {
    const { words, at, count } = readEvents(reader)
    for (let i = at, end = at + count * EVENT_WORDS; i < end; i++) sum += words[i]!
  }
  reader.release()
  return sum
}
