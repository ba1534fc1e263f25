/**
 * The command line. Each verb's module is loaded when the verb runs, so that `--help` and `ctr config` stay quick.
 * Exit codes: 0 done, 1 failed, 2 wrong usage or configuration; 130 and 143 only when a second signal forces them (signals.ts).
 */
import { readFileSync } from 'node:fs'
import { Argument, Command, CommanderError } from 'commander'
import type { StartWish } from '../checkpoint/decide.ts'
import { CtrError, exitCodeOf } from '../errors.ts'
import { addCheckpoint } from './add-checkpoint.ts'
import { addSelftest } from './add-selftest.ts'
import { durationArgument, expandKeys, fromArgument, positiveArgument } from './arguments.ts'
import type { ConfigAction } from './config.ts'
import { addLoadOptions } from './load-options.ts'
import type { ConfigOptions, DemoOptions, LoadOptions, QueryOptions, ReplayOptions } from './options.ts'
import { type Done, verb } from './verb.ts'

/** Runs the verb that `words` (without node and script) name; gives the exit code. Failures are explained on stderr. */
export async function main(words: readonly string[]): Promise<number> {
  let code = 0
  const program = createProgram((result) => {
    code = result
  })
  try {
    await program.parseAsync(expandKeys(words), { from: 'user' })
    return code
  } catch (error) {
    return explain(error)
  }
}

/** The commander program; `done` takes the exit code of the verb that ran. */
export function createProgram(done: (code: number) => void): Command {
  const program = new Command('ctr')
    .description('Exact click-through rates per product and time window, from Kafka to ClickHouse.')
    .version(version(), '-V, --version')
    .exitOverride()
    .showHelpAfterError('(add --help to see how it is used)')
    .configureHelp({ showGlobalOptions: false })
  addRun(program, done)
  addReplay(program, done)
  addDemo(program, done)
  addLoad(program, done)
  addQuery(program, done)
  addSchema(program, done)
  addConfig(program, done)
  addCheckpoint(program, done)
  addSelftest(program, done)
  return program
}

function version(): string {
  const file = new URL('../../package.json', import.meta.url)
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version
}

function addRun(program: Command, done: Done): void {
  verb(program, 'run', 'Count events from Kafka until SIGTERM or Ctrl-C.', 'ctr run --config ctr.yaml --log.pretty')
    .option('--until-end', 'read up to the end offsets found at the start, write every window, print a summary, and end')
    .option('--from <state>', 'latest: the newest checkpoint; savepoint:NAME; none: the offsets of the group', fromArgument, 'latest')
    .option('--ignore-state', 'go on without checkpoints that were made with another window, other topics or another tenant')
    .action(async (options: ConfigOptions & { untilEnd?: boolean; from: StartWish['from']; ignoreState?: boolean }) => {
      const { runVerb } = await import('./run.ts')
      const wish = { from: options.from, ignoreState: options.ignoreState ?? false }
      done(await runVerb({ ...options, untilEnd: options.untilEnd ?? false, wish }))
    })
}

function addReplay(program: Command, done: Done): void {
  verb(program, 'replay', 'Count the events of JSON-lines files.', 'ctr replay events.jsonl more.jsonl.gz\nzcat *.gz | ctr replay -')
    .argument('<file...>', 'JSON lines, plain or .gz; - is stdin; each file is one partition')
    .option('--partitions <n>', 'spread the lines over this many partitions, in turn', positiveArgument)
    .action(async (files: string[], options: ReplayOptions) => {
      const { replayVerb } = await import('./replay.ts')
      done(await replayVerb(files, options))
    })
}

function addDemo(program: Command, done: Done): void {
  verb(program, 'demo', 'Watch the engine work on generated events; needs no broker and no server.', 'ctr demo --rate 200k --duration 60s')
    .option('--rate <n>', 'events per second', positiveArgument, 20_000)
    .option('--products <n>', 'how many products', positiveArgument, 1000)
    .option('--duration <time>', 'end by itself after this time', durationArgument)
    .action(async (options: DemoOptions) => {
      const { demoVerb } = await import('./demo.ts')
      done(await demoVerb(options))
    })
}

function addLoad(program: Command, done: Done): void {
  const description = 'Produce generated events to Kafka, 80 % impressions, keyed by product; creates missing topics.'
  addLoadOptions(verb(program, 'load', description, 'ctr load --brokers localhost:9092 --rate 100k --duration 60s')).action(
    async (options: LoadOptions) => {
      const { loadVerb } = await import('./load.ts')
      done(await loadVerb(options))
    },
  )
}

function addQuery(program: Command, done: Done): void {
  verb(
    program,
    'query',
    'Ask the configured ClickHouse; an embedded one also while a pipeline runs.',
    'ctr query "SELECT * FROM ctr_windows ORDER BY window_start DESC LIMIT 10"\nctr query --format CSV "SELECT * FROM ctr_latest"',
  )
    .argument('<sql>', 'one statement')
    .option('-f, --format <name>', "any of ClickHouse's output formats; without it a readable table")
    .action(async (sql: string, options: QueryOptions) => {
      const { queryVerb } = await import('./query.ts')
      done(await queryVerb(sql, options))
    })
}

function addSchema(program: Command, done: Done): void {
  verb(program, 'schema', 'The tables and views in ClickHouse.', 'ctr schema print > schema.sql\nctr schema apply --config ctr.yaml')
    .addArgument(new Argument('<action>', 'print the DDL, or apply it').choices(['print', 'apply']))
    .action(async (action: 'print' | 'apply', options: ConfigOptions) => {
      const { schemaVerb } = await import('./schema.ts')
      done(await schemaVerb(action, options))
    })
}

function addConfig(program: Command, done: Done): void {
  const description = 'Check the configuration, print what is in effect (secrets masked), or its JSON Schema for editors.'
  verb(program, 'config', description, 'ctr config check --config ctr.yaml\nctr config print --set window.size=1m')
    .addArgument(new Argument('<action>', 'what to do').choices(['check', 'print', 'schema']))
    .action(async (action: ConfigAction, options: ConfigOptions) => {
      const { configVerb } = await import('./config.ts')
      done(configVerb(action, options))
    })
}

function explain(error: unknown): number {
  // Commander has printed its own message already; asking for help is no failure.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
  if (error instanceof CtrError) process.stderr.write(`ctr: ${error.code}: ${error.message}${causeOf(error)}\n`)
  else process.stderr.write(`ctr: this is a bug, please report it\n${error instanceof Error ? error.stack : String(error)}\n`)
  return exitCodeOf(error)
}

function causeOf(error: CtrError): string {
  if (!(error.cause instanceof Error) || error.message.includes(error.cause.message)) return ''
  return `\n  caused by: ${error.cause.message}`
}
