/**
 * What the process remembers, from one start to the next: written on a clean stop to where checkpoints are kept, under the name of the
 * process (`kafka.clientId`), and read back at the start. Nothing depends on it, so nothing waits for it for long.
 */
import { historyKey } from '../checkpoint/manifest.ts'
import { sleep } from '../clock.ts'
import type { Config } from '../config/schema.ts'
import type { History } from '../history/history.ts'
import { decodeHistory, encodeHistory } from '../history/kept-history.ts'
import type { Logger } from '../log.ts'
import type { ObjectStore } from '../store/object-store.ts'
import { openStore } from '../store/open-store.ts'

const READ_MAX_MS = 3_000
/** A stop waits for it. */
const WRITE_MAX_MS = 1_000

type Kept = Pick<Config, 'checkpoint' | 'kafka'>

/** Puts back what an earlier process has kept. Never rejects. */
export async function restoreHistory(config: Kept, history: History, now: number, log: Logger): Promise<void> {
  const limits = { maxMs: READ_MAX_MS, failed: 'the history of the last run is left out' }
  await within(config, log, limits, async (store, key, signal) => {
    const bytes = await store.get(key, signal)
    const kept = bytes && decodeHistory(bytes)
    if (kept !== undefined) history.restore(kept, now)
    else if (bytes !== undefined) log.warn({ key }, 'the history of the last run is left out: it is damaged, or of another version')
  })
}

/** Never rejects. */
export async function keepHistory(config: Kept, history: History, now: number, log: Logger): Promise<void> {
  const limits = { maxMs: WRITE_MAX_MS, failed: 'the history is not kept' }
  await within(config, log, limits, async (store, key, signal) => {
    await store.put(key, encodeHistory(history.keep(now)), { signal })
  })
}

async function within(
  { checkpoint, kafka }: Kept,
  log: Logger,
  { maxMs, failed }: { readonly maxMs: number; readonly failed: string },
  act: (store: ObjectStore, key: string, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const life = new AbortController()
  const acting = async () => {
    const store = await openStore(checkpoint)
    if (store === undefined) return
    try {
      await act(store, historyKey(kafka.groupId, kafka.clientId), life.signal)
    } finally {
      await store.close()
    }
  }
  const late = sleep(maxMs, life.signal).then(() => {
    if (!life.signal.aborted) throw new Error(`not within ${maxMs / 1000} s`)
  })
  await Promise.race([acting(), late])
    .catch((error: unknown) => log.warn({ err: error }, failed))
    .finally(() => life.abort())
}
