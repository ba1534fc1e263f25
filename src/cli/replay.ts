/** `ctr replay`: the same engine over files of JSON lines, bounded. */
import { loadConfig } from '../config/load.ts'
import { createLogger } from '../log.ts'
import { fileOutput } from '../output/file-output.ts'
import { DEAD_LETTERS } from '../output/output.ts'
import { assemble } from '../run/assemble.ts'
import { REPLAY_TOPIC, replaySource } from '../source/replay-source.ts'
import type { ReplayOptions } from './options.ts'
import { listenForStop } from './signals.ts'
import { renderSummary } from './summary.ts'
import { sameConfig } from './verb.ts'
import { watch } from './watch.ts'

/** Where `replay` and `demo` put dead letters when the configuration names no file. */
export const LOCAL_LETTERS = './.ctr/dead-letters.jsonl'

/** Runs the verb; returns the exit code. */
export async function replayVerb(files: readonly string[], options: ReplayOptions): Promise<number> {
  const config = loadConfig({ file: options.config, sets: options.set })
  const log = createLogger({ ...config.log, level: config.log.level === 'info' ? 'warn' : config.log.level })
  const stop = listenForStop()
  const lettersFile = config.deadLetter.file ?? LOCAL_LETTERS
  const source = replaySource({ files, partitions: options.partitions })
  const outputs = { deadLetters: fileOutput(lettersFile, DEAD_LETTERS, log) }
  const pipeline = assemble(config, { source, topics: [REPLAY_TOPIC], outputs, bounded: true, log })
  stop.signal.addEventListener('abort', () => void pipeline.drain())
  const started = Date.now()
  const view = watch(pipeline, { plainEveryMs: 5000, top: undefined })
  try {
    void pipeline.start()
    await pipeline.finished
  } finally {
    await view.close()
    stop.dispose()
  }
  const stats = pipeline.stats()
  const next = [`npx ctr query${sameConfig(options)} "SELECT * FROM ctr_windows ORDER BY impressions DESC LIMIT 10"`]
  if (stats.invalid.some(({ count }) => count > 0)) next.push(`head ${lettersFile}`)
  const lines = renderSummary(stats, { elapsedMs: Date.now() - started, next })
  process.stdout.write(`${lines.join('\n')}\n`)
  return 0
}
