/** `ctr query`: statements to the configured ClickHouse, their answers to stdout. They may only read, unless it is asked otherwise. */
import { randomUUID } from 'node:crypto'
import { Transform, Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { StringDecoder } from 'node:string_decoder'
import type { WriteStream } from 'node:tty'
import type { ClickHouseClient, DataFormat } from '@clickhouse/client'
import { clickHouseCode, connect, type Endpoint, explainClickHouse, isTimeout } from '../clickhouse/connect.ts'
import type { FrontLogger } from '../clickhouse/embedded-front.ts'
import { openEndpoint } from '../clickhouse/endpoint.ts'
import type { ScriptStatement } from '../clickhouse/front-sql.ts'
import { settingsFor, type WantedSettings } from '../clickhouse/settings.ts'
import { loadConfig } from '../config/load.ts'
import type { Config } from '../config/schema.ts'
import { formatDuration } from '../config/units.ts'
import { CtrError } from '../errors.ts'
import { createLogger } from '../log.ts'
import { visible } from '../text.ts'
import { DEMO_PLACE } from './demo-place.ts'
import type { QueryOptions } from './options.ts'
import { inWholeText, type Piped, placeOf, type QueryText, queryText, surelyWrites } from './query-text.ts'
import { configured } from './verb.ts'

/** A table for people; whatever reads it as data should ask for another format. */
const READABLE = 'PrettyCompact'
/** Without escape sequences and row numbers, which the engine adds otherwise. */
const WANTED: WantedSettings = {
  output_format_pretty_color: { value: 0 },
  output_format_pretty_row_numbers: { value: 0 },
  // A statement that nobody waits for any more is not to go on.
  cancel_http_readonly_queries_on_client_close: { value: 1 },
}
/** 2: reading, settings and temporary tables; 1, which a profile may have, no settings either. */
const WANTED_READING: WantedSettings = {
  ...WANTED,
  readonly: { value: 2, orElse: ['1'], needed: 'a statement could write otherwise; allow that with `ctr query --write`' },
}
const WOULD_WRITE = 'the statement would write, and ctr query only reads; allow it with --write'
/** ClickHouse's code of what may not be done while only reading. */
const READONLY = 164

/** Runs the verb; returns the exit code. */
export async function queryVerb(sql: string | undefined, options: QueryOptions, stdin: Piped = process.stdin): Promise<number> {
  const text = await queryText(sql, options.file, stdin)
  const { config: file, set } = options.demo ? options : configured(options)
  const config = loadConfig({ file, sets: options.demo ? [...DEMO_PLACE, ...set] : set })
  const log = createLogger({ ...config.log, level: 'warn' })
  const { clickhouse } = config
  const limited = { clickhouse: { ...clickhouse, requestTimeout: options.timeout ?? clickhouse.requestTimeout } }
  await runQuery(limited, text, { ...options, tell: (line) => void process.stderr.write(line) }, process.stdout, log)
  return 0
}

type RunQueryOptions = Pick<QueryOptions, 'format' | 'write'> & { readonly tell?: (line: string) => void }

/**
 * Writes the answers to `output`, one after the other, in `format` (any of ClickHouse's; a readable table when undefined), as they come. A
 * FORMAT in a statement itself wins. Of an answer without rows `tell` is told. Several statements are one session. The first that fails is
 * the last. `output` stays open. Throws CtrError: CTR_USAGE for one that would write without `write`, CTR_CLICKHOUSE_REFUSED with
 * ClickHouse's words, CTR_QUERY_TIMEOUT when it took longer than clickhouse.requestTimeout, else as explainClickHouse.
 */
export async function runQuery(
  config: Pick<Config, 'clickhouse'>,
  text: QueryText,
  options: RunQueryOptions,
  output: NodeJS.WritableStream,
  logger: FrontLogger,
): Promise<void> {
  const { endpoint, front } = await openEndpoint(config.clickhouse, logger)
  const client = connect(endpoint, endpoint.database)
  // A reader that has seen enough (`| head`) is told by the write itself; the event alone would end the process.
  const ignore = () => undefined
  output.on('error', ignore)
  const session = text.statements.length > 1 ? { session_id: randomUUID() } : {}
  let at = 0
  try {
    for (; at < text.statements.length; at++) {
      const statement = text.statements[at] as ScriptStatement
      if (!options.write && surelyWrites(statement)) throw new CtrError('CTR_USAGE', WOULD_WRITE)
      const bytes = await ask(client, statement.sql, { ...options, session }, output)
      if (bytes === 0) options.tell?.(`ctr query: ${placeOf(text, at)}done; the answer has no rows\n`)
    }
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'EPIPE') throw explainQuery(error, endpoint, text, at, options.write === true)
  } finally {
    output.off('error', ignore)
    await client.close()
    front?.close()
  }
}

