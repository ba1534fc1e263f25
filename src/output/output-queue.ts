/**
 * What every output has in common: records wait as lines of JSON in a bounded queue, one batch of them is being delivered at a time, in
 * order, and is tried again with backoff until it is. So what is delivered is always a prefix of what was put.
 */
import type { Logger } from 'pino'
import { assert } from '../assert.ts'
import { type Backoff, backoffMs } from '../backoff.ts'
import { sleep } from '../clock.ts'
import { CtrError } from '../errors.ts'
import { deadLetterOf } from './dead-letter.ts'
import type { Output, OutputLabel, OutputRecord } from './output.ts'

const QUEUE_MAX_BYTES = 8 * 1024 * 1024
const BATCH_MAX_BYTES = 512 * 1024
const BACKOFF: Backoff = { firstMs: 100, maxMs: 10_000, shares: [0.5, 1] }
const CLOSE_MAX_MS = 5_000

/** One way of delivering. */
export interface Destination {
  /** For logs: "topic ctr-dead-letters". */
  readonly place: string
  /** Resolves when the lines are safe where they belong. */
  deliver(lines: readonly Buffer[]): Promise<void>
  close(): Promise<void>
}

interface Waiter {
  readonly sequence: number
  resolve(): void
  reject(error: Error): void
}

/** An output over one way of delivering. `queueMaxBytes` bounds what waits, and 'full' is where it begins. */
export function outputQueue(delivery: Destination, { records }: OutputLabel, logger: Logger, queueMaxBytes = QUEUE_MAX_BYTES): Output {
  const closing = new AbortController()
  const lines: Buffer[] = []
  const waitForDelivery: Waiter[] = []
  let waitForRoom: (() => void)[] = []
  let queuedBytes = 0
  let put = 0
  let acknowledged = 0
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
        const message = `${records} not delivered to ${delivery.place}: ${reason}`
        if (attempt > 0) trouble = message
        logger.error({ code: 'CTR_DEAD_LETTER', waiting: lines.length, attempt }, `${message}; trying again`)
        await sleep(backoffMs(++attempt, BACKOFF), closing.signal)
        continue
      }
      attempt = 0
      trouble = undefined
      lines.splice(0, batch.length)
      acknowledged += batch.length
      for (const line of batch) queuedBytes -= line.length
      while (waitForDelivery[0] !== undefined && waitForDelivery[0].sequence <= acknowledged) waitForDelivery.shift()?.resolve()
      if (!full()) for (const resolve of waitForRoom.splice(0)) resolve()
    }
  }

  return {
    get full() {
      return full()
    },
    get trouble() {
      return trouble
    },
    put(record: OutputRecord) {
      assert(!closing.signal.aborted, 'nothing is put into an output after close')
      const line = Buffer.from(JSON.stringify(deadLetterOf(record)))
      lines.push(line)
      queuedBytes += line.length
      put++
      running ??= delivering().finally(() => {
        running = undefined
      })
    },
    room: () => (full() && !closing.signal.aborted ? new Promise((resolve) => waitForRoom.push(resolve)) : Promise.resolve()),
    delivered: () =>
      acknowledged === put ? Promise.resolve() : new Promise((resolve, reject) => waitForDelivery.push({ sequence: put, resolve, reject })),
    async close() {
      const patience = new AbortController()
      await Promise.race([running, sleep(CLOSE_MAX_MS, patience.signal)])
      patience.abort()
      closing.abort()
      if (lines.length > 0) logger.error({ waiting: lines.length }, `closed with ${records} undelivered to ${delivery.place}`)
      const error = new CtrError('CTR_DEAD_LETTER', `closed before the ${records} were delivered to ${delivery.place}`)
      for (const { reject } of waitForDelivery.splice(0)) reject(error)
      for (const resolve of waitForRoom) resolve()
      waitForRoom = []
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
