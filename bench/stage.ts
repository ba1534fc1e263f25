/** A stage of the engine under the microbenchmark: what it does, how much of it a call does, and how it is known to be right. */
import { Bench } from 'tinybench'
import { quantile } from '../workshop/report.ts'

export interface Stage {
  readonly name: string
  /** What a figure is per. */
  readonly unit: 'event' | 'lookup' | 'batch' | 'row' | 'byte'
  /** Units of one call. */
  readonly units: number
  /** Does the work once; the same result every time, kept alive by the bench. */
  readonly run: () => number
  /** What `run` gives when it is right, come by in another way than by the stage itself. */
  readonly expected: number
  readonly close?: () => Promise<unknown>
}

/** Stages of one part, made when they are about to run: some need much memory. `quick` asks for the smallest that still means something. */
export type StageMaker = (quick: boolean) => readonly Stage[]

export interface StageFigures {
  readonly name: string
  readonly unit: Stage['unit']
  /** ns per unit. Over the samples, each of them one call. */
  readonly min: number
  readonly median: number
  /** 99th percentile. */
  readonly high: number
  readonly samples: number
  /** The samples as quantiles, every twentieth of them from the least to the most. */
  readonly spread: readonly number[]
}

const SPREAD_STEPS = 20

export interface StageTiming {
  readonly timeMs: number
  readonly warmupMs: number
}

/** Checks the stage, times it, checks it again. Throws when a result is wrong. */
export async function timeStage(stage: Stage, { timeMs, warmupMs }: StageTiming): Promise<StageFigures> {
  try {
    check(stage)
    let sink = 0
    const bench = new Bench({
      time: timeMs,
      warmupTime: warmupMs,
      iterations: 3,
      warmupIterations: 2,
      retainSamples: true,
      throws: true,
    })
    bench.add(
      stage.name,
      () => {
        sink += stage.run()
      },
      { async: false },
    )
    await bench.run()
    check(stage)
    if (Number.isNaN(sink)) throw new Error(`${stage.name}: a result was not a number`)
    const result = bench.tasks[0]?.result
    if (result === undefined || !('latency' in result)) throw new Error(`${stage.name}: not timed (${result?.state})`)
    const samples = result.latency.samples ?? []
    const perUnit = (share: number) => (quantile(samples, share) * 1e6) / stage.units
    const spread = Array.from({ length: SPREAD_STEPS + 1 }, (_, step) => perUnit(step / SPREAD_STEPS))
    const { name, unit } = stage
    return { name, unit, min: perUnit(0), median: perUnit(0.5), high: perUnit(0.99), samples: samples.length, spread }
  } finally {
    await stage.close?.()
  }
}

function check({ name, run, expected }: Stage): void {
  const got = run()
  if (got !== expected) throw new Error(`${name} is wrong, so it isn't timed: ${got} instead of ${expected}`)
}
