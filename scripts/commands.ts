/** The command line's own help, verb after verb, as a document. */
import type { Command } from 'commander'
import { createProgram } from '../src/cli/program.ts'

const HELP_COLUMNS = 120

/** A heading and the help of every verb that does something, in the program's order. */
export function commandReference(): string {
  return leaves(createProgram(() => {}))
    .map((command) => `## ${titleOf(command)}\n\n\`\`\`text\n${helpOf(command)}\n\`\`\`\n`)
    .join('\n')
}

/** Verbs such as `checkpoint` only gather others. */
function leaves(command: Command): Command[] {
  return command.commands.length === 0 ? [command] : command.commands.flatMap(leaves)
}

function titleOf(command: Command): string {
  return command.parent === null ? command.name() : `${titleOf(command.parent)} ${command.name()}`
}

function helpOf(command: Command): string {
  let text = ''
  command.configureOutput({
    writeOut: (part) => {
      text += part
    },
    getOutHelpWidth: () => HELP_COLUMNS,
    getOutHasColors: () => false,
  })
  command.outputHelp()
  return text.trimEnd()
}
