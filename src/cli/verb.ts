/** What every verb with a configuration has in common on the command line. */
import type { Command } from 'commander'
import { findConfig } from '../config/find.ts'
import { CtrError } from '../errors.ts'
import { collect } from './arguments.ts'
import type { ConfigOptions } from './options.ts'

/** Takes the exit code of the verb that ran. */
export type Done = (code: number) => void

/** Of --no-view. */
export const NO_VIEW_HELP = 'lines only, on a terminal too, where a view stands below them otherwise'

/** A subcommand with the configuration's options and an example in its help, which takes the configuration that is found. */
export function verb(program: Command, name: string, description: string, example: string): Command {
  return verbThatAsks(program, name, description, example).hook('preAction', (command) => {
    const { config } = configured(command.opts<ConfigOptions>())
    if (config !== undefined) command.setOptionValue('config', config)
  })
}

/** As `verb`, for one that says itself whether and which configuration it takes. */
export function verbThatAsks(program: Command, name: string, description: string, example: string): Command {
  return program
    .command(name)
    .description(description)
    .option('-c, --config <file>', 'configuration, YAML; without it $CTR_CONFIG, or ./ctr.yaml, or else the defaults')
    .option('-s, --set <key=value>', 'override a key of the configuration; may be repeated; --key=value does the same', collect)
    .hook('preAction', (command) => {
      if (command.getOptionValue('set') === undefined) command.setOptionValue('set', [])
    })
    .addHelpText('after', exampleText(example))
}

/**
 * The options with the file to take: `given` as an argument, or by --config, or else the one that is found, which is told. Throws CtrError
 * CTR_USAGE for two files, CTR_CONFIG as findConfig does.
 */
export function configured<T extends ConfigOptions>(
  options: T,
  given?: string,
  tell: (text: string) => void = (text) => void process.stderr.write(text),
): T {
  const { config } = options
  if (given !== undefined && config !== undefined && given !== config) {
    throw new CtrError('CTR_USAGE', `${given} and --config ${config}: a configuration is one file; leave one of them out`)
  }
  if (given !== undefined) return { ...options, config: given }
  const found = config === undefined ? findConfig() : undefined
  if (found === undefined) return options
  tell(`ctr: configuration ${found.file}: ${found.because}\n`)
  return { ...options, config: found.file }
}

/** The options again that say which configuration was meant, for a command that is proposed; with a space before them. */
export function sameConfig({ config, set }: ConfigOptions): string {
  const sets = set.flatMap((one) => (one.startsWith('--') ? [one] : ['--set', one]))
  const words = [...(config === undefined ? [] : ['--config', config]), ...sets]
  return words.map((word) => ` ${/^[\w./:=@%+-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`}`).join('')
}

/** The end of a help text. */
export function exampleText(example: string): string {
  return `\nExample:\n${example.replaceAll(/^/gm, '  $ ')}`
}
