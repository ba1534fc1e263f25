/**
 * What every dead-letter office has in common: letters wait as lines of JSON in a bounded queue, one batch of them is being delivered at a
 * time, in order, and is tried again with backoff until it is. So "delivered" is always a prefix of what was put.
 */
import type { Logger } from 'pino'
import { assert } from '../assert.ts'
import { type Backoff, backoffMs } from '../backoff.ts'
import { sleep } from '../clock.ts'
import { CtrError } from '../errors.ts'
import type { DeadLetter, DeadLetterOffice } from './dead-letter.ts'

const QUEUE_MAX_BYTES = 8 * 1024 * 1024
const BATCH_MAX_BYTES = 512 * 1024
const BACKOFF: Backoff = { firstMs: 100, maxMs: 10_000, shares: [0.5, 1] }
const CLOSE_MAX_MS = 5_000

/** One way of delivering. */
export interface LetterDelivery {
  /** For logs: "topic ctr-dead-letters". */
  readonly place: string
  /** Resolves when the letters are safe where they belong. */
  deliver(lines: readonly Buffer[]): Promise<void>
  close(): Promise<void>
}

interface Waiter {
  readonly sequence: number
  resolve(): void
  reject(error: Error): void
}

/** An office over one way of delivering. `queueMaxBytes` bounds what waits, and 'full' is where it begins. */
export function letterQueue(delivery: LetterDelivery, logger: Logger, queueMaxBytes = QUEUE_MAX_BYTES): DeadLetterOffice {
  const closing = new AbortController()
  const lines: Buffer[] = []
  const settlers: Waiter[] = []
  let roomers: (() => void)[] = []
  let queuedBytes = 0
  let put = 0
  let delivered = 0
  let running: Promise<void> | undefined
  let trouble: string | undefined

  const full = () => queuedBytes >= queueMaxBytes
  const delivering = async () => {
    for (let attempt = 0; lines.length > 0 && !closing.signal.aborted; ) {
      const batch = firstBatch(lines)
      try {
        await delivery.deliver(batch)
      } catch (error) {
        if (closing.signal.aborted) return
        const reason = error instanceof Error ? error.message : String(error)
        const message = `dead letters not delivered to ${delivery.place}: ${reason}`
        if (attempt > 0) trouble = message
        logger.error({ code: 'CTR_DEAD_LETTER', waiting: lines.length, attempt }, `${message}; trying again`)
        await sleep(backoffMs(++attempt, BACKOFF), closing.signal)
        continue
      }
      attempt = 0
      trouble = undefined
      lines.splice(0, batch.length)
      delivered += batch.length
      for (const line of batch) queuedBytes -= line.length
      while (settlers[0] !== undefined && settlers[0].sequence <= delivered) settlers.shift()?.resolve()
      if (!full()) for (const resolve of roomers.splice(0)) resolve()
    }
  }

  return {
    get full() {
      return full()
    },
    get trouble() {
      return trouble
    },
    put(letter: DeadLetter) {
      assert(!closing.signal.aborted, 'no dead letter is put after close')
      const line = Buffer.from(JSON.stringify(letter))
      lines.push(line)
      queuedBytes += line.length
      put++
      running ??= delivering().finally(() => {
        running = undefined
      })
    },
    room: () => (full() && !closing.signal.aborted ? new Promise((resolve) => roomers.push(resolve)) : Promise.resolve()),
    settled: () =>
      delivered === put ? Promise.resolve() : new Promise((resolve, reject) => settlers.push({ sequence: put, resolve, reject })),
    async close() {
      const patience = new AbortController()
      await Promise.race([running, sleep(CLOSE_MAX_MS, patience.signal)])
      patience.abort()
      closing.abort()
      if (lines.length > 0) logger.error({ waiting: lines.length }, `closed with dead letters undelivered to ${delivery.place}`)
      const error = new CtrError('CTR_DEAD_LETTER', `closed before the dead letters were delivered to ${delivery.place}`)
      for (const { reject } of settlers.splice(0)) reject(error)
      for (const resolve of roomers) resolve()
      roomers = []
      await delivery.close()
    },
  }
}

/** As many of the first lines as make a batch; one at least. */
function firstBatch(lines: readonly Buffer[]): Buffer[] {
  let bytes = 0
  let count = 0
  for (; count < lines.length; count++) {
    bytes += lines[count]?.length ?? 0
    if (bytes > BATCH_MAX_BYTES && count > 0) break
  }
  return lines.slice(0, count)
}
