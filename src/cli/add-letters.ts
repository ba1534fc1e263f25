/** The verb `ctr letters` on the command line. */
import { type Command, InvalidArgumentError } from 'commander'
import { collect, countArgument, positiveArgument, timeArgument } from './arguments.ts'
import type { LettersOptions, ListLettersOptions, RetryLettersOptions } from './options.ts'
import { type Done, exampleText, verb } from './verb.ts'

const RETRY_DETAILS = `
Records go back into the topic that they came from, each into its partition, in the order in which they were there, by
transactions. Each also writes to a topic of its own (--progress) what it has put back: one that is killed leaves nothing half
done, the next one goes on behind it, and no record comes back twice, whatever is chosen. Only one runs at a time; a second one
ends the first. A running pipeline counts them as any other records: those whose windows are closed are late by then. Every
group that reads the topic gets them, and one that has counted them counts them again. What was cut off in its letter, elements
of records, rows of ClickHouse, broken batches and what privacy.payload has masked or left out stay, and are told. Letters have no times of
records: a topic with events.time.source: record takes none back.
--map names a module (JavaScript) whose default export takes the bytes and the letter, and gives the bytes to put back, or
undefined to leave the record out: export default (bytes, { letter }) => bytes.toString().replace('prodId', 'product_id')
Exits 0 when all that was chosen is back, 1 when some of it can not be put back, 2 when it can not be done as it is written.
`

/** Adds it; `done` takes the exit code. */
export function addLetters(program: Command, done: Done): void {
  const letters = program
    .command('letters')
    .description('Look at dead letters, where the configuration has them, and put their records back.')
    .addHelpText('after', exampleText('ctr letters stats\nctr letters list --reason TIME\nctr letters retry --reason TIME --dry-run'))
  addList(letters, done)
  addShow(letters, done)
  addStats(letters, done)
  addRetry(letters, done)
}

/** A subcommand that chooses letters. */
function part(parent: Command, name: string, description: string, example: string): Command {
  return verb(parent, name, description, example)
    .option('--reason <name>', 'only of this reason or errorCode; may be repeated (ctr explain reasons lists them)', collect)
    .option('--topic <name>', 'only of records of this topic')
    .option('--since <time>', 'only letters written then or later', timeArgument)
    .option('--until <time>', 'and before', timeArgument)
    .option('--holding <value>', 'only letters with this value, as it is or masked by one of privacy.keys')
    .option('--late', 'late events (late.topic, late.file) instead of dead letters')
    .option('--json', 'in JSON')
}

function addList(parent: Command, done: Done): void {
  part(parent, 'list', 'The newest letters, a line each.', 'ctr letters list --limit 100\nctr letters list --reason NOT_JSON --json')
    .option('--limit <count>', 'at most so many, the newest', positiveArgument, LIST_LIMIT)
    .action(async (options: ListLettersOptions) => {
      const { listLetters } = await import('./letters.ts')
      done(await listLetters(options))
    })
}

const LIST_LIMIT = 20

function addShow(parent: Command, done: Done): void {
  verb(parent, 'show', 'A letter with the bytes of its record.', 'ctr letters show 0/17\nctr letters show 0/17 --json')
    .argument('<place>', 'as list has it: partition and offset of a topic, or the line of a file', placeArgument)
    .option('--late', 'a late event instead of a dead letter')
    .option('--json', 'in JSON')
    .action(async (place: string, options: LettersOptions) => {
      const { showLetter } = await import('./letters.ts')
      done(await showLetter(place, options))
    })
}

function placeArgument(text: string): string {
  if (!/^\d+(?:\/\d+)?$/.test(text)) throw new InvalidArgumentError('Write partition and offset such as 0/17, or the line of a file.')
  return text
}

function addStats(parent: Command, done: Done): void {
  part(parent, 'stats', 'How many letters there are, by reason and topic, and from when to when.', 'ctr letters stats').action(
    async (options: LettersOptions) => {
      const { letterStats } = await import('./letters.ts')
      done(await letterStats(options))
    },
  )
}

function addRetry(parent: Command, done: Done): void {
  part(
    parent,
    'retry',
    'Put the records of letters back into their topics, in order, each once.',
    'ctr letters retry --dry-run\nctr letters retry --reason TIME --since 2026-01-31T12:00:00Z\nctr letters retry --map ./mend.mjs',
  )
    .option('--dry-run', 'say what would be put back where, and change nothing')
    .option('--map <file>', 'a module that mends the bytes of each record, see below')
    .option('--into <topic>', 'put all back into this one of kafka.topics')
    .option('--limit <count>', 'at most so many records, the first ones', countArgument)
    .option('--progress <topic>', "of what was put back; the name of the letters' topic, and -retried, when not given")
    .option('--per-transaction <count>', 'records in a transaction', positiveArgument, PER_TRANSACTION)
    .addHelpText('after', RETRY_DETAILS)
    .action(async (options: RetryLettersOptions) => {
      const { retryVerb } = await import('./letters.ts')
      done(await retryVerb(options))
    })
}

const PER_TRANSACTION = 500
