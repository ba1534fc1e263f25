/** `ctr replay`: the same engine over files of JSON, CSV or Avro, bounded. */
import { once } from 'node:events'
import { loadConfig } from '../config/load.ts'
import type { Config } from '../config/schema.ts'
import { CtrError } from '../errors.ts'
import { FileSchemas } from '../format/file-schemas.ts'
import { timeReader } from '../format/format.ts'
import type { PipelineStats } from '../metrics/stats.ts'
import { fileOutput } from '../output/file-output.ts'
import { openLateFile } from '../output/open-output.ts'
import { DEAD_LETTERS } from '../output/output.ts'
import { privacyOf } from '../privacy/privacy.ts'
import { assemble } from '../run/assemble.ts'
import { interrupted } from '../run/left-undone.ts'
import { stateLimits } from '../run/memory-plan.ts'
import type { Pipeline } from '../run/pipeline.ts'
import { REPLAY_TOPIC, replaySource } from '../source/replay-source.ts'
import { openView, type RunView, type ViewWish } from './attached.ts'
import { endingFault, expiredFault, outcomesOf } from './ending.ts'
import { startLocalPage } from './local-page.ts'
import type { ReplayOptions } from './options.ts'
import { inputNames, ReplayInputs } from './replay-inputs.ts'
import { rollUpAtEnd } from './roll-up-at-end.ts'
import { listenForStop, type Stop } from './signals.ts'
import { renderSummary } from './summary.ts'
import { sameConfig } from './verb.ts'
import { watch } from './watch.ts'

/** Where `replay` and `demo` put dead letters when the configuration names no file. */
export const LOCAL_LETTERS = './.ctr/dead-letters.jsonl'

/** And late events, when it names a topic for them. */
export const LOCAL_LATE = './.ctr/late-events.jsonl'

/** Runs the verb; returns the exit code. */
export async function replayVerb(files: readonly string[], options: ReplayOptions): Promise<number> {
  const config = loadConfig({ file: options.config, sets: options.set })
  if (config.events.time.source === 'record') {
    const remedy = 'name the field that has the time, with --set events.time.source=field'
    throw new CtrError('CTR_CONFIG', `events.time.source is record, but a line of a file has no timestamp; ${remedy}`)
  }
  stateLimits(config) // These throw before anything is opened.
  privacyOf(config)
  const view = openView(viewWish(files, options), { ...config.log, level: config.log.level === 'info' ? 'warn' : config.log.level })
  const { log } = view
  if (options.partitions !== undefined) log.warn({}, '--partitions has no effect any more: a file is one task; leave it out')
  const lettersFile = config.deadLetter.file ?? LOCAL_LETTERS
  const inputs = new ReplayInputs(config, files, inputNames(files, options.input ?? []), options.add ?? false, log)
  const fileSchemas = new FileSchemas(config.events)
  const source = replaySource({
    files,
    avro: (schema) => fileSchemas.open(schema),
    csv: options.csv,
    separator: separatorOf(options),
    numbers: () => inputs.begin(),
    onRead: (place, bytes, hash) => inputs.read(place, bytes, hash),
    sort: options.sort ? { keyOf: eventTimes(config) } : undefined,
  })
  const outputs = { deadLetters: fileOutput(lettersFile, DEAD_LETTERS, log), ...openLateFile(config.late, LOCAL_LATE, log) }
  const nameOf = ({ partition }: { readonly partition: number }) => inputs.nameOf(partition)
  const pipeline = assemble(config, { source, topics: [REPLAY_TOPIC], nameOf, fileSchemas, outputs, bounded: true, log })
  const stop = listenForStop()
  stop.signal.addEventListener('abort', () => void pipeline.drain())
  const started = Date.now()
  const { page, end } = await follow(view, { config, pipeline, stop, served: options.ui === true })
  try {
    void pipeline.start()
    await pipeline.finished
    await end()
    const stats = pipeline.stats()
    const invalid = stats.terms.invalid > 0
    const ended = await judged(
      () =>
        pipeline.complete
          ? faultOf(stats, inputs, options, { lettersFile, keptMs: config.clickhouse.retention.results })
          : interrupted(String(stop.signal.reason), NOTHING_COUNTS),
      () => inputs.end(),
    )
    if (ended.failure === undefined) {
      const { rollUpAll } = await import('./roll-up.ts')
      await rollUpAtEnd(config, log, stop.signal, (told) => rollUpAll(config.clickhouse, log, stop.signal, told))
    }
    const next = [`npx ctr query${sameConfig(options)} "SELECT * FROM ctr_windows ORDER BY impressions DESC LIMIT 10"`]
    if (invalid) next.push(`head ${lettersFile}`)
    const summary = renderSummary(stats, { elapsedMs: Date.now() - started, inputs: ended.lines, next })
    process.stdout.write(`${summary.join('\n')}\n`)
    if (options.ui === true && !stop.signal.aborted) {
      process.stdout.write(`\nthe page stays at ${page?.url}/ui until Ctrl-C\n`)
      await once(stop.signal, 'abort')
    }
    if (ended.failure !== undefined) throw ended.failure
    return 0
  } finally {
    await end()
    await page?.close()
    await inputs.close()
    stop.dispose()
  }
}

