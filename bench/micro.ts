/**
 * Microbenchmarks of every stage, each checked before and after it is timed:
 *
 *   node bench/micro.ts [--only ring] [--time 500] [--quick] [--json FILE]
 *
 * One thread, one core, warm caches: a figure says what a stage costs at best, and where a change made it worse.
 */
import { checksumStages } from './decode/checksum.ts'
import { codecStages } from './decode/codecs.ts'
import { dictionaryStages } from './decode/dictionary.ts'
import { framingStages } from './decode/framing.ts'
import { ingestStages } from './decode/ingest.ts'
import { parseStages } from './decode/parse.ts'
import { ringStages } from './ring/ring.ts'
import { rowStages } from './sink/row.ts'
import { type StageFigures, type StageMaker, timeStage } from './stage.ts'
import { scriptOptions } from './support/options.ts'
import { describePlace, type Place, place, significant, table, writeJson } from './support/report.ts'
import { runScript } from './support/stand.ts'
import { paneStages } from './window/pane.ts'

/** In the data's order. */
const PARTS: Readonly<Record<string, StageMaker>> = {
  framing: framingStages,
  parse: parseStages,
  dictionary: dictionaryStages,
  ring: ringStages,
  pane: paneStages,
  row: rowStages,
  ingest: ingestStages,
  checksum: checksumStages,
  codecs: codecStages,
}

export interface MicroOptions {
  /** One of PARTS; '' for all. */
  readonly only: string
  /** ms that every stage is timed. */
  readonly time: number
  /** Small inputs and next to no time: shows that the benches still work, not how fast anything is. */
  readonly quick: boolean
}

export interface MicroReport {
  readonly place: Place
  readonly stages: readonly StageFigures[]
}

export const MICRO_DEFAULTS = { only: '', time: 500, quick: false }

const QUICK_MS = 5

/** Throws when a stage is wrong. */
export async function runMicro(
  { only, time, quick }: MicroOptions,
  onStage: (figures: StageFigures) => void = () => {},
): Promise<MicroReport> {
  const parts = Object.entries(PARTS).filter(([name]) => only === '' || name === only)
  if (parts.length === 0) throw new Error(`--only ${only}: not one of ${Object.keys(PARTS).join(', ')}`)
  const timing = quick ? { timeMs: QUICK_MS, warmupMs: 0 } : { timeMs: time, warmupMs: time / 2 }
  const stages: StageFigures[] = []
  for (const [, make] of parts) {
    for (const stage of make(quick)) {
      const figures = await timeStage(stage, timing)
      stages.push(figures)
      onStage(figures)
    }
  }
  return { place: place(), stages }
}

/** What a person reads. */
export function renderMicro({ stages }: MicroReport): string {
  const rows = stages.map(({ name, unit, min, median, high, samples }) => {
    return [name, unit, significant(median), significant(min), significant(high), significant(1e3 / median), String(samples)]
  })
  return table(['', 'unit', 'ns, median', 'min', 'p99', 'M/s', 'samples'], rows)
}

if (import.meta.main) {
  await runScript(async () => {
    const { json, ...options } = scriptOptions('bench/micro.ts', { ...MICRO_DEFAULTS, json: '' })
    const report = await runMicro(options, ({ name }) => process.stderr.write(`${name}\n`))
    console.log(`${describePlace(report.place)}\n\n${renderMicro(report)}`)
    if (json !== '') writeJson(json, report)
    return 0
  })
}
