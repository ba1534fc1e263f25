/** Where the statements of `ctr query` come from: its argument, a file, or what is piped into it. */
import { readFileSync } from 'node:fs'
import { type ScriptStatement, statementsOf } from '../clickhouse/front-sql.ts'
import { CtrError } from '../errors.ts'

const STDIN = '-'

/** What is asked, and what to call the place of a statement. */
export interface QueryText {
  readonly statements: readonly ScriptStatement[]
  /** A file or stdin; undefined when it is the argument. */
  readonly source: string | undefined
}

/** Standard input, as far as it matters. */
export interface Piped extends AsyncIterable<string | Buffer> {
  readonly isTTY?: boolean | undefined
}

/** Reads them. Throws CtrError CTR_USAGE when there is none, or two places, or none that can be read. */
export async function queryText(sql: string | undefined, file: string | undefined, stdin: Piped): Promise<QueryText> {
  if (sql !== undefined && file !== undefined) {
    const remedy = `leave one of them out; an output format is written --format ${file}`
    throw new CtrError('CTR_USAGE', `ctr query: --file ${file} and a statement are given; ${remedy}`)
  }
  const piped = file === STDIN || sql === STDIN || (file === undefined && sql === undefined)
  if (piped && file === undefined && sql === undefined && stdin.isTTY === true) {
    const remedy = 'write one in quotes, such as "SELECT * FROM ctr_latest", name a file with -f, or pipe one in'
    throw new CtrError('CTR_USAGE', `ctr query: there is no statement; ${remedy}`)
  }
  const source = piped ? 'stdin' : file
  const statements = statementsOf(piped ? await textOf(stdin) : file === undefined ? (sql ?? '') : textIn(file))
  if (statements.length > 0) return { statements, source }
  const where = source === undefined ? 'the statement' : source
  throw new CtrError('CTR_USAGE', `ctr query: ${where} is empty; give a statement, such as "SELECT * FROM ctr_latest"`)
}

/** Where a statement of several stands, for what is told of it; '' when there is no doubt. */
export function placeOf({ statements, source }: QueryText, index: number): string {
  const { line } = statements[index] as ScriptStatement
  const at = source === undefined ? `line ${line}` : `${source}:${line}`
  if (statements.length > 1) return `statement ${index + 1} of ${statements.length} (${at}): `
  return source === undefined ? '' : `${at}: `
}

const NEAR_MAX_LENGTH = 40

/**
 * ClickHouse says at which byte of a statement it could not go on, which nobody can count, and all that could have stood there, which is a
 * page. The line of the whole text and what stands there say more.
 */
export function inWholeText(message: string, { statements }: QueryText, index: number): string {
  const { sql, line } = statements[index] as ScriptStatement
  return message.replace(/failed at position (\d+)[\s\S]*$/, (failure, position: string) => {
    const before = Buffer.from(sql)
      .subarray(0, Number(position) - 1)
      .toString()
    const [rest = ''] = sql.slice(before.length).split('\n')
    const at = rest === '' ? 'the end' : JSON.stringify(rest.slice(0, NEAR_MAX_LENGTH))
    const unmatched = failure.includes('Unmatched parentheses') ? ', parentheses do not match' : ''
    return `in line ${line + before.split('\n').length - 1} at ${at}${unmatched}`
  })
}

/** What ClickHouse lets pass while only reading, though it changes something: some of it asks for no right, some for one of its own. */
const UNREAD = /^(?:SYSTEM|KILL|UNDROP|BACKUP|RESTORE|GRANT|REVOKE|INSERT\s+INTO\s+(?:TABLE\s+)?FUNCTION)\b/i

/** Whether a statement is refused without --write before ClickHouse is asked. */
export function surelyWrites({ sql }: ScriptStatement): boolean {
  return UNREAD.test(sql)
}

async function textOf(stdin: Piped): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of stdin) chunks.push(Buffer.from(chunk))
  return Buffer.concat(chunks).toString()
}

function textIn(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'does not exist' : `can't be read (${(error as Error).message})`
    const remedy = `give the path of a file with statements, or - for stdin; an output format is written --format ${file}`
    throw new CtrError('CTR_USAGE', `ctr query: --file ${file} ${reason}; ${remedy}`)
  }
}
