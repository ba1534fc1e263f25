/**
 * `npm run bench`: the microbenchmarks, then the engine and its peers end to end.
 *
 *   npm run bench -- [--micro] [--end-to-end] [--events 10_000_000] [--rounds 3] [--workers 1] [--only ctr,flink] [--quick]
 *                    [--json FILE] [--compare FILE [--loss 15] [--by min]]
 *
 * --micro and --end-to-end leave the other one out. The report goes to FILE, or into .cache/bench. --compare shows ratios to an earlier
 * report, and ends with code 1 when something of ours takes more than `loss` per cent longer, by the least or the median of its samples.
 */
import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { repositoryPath } from '../workshop/child.ts'
import { scriptOptions } from '../workshop/options.ts'
import { describePlace, place, writeJson } from '../workshop/report.ts'
import { runScript } from '../workshop/stand.ts'
import { type BenchReport, readBenchReport } from './bench-report.ts'
import { compareReports, renderComparison } from './compare.ts'
import { END_TO_END_DEFAULTS, renderEndToEnd, runEndToEnd } from './end-to-end.ts'
import { MICRO_DEFAULTS, renderMicro, runMicro } from './micro.ts'

const COMPARE_DEFAULTS = { compare: '', loss: 15, by: 'min' }

await runScript(async () => {
  const { json, compare, loss, by, ...options } = scriptOptions('bench/run.ts', {
    ...MICRO_DEFAULTS,
    ...END_TO_END_DEFAULTS,
    ...COMPARE_DEFAULTS,
    micro: false,
    'end-to-end': false,
    json: '',
  })
  if (by !== 'min' && by !== 'median') throw new Error(`--by ${by}: min or median`)
  const before = compare === '' ? undefined : readBenchReport(compare)
  const here = place()
  console.log(describePlace(here))
  const micro = options['end-to-end'] ? undefined : (await runMicro({ ...options, only: '' })).stages
  if (micro !== undefined) console.log(`\n${renderMicro({ stages: micro })}`)
  const endToEnd = options.micro ? undefined : await runEndToEnd(options)
  if (endToEnd !== undefined) console.log(`\n${renderEndToEnd(endToEnd)}`)
  const report: BenchReport = { kind: 'bench', place: here, micro, endToEnd }
  const file = json === '' ? repositoryPath(`.cache/bench/${here.date.replaceAll(':', '')}-${here.commit}.json`) : json
  mkdirSync(dirname(file), { recursive: true })
  writeJson(file, report)
  console.log(`\nwritten to ${file}`)
  if (before === undefined) return 0
  const comparison = compareReports(report, before, { loss: loss / 100, by })
  console.log(`\n${renderComparison(comparison, loss / 100, before)}`)
  return comparison.compared.some(({ failed }) => failed) ? 1 : 0
})
