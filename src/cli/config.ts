/** `ctr config`: checks, prints and describes the configuration. */
import { configJsonSchema } from '../config/json-schema.ts'
import { loadConfig, writtenConfig } from '../config/load.ts'
import { printConfig } from '../config/print.ts'
import type { Config } from '../config/schema.ts'
import { formatDuration } from '../config/units.ts'
import type { ConfigOptions } from './options.ts'

/** What `ctr config` can do. */
export type ConfigAction = 'check' | 'print' | 'schema'

/** Writes the answer to `write`; returns the exit code. Throws CtrError CTR_CONFIG with all faults. */
export function configVerb(
  action: ConfigAction,
  options: ConfigOptions,
  write = (text: string) => void process.stdout.write(text),
): number {
  const input = { file: options.config, sets: options.set }
  if (action === 'schema') write(`${JSON.stringify(configJsonSchema(), null, 2)}\n`)
  else if (action === 'print') write(printConfig(writtenConfig(input)))
  else write(`${options.config ?? 'the default configuration'} is sound: ${inShort(loadConfig(input))}\n`)
  return 0
}

function inShort({ kafka, window, clickhouse }: Config): string {
  const topics = kafka.topics.map((topic) => topic.name).join(' and ')
  const target = clickhouse.url ?? `embedded ClickHouse in ${clickhouse.embedded}`
  return `${topics} from ${kafka.brokers.join(', ')}, windows of ${formatDuration(window.size)}, to ${target}`
}
