/** What every verb with a configuration has in common on the command line. */
import type { Command } from 'commander'
import { collect } from './arguments.ts'
import type { ConfigOptions } from './options.ts'

/** Takes the exit code of the verb that ran. */
export type Done = (code: number) => void

/** A subcommand with the configuration's options and an example in its help. */
export function verb(program: Command, name: string, description: string, example: string): Command {
  return program
    .command(name)
    .description(description)
    .option('-c, --config <file>', 'configuration, YAML; without it the defaults hold')
    .option('-s, --set <key=value>', 'override a key of the configuration; may be repeated; --key=value does the same', collect)
    .hook('preAction', (command) => {
      if (command.getOptionValue('set') === undefined) command.setOptionValue('set', [])
    })
    .addHelpText('after', exampleText(example))
}

/** The options again that say which configuration was meant, for a command that is proposed; with a space before them. */
export function sameConfig({ config, set }: ConfigOptions): string {
  const words = [...(config === undefined ? [] : ['--config', config]), ...set.flatMap((one) => ['--set', one])]
  return words.map((word) => ` ${/^[\w./:=@%+-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`}`).join('')
}

/** The end of a help text. */
export function exampleText(example: string): string {
  return `\nExample:\n${example.replaceAll(/^/gm, '  $ ')}`
}