interface Asked extends Pick<QueryOptions, 'format' | 'write'> {
  readonly session: { readonly session_id?: string }
}

/** Gives the bytes of the answer. */
async function ask(client: ClickHouseClient, query: string, asked: Asked, output: NodeJS.WritableStream): Promise<number> {
  const { settings } = await settingsFor(client, asked.write ? WANTED : WANTED_READING)
  const answer = await client.exec({
    query,
    ...asked.session,
    clickhouse_settings: { default_format: (asked.format ?? READABLE) as DataFormat, wait_end_of_query: 1, ...settings },
  })
  let bytes = 0
  const taken = keepOpen(output, (written) => {
    bytes += written
  })
  if ((output as Partial<WriteStream>).isTTY) await pipeline(answer.stream, harmless(), taken)
  else await pipeline(answer.stream, taken)
  return bytes
}

/** Product ids come from outside and may hold anything; a terminal must not obey them. */
function harmless(): Transform {
  const decoder = new StringDecoder('utf8')
  return new Transform({
    transform: (chunk: Buffer, _encoding, done) => done(null, visible(decoder.write(chunk))),
    flush: (done) => done(null, visible(decoder.end())),
  })
}

/** ClickHouse's own words about the statement, with its place; else the connection's trouble. */
function explainQuery(error: unknown, endpoint: Endpoint, text: QueryText, at: number, write: boolean): CtrError {
  const left = text.statements.length - at - 1
  const unasked = left === 0 ? '' : `; the ${left === 1 ? 'one' : left} behind it ${left === 1 ? 'was' : 'were'} not asked`
  const fail = (code: CtrError['code'], message: string) =>
    // Without its cause, whose words it has.
    new CtrError(code, `${placeOf(text, at)}${inWholeText(message, text, at)}${unasked}`)
  if (isTimeout(error)) {
    const limit = formatDuration(endpoint.requestTimeoutMs)
    const remedy = 'ask for less, or allow more time with `ctr query --timeout 10m`'
    return fail('CTR_QUERY_TIMEOUT', `the statement took longer than ${limit}, and was given up; ${remedy}`)
  }
  const code = clickHouseCode(error)
  const said = error instanceof Error ? error.message.trim() : String(error)
  if (error instanceof CtrError && error.code === 'CTR_USAGE') return fail('CTR_USAGE', error.message)
  if (code === READONLY && !write) return fail('CTR_USAGE', `${WOULD_WRITE} (${code}: ${said})`)
  const explained = explainClickHouse(error, endpoint)
  if (code === 0 || code === 497 || explained.code === 'CTR_CLICKHOUSE_AUTH') return explained
  if (code === 81) {
    const remedy = 'a pipeline or `ctr schema apply` creates it'
    return fail('CTR_CLICKHOUSE_REFUSED', `clickhouse.database: there is no database ${endpoint.database} yet; ${remedy}`)
  }
  return fail('CTR_CLICKHOUSE_REFUSED', `ClickHouse refuses the statement (${code}): ${said}`)
}

/** stdout is not ours to end. */
function keepOpen(output: NodeJS.WritableStream, count: (bytes: number) => void): Writable {
  return new Writable({
    write(chunk: Buffer, _encoding, done) {
      count(chunk.length)
      output.write(chunk, (error) => done(error))
    },
  })
}
