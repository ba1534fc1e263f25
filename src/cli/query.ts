/** `ctr query`: one statement to the configured ClickHouse, its answer to stdout. */
import { Transform, Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { WriteStream } from 'node:tty'
import type { DataFormat } from '@clickhouse/client'
import { clickHouseCode, connect, type Endpoint, explainClickHouse } from '../clickhouse/connect.ts'
import type { FrontLogger } from '../clickhouse/embedded-front.ts'
import { openEndpoint } from '../clickhouse/endpoint.ts'
import { loadConfig } from '../config/load.ts'
import type { Config } from '../config/schema.ts'
import { CtrError } from '../errors.ts'
import { createLogger } from '../log.ts'
import type { QueryOptions } from './options.ts'

/** A table for people; whatever reads it as data should ask for another format. */
const READABLE = 'PrettyCompact'
/** Without escape sequences and row numbers, which the engine adds otherwise. */
const PLAIN = { output_format_pretty_color: 0, output_format_pretty_row_numbers: 0 } as const

/** Runs the verb; returns the exit code. */
export async function queryVerb(sql: string, options: QueryOptions): Promise<number> {
  const config = loadConfig({ file: options.config, sets: options.set })
  const log = createLogger({ ...config.log, level: 'warn' })
  await runQuery(config, sql, options.format, process.stdout, log)
  return 0
}

/**
 * Writes the answer to `sql` in `format` (any of ClickHouse's; a readable table when undefined) to `output`, as it comes. A FORMAT in the
 * statement itself wins. `output` stays open. Throws CtrError: CTR_USAGE when there is no statement, CTR_CLICKHOUSE_REFUSED with
 * ClickHouse's words, else as explainClickHouse.
 */
export async function runQuery(
  config: Pick<Config, 'clickhouse'>,
  sql: string,
  format: string | undefined,
  output: NodeJS.WritableStream,
  logger: FrontLogger,
): Promise<void> {
  if (sql.trim() === '') throw new CtrError('CTR_USAGE', 'ctr query: the statement is empty; give one, such as "SELECT * FROM ctr_latest"')
  const { endpoint, front } = await openEndpoint(config.clickhouse, logger)
  const client = connect(endpoint, endpoint.database)
  // A reader that has seen enough (`| head`) is told by the write itself; the event alone would end the process.
  const ignore = () => undefined
  output.on('error', ignore)
  try {
    const answer = await client.exec({
      query: sql,
      clickhouse_settings: { default_format: (format ?? READABLE) as DataFormat, wait_end_of_query: 1, ...PLAIN },
    })
    if ((output as Partial<WriteStream>).isTTY) await pipeline(answer.stream, harmless(), keepOpen(output))
    else await pipeline(answer.stream, keepOpen(output))
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'EPIPE') throw explainQuery(error, endpoint)
  } finally {
    output.off('error', ignore)
    await client.close()
    front?.close()
  }
}

/** Product ids come from outside and may hold control characters; a terminal must not obey them. */
function harmless(): Transform {
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      const shown = Buffer.from(chunk)
      for (let at = 0; at < shown.length; at++) {
        const byte = shown[at] ?? 0
        if ((byte < 0x20 && byte !== 0x0a && byte !== 0x09) || byte === 0x7f) shown[at] = 0x3f
      }
      done(null, shown)
    },
  })
}

/** ClickHouse's own words about the statement; else the connection's trouble. */
function explainQuery(error: unknown, endpoint: Endpoint): CtrError {
  const code = clickHouseCode(error)
  const explained = explainClickHouse(error, endpoint)
  if (code === 0 || explained.code === 'CTR_CLICKHOUSE_AUTH') return explained
  if (code === 81) {
    const remedy = 'a pipeline or `ctr schema apply` creates it'
    return new CtrError('CTR_CLICKHOUSE_REFUSED', `clickhouse.database: there is no database ${endpoint.database} yet; ${remedy}`, {
      cause: error,
    })
  }
  const said = error instanceof Error ? error.message.trim() : String(error)
  return new CtrError('CTR_CLICKHOUSE_REFUSED', `ClickHouse refuses the statement (${code}): ${said}`, { cause: error })
}

/** stdout is not ours to end. */
function keepOpen(output: NodeJS.WritableStream): Writable {
  return new Writable({
    write(chunk, _encoding, done) {
      output.write(chunk, (error) => done(error))
    },
  })
}
