/**
 * The command line. Each verb's module is loaded when the verb runs, so that `--help` and `ctr config` stay quick.
 * Exit codes: 0 done, 1 failed, 2 wrong usage or configuration; 130 and 143 only when a second signal forces them (signals.ts).
 */
import { Argument, Command, CommanderError, Option } from 'commander'
import type { StartWish } from '../checkpoint/decide.ts'
import { CtrError, exitCodeOf } from '../errors.ts'
import type { Reset } from '../kafka/start-position.ts'
import { addCheckpoint } from './add-checkpoint.ts'
import { addCompare } from './add-compare.ts'
import { addDoctor, CHECK_TIMEOUT_MS } from './add-doctor.ts'
import { addExplain } from './add-explain.ts'
import { addLetters } from './add-letters.ts'
import { addPlan } from './add-plan.ts'
import { addInit, addTap } from './add-probe.ts'
import { addSelftest } from './add-selftest.ts'
import { addTest } from './add-test.ts'
import { addUi } from './add-ui.ts'
import {
  collect,
  durationArgument,
  expandKeys,
  fromArgument,
  isBareKey,
  patienceArgument,
  positiveArgument,
  resetArgument,
  shareArgument,
} from './arguments.ts'
import type { ViewWish } from './attached.ts'
import type { Shell } from './completion.ts'
import type { ConfigAction } from './config.ts'
import { ENDING_DEFAULTS, type EndingLimits } from './ending.ts'
import { failureText } from './failure-text.ts'
import { addLoadOptions } from './load-options.ts'
import type { CheckOptions, ConfigOptions, DemoOptions, LoadOptions, QueryOptions, ReplayOptions, SchemaOptions } from './options.ts'
import type { SchemaAction } from './schema.ts'
import { configured, type Done, exampleText, NO_VIEW_HELP, verb, verbThatAsks } from './verb.ts'
import { version } from './version.ts'

/** Runs the verb that `words` (without node and script) name; gives the exit code. Failures are explained on stderr. */
export async function main(words: readonly string[]): Promise<number> {
  let code = 0
  const program = createProgram((result) => {
    code = result
  })
  try {
    await program.parseAsync(expandKeys(words, await keysWithValues(words)), { from: 'user' })
    return code
  } catch (error) {
    return explain(error)
  }
}

/** Of which keys of the configuration a value may stand in the next word. The schema is loaded only when some word may be one. */
async function keysWithValues(words: readonly string[]): Promise<(key: string) => boolean> {
  if (!words.some(isBareKey)) return () => false
  const { KEYS } = await import('../config/catalog.ts')
  return (key) => KEYS.some(({ path, field }) => path === key && field?.kind !== 'flag')
}

/** The commander program; `done` takes the exit code of the verb that ran. */
export function createProgram(done: (code: number) => void): Command {
  const program = new Command('ctr')
    .description('Exact click-through rates per product and time window, from Kafka to ClickHouse.')
    .version(version(), '-V, --version')
    .exitOverride()
    .showHelpAfterError('(add --help to see how it is used)')
    .configureHelp({ showGlobalOptions: false })
  addInit(program, done)
  addRun(program, done)
  addReplay(program, done)
  addDemo(program, done)
  addLoad(program, done)
  addQuery(program, done)
  addSchema(program, done)
  addCompare(program, done)
  addConfig(program, done)
  addTap(program, done)
  addTest(program, done)
  addDoctor(program, done)
  addPlan(program, done)
  addExplain(program, done)
  addCheckpoint(program, done)
  addLetters(program, done)
  addSelftest(program, done)
  addToken(program, done)
  addUi(program, done)
  addCompletion(program, done)
  return program
}

const INVALID_HELP = 'exit with 1 at the end when a larger share of a topic or file is invalid'
const EXPIRED_HELP = 'do not exit with 1 when rows are written of windows that ended before clickhouse.retention.results'
const LATE_HELP = 'exit with 1 at the end when a larger share of a topic or file is late'

/** What commander makes of the words of `ctr run`. */
interface RunWords extends ConfigOptions, EndingLimits, ViewWish {
  readonly untilEnd?: boolean
  readonly from: StartWish['from']
  readonly ignoreState?: boolean
  readonly reset?: Reset
}

