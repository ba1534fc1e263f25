/**
 * Logs: JSON lines on stderr, or lines for people; stdout belongs to results. No log line holds a user id or the content of an event.
 */
import { createRequire } from 'node:module'
import picocolors from 'picocolors'
import { type DestinationStream, destination, type LoggerOptions, type Logger as PinoLogger, pino, stdTimeFunctions } from 'pino'
import type { Config } from './config/schema.ts'

/** What the engine's parts log to. */
export type Logger = PinoLogger

const STDERR = 2

/** A logger that writes synchronously, so that nothing is lost when the process ends. `stream` replaces stderr. */
export function createLogger(log: Config['log'], stream?: DestinationStream): Logger {
  const options: LoggerOptions = {
    level: log.level,
    base: null,
    timestamp: stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    redact: { paths: ['password', '*.password', '*.*.password', 'user_id', 'userId'], censor: '***' },
  }
  return pino(options, stream ?? (log.pretty ? prettyStream() : destination({ dest: STDERR, sync: true })))
}

/** pino-pretty is loaded only when asked for. */
function prettyStream(): DestinationStream {
  const pretty = createRequire(import.meta.url)('pino-pretty') as (options: Record<string, unknown>) => DestinationStream
  return pretty({
    destination: STDERR,
    sync: true,
    colorize: process.stderr.isTTY === true && picocolors.isColorSupported,
    translateTime: 'SYS:HH:MM:ss.l',
    ignore: 'pid,hostname',
  })
}
