/** The verb `ctr compare` on the command line. */
import type { Command } from 'commander'
import { timeArgument } from './arguments.ts'
import type { CompareOptions } from './options.ts'
import { type Done, verb } from './verb.ts'

const DETAILS = `
A side is a configuration (a file), or a database at the ClickHouse of the configuration that is in effect; they may be at
different servers. All windows of all products that start within the time are compared, as ctr_windows has them: minute by
minute by their number, sums and two 64-bit digests, and row by row in minutes where these differ. It only reads.
Without --from and --to it is the last hour up to the newest window of the side that is behind, without that window. Windows
that late events still correct may differ for a moment: end some minutes back (--to) for a verdict. --tenant NAME names that
of both sides.
Exits 0 when all is equal, 1 when anything differs or there is nothing to compare, 2 when a side can not be had as it is written.
`

const EXAMPLE = `ctr compare --a blue.yaml --b green.yaml
ctr compare --a ctr --b ctr_green --from 2026-01-31T12:00:00Z --to 2026-01-31T13:00:00Z --json`

/** Adds it; `done` takes the exit code. */
export function addCompare(program: Command, done: Done): void {
  const description = 'Hold the windows of two databases against each other: rows, sums, the largest difference, a verdict.'
  verb(program, 'compare', description, EXAMPLE)
    .requiredOption('--a <side>', 'a configuration, or a database')
    .requiredOption('--b <side>', 'what it is compared with')
    .option('--from <time>', 'windows that start here or later', timeArgument)
    .option('--to <time>', 'and before', timeArgument)
    .option('--json', 'in JSON')
    .addHelpText('after', DETAILS)
    .action(async (options: CompareOptions) => {
      const { compareVerb } = await import('./compare.ts')
      done(await compareVerb(options))
    })
}