function addRun(program: Command, done: Done): void {
  const example = 'ctr run ctr.yaml\nctr run --until-end --no-view'
  verbThatAsks(program, 'run', 'Count events from Kafka until SIGTERM or Ctrl-C.', example)
    .argument('[config]', 'configuration, as with --config')
    .option('--until-end', 'read up to the end offsets found at the start, write every window, print a summary, and end')
    .option('--from <state>', 'latest: the newest checkpoint; savepoint:NAME; none: the offsets of the group', fromArgument, 'latest')
    .option('--reset <where>', 'read from earliest, latest or a time, whatever is committed or kept: once, and on purpose', resetArgument)
    .option('--ignore-state', 'go on without checkpoints that were made with another window, other topics or another tenant')
    .option('--max-invalid <share>', INVALID_HELP, shareArgument, ENDING_DEFAULTS.maxInvalid)
    .option('--max-late <share>', LATE_HELP, shareArgument, ENDING_DEFAULTS.maxLate)
    .option('--allow-expired', EXPIRED_HELP, ENDING_DEFAULTS.allowExpired)
    .option('--no-view', NO_VIEW_HELP)
    .action(async (file: string | undefined, words: RunWords) => {
      // Its log says it.
      const options = configured(words, file, () => undefined)
      if (options.reset !== undefined && options.from !== 'latest') throw new CtrError('CTR_USAGE', '--reset and --from exclude each other')
      const { runVerb } = await import('./run.ts')
      const { from, ignoreState = false, untilEnd = false, maxInvalid, maxLate, allowExpired } = options
      done(await runVerb({ ...options, untilEnd, wish: { from, ignoreState }, limits: { maxInvalid, maxLate, allowExpired } }))
    })
}

const REPLAY_EXAMPLE = `ctr replay events.jsonl more.jsonl.gz
ctr replay --csv june.csv --set events.fields.product=sku
zcat *.gz | ctr replay --input june -`

function addReplay(program: Command, done: Done): void {
  verb(program, 'replay', 'Count the events of files: JSON lines, JSON arrays, CSV or Avro; plain, .gz or .zst.', REPLAY_EXAMPLE)
    .argument('<file...>', 'JSON in lines, arrays or one value behind the other, CSV, or Avro; plain, .gz or .zst; - is stdin')
    .option(
      '--input <name>',
      "name of the input, once for each file; the same name replaces what it counted before (default: file's name)",
      collect,
    )
    .option('--csv', 'the files are tables whose head names the fields; every cell is a text, an empty one is no value')
    .option('--separator <char>', 'with --csv: what separates cells; without it what the head has most of: , ; | or a tab')
    .option('--add', 'count what is counted under another name already')
    .option('--sort', 'read the lines of each file in order of event time; what does not fit into memory goes to the temporary directory')
    .option('--ui', 'serve the page, and keep it after the end until Ctrl-C')
    .option('--max-invalid <share>', INVALID_HELP, shareArgument, ENDING_DEFAULTS.maxInvalid)
    .option('--max-late <share>', LATE_HELP, shareArgument, ENDING_DEFAULTS.maxLate)
    .option('--allow-expired', EXPIRED_HELP, ENDING_DEFAULTS.allowExpired)
    .option('--no-view', NO_VIEW_HELP)
    .addOption(new Option('--partitions <n>', 'has no effect').argParser(positiveArgument).hideHelp())
    .action(async (files: string[], options: ReplayOptions) => {
      const { replayVerb } = await import('./replay.ts')
      done(await replayVerb(files, options))
    })
}

