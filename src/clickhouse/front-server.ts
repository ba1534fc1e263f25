/**
 * ClickHouse's HTTP interface, as far as a client of it needs it, in front of a chDB engine in the same process.
 *
 *   GET  /ping                      Ok.
 *   GET  /lease                     an answer that never ends: the front lives while somebody holds one
 *   POST /?query=…&setting=…        SQL in the parameter or the body; data of an INSERT in the body, plain, gzip or zstd. Of the same
 *                                   session_id, what one request sets or makes for the session the next one finds
 *
 * What the engine does wrong when used directly, and what stands against it here:
 *   - output of a failed query leaks into the connection's next result, settings stick: a connection, which costs 3 ms, serves another
 *     request only when that has the same settings and database, and nothing has failed (front-connections.ts);
 *   - data inside a statement ends at a blank line and the rest runs as SQL: data goes through a file (FROM INFILE);
 *   - INFILE that matches nothing inserts nothing without a word: data that gave no rows is an error.
 * A result is held in memory whole before it is sent.
 */
import { createHash, randomUUID, timingSafeEqual } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { rm, writeFile } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGunzip, createZstdDecompress, gzipSync } from 'node:zlib'
import type { FrontConnections } from './front-connections.ts'
import { exceptionCode, insertFromFile, leavesSession, reachesFiles, settingsStatement, splitInsert, statusOf } from './front-sql.ts'

/** SQL that comes as text is held in memory; data does not count. */
const SQL_MAX_BYTES = 64 * 1024 * 1024

export interface FrontOptions {
  readonly connections: FrontConnections
  readonly version: string
  readonly username: string
  readonly password: string
  /** The folder in which bodies wait for the engine; a plain path (isPlainPath). */
  readonly spool: () => string
  /** Called before anything is answered. Does not return when there is nothing left to answer for. */
  readonly look: () => void
  /** Called with +1 and -1 as leases and requests begin and end. */
  readonly leases: (change: 1 | -1) => void
  readonly requests: (change: 1 | -1) => void
}

interface Answer {
  readonly bytes: Uint8Array
  readonly summary: Record<string, string>
}

/** The request handler of an HTTP server. It never rejects: what goes wrong is the answer. */
export function frontHandler(options: FrontOptions): (request: IncomingMessage, response: ServerResponse) => void {
  return (request, response) => {
    options.look()
    const url = URL.parse(request.url ?? '/', 'http://front')
    if (url === null) return void response.writeHead(400).end('bad request target\n')
    response.setHeader('X-ClickHouse-Server-Display-Name', 'ctr-embedded')
    if (url.pathname === '/ping') return void response.end('Ok.\n')
    const refusal = authenticate(request, url.searchParams, options)
    if (refusal !== undefined) {
      request.resume()
      return refuse(response, refusal, options)
    }
    if (url.pathname === '/lease') return holdLease(request, response, options)
    if (request.method === 'GET' && !url.searchParams.has('query')) return void response.end('Ok.\n')
    options.requests(1)
    void serve(request, response, url.searchParams, options).finally(() => options.requests(-1))
  }
}

async function serve(request: IncomingMessage, response: ServerResponse, params: URLSearchParams, options: FrontOptions): Promise<void> {
  const queryId = params.get('query_id') ?? randomUUID()
  response.setHeader('X-ClickHouse-Query-Id', queryId)
  try {
    const { bytes, summary } = await execute(request, params, options)
    options.look()
    response.setHeader('X-ClickHouse-Summary', JSON.stringify(summary))
    response.setHeader('Content-Type', 'text/plain; charset=UTF-8')
    const gzip = params.get('enable_http_compression') === '1' && /\bgzip\b/.test(String(request.headers['accept-encoding']))
    if (gzip) response.setHeader('Content-Encoding', 'gzip')
    response.end(gzip ? gzipSync(bytes) : bytes)
  } catch (error) {
    // A client that is still sending reads the answer only afterwards.
    request.unpipe()
    request.resume()
    refuse(response, error instanceof Error ? error.message : String(error), options)
  }
}

async function execute(request: IncomingMessage, params: URLSearchParams, options: FrontOptions): Promise<Answer> {
  const body = decoded(request)
  const query = params.get('query') ?? ''
  let insert = query === '' ? undefined : splitInsert(query)
  let sql = query
  const path = join(options.spool(), randomUUID())
  try {
    let size = 0
    if (insert?.data === '') {
      const file = createWriteStream(path, { flags: 'wx' })
      await pipeline(body, file)
      size = file.bytesWritten
    } else {
      sql = query + (await textOf(body))
      insert = splitInsert(sql)
      size = insert === undefined ? 0 : Buffer.byteLength(insert.data)
      if (insert !== undefined) await writeFile(path, insert.data, { flag: 'wx' })
    }
    const reached = reachesFiles(insert === undefined ? sql : insert.head)
    if (reached !== undefined) throw new Error(`Code: 497. DB::Exception: ${reached}: Not enough privileges. (ACCESS_DENIED)`)
    if (insert !== undefined && size === 0) return { bytes: new Uint8Array(0), summary: summaryOf(0, 0, 0, 0) }
    return await run(insert === undefined ? sql : insertFromFile(insert, path), insert !== undefined, params, options)
  } finally {
    await rm(path, { force: true })
  }
}

