import { Worker } from 'node:worker_threads'
import { expect, test } from 'vitest'
import { BLOCK, createRing } from '../../src/ring/layout.ts'
import { RingWriter } from '../../src/ring/ring-writer.ts'

const BLOCKS = 300_000
const reader = `
  import { workerData, parentPort } from 'node:worker_threads'
  const { RingReader } = await import(workerData.module)
  const reader = new RingReader(workerData.ring)
  let expected = 0, sum = 0, waits = 0
  for (let end = false; !end; ) {
    while (reader.next()) {
      if (reader.kind === 9) { end = true; break }
      if (reader.task !== expected) throw new Error('block ' + reader.task + ' instead of ' + expected)
      for (let i = 0; i < reader.count; i++) {
        const word = reader.words[reader.payload + i]
        if (word !== ((expected ^ (i * 2654435761)) | 0)) throw new Error('torn block ' + expected)
        sum++
      }
      expected++
      if (reader.held > 500) reader.release()
    }
    reader.release()
    if (!end) { waits++; reader.wait(1000) }
  }
  parentPort.postMessage({ expected, sum, waits })
`

test('a reader never sees a block before it is whole, however the two threads race', async () => {
  const ring = createRing(16 * 1024)
  const module = new URL('../../src/ring/ring-reader.ts', import.meta.url).href
  const source = new URL(`data:text/javascript,${encodeURIComponent(reader)}`)
  const thread = new Worker(source, { workerData: { ring, module } })
  const done = new Promise<{ expected: number; sum: number; waits: number }>((resolve, reject) => {
    thread.once('message', resolve)
    thread.once('error', reject)
  })
  const writer = new RingWriter(ring)
  let words = 0
  let full = 0
  for (let block = 0; block < BLOCKS; block++) {
    const count = (block * 7919) % 97
    while (!writer.tryOpen(BLOCK.events, block, count)) {
      full++
      await writer.waitRoomAsync(1000)
    }
    for (let i = 0; i < count; i++) writer.words[writer.payload + i] = (block ^ (i * 2654435761)) | 0
    writer.close(count, count)
    words += count
    if (block % 50_000 === 0) await new Promise((resolve) => setTimeout(resolve, 5)) // let the reader run dry and sleep
  }
  while (!writer.tryPut(BLOCK.end, 0)) await writer.waitRoomAsync(1000)
  const seen = await done
  expect({ expected: seen.expected, sum: seen.sum }).toEqual({ expected: BLOCKS, sum: words })
  expect(full).toBeGreaterThan(0)
  expect(seen.waits).toBeGreaterThan(0)
})
