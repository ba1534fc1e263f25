/** The verb `ctr selftest` on the command line. */
import type { Command } from 'commander'
import { countArgument, durationArgument, positiveArgument } from './arguments.ts'
import type { SelftestOptions } from './options.ts'
import { type Done, NO_VIEW_HELP, verb } from './verb.ts'

const DETAILS = `
On the configured brokers and ClickHouse it makes topics, groups and a database named ctr-selftest-*, with windows of 5 s, and removes
them at the end, whatever the end. It needs the right to create and delete them. Nothing that exists is written to.
Exits 0 when every row is right, 1 when not.
`

/** Adds it; `done` takes the exit code. */
export function addSelftest(program: Command, done: Done): void {
  const description = 'Kill pipelines again and again while generated events flow, and compare every row with a plain count.'
  verb(program, 'selftest', description, 'ctr selftest --config ctr.yaml\nctr selftest --kills 50 --pods 3 --rate 50k --json')
    .option('--kills <n>', 'how many SIGKILLs, at random moments', countArgument, 10)
    .option('--pods <n>', 'how many processes share the work, 1 to 3', positiveArgument, 1)
    .option('--rate <n>', 'events per second', positiveArgument, 10_000)
    .option('--duration <time>', 'go on for at least this time', durationArgument, 0)
    .option('--events <n>', 'go on for at least this many events', countArgument, 0)
    .option('--partitions <n>', 'partitions of each topic', positiveArgument, 4)
    .option('--products <n>', 'how many products', positiveArgument, 500)
    .option('--seed <n>', 'the same seed makes the same events, and kills at the same moments', countArgument)
    .option('--json', 'the verdict in JSON')
    .option('--no-view', NO_VIEW_HELP)
    .addHelpText('after', DETAILS)
    .action(async (options: SelftestOptions) => {
      const { selftestVerb } = await import('./selftest.ts')
      done(await selftestVerb(options))
    })
}
