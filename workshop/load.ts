/** Generated events into the stand's topics, by a process of their own. */
import type { LoadResult } from '../src/load/produce.ts'
import { startChild } from './child.ts'
import type { LoadOrder, LoadReport } from './load-process.ts'
import type { Stand } from './stand.ts'

/** The two topics that benches use, but for those that compare topics. */
export const TOPICS: readonly string[] = ['impressions', 'clicks']

export interface Load {
  /** Acknowledged by the broker, as of about a second ago. */
  readonly events: number
  /** Rejects when the load failed, or when the broker does not hold exactly what was sent. */
  readonly done: Promise<LoadResult>
  /** Ends the load early; what was sent stays. */
  enough(): void
}

/** Event times of backlogs: a fixed base, so that the same options give the same events. */
export const BACKLOG_FROM = Date.UTC(2026, 0, 1)

/** Into TOPICS, unless `order` names others. */
export function startLoad(stand: Stand, order: Omit<LoadOrder, 'brokers' | 'topics'> & Partial<Pick<LoadOrder, 'topics'>>): Load {
  const child = startChild('workshop/load-process.ts', [], { folder: stand.folder, ipc: true })
  let events = 0
  const done = new Promise<LoadResult>((resolve, reject) => {
    child.process.on('message', (report: LoadReport) => {
      if (report.kind === 'progress') events = report.events
      else if (report.kind === 'failed') reject(new Error(`the load failed: ${report.message}`))
      else {
        events = report.result.events
        if (report.result.complete) resolve(report.result)
        else reject(new Error('the end offsets did not grow by exactly what was sent'))
      }
    })
    child.ended.then(({ stderr }) => reject(new Error(`the load ended without a result:\n${stderr.join('\n')}`)), reject)
  })
  done.catch(() => {})
  const full: LoadOrder = { topicConfig: { 'retention.ms': '-1' }, topics: TOPICS, ...order, brokers: stand.brokers }
  child.process.send(full)
  return {
    get events() {
      return events
    },
    done,
    enough: () => void child.process.send('enough'),
  }
}
