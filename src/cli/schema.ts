/** `ctr schema`: prints the DDL, or applies it to the configured ClickHouse. */

import { applySchema, checkSchema } from '../clickhouse/apply-schema.ts'
import { openEndpoint } from '../clickhouse/endpoint.ts'
import { databaseStatement, schemaStatements } from '../clickhouse/schema.ts'
import { loadConfig } from '../config/load.ts'
import { createLogger } from '../log.ts'
import type { ConfigOptions } from './options.ts'

/** Writes the DDL or the outcome to `write`; returns the exit code. Throws CtrError. */
export async function schemaVerb(
  action: 'print' | 'apply',
  options: ConfigOptions,
  write: (text: string) => void = (text) => void process.stdout.write(text),
): Promise<number> {
  const config = loadConfig({ file: options.config, sets: options.set })
  const { database } = config.clickhouse
  if (action === 'print') {
    write(`${[databaseStatement(database), ...schemaStatements(database)].join(';\n\n')};\n`)
    return 0
  }
  const { endpoint, front } = await openEndpoint(config.clickhouse, createLogger({ ...config.log, level: 'warn' }))
  try {
    await applySchema(endpoint)
    await checkSchema(endpoint)
    write(`the schema is in place in database ${database} at ${config.clickhouse.url ?? config.clickhouse.embedded}\n`)
    return 0
  } finally {
    front?.close()
  }
}
