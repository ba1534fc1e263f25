/** The verbs `ctr checkpoint` and `ctr savepoint` on the command line. */
import { type Command, Option } from 'commander'
import type { CheckpointOptions, ExportOptions } from './options.ts'
import { type Done, exampleText, NO_VIEW_HELP, verb } from './verb.ts'

const NAMES = 'an id, the name of a savepoint, or latest: what a start would go on from'

/** Adds both; `done` takes the exit code. */
export function addCheckpoint(program: Command, done: Done): void {
  const checkpoints = program
    .command('checkpoint')
    .description('Look at what is kept in checkpoint.storage.')
    .addHelpText(
      'after',
      exampleText('ctr checkpoint list --config ctr.yaml\nctr checkpoint verify latest\nctr checkpoint export latest > open.jsonl'),
    )
  addList(checkpoints, done)
  addInspect(checkpoints, done)
  addVerify(checkpoints, done)
  addDiff(checkpoints, done)
  addExport(checkpoints, done)
  addSavepoint(program, done)
}

/** A subcommand that can answer in JSON. */
function part(parent: Command, name: string, description: string, example: string): Command {
  return verb(parent, name, description, example).option('--json', 'answer in JSON')
}

function addList(parent: Command, done: Done): void {
  part(
    parent,
    'list',
    'All checkpoints and savepoints of the group, newest first.',
    'ctr checkpoint list\nctr checkpoint list --json',
  ).action(async (options: CheckpointOptions) => {
    const { listVerb } = await import('./checkpoint.ts')
    done(await listVerb(options))
  })
}

function addInspect(parent: Command, done: Done): void {
  const description = 'Tasks, watermarks, offsets, windows and sizes of a checkpoint.'
  part(parent, 'inspect', description, 'ctr checkpoint inspect\nctr checkpoint inspect before-upgrade --json')
    .argument('[checkpoint]', NAMES, 'latest')
    .action(async (what: string, options: CheckpointOptions) => {
      const { inspectVerb } = await import('./checkpoint.ts')
      done(await inspectVerb(what, options))
    })
}

function addVerify(parent: Command, done: Done): void {
  const description = 'Read every byte and check it; exits 1 when something is broken.'
  part(parent, 'verify', description, 'ctr checkpoint verify\nctr checkpoint verify before-upgrade')
    .argument('[checkpoint]', 'an id, the name of a savepoint, or latest; without it all there are')
    .option('--no-view', NO_VIEW_HELP)
    .action(async (what: string | undefined, options: CheckpointOptions) => {
      const { verifyVerb } = await import('./checkpoint.ts')
      done(await verifyVerb(what, options))
    })
}

function addDiff(parent: Command, done: Done): void {
  const description = 'Which open windows differ between two checkpoints; exits 1 when some do.'
  part(parent, 'diff', description, 'ctr checkpoint diff before-upgrade latest\nctr checkpoint diff before-upgrade latest --json')
    .argument('<a>', NAMES)
    .argument('<b>', 'the same')
    .option('--no-view', NO_VIEW_HELP)
    .action(async (a: string, b: string, options: CheckpointOptions) => {
      const { diffVerb } = await import('./checkpoint.ts')
      done(await diffVerb(a, b, options))
    })
}

function addExport(parent: Command, done: Done): void {
  const description = 'Write the counts of all open windows to stdout: task, product, window, impressions, clicks.'
  verb(
    parent,
    'export',
    description,
    'ctr checkpoint export latest > open.jsonl\nctr checkpoint export before-upgrade --format csv > open.csv',
  )
    .argument('[checkpoint]', NAMES, 'latest')
    .addOption(new Option('-f, --format <name>', 'json: a line of JSON for each').choices(['json', 'csv']).default('json'))
    .option('--no-view', NO_VIEW_HELP)
    .action(async (what: string, options: ExportOptions) => {
      const { exportVerb } = await import('./checkpoint.ts')
      done(await exportVerb(what, options))
    })
}

function addSavepoint(program: Command, done: Done): void {
  const parent = program
    .command('savepoint')
    .description('Checkpoints that have a name and never expire.')
    .addHelpText('after', exampleText('ctr savepoint create before-upgrade\nctr savepoint list\nctr savepoint delete before-upgrade'))
  part(parent, 'list', 'All savepoints of the group, newest first.', 'ctr savepoint list').action(async (options: CheckpointOptions) => {
    const { listVerb } = await import('./checkpoint.ts')
    done(await listVerb({ ...options, savepoints: true }))
  })
  for (const action of ['create', 'delete'] as const) {
    const description =
      action === 'create'
        ? 'Let the running pipeline take a savepoint; when none runs, give the furthest checkpoint of each task a name.'
        : 'Remove a savepoint for good.'
    part(parent, action, description, `ctr savepoint ${action} before-upgrade`)
      .argument('<name>', 'up to 100 of A-Z a-z 0-9 dot, dash and underscore')
      .option('--no-view', NO_VIEW_HELP)
      .option('--url <url>', 'of the running pipeline; without it http.host and http.port of the configuration')
      .action(async (name: string, options: CheckpointOptions) => {
        const [{ savepointVerb }, { askPipeline }] = await Promise.all([import('./savepoint.ts'), import('./ask-pipeline.ts')])
        done(await savepointVerb(action, name, options, askPipeline))
      })
  }
}
