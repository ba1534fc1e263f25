/** Checkpoints written as the checkpoint thread does it, but in this thread and to any store. */
import { randomBytes } from 'node:crypto'
import { MessageChannel } from 'node:worker_threads'
import { Book } from '../src/checkpoint/book.ts'
import type { StateRules } from '../src/checkpoint/manifest.ts'
import type { WorkerCopy } from '../src/checkpoint/snapshot.ts'
import type { CheckpointWriter } from '../src/checkpoint/writer.ts'
import type { ObjectStore } from '../src/store/object-store.ts'

export function bookWriter(store: ObjectStore, group: string, rules: StateRules, workers: number, retain = 3): CheckpointWriter {
  const book = new Book({
    group,
    writer: 'test',
    writerId: randomBytes(4).toString('hex'),
    workers,
    retain,
    rules,
    open: async () => store,
    warn: (message) => {
      throw new Error(message)
    },
    now: Date.now,
  })
  const channels = Array.from({ length: workers }, () => new MessageChannel())
  for (const { port2 } of channels) {
    port2.on('message', (copy: WorkerCopy) => book.copied(copy))
    port2.unref()
  }
  return {
    ports: channels.map(({ port1 }) => port1),
    begin: (cut) => book.begin(cut),
    complete: (number) => book.complete(number),
    abandon: (number) => book.abandon(number),
    onDied: () => {},
    async close() {
      await book.close()
      for (const { port2 } of channels) port2.close()
    },
  }
}
