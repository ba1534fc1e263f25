/**
 * Profiles of the engine over a backlog; the run counts only when every event is in ClickHouse:
 *
 *   npm run profile:cpu      V8's own profile of every thread, and a table of the functions that take most time
 *   npm run profile:flame    a flame graph of the main thread by clinic, as a page
 *   npm run profile:doctor   what clinic makes of the event loop and the processor, of the main thread, as a page
 *
 *   node perf/profile.ts cpu|flame|doctor [--events 20_000_000] [--workers 1] [--top 15] [--into FOLDER]
 *
 * clinic is no dependency of the project, for it is huge: npx fetches it. Without npm's registry flame and doctor fail and say so.
 */
import { mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { formatCount } from '../src/text.ts'
import { loadBacklog, runEngine } from '../workshop/backlog.ts'
import { finished, repositoryPath, startProgram } from '../workshop/child.ts'
import { scriptOptions } from '../workshop/options.ts'
import { describePlace, place, table } from '../workshop/report.ts'
import { runScript, type Stand, withStand } from '../workshop/stand.ts'
import { type CpuProfile, readProfile, type ThreadProfile } from './cpu-profile.ts'

const PARTITIONS = 4
const PRODUCTS = 1000
const CLINIC = ['npx', '--yes', 'clinic@13.0.0'] as const
const FETCH_CLINIC_MAX_MS = 240_000

const [kind = '', ...words] = process.argv.slice(2)
if (kind !== 'cpu' && kind !== 'flame' && kind !== 'doctor') {
  console.error('usage: node perf/profile.ts cpu|flame|doctor [--events …] [--workers …] [--top …] [--into FOLDER]')
  process.exit(2)
}
const options = scriptOptions(
  `perf/profile.ts ${kind}`,
  { events: kind === 'cpu' ? 20_000_000 : 5_000_000, workers: 1, top: 15, into: '' },
  words,
)

async function main(stand: Stand): Promise<number> {
  const here = place()
  const into = resolve(options.into || repositoryPath(`.cache/profiles/${here.date.replaceAll(':', '')}-${kind}`))
  mkdirSync(into, { recursive: true })
  const { events, workers } = options
  await loadBacklog(stand, { events, partitions: PARTITIONS, generate: { products: PRODUCTS } })
  const profiler =
    kind === 'cpu'
      ? { execArgv: ['--cpu-prof', `--cpu-prof-dir=${into}`] }
      : { under: [...CLINIC, kind, '--open=false', '--dest', into, '--'] }
  const run = await runEngine(stand, { events, sets: [`engine.workers=${workers}`], ...profiler })
  const rate = formatCount(events / run.seconds)
  console.log(`${describePlace(here)}\n\n${formatCount(events)} events, all in the results, at ${rate}/s under the profiler`)
  if (kind === 'cpu') for (const profile of readProfiles(into)) console.log(`\n${render(profile)}`)
  const made = readdirSync(into).filter((file) => file.endsWith(kind === 'cpu' ? '.cpuprofile' : '.html'))
  if (made.length === 0) throw new Error(`${kind === 'cpu' ? 'node' : 'clinic'} has made nothing in ${into}`)
  console.log(`\n${made.map((file) => join(into, file)).join('\n')}`)
  return 0
}

/** Before anything is measured; clinic runs nothing, and says that all is well, when it may not ask for permission to report its use. */
async function fetchClinic(): Promise<void> {
  process.env.NO_INSIGHT = '1'
  const [command, ...args] = CLINIC
  const version = startProgram(command, [...args, '--version'], { folder: repositoryPath('') })
  await finished('clinic', version, FETCH_CLINIC_MAX_MS).catch((cause: Error) => {
    throw new Error(`clinic is not to be had (${[...CLINIC].join(' ')}): ${cause.message}`, { cause })
  })
}

/** By thread number, which is the last but one part of a file's name. */
function readProfiles(folder: string): ThreadProfile[] {
  const root = repositoryPath('')
  const number = (file: string) => Number(basename(file).split('.').at(-3))
  return readdirSync(folder)
    .filter((file) => file.endsWith('.cpuprofile'))
    .sort((a, b) => number(a) - number(b))
    .map((file) => readProfile(JSON.parse(readFileSync(join(folder, file), 'utf8')) as CpuProfile, root, String(number(file))))
}

function render({ thread, seconds, functions }: ThreadProfile): string {
  const rows = functions
    .slice(0, options.top)
    .map(({ name, place: at, seconds: self }) => [`${name} ${at}`, self.toFixed(2), `${((self / seconds) * 100).toFixed(1)} %`])
  return table([`${thread}, ${seconds.toFixed(1)} s`, 'self, s', 'share'], rows)
}

await runScript(async () => {
  if (kind !== 'cpu') await fetchClinic()
  return withStand(main)
})
