/** How engines of a perf run are ended, and how a run hears of an end that nobody asked for. */

import { sleep } from '../src/clock.ts'
import type { Ended } from '../workshop/child.ts'
import type { Engine } from '../workshop/engine.ts'
import type { Load } from '../workshop/load.ts'

const DRAIN_MAX_MS = 40_000

/** Ends the engine; throws when it doesn't end as it should. */
export async function endBy(engine: Engine, signal: 'SIGTERM' | 'SIGKILL'): Promise<Ended> {
  // A process that has not yet got to its own handlers dies of the signal, which is as good.
  const young = engine.milestones.running === undefined
  engine.process.kill(signal)
  const ended = await within(DRAIN_MAX_MS, engine.ended, `the engine does not end by ${signal}`)
  const fine = signal === 'SIGKILL' ? ended.signal === signal : ended.code === 0 || (young && ended.signal === signal)
  if (!fine) throw new Error(`the engine ended with ${ended.code ?? ended.signal} after ${signal}:\n${ended.stderr.join('\n')}`)
  return ended
}

/** Waits for `work`, unless the load fails or one of the engines ends meanwhile. */
export async function unlessFailed<T>(load: Load, engines: readonly Engine[], work: Promise<T>): Promise<T> {
  const loadFails = load.done.then(() => new Promise<never>(() => {}))
  const ends = engines.map((engine) =>
    engine.ended.then(({ code, signal, stderr }) => {
      throw new Error(`the engine ended by itself with ${code ?? signal}:\n${stderr.join('\n')}`)
    }),
  )
  for (const end of ends) end.catch(() => {})
  return Promise.race([work, loadFails, ...ends])
}

/** Waits for `work`; throws `otherwise` when it takes longer. */
export async function within<T>(maxMs: number, work: Promise<T>, otherwise: string): Promise<T> {
  const patience = new AbortController()
  const late = sleep(maxMs, patience.signal).then(() => {
    if (patience.signal.aborted) return new Promise<never>(() => {})
    throw new Error(`${otherwise} within ${maxMs / 1000} s`)
  })
  try {
    return await Promise.race([work, late])
  } finally {
    patience.abort()
  }
}
