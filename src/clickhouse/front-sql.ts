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

/** Texts, names in quotes, comments to the end of a line, and where other comments begin, which lie in each other. */
const QUOTED = new RegExp(
  [
    /'(?:[^'\\]|\\[\s\S])*'|‘[^’]*’|\$(\w*)\$[\s\S]*?\$\1\$/,
    /"((?:[^"\\]|\\[\s\S])*)"|`((?:[^`\\]|\\[\s\S])*)`|“([^”]*)”/,
    /--[^\n]*|#[ !][^\n]*|\/\*/,
  ]
    .map(({ source }) => source)
    .join('|'),
  'g',
)
const COMMENT_EDGE = /\/\*|\*\//g
const CLAUSES = /\b(?:INTO\s+OUTFILE|FROM\s+INFILE)(?=\s*'')/i
const FUNCTION = /(?<![\w.])file\s*\(/

/**
 * What in a statement reads or writes files of the machine without asking for rights, as it stands there; undefined when nothing does.
 * The engine has these for whoever calls it in its own process.
 */
export function reachesFiles(sql: string): string | undefined {
  let bare = ''
  let at = 0
  for (QUOTED.lastIndex = 0; ; QUOTED.lastIndex = at) {
    const found = QUOTED.exec(sql)
    if (found === null) break
    const [text] = found
    const name = found[2] ?? found[3] ?? found[4]
    const shown = name === undefined ? (/^['‘$]/.test(text) ? "''" : ' ') : /^\w+$/.test(name) ? name : '_'
    bare += sql.slice(at, found.index) + shown
    at = text === '/*' ? commentEnd(sql, QUOTED.lastIndex) : QUOTED.lastIndex
  }
  bare += sql.slice(at)
  return (CLAUSES.exec(bare) ?? FUNCTION.exec(bare))?.[0]
}

/** One of several statements, from its first word on. */
export interface ScriptStatement {
  readonly sql: string
  /** Of its first word, counted from 1, in the text that it stands in. */
  readonly line: number
}

const EDGE = new RegExp(`${QUOTED.source}|;`, 'g')

/** The statements of a text, apart by semicolons. Data behind `INSERT … FORMAT name` goes to the end of the text. */
export function statementsOf(text: string): ScriptStatement[] {
  const found: ScriptStatement[] = []
  /** The first word of the present statement; -1 before that. */
  let first = -1
  const noteWord = (start: number, end: number) => {
    const word = text.slice(start, end).search(/\S/)
    if (first < 0 && word >= 0) first = start + word
  }
  const close = (end: number) => {
    if (first >= 0) found.push({ sql: text.slice(first, end), line: text.slice(0, first).split('\n').length })
    first = -1
  }
  for (let at = 0; ; ) {
    EDGE.lastIndex = at
    const edge = EDGE.exec(text)
    noteWord(at, edge?.index ?? text.length)
    if (edge === null) break
    const comment = /^(?:--|#|\/\*)/.test(edge[0])
    at = edge[0] === '/*' ? commentEnd(text, EDGE.lastIndex) : EDGE.lastIndex
    if (edge[0] !== ';') {
      if (!comment) noteWord(edge.index, at)
      continue
    }
    const insert = first < 0 ? undefined : splitInsert(text.slice(first, edge.index))
    if (insert !== undefined && insert.format !== 'Values' && insert.data !== '') break
    close(edge.index)
  }
  close(text.length)
  return found
}

/** Behind the comment whose inside begins at `from`. */
function commentEnd(sql: string, from: number): number {
  COMMENT_EDGE.lastIndex = from
  for (let depth = 1; depth > 0; ) {
    const edge = COMMENT_EDGE.exec(sql)
    if (edge === null) return sql.length
    depth += edge[0] === '/*' ? 1 : -1
  }
  return COMMENT_EDGE.lastIndex
}

/** The statement that reads the insert's data from a file. `path` must be plain: the engine takes a pattern that matches nothing. */
export function insertFromFile(insert: InsertStatement, path: string): string {
  return `${insert.head} FROM INFILE ${literal(path)} COMPRESSION 'none'${insert.settings} FORMAT ${insert.format}`
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
    if (!/^\w+$/.test(name)) throw new Error(`Code: 115. DB::Exception: Unknown setting ${literal(name)}. (UNKNOWN_SETTING)`)
    parts.push(`${name} = ${literal(value)}`)
  }
  return parts.length === 0 ? undefined : `SET ${parts.join(', ')}`
}

const LEAVES_SESSION = /^\s*(?:SELECT|WITH|INSERT|CREATE|DROP|ALTER|TRUNCATE|OPTIMIZE|EXISTS|SHOW|DESCRIBE)\b/i

/** Whether the statement leaves settings, database and temporary tables of its connection as they are. */
export function leavesSession(sql: string): boolean {
  return LEAVES_SESSION.test(sql) && !/\bTEMPORARY\b|;/i.test(sql)
}

/** A string literal. */
export function literal(text: string): string {
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
