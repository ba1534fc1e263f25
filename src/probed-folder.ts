/** Folders that something makes which only tries whether it could: they are taken away again. */
import { existsSync, rmdirSync } from 'node:fs'
import { dirname, resolve } from 'node:path'

/** Ends when the last one has. */
let last: Promise<unknown> = Promise.resolve()

/**
 * The outcome of `work`, which may make `folder` and those above it: those that were not there are removed again, as long as they are
 * empty. One at a time, for several may have folders in common.
 */
export function withoutTrace<T>(folder: string, work: () => Promise<T>): Promise<T> {
  const turn = last.then(async () => {
    const made = firstMissing(folder)
    try {
      return await work()
    } finally {
      if (made !== undefined) removeEmpty(resolve(folder), made)
    }
  })
  last = turn.catch(() => undefined)
  return turn
}

/** The topmost folder on the way to `folder`, itself included, that is not there; undefined when all are. */
function firstMissing(folder: string): string | undefined {
  let missing: string | undefined
  for (let path = resolve(folder); !existsSync(path); path = dirname(path)) missing = path
  return missing
}

function removeEmpty(folder: string, top: string): void {
  try {
    for (let path = folder; path.startsWith(top); path = dirname(path)) rmdirSync(path)
  } catch {
    // Somebody has put something there meanwhile, or it was never made.
  }
}
