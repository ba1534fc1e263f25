/**
 * Loaded by `node --import` into every thread of an engine: a part of it fails, once for each file that appears in the working directory.
 *
 *   die-worker   a worker thread that waits for its ring throws
 *   die-sink     the sink thread throws
 *   die-source   the Kafka client fails as a bug would make it, until its source gives it up
 */
import { existsSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { isMainThread, threadName } from 'node:worker_threads'

/** More than the source takes for bad luck. */
const SOURCE_FAILURES = 4
const LOOK_MS = 20

const told = (part: string) => {
  if (!existsSync(`die-${part}`)) return false
  rmSync(`die-${part}`, { force: true })
  return true
}

if (isMainThread) {
  // Only the engine's main thread has kafkajs near it; in npm and the like there is nothing to break.
  const require = createRequire(import.meta.url)
  const group = require('kafkajs/src/consumer/consumerGroup') as { prototype: { fetch(node: unknown): Promise<unknown> } }
  const { fetch } = group.prototype
  let failures = 0
  group.prototype.fetch = function (node) {
    if (told('source')) failures = SOURCE_FAILURES
    if (failures > 0) {
      failures--
      return Promise.reject(new TypeError('out of luck'))
    }
    return fetch.call(this, node)
  }
} else if (threadName === 'sink') {
  setInterval(() => {
    if (told('sink')) throw new Error('out of luck')
  }, LOOK_MS).unref()
} else {
  const { wait } = Atomics
  const dying = (...args: Parameters<typeof wait>) => {
    if (told('worker')) throw new Error('out of luck')
    return wait(...args)
  }
  Atomics.wait = dying as typeof wait
}
