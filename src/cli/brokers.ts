/** Options that stand for keys of the configuration. */
import { loadConfig } from '../config/load.ts'
import type { Config } from '../config/schema.ts'
import type { ConfigOptions } from './options.ts'

/** Lists are comma-separated. */
interface StandIns {
  readonly brokers?: string
  readonly topics?: string
  readonly schemaRegistry?: string
}

/** The configuration with `--brokers`, `--topics` and `--schema-registry` over it, and all that was set. Throws CTR_CONFIG. */
export function loadWithBrokers(options: ConfigOptions & StandIns): { readonly config: Config; readonly sets: readonly string[] } {
  const sets = [...options.set]
  if (options.brokers !== undefined) sets.push(`kafka.brokers=${JSON.stringify(options.brokers.split(','))}`)
  if (options.topics !== undefined) sets.push(`kafka.topics=${JSON.stringify(options.topics.split(','))}`)
  if (options.schemaRegistry !== undefined) sets.push(`schemaRegistry.url=${JSON.stringify(options.schemaRegistry.split(','))}`)
  return { config: loadConfig({ file: options.config, sets }), sets }
}
