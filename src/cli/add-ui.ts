/** The verbs `ctr ui` and `ctr top` on the command line. */
import type { Command } from 'commander'
import type { TopOptions, UiOptions } from './options.ts'
import { type Done, verb } from './verb.ts'

const URL_HELP = 'where the pipeline answers; http.host and http.port when not given'

const TOP_DETAILS = `
Without a terminal it prints a line every two seconds. A pipeline of this user on this machine is asked over its own socket when its
checkpoints are in a directory; over the network a token of http.tokens may be needed: --token, or better the environment's CTR_TOKEN.
`

/** Adds them; `done` takes the exit code. */
export function addUi(program: Command, done: Done): void {
  verb(program, 'ui', "Open a running pipeline's page in the browser, and print its address.", 'ctr ui\nctr ui --url http://10.0.0.7:9464')
    .option('--url <url>', URL_HELP)
    .option('--print', 'only print the address')
    .action(async (options: UiOptions) => {
      const { uiVerb } = await import('./ui.ts')
      done(await uiVerb(options))
    })
  verb(program, 'top', 'Watch a running pipeline in the terminal.', 'ctr top\nctr top --url http://10.0.0.7:9464')
    .option('--url <url>', URL_HELP)
    .option('--token <token>', 'of http.tokens, when it wants one')
    .option('--once', 'print one line, and end')
    .addHelpText('after', TOP_DETAILS)
    .action(async (options: TopOptions) => {
      const { topVerb } = await import('./top.ts')
      done(await topVerb(options))
    })
}
