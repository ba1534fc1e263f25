/**
 * Logs: JSON lines on stderr, or lines for people; stdout belongs to results. Of an event a line holds at most what the reason of its
 * refusal quotes, which `privacy` masks.
 */
import { createRequire } from 'node:module'
import { isatty } from 'node:tty'
import picocolors from 'picocolors'
import {
  type DestinationStream,
  destination,
  type LoggerOptions,
  type Logger as PinoLogger,
  pino,
  type SerializedError,
  stdSerializers,
  stdTimeFunctions,
} from 'pino'
import { LIMITS } from './config/limits.ts'
import type { Config } from './config/schema.ts'
import { clip, maskSecrets, visibleJson } from './text.ts'

/** What the engine's parts log to. */
export type Logger = PinoLogger

const STDERR = 2

/** What of `log` makes a logger. */
export type LogOptions = Pick<Config['log'], 'level'> & { readonly pretty?: boolean | undefined }

/** Whether lines are for people: as it is configured, else on a terminal. */
export function isPretty({ pretty }: Pick<LogOptions, 'pretty'>): boolean {
  // Of the descriptor: threads have a stderr of their own, which is never a terminal.
  return pretty ?? isatty(STDERR)
}

/** A logger that writes synchronously, so that nothing is lost when the process ends. `stream` replaces stderr. */
export function createLogger(log: LogOptions, stream?: DestinationStream): Logger {
  const options: LoggerOptions = {
    level: log.level,
    base: null,
    timestamp: stdTimeFunctions.isoTime,
    serializers: { err: (error: Error) => clipped(stdSerializers.err(error)) },
    formatters: { level: (label) => ({ level: label }) },
    hooks: { streamWrite: maskSecrets },
    redact: { paths: ['password', '*.password', '*.*.password', 'user_id', 'userId'], censor: '***' },
  }
  return pino(options, stream ?? stderrStream(isPretty(log)))
}

function stderrStream(pretty: boolean): DestinationStream {
  const stderr = destination({ dest: STDERR, sync: true })
  if (!pretty) return stderr
  // A view of this process may stand below, drawn by another thread.
  const before = isatty(STDERR) ? CLEAR_BELOW : ''
  return prettyLines((text) => void stderr.write(before + text))
}

const CLEAR_BELOW = '\x1b[J'

/** What servers put into their errors, and causes into theirs, must not make lines of megabytes. Whatever is no error stays as it is. */
function clipped(error: SerializedError): SerializedError {
  if (!(error instanceof Object) || typeof error.message !== 'string') return error
  error.message = clip(error.message, LIMITS.messageMaxLength)
  error.stack = clip(String(error.stack), LIMITS.messageMaxLength)
  return error
}

/**
 * Lines for people, each handed to `write` at once; with `compact` fields stand behind their line.
 * pino-pretty is loaded only when asked for.
 */
export function prettyLines(write: (text: string) => void, compact = false): DestinationStream {
  const { prettyFactory } = createRequire(import.meta.url)('pino-pretty') as {
    prettyFactory(options: Record<string, unknown>): (line: string) => string | undefined
  }
  const format = prettyFactory({
    colorize: isatty(STDERR) && picocolors.isColorSupported,
    translateTime: 'SYS:HH:MM:ss.l',
    ignore: 'pid,hostname',
    singleLine: compact,
  })
  return { write: (line) => write(format(unescaped(line)) ?? '') }
}

/** JSON whose text a terminal need not obey: control characters but line ends and tabs stay the escapes that JSON has for them. */
function unescaped(json: string): string {
  return visibleJson(json).replaceAll(/\\(?:\\|[bfr]|u00[01][0-9a-f]|u007f|u00[89][0-9a-f]|u20[0-9a-f]{2}|u061c)/gi, (found) =>
    found === '\\\\' ? found : `\\${found}`,
  )
}
