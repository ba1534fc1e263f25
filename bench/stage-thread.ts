/** Entry of the thread that times one stage: StageJob is its workerData, StageOutcome its only message. */
import { parentPort, workerData } from 'node:worker_threads'
import { PARTS } from './parts.ts'
import { type StageFigures, type StageTiming, timeStage } from './stage.ts'

export interface StageJob extends StageTiming {
  readonly part: string
  /** Of the stage within its part. */
  readonly index: number
}

export interface StageOutcome {
  readonly figures: StageFigures
  /** The part has a stage after this one. */
  readonly more: boolean
}

const { part, index, ...timing } = workerData as StageJob
const stages = PARTS[part]?.(false) ?? []
const stage = stages[index]
if (stage === undefined) throw new Error(`${part} has no stage ${index}`)
for (const other of stages) if (other !== stage) await other.close?.()
const outcome: StageOutcome = { figures: await timeStage(stage, timing), more: index + 1 < stages.length }
parentPort?.postMessage(outcome)
