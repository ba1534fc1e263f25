/**
 * Microbenchmarks of every stage, each checked before and after it is timed:
 *
 *   node bench/micro.ts [--only ring] [--time 500] [--quick] [--json FILE]
 *
 * One thread, one core, warm caches: a figure says what a stage costs at best, and where a change made it worse.
 */
import { Worker } from 'node:worker_threads'
import { scriptOptions } from '../workshop/options.ts'
import { describePlace, place, significant, table, writeJson } from '../workshop/report.ts'
import { runScript } from '../workshop/stand.ts'
import type { BenchReport, MicroReport } from './bench-report.ts'
import { PARTS } from './parts.ts'
import { type StageFigures, timeStage } from './stage.ts'
import type { StageJob, StageOutcome } from './stage-thread.ts'

export interface MicroOptions {
  /** One of PARTS; '' for all. */
  readonly only: string
  /** ms that every stage is timed. */
  readonly time: number
  /** Small inputs, next to no time and no threads: shows that the benches still work, not how fast anything is. */
  readonly quick: boolean
}

export const MICRO_DEFAULTS = { only: '', time: 500, quick: false }

const QUICK = { timeMs: 5, warmupMs: 0 }

/** Throws when a stage is wrong. */
export async function runMicro(
  { only, time, quick }: MicroOptions,
  onStage: (figures: StageFigures) => void = () => {},
): Promise<MicroReport> {
  const parts = Object.entries(PARTS).filter(([name]) => only === '' || name === only)
  if (parts.length === 0) throw new Error(`--only ${only}: not one of ${Object.keys(PARTS).join(', ')}`)
  const stages: StageFigures[] = []
  const keep = (figures: StageFigures) => {
    stages.push(figures)
    onStage(figures)
  }
  for (const [part, make] of parts) {
    if (quick) for (const stage of make(quick)) keep(await timeStage(stage, QUICK))
    else {
      for (let index = 0, more = true; more; index++) {
        const outcome = await inThread({ part, index, timeMs: time, warmupMs: time / 2 })
        keep(outcome.figures)
        more = outcome.more
      }
    }
  }
  return { place: place(), stages }
}

/** A thread of its own: what the compiler has learned from one stage must not make another one slower, or faster. */
async function inThread(job: StageJob): Promise<StageOutcome> {
  const thread = new Worker(new URL('./stage-thread.ts', import.meta.url), { workerData: job })
  try {
    return await new Promise<StageOutcome>((resolve, reject) => {
      thread.once('message', resolve).once('error', reject)
    })
  } finally {
    await thread.terminate()
  }
}

/** What a person reads. */
export function renderMicro({ stages }: Pick<MicroReport, 'stages'>): string {
  const rows = stages.map(({ name, unit, min, median, high, samples }) => {
    return [name, unit, significant(median), significant(min), significant(high), significant(1e3 / median), String(samples)]
  })
  return table(['', 'unit', 'ns, median', 'min', 'p99', 'M/s', 'samples'], rows)
}

if (import.meta.main) {
  await runScript(async () => {
    const { json, ...options } = scriptOptions('bench/micro.ts', { ...MICRO_DEFAULTS, json: '' })
    const { place: here, stages } = await runMicro(options, ({ name }) => process.stderr.write(`${name}\n`))
    console.log(`${describePlace(here)}\n\n${renderMicro({ stages })}`)
    const report: BenchReport = { kind: 'bench', place: here, micro: stages, endToEnd: undefined }
    if (json !== '') writeJson(json, report)
    return 0
  })
}
