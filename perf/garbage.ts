/**
 * `npm run perf:garbage`: what the engine's threads allocate per event in steady state, and how long collections stop them.
 *
 *   node perf/garbage.ts [--events 20_000_000] [--workers 1] [--products 1000] [--formats json,json-schema,avro,protobuf]
 *                        [--json FILE]
 *
 * For each of the formats a run over a backlog of the same events, with V8's own trace of every collection in every thread. Steady state:
 * from a second after the engine runs until it drains. A thread's allocation is the growth of its heap and what its collections have freed
 * meanwhile; events are taken to be read evenly. Sums are checked first; what is promised is told as met or not met.
 */
import { mkdtempSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { formatCount } from '../src/text.ts'
import { type Apicurio, startApicurio } from '../workshop/apicurio.ts'
import { type EngineRun, loadBacklog, runEngine } from '../workshop/backlog.ts'
import { repositoryPath } from '../workshop/child.ts'
import { formatTopics, type MadeFormat } from '../workshop/format-topics.ts'
import { scriptOptions } from '../workshop/options.ts'
import { describePlace, place, significant, table, writeJson } from '../workshop/report.ts'
import { runScript, type Stand, withStand } from '../workshop/stand.ts'
import { byThread, garbageOf, type HeapSample, type NamedThread, pauseQuantile, readTrace, type ThreadGarbage } from './gc-trace.ts'

const PARTITIONS = 4
const WARM_UP_MS = 1000
/** What is promised, per event and per collection. */
const MAIN_BYTES_MAX = 1
/** Rows are made of windows, not of events: what that takes rounds to nothing. */
const WORKER_BYTES_MAX = 0.05
const PAUSE_P99_MS_MAX = 5

const FORMATS: readonly MadeFormat[] = ['json', 'json-schema', 'avro', 'protobuf']

const options = scriptOptions('perf/garbage.ts', { events: 20_000_000, workers: 1, products: 1000, formats: 'json', json: '' })

/** What was measured of a format. */
interface Measured {
  readonly format: MadeFormat
  readonly seconds: number
  readonly eventsPerSecond: number
  readonly threads: readonly ThreadGarbage[]
}

async function main(stand: Stand, formats: readonly MadeFormat[]): Promise<number> {
  await using registry = formats.some((format) => format !== 'json') ? await startApicurio() : undefined
  const here = place()
  console.log(describePlace(here))
  const measured: Measured[] = []
  for (const format of formats) {
    const one = await measure(stand, format, registry)
    measured.push(one)
    console.log(`\n${render(one)}`)
  }
  const report = { place: here, options, measured }
  if (options.json !== '') writeJson(options.json, report)
  return 0
}

async function measure(stand: Stand, format: MadeFormat, registry: Apicurio | undefined): Promise<Measured> {
  const { events, workers, products } = options
  const { topics, encoding, sets } = await formatTopics(format, format, registry)
  await loadBacklog(stand, { events, topics, encoding, partitions: PARTITIONS, generate: { products } })
  const folder = mkdtempSync(join(stand.folder, 'garbage-'))
  const preload = pathToFileURL(repositoryPath('perf/garbage-preload.ts'))
  preload.searchParams.set('into', pathToFileURL(folder).href)
  const run = await runEngine(stand, {
    events,
    topics,
    sets: [`engine.workers=${workers}`, ...sets],
    execArgv: ['--trace-gc-nvp', '--expose-gc', '--import', preload.href],
  })
  const threads = readThreads(run, folder, events)
  return { format, seconds: run.seconds, eventsPerSecond: events / run.seconds, threads }
}

function readThreads(run: EngineRun, folder: string, events: number): ThreadGarbage[] {
  const read = <T>(file: string) => JSON.parse(readFileSync(join(folder, file), 'utf8')) as T
  const files = readdirSync(folder).filter((file) => file.startsWith('thread-'))
  let workers = 0
  const threads = files
    .map((file) => read<NamedThread>(file))
    .sort((a, b) => a.thread - b.thread)
    .map((one) => (one.name === 'WorkerThread' ? { ...one, name: `worker ${workers++}` } : one))
  const samples = read<HeapSample[]>('samples.json')
  const span = { from: run.running + WARM_UP_MS, to: run.draining }
  const collections = byThread(readTrace(withoutSummary(run.stdout, events), run.pid), threads)
  return threads.map((thread) => garbageOf(thread, collections.get(thread.thread) ?? [], samples, span))
}

/** The trace comes in blocks that end within a line, and the run's summary may stand in between. */
function withoutSummary(stdout: string, events: number): string {
  const from = stdout.indexOf(`${formatCount(events)} events in `)
  const end = 'in every partition\n'
  return stdout.slice(0, from) + stdout.slice(stdout.indexOf(end, from) + end.length)
}

function render({ format, threads, eventsPerSecond: perSecond }: Measured): string {
  const perEvent = ({ allocatedBytes, seconds }: ThreadGarbage) => allocatedBytes / (seconds * perSecond)
  const mebibytes = (bytes: number) => (bytes / 2 ** 20).toFixed(1)
  const rows = threads.map((thread) => [
    thread.name,
    formatCount(thread.seconds * perSecond),
    perEvent(thread).toFixed(3),
    String(thread.collections),
    String(thread.fullCollections),
    ...[0.5, 0.99, 1].map((share) => pauseQuantile(thread.pausesMs, share).toFixed(1)),
    thread.external.map(mebibytes).join(' to '),
  ])
  const head = ['thread', 'events', 'bytes/event', 'collections', 'full', 'pause p50, ms', 'p99', 'max', 'outside, MiB']
  const workers = threads.filter(({ name }) => name.startsWith('worker '))
  const most = Math.max(...threads.map(({ pausesMs }) => pauseQuantile(pausesMs, 0.99)))
  return [
    `${format}: ${formatCount(options.events)} events, all in the results, at ${formatCount(perSecond)}/s; ${options.workers} worker(s)`,
    '',
    table(head, rows),
    '',
    'events: of the steady state that was looked at; outside: memory outside of the heap, such as buffers, at least and at most',
    verdict('main allocates', perEvent(threads[0]!), '<', MAIN_BYTES_MAX, 'bytes per event'),
    ...workers.map((worker) => verdict(`${worker.name} allocates`, perEvent(worker), '<', WORKER_BYTES_MAX, 'bytes per event')),
    verdict('the 99th percentile of pauses is', most, '<=', PAUSE_P99_MS_MAX, 'ms in every thread'),
  ].join('\n')
}

function verdict(what: string, found: number, how: '<' | '<=', wanted: number, unit: string): string {
  const met = how === '<' ? found < wanted : found <= wanted
  return `${met ? 'met    ' : 'not met'}  ${what} ${significant(found)}, wanted ${how} ${wanted} ${unit}`
}

/** Refuses what it does not know before anything is started. */
function formatsOf(names: string): readonly MadeFormat[] {
  return names.split(',').map((name) => {
    const format = FORMATS.find((one) => one === name)
    if (format === undefined) throw new Error(`--formats ${name}: not one of ${FORMATS.join(', ')}`)
    return format
  })
}

await runScript(async () => {
  const formats = formatsOf(options.formats)
  return withStand((stand) => main(stand, formats))
})
