/** What the acknowledgement of a batch says of how late its windows are to be read. */
import type { Closings } from '../window/closings.ts'
import type { Batch } from './batch.ts'
import { countEmitDelay, countLatency } from './sink-stats.ts'

/** `now` is wall time, ms. Of a window that no record has closed, or of which nothing is known, only the delay is counted. */
export function countDelivered(slots: Float64Array, closings: Closings | undefined, batch: Batch, now: number): void {
  batch.firstEnds.forEach((windowEnd, i) => {
    countEmitDelay(slots, (now - windowEnd) / 1000)
    if (closings?.find(batch.firstTasks[i]!, windowEnd) !== true || Number.isNaN(closings.closedAt)) return
    const { closedAt, publishedAt } = closings
    countLatency(slots, { closedAt, publishedAt, cameAt: batch.firstCame[i]!, acknowledgedAt: now })
  })
}
