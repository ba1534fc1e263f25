/**
 * The parts of ClickHouse's HTTP interface that are pure text: which parameters are settings, where an INSERT's data begins, what status an
 * error has.
 */

/** An INSERT cut where its data goes: `head [SETTINGS …]` before, `format` behind. */
export interface InsertStatement {
  readonly head: string
  readonly settings: string
  readonly format: string
  /** Data that stood in the statement itself; empty when it comes apart. */
  readonly data: string
}

/** Parameters of the HTTP interface that are no settings of the engine. */
const NOT_SETTINGS = new Set([
  'query',
  'query_id',
  'database',
  'user',
  'password',
  'default_format',
  'session_id',
  'session_check',
  'session_timeout',
  'session_timezone',
  'enable_http_compression',
  'wait_end_of_query',
  'buffer_size',
  'compress',
  'decompress',
  'quota_key',
  'role',
  'close_session',
])

const INSERT = /^\s*INSERT\s+INTO\s+[^;'"]*?(?=\s(?:FORMAT\s+\w+|VALUES)(?:\s|\(|$))/i
const DATA = /^\s+(?:FORMAT\s+(\w+)|(VALUES))\s*/i

/**
 * Cuts `INSERT INTO … FORMAT x data` and `INSERT INTO … VALUES data`; undefined for anything else (INSERT … SELECT too).
 * The engine reads data inside a statement only up to a blank line and runs what follows as SQL, so data goes to it as a file.
 */
export function splitInsert(sql: string): InsertStatement | undefined {
  const head = INSERT.exec(sql)?.[0]
  if (head === undefined || /\b(?:SELECT|INFILE|FUNCTION)\b/i.test(head)) return undefined
  const tail = sql.slice(head.length)
  const match = DATA.exec(tail)
  if (match === null) return undefined
  const settings = /\sSETTINGS\s.*$/is.exec(head)?.[0] ?? ''
  return {
    head: head.slice(0, head.length - settings.length),
    settings,
    format: match[2] === undefined ? (match[1] ?? '') : 'Values',
    data: tail.slice(match[0].length),
  }
}

/** The statement that reads the insert's data from a file. `path` must be plain: the engine takes a pattern that matches nothing. */
export function insertFromFile(insert: InsertStatement, path: string): string {
  return `${insert.head} FROM INFILE ${quote(path)} COMPRESSION 'none'${insert.settings} FORMAT ${insert.format}`
}

/** Whether a path holds no character that the engine's INFILE takes for a pattern. */
export function isPlainPath(path: string): boolean {
  return !/[*?{}[\]\\'\n]/.test(path)
}

/** `SET …` for the request's settings and query parameters; undefined when there are none. */
export function settingsStatement(params: URLSearchParams): string | undefined {
  const parts: string[] = []
  for (const [name, value] of params) {
    if (NOT_SETTINGS.has(name)) continue
    if (!/^\w+$/.test(name)) throw new Error(`Code: 115. DB::Exception: Unknown setting ${quote(name)}. (UNKNOWN_SETTING)`)
    parts.push(`${name} = ${quote(value)}`)
  }
  return parts.length === 0 ? undefined : `SET ${parts.join(', ')}`
}

/** A string literal. */
function quote(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
}

/** An identifier. */
export function identifier(name: string): string {
  return `\`${name.replaceAll('\\', '\\\\').replaceAll('`', '\\`')}\``
}

/** ClickHouse's code in an engine's message; 1002 (UNKNOWN_EXCEPTION) when it has none. */
export function exceptionCode(message: string): number {
  return Number(/^Code: (\d+)\./.exec(message)?.[1] ?? 1002)
}

/** The HTTP status ClickHouse gives an exception code, for those a client may meet. */
export function statusOf(code: number): number {
  if (code === 194) return 401
  if ([192, 193, 497, 516].includes(code)) return 403
  if ([46, 47, 60, 81].includes(code)) return 404
  if ([6, 26, 27, 33, 36, 38, 41, 62, 63, 72, 115, 117, 456].includes(code)) return 400
  if (code === 159) return 408
  if (code === 48) return 501
  if (code === 209) return 503
  return 500
}
