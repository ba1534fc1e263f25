/** The verb `ctr doctor` on the command line. */
import { type Command, Option } from 'commander'
import { patienceArgument } from './arguments.ts'
import type { DoctorOptions } from './options.ts'
import { type Done, verb } from './verb.ts'

/** How long a check may take, ms. */
export const CHECK_TIMEOUT_MS = 10_000

const DETAILS = `
It looks at brokers, topics, rights, retention and the group; at ClickHouse, its tables and rights; at the store of checkpoints; at clocks,
memory, files, disks and ports of this machine. What a start would refuse is a fault here, in the same words. It joins no group and leaves
nothing behind: run it before a first start, or beside a running pipeline.
Exits 0 when there is no fault, 1 when there is one (with --strict also for a warning), 2 when the configuration is wrong.
`

/** Adds it; `done` takes the exit code. */
export function addDoctor(program: Command, done: Done): void {
  const description = 'Look at everything that a pipeline with this configuration needs, and say what to do about what is wrong.'
  verb(program, 'doctor', description, 'ctr doctor --config ctr.yaml\nctr doctor --config ctr.yaml --strict --json')
    .addOption(timeoutOption())
    .option('--strict', 'exit with 1 for a warning, too')
    .option('--json', 'what was found in JSON')
    .addHelpText('after', DETAILS)
    .action(async (options: DoctorOptions) => {
      const { doctorVerb } = await import('./doctor.ts')
      done(await doctorVerb(options))
    })
}

/** How long each check may take. */
function timeoutOption(): Option {
  return new Option('--timeout <time>', 'how long each check may take; all are made at once')
    .argParser(patienceArgument)
    .default(CHECK_TIMEOUT_MS, '10s')
}
