/** Entry of the reading thread: adds up blocks and answers at every barrier with the sum since the last one. */
import { workerData } from 'node:worker_threads'
import { BLOCK } from '../../src/ring/layout.ts'
import { RingReader } from '../../src/ring/ring-reader.ts'
import { sumBlocks } from './sum-blocks.ts'

const { ring, answer } = workerData as { ring: SharedArrayBuffer; answer: SharedArrayBuffer }
const sum = new Float64Array(answer, 0, 1)
const turn = new Int32Array(answer, 8, 1)
const reader = new RingReader(ring)
for (let total = 0; ; ) {
  reader.kind = -1
  total += sumBlocks(reader)
  if (reader.kind === BLOCK.barrier) {
    sum[0] = total
    total = 0
    Atomics.add(turn, 0, 1)
    Atomics.notify(turn, 0)
  } else reader.wait(1_000)
}
