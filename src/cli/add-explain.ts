/** The verb `ctr explain` on the command line. */
import type { Command } from 'commander'
import type { ExplainOptions } from './explain.ts'
import { type Done, exampleText } from './verb.ts'

const DETAILS = `
It knows the codes of failures, the reasons why a record is not counted, the reasons of \`degraded\`, alerts and metrics.
Upper and lower case are the same, and CTR_ may be left out. Without a code it lists all, with the name of a group those of
it (errors, reasons, degraded, alerts, metrics).
Exits with 2 when there is no such code, and proposes near ones.
`

/** Adds it; `done` takes the exit code. */
export function addExplain(program: Command, done: Done): void {
  program
    .command('explain')
    .description('What a code means that a message, a metric or an alert has: what users notice, what to do first, which keys change it.')
    .argument('[code]', 'for example CTR_KAFKA_AUTH, NOT_JSON, lateness, CtrLagGrowing, ctr_degraded; or a group')
    .option('--json', 'in JSON')
    .addHelpText('after', DETAILS)
    .addHelpText('after', exampleText('ctr explain CTR_CLICKHOUSE_REFUSED\nctr explain reasons'))
    .action(async (code: string | undefined, options: ExplainOptions) => {
      const { explainVerb } = await import('./explain.ts')
      done(explainVerb(code, options))
    })
}
