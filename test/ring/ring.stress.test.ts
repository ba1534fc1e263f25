import { Worker } from 'node:worker_threads'
import { expect, test } from 'vitest'
import { BLOCK, createRing } from '../../src/ring/layout.ts'
import { RingReader } from '../../src/ring/ring-reader.ts'
import { RingWriter } from '../../src/ring/ring-writer.ts'

const BLOCKS = 300_000
const reader = `
  import { workerData, parentPort } from 'node:worker_threads'
  const { RingReader } = await import(workerData.module)
  const reader = new RingReader(workerData.ring)
  let expected = 0, sum = 0, waits = 0
  for (let end = false; !end; ) {
    while (reader.next()) {
      if (reader.kind === ${BLOCK.end}) { end = true; break }
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
    while (!writer.tryOpen(BLOCK.checkpoint, block, count)) {
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

test.each(['ring-reader.ts', 'ring-writer.ts'])('a second thread that takes the same side of a ring is caught (%s)', async (file) => {
  const ring = createRing(4096)
  if (file === 'ring-reader.ts') new RingReader(ring)
  else new RingWriter(ring)
  const code = `
    import { workerData } from 'node:worker_threads'
    for (const side of Object.values(await import(workerData.module))) new side(workerData.ring)
  `
  const module = new URL(`../../src/ring/${file}`, import.meta.url).href
  const thread = new Worker(new URL(`data:text/javascript,${encodeURIComponent(code)}`), { workerData: { ring, module } })
  const failure = await new Promise((resolve) => thread.once('error', resolve).once('exit', () => resolve('nothing')))
  expect(failure).toMatchObject({ message: expect.stringContaining('each side of a ring is taken once, by one thread') })
})
