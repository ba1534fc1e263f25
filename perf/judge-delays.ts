/** A steady run's verdict with the delay of every window: rows against the oracle, and when each window could be read. */
import { TOPICS } from '../workshop/load.ts'
import type { OracleRecord } from '../workshop/oracle.ts'
import type { Stand } from '../workshop/stand.ts'
import { Closings } from './closings.ts'
import { type Delays, faultsOfDelays, generatedTime, measureDelays } from './emit-delay.ts'
import { faultsOf, judgeStand, type Verdict } from './verdict.ts'
import type { Watch } from './watch.ts'

/** What ran: times in ms, and how many events were sent, none of them late or invalid. */
export interface SteadyRun {
  readonly database: string
  readonly windowSize: number
  readonly outOfOrderness: number
  readonly watch: Watch
  readonly sent: number
}

export interface DelayVerdict {
  readonly verdict: Verdict
  readonly delays: Delays
  /** What is wrong, one line each; empty when all is right. */
  readonly faults: string[]
}

/** Reads the topics back once, for the oracle and for the times at which windows were closed. */
export async function judgeDelays(stand: Stand, { database, windowSize, outOfOrderness, watch, sent }: SteadyRun): Promise<DelayVerdict> {
  const closings = new Closings({ topics: TOPICS, windowSize, outOfOrderness })
  const show = ({ topic, partition, recordTimestamp, value }: OracleRecord) =>
    closings.add(topic, partition, generatedTime(value), recordTimestamp)
  const verdict = await judgeStand(stand, database, show, { windowSize })
  const faults = faultsOf(verdict)
  if (verdict.counted !== sent) faults.push(`the oracle counts ${verdict.counted} events, ${sent} were sent`)
  const delays = measureDelays(verdict.rows, closings, watch)
  faults.push(...faultsOfDelays(delays))
  return { verdict, delays, faults }
}
