/** Loaded by `node --import` into every thread of an engine: a thread that waits for its ring dies once there is a file `die`. */
import { existsSync } from 'node:fs'
import { isMainThread } from 'node:worker_threads'

if (!isMainThread) {
  const { wait } = Atomics
  const dying = (...args: Parameters<typeof wait>) => {
    if (existsSync('die')) throw new Error('out of luck')
    return wait(...args)
  }
  Atomics.wait = dying as typeof wait
}