/** Keys and events can't both come from the keyboard. */
function viewWish(files: readonly string[], options: ReplayOptions): ViewWish {
  return process.stdin.isTTY && files.includes('-') ? { view: false } : options
}

interface Followed {
  readonly config: Config
  readonly pipeline: Pipeline
  readonly stop: Stop
  /** By the page. */
  readonly served: boolean
}

/** The page, and the view on a terminal, elsewhere a line now and then; `end` takes both ways of showing away. */
async function follow(view: RunView, { config, pipeline, stop, served }: Followed) {
  const page = served || view.attached ? await startLocalPage(config, pipeline, view.log, !served) : undefined
  if (served) process.stdout.write(`the page: ${page?.url}/ui\n\n`)
  if (page !== undefined) view.follow(page, stop.signal, 'stopping: nothing of this run will count; Ctrl-C again ends it at once')
  const lines = view.attached ? undefined : watch(pipeline, { redraw: false, plainEveryMs: 5000, top: undefined })
  const end = async () => {
    view.close()
    await lines?.close()
  }
  return { page, end }
}

const NOTHING_COUNTS = '; nothing of this run counts, and what was counted before under its names still does'

/** What the summary is to say of the inputs, or the failure to end with behind it. */
async function judged(fault: () => CtrError | undefined, end: () => Promise<string[]>): Promise<{ lines: string[]; failure?: unknown }> {
  const failure = fault()
  if (failure !== undefined) return { lines: [], failure }
  return end().then(
    (lines) => ({ lines }),
    (failure: unknown) => ({ lines: [], failure }),
  )
}

function faultOf(
  stats: PipelineStats,
  inputs: ReplayInputs,
  options: ReplayOptions,
  { lettersFile, keptMs }: { readonly lettersFile: string; readonly keptMs: number },
): CtrError | undefined {
  const outcomes = outcomesOf(stats, ({ partition }) => inputs.nameOf(partition))
  const remedies = {
    invalid: `${lettersFile} says why`,
    late: 'their lines are not in order of event time: read them with --sort, or raise time.outOfOrderness',
  }
  const fault = endingFault(outcomes, options, remedies) ?? expiredFault(stats, keptMs, options)
  return fault === undefined ? undefined : new CtrError('CTR_INPUT', fault + NOTHING_COUNTS)
}

function separatorOf({ csv = false, separator }: ReplayOptions): string | undefined {
  if (separator === undefined) return undefined
  if (!csv) throw new CtrError('CTR_USAGE', '--separator is for --csv; give both, or none')
  const plain = separator === '\\t' ? '\t' : separator
  if (plain.length !== 1 || /["\r\n]/.test(plain))
    throw new CtrError('CTR_USAGE', `--separator ${separator}: write one character, such as ; or \\t`)
  return plain
}

/** The event time of a line; lines without one come first. */
function eventTimes({ events }: Config): (bytes: Buffer, start: number, end: number) => number {
  return timeReader({ format: 'json', events })
}
