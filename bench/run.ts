/**
 * `npm run bench`: the microbenchmarks, then the engine and its peers end to end.
 *
 *   npm run bench -- [--micro] [--end-to-end] [--events 10_000_000] [--rounds 3] [--workers 1] [--quick] [--json FILE]
 *
 * --micro and --end-to-end leave the other one out.
 */
import { END_TO_END_DEFAULTS, type EndToEndReport, renderEndToEnd, runEndToEnd } from './end-to-end.ts'
import { MICRO_DEFAULTS, type MicroReport, renderMicro, runMicro } from './micro.ts'
import { scriptOptions } from './support/options.ts'
import { describePlace, type Place, place, writeJson } from './support/report.ts'
import { runScript } from './support/stand.ts'

interface Report {
  readonly place: Place
  readonly micro: MicroReport['stages'] | undefined
  readonly endToEnd: Omit<EndToEndReport, 'place'> | undefined
}

await runScript(async () => {
  const { json, ...options } = scriptOptions('bench/run.ts', {
    ...MICRO_DEFAULTS,
    ...END_TO_END_DEFAULTS,
    micro: false,
    'end-to-end': false,
    json: '',
  })
  const here = place()
  console.log(describePlace(here))
  let micro: MicroReport | undefined
  if (!options['end-to-end']) {
    micro = await runMicro({ ...options, only: '' })
    console.log(`\n${renderMicro(micro)}`)
  }
  let endToEnd: EndToEndReport | undefined
  if (!options.micro) {
    endToEnd = await runEndToEnd(options)
    console.log(`\n${renderEndToEnd(endToEnd)}`)
  }
  if (json !== '') {
    const report: Report = { place: here, micro: micro?.stages, endToEnd }
    writeJson(json, report)
  }
  return 0
})
