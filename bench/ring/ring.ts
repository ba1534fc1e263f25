/** Events through a ring: within one thread, and to another one that waits for them. */
import { Worker } from 'node:worker_threads'
import { beginEvents, publishEvents } from '../../src/ring/blocks.ts'
import { createRing } from '../../src/ring/layout.ts'
import { RingReader } from '../../src/ring/ring-reader.ts'
import { RingWriter } from '../../src/ring/ring-writer.ts'
import { passBarrier } from '../../src/ring/row-blocks.ts'
import { EVENT_WORDS } from '../../src/window/measures.ts'
import type { Stage, StageMaker } from '../stage.ts'
import { sumBlocks } from './sum-blocks.ts'

const EVENTS_PER_BLOCK = 1024
const WORDS_PER_BLOCK = EVENTS_PER_BLOCK * EVENT_WORDS
const RING_BYTES = 1024 * 1024
const ANSWER_MAX_MS = 10_000

export const ringStages: StageMaker = (quick) => {
  const blocks = quick ? 8 : 100
  return [oneThread(blocks), twoThreads(quick ? 8 : 2_000)]
}

/** Of the words of `blocks` blocks, each holding 0, 1, 2 and on. */
function sumOf(blocks: number): number {
  return (blocks * WORDS_PER_BLOCK * (WORDS_PER_BLOCK - 1)) / 2
}

function oneThread(blocks: number): Stage {
  const ring = createRing(RING_BYTES)
  const writer = new RingWriter(ring)
  const reader = new RingReader(ring)
  const run = () => {
    let sum = 0
    for (let i = 0; i < blocks; i++) {
      if (!push(writer)) return Number.NaN
      sum += sumBlocks(reader)
    }
    return sum
  }
  return { name: 'ring: push and pop, one thread', unit: 'event', units: blocks * EVENTS_PER_BLOCK, expected: sumOf(blocks), run }
}

function twoThreads(blocks: number): Stage {
  const ring = createRing(RING_BYTES)
  const answer = new SharedArrayBuffer(16)
  const turn = new Int32Array(answer, 8, 1)
  const sum = new Float64Array(answer, 0, 1)
  const worker = new Worker(new URL('./ring-thread.ts', import.meta.url), { workerData: { ring, answer } })
  const writer = new RingWriter(ring)
  const run = () => {
    const before = Atomics.load(turn, 0)
    for (let i = 0; i < blocks; i++) while (!push(writer)) writer.waitRoom(ANSWER_MAX_MS)
    while (!passBarrier(writer, 1)) writer.waitRoom(ANSWER_MAX_MS)
    if (Atomics.wait(turn, 0, before, ANSWER_MAX_MS) === 'timed-out') return Number.NaN
    return sum[0]!
  }
  const close = () => worker.terminate()
  return { name: 'ring: to another thread', unit: 'event', units: blocks * EVENTS_PER_BLOCK, expected: sumOf(blocks), run, close }
}

function push(writer: RingWriter): boolean {
  if (!beginEvents(writer, 0, EVENTS_PER_BLOCK)) return false
  const { words, payload } = writer
  for (let i = 0; i < WORDS_PER_BLOCK; i++) words[payload + i] = i
  publishEvents(writer, EVENTS_PER_BLOCK, 0)
  writer.wake()
  return true
}
