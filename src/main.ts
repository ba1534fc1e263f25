/**
 * Entry of the command line. A reader that went away (`ctr query … | head`) is no failure. A handle that something has left open can't
 * keep the process alive for long once the verb is done, unless output is still on its way.
 */
import { main } from './cli/program.ts'

const LINGER_MS = 1000
const PIPELINES = new Set(['run', 'replay', 'demo', 'load', 'selftest'])

process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
  // Only verbs whose whole point is what they print are done; a pipeline goes on without its reader.
  if (!PIPELINES.has(process.argv[2] ?? '')) process.exit(0)
})

process.exitCode = await main(process.argv.slice(2))
setInterval(() => {
  if (process.stdout.writableLength === 0 && process.stderr.writableLength === 0) process.exit()
}, LINGER_MS).unref()