function addDemo(program: Command, done: Done): void {
  const description =
    'Watch the engine work on generated events; needs no broker and no server. Writes to a database of its own, embedded in ./.ctr.'
  verbThatAsks(program, 'demo', description, 'ctr demo --rate 200k --duration 60s\nctr query --demo "SELECT * FROM ctr_latest LIMIT 10"')
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

const QUERY_EXAMPLE = `ctr query "SELECT * FROM ctr_windows ORDER BY window_start DESC LIMIT 10"
ctr query --format CSV "SELECT * FROM ctr_latest"
ctr query -f report.sql
ctr query --write "OPTIMIZE TABLE ctr_results"`

function addQuery(program: Command, done: Done): void {
  const description = 'Ask the configured ClickHouse; an embedded one also while a pipeline runs. Only reads, unless --write.'
  verbThatAsks(program, 'query', description, QUERY_EXAMPLE)
    .argument('[sql]', 'statements, apart by semicolons; - is stdin, which is read also when it is piped in')
    .option('-f, --file <path>', 'statements from a file')
    .option('--format <name>', "any of ClickHouse's output formats; without it a readable table")
    .option('--timeout <time>', 'how long an answer may take; clickhouse.requestTimeout when not given', patienceArgument)
    .option('--write', 'let statements change tables and data')
    .option('--demo', 'ask what ctr demo has written')
    .action(async (sql: string | undefined, options: QueryOptions) => {
      const { queryVerb } = await import('./query.ts')
      done(await queryVerb(sql, options))
    })
}

const SCHEMA_HELP =
  'print: the DDL; plan: what apply would do, as SQL, exit 1 when something is in the way; ' +
  'diff: what differs, exit 1 when something does; apply: create, extend and migrate; ' +
  'refresh: compute roll-ups and newest windows now; grants: the least rights of a user; ' +
  'switch: let the views of another database read this one or that (--to, --back), or show which one they read'

function addSchema(program: Command, done: Done): void {
  verb(program, 'schema', 'The tables and views in ClickHouse.', 'ctr schema plan --config ctr.yaml\nctr schema apply --config ctr.yaml')
    .addArgument(new Argument('<action>', SCHEMA_HELP).choices(['print', 'plan', 'diff', 'apply', 'refresh', 'grants', 'switch']))
    .addOption(new Option('--format <name>', 'of plan, diff and switch').choices(['text', 'json']).default('text'))
    .addOption(new Option('--for <role>', 'with grants: whose rights; all when not given').choices(['writer', 'reader', 'owner']))
    .option('--user <name>', 'with grants: to whom; clickhouse.username when not given')
    .option('--live <database>', 'with switch: the database of the views that people read; ctr_live when not given')
    .option('--to <database>', 'with switch: they read this one from now on')
    .option('--back', 'with switch: they read the one before again')
    .option('--settle', 'with switch: they read the one of now only, so that the other one can be dropped')
    .action(async (action: SchemaAction, options: SchemaOptions) => {
      const { schemaVerb } = await import('./schema.ts')
      done(await schemaVerb(action, options))
    })
}

const CONFIG_HELP = 'check; print; diff: what two files differ in, exit 1 when something does; schema'

function addConfig(program: Command, done: Done): void {
  const description =
    'Check the configuration, print what is in effect and where it comes from (secrets masked), print how two files differ, ' +
    'or the JSON Schema for editors.'
  const example =
    'ctr config check --sample 1000\nctr config print ctr.yaml --set window.size=1m\nctr config diff staging.yaml production.yaml'
  verbThatAsks(program, 'config', description, example)
    .addArgument(new Argument('<action>', CONFIG_HELP).choices(['check', 'print', 'diff', 'schema']))
    .argument('[files...]', 'of check and print the configuration, as with --config; of diff the two to compare')
    .option('--connect', 'with check: ask Kafka, schema registry, ClickHouse and the store of checkpoints too, as ctr doctor does')
    .option('--sample <n>', 'with check: look at the last records of each topic, and say what becomes of them', positiveArgument)
    .option(
      '--max-invalid <share>',
      'with --sample: exit with 1 when a larger share of a topic is invalid',
      shareArgument,
      ENDING_DEFAULTS.maxInvalid,
    )
    .action(async (action: ConfigAction, files: string[], options: CheckOptions) => {
      const { configVerb } = await import('./config.ts')
      const code = configVerb(action, files, options)
      if (action === 'check' && options.sample !== undefined) {
        const { checkSample } = await import('./config-sample.ts')
        await checkSample(
          configured(options, files[0], () => undefined),
          options.sample,
          options.maxInvalid,
        )
      }
      if (action !== 'check' || options.connect !== true) return done(code)
      const { doctorVerb } = await import('./doctor.ts')
      const file = files[0] === undefined ? {} : { config: files[0] }
      done(await doctorVerb({ ...file, ...options, timeout: CHECK_TIMEOUT_MS }, ['kafka', 'registry', 'clickhouse', 'checkpoints']))
    })
}

function addToken(program: Command, done: Done): void {
  program
    .command('token')
    .description('Make a token for the HTTP API and print it, with the hash that the configuration wants of it.')
    .argument('<name>', 'whose it is, for people')
    .addOption(new Option('--role <role>', 'what it may do').choices(['viewer', 'operator']).default('viewer'))
    .addHelpText('after', exampleText('ctr token wall-display\nctr token night-shift --role operator'))
    .action(async (name: string, { role }: { readonly role: 'viewer' | 'operator' }) => {
      const { tokenVerb } = await import('./token.ts')
      done(tokenVerb(name, role))
    })
}

function addCompletion(program: Command, done: Done): void {
  program
    .command('completion')
    .description('Print a script that completes verbs, options, files and keys of the configuration in a shell.')
    .addArgument(new Argument('<shell>', 'which').choices(['bash', 'zsh', 'fish']))
    .addHelpText('after', exampleText(COMPLETION_EXAMPLE))
    .action(async (shell: Shell) => {
      const { completionScript } = await import('./completion.ts')
      process.stdout.write(completionScript(shell, program))
      done(0)
    })
}

const COMPLETION_EXAMPLE = `source <(ctr completion bash)
source <(ctr completion zsh)
ctr completion fish > ~/.config/fish/completions/ctr.fish`

function explain(error: unknown): number {
  // Commander has printed its own message already; asking for help is no failure.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
  process.stderr.write(failureText(error, process.stderr.isTTY === true))
  return exitCodeOf(error)
}
