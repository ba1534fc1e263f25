/** `ctr config`: checks, prints, compares and describes the configuration. */
import { configJsonSchema } from '../config/json-schema.ts'
import { loadConfig, writtenConfig } from '../config/load.ts'
import { configDifferences, printConfig } from '../config/print.ts'
import type { Config } from '../config/schema.ts'
import { formatDuration } from '../config/units.ts'
import { CtrError } from '../errors.ts'
import { maskSecrets } from '../text.ts'
import type { ConfigOptions } from './options.ts'
import { configured } from './verb.ts'

/** What `ctr config` can do. */
export type ConfigAction = 'check' | 'print' | 'diff' | 'schema'

/** How many files follow each on the command line, at most. */
const FILES_MAX: Readonly<Record<ConfigAction, number>> = { check: 1, print: 1, diff: 2, schema: 0 }

/**
 * Writes the answer to `write`; returns the exit code: of diff 1 when something differs. Throws CtrError CTR_CONFIG with all faults, and
 * CTR_USAGE for too many files, or too few.
 */
export function configVerb(
  action: ConfigAction,
  files: readonly string[],
  options: ConfigOptions,
  write = (text: string) => void process.stdout.write(text),
): number {
  const max = FILES_MAX[action]
  if (files.length > max) throw new CtrError('CTR_USAGE', `ctr config ${action} ${files.join(' ')}: at most ${max} files`)
  if (action === 'schema') {
    write(`${JSON.stringify(configJsonSchema(), null, 2)}\n`)
    return 0
  }
  if (action === 'diff') return diff(files, options, write)
  const { config, set } = configured(options, files[0])
  if (action === 'print') write(printConfig(writtenConfig({ file: config, sets: set })))
  else write(`${config ?? 'the default configuration'} is sound: ${inShort(loadConfig({ file: config, sets: set }))}\n`)
  return 0
}

/** With --set of both. */
function diff([a, b]: readonly string[], { config, set }: ConfigOptions, write: (text: string) => void): number {
  if (config !== undefined) throw new CtrError('CTR_USAGE', `ctr config diff --config ${config}: name both files without --config`)
  if (a === undefined || b === undefined) throw new CtrError('CTR_USAGE', 'ctr config diff needs two files, such as old.yaml new.yaml')
  const lines = configDifferences(writtenConfig({ file: a, sets: set }), writtenConfig({ file: b, sets: set }))
  write(lines.length === 0 ? `${a} and ${b} come to the same\n` : `${lines.join('\n')}\n`)
  return lines.length === 0 ? 0 : 1
}

function inShort({ kafka, window, clickhouse }: Config): string {
  const topics = kafka.topics.map((topic) => topic.name).join(' and ')
  const target = clickhouse.url === undefined ? `embedded ClickHouse in ${clickhouse.embedded}` : maskSecrets(clickhouse.url.join(', '))
  if (window.type === 'calendar') return `${topics} from ${kafka.brokers.join(', ')}, ${window.unit}s of ${window.zone}, to ${target}`
  const { size, slide = size } = window
  const every =
    slide === size ? '' : ` every ${formatDuration(slide)} (roll-ups are of windows that do not overlap, and hold none of these)`
  return `${topics} from ${kafka.brokers.join(', ')}, windows of ${formatDuration(size)}${every}, to ${target}`
}
