/**
 * Preloaded into every thread of the engine by perf/garbage.ts (`--import`, with `--expose-gc`). Thread k asks for k + 1 full collections
 * in a row at its start, by which its isolate is known in V8's trace, and notes its name and the time of the last of them. Main also notes
 * how full every thread's heap is, twice a second; a thread answers whatever it is busy with.
 */
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { getHeapStatistics, type HeapInfo } from 'node:v8'
import { isMainThread, threadId, threadName, type Worker } from 'node:worker_threads'
import type { HeapSample, NamedThread } from './gc-trace.ts'

const PERIOD_MS = 500

const folder = fileURLToPath(new URL(new URL(import.meta.url).searchParams.get('into') ?? ''))
for (let i = 0; i <= threadId; i++) globalThis.gc?.()
const thread: NamedThread = { thread: threadId, name: isMainThread ? 'main' : threadName || '', at: Date.now() }
writeFileSync(`${folder}/thread-${threadId}.json`, JSON.stringify(thread))

if (isMainThread) {
  const workers: Worker[] = []
  const samples: HeapSample[] = []
  const note = (of: number, { used_heap_size, external_memory }: HeapInfo) => {
    samples.push({ thread: of, at: Date.now(), used: used_heap_size, external: external_memory })
  }
  process.on('worker', (worker: Worker) => workers.push(worker))
  setInterval(() => {
    note(0, getHeapStatistics())
    // Its id is -1 once it has ended.
    for (const worker of workers)
      if (worker.threadId > 0)
        worker.getHeapStatistics().then(
          (heap) => note(worker.threadId, heap),
          () => {},
        )
  }, PERIOD_MS).unref()
  process.once('exit', () => writeFileSync(`${folder}/samples.json`, JSON.stringify(samples)))
}