async function run(sql: string, isInsert: boolean, params: URLSearchParams, options: FrontOptions): Promise<Answer> {
  const connections = options.connections
  const session = { settings: settingsStatement(params), database: params.get('database') ?? '', id: params.get('session_id') ?? '' }
  const connection = await connections.take(session)
  let left = false
  try {
    const result = await connection.queryAsync(sql, { format: params.get('default_format') ?? 'TabSeparated' })
    left = session.id !== '' || leavesSession(sql)
    if (isInsert && result.rowsRead === 0) throw new Error('Code: 1002. DB::Exception: The data gave no rows. (UNKNOWN_EXCEPTION)')
    const written = isInsert ? result.rowsRead : 0
    return { bytes: result.bytes(), summary: summaryOf(result.rowsRead, result.bytesRead, written, result.elapsed) }
  } finally {
    if (left) connections.give(session, connection)
    else connection.close()
  }
}

function summaryOf(rowsRead: number, bytesRead: number, rowsWritten: number, elapsed: number): Record<string, string> {
  return {
    read_rows: String(rowsRead),
    read_bytes: String(bytesRead),
    written_rows: String(rowsWritten),
    written_bytes: rowsWritten === 0 ? '0' : String(bytesRead),
    total_rows_to_read: '0',
    result_rows: String(rowsWritten),
    result_bytes: '0',
    elapsed_ns: String(Math.round(elapsed * 1e9)),
  }
}

function holdLease(request: IncomingMessage, response: ServerResponse, options: FrontOptions): void {
  options.leases(1)
  response.once('close', () => options.leases(-1))
  request.resume()
  response.writeHead(200, { 'Content-Type': 'text/plain' })
  response.write('held\n')
}

/** The message of the refusal; undefined when the request may pass. */
function authenticate(request: IncomingMessage, params: URLSearchParams, options: FrontOptions): string | undefined {
  const basic = /^Basic (.+)$/i.exec(request.headers.authorization ?? '')?.[1]
  const [user, password] = basic === undefined ? fromHeaders(request, params) : splitOnce(Buffer.from(basic, 'base64').toString())
  if (user === undefined) return 'Code: 194. DB::Exception: Password required for user default. (REQUIRED_PASSWORD)'
  if (same(user, options.username) && same(password, options.password)) return undefined
  const reason = 'Authentication failed: password is incorrect, or there is no user with such name.'
  return `Code: 516. DB::Exception: ${user}: ${reason} (AUTHENTICATION_FAILED)`
}

function fromHeaders(request: IncomingMessage, params: URLSearchParams): [string | undefined, string] {
  const user = request.headers['x-clickhouse-user'] ?? params.get('user') ?? undefined
  const password = request.headers['x-clickhouse-key'] ?? params.get('password') ?? ''
  return [user === undefined ? undefined : String(user), String(password)]
}

function splitOnce(credentials: string): [string, string] {
  const colon = credentials.indexOf(':')
  return colon < 0 ? [credentials, ''] : [credentials.slice(0, colon), credentials.slice(colon + 1)]
}

/** Compares digests, so that the time taken says nothing about the secret. */
function same(given: string, wanted: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest()
  return timingSafeEqual(digest(given), digest(wanted))
}

function refuse(response: ServerResponse, message: string, options: FrontOptions): void {
  const code = exceptionCode(message)
  const text = message.startsWith('Code: ') ? message : `Code: ${code}. DB::Exception: ${message}. (UNKNOWN_EXCEPTION)`
  if (code === 194) response.setHeader('WWW-Authenticate', 'Basic realm="ClickHouse server HTTP API"')
  response.writeHead(statusOf(code), { 'Content-Type': 'text/plain; charset=UTF-8', 'X-ClickHouse-Exception-Code': String(code) })
  response.end(`${text.trimEnd()} (version ${options.version})\n`)
}

function decoded(request: IncomingMessage): Readable {
  const encoding = request.headers['content-encoding']
  if (encoding === undefined || encoding === 'identity') return request
  if (encoding !== 'gzip' && encoding !== 'zstd') {
    throw new Error(`Code: 48. DB::Exception: Content-Encoding ${encoding} is not supported. (NOT_IMPLEMENTED)`)
  }
  const decoder = encoding === 'gzip' ? createGunzip() : createZstdDecompress()
  request.on('error', (error) => decoder.destroy(error))
  return request.pipe(decoder)
}

async function textOf(body: Readable): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of body) {
    size += (chunk as Buffer).length
    if (size > SQL_MAX_BYTES)
      throw new Error(`Code: 62. DB::Exception: The statement is longer than ${SQL_MAX_BYTES} bytes. (SYNTAX_ERROR)`)
    chunks.push(chunk as Buffer)
  }
  return Buffer.concat(chunks).toString()
}
