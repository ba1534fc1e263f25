/** What the scripts offer is tried in bash; zsh's and fish's are made from the same places. */
import { execFileSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { completionScript } from '../../src/cli/completion.ts'
import { createProgram } from '../../src/cli/program.ts'
import { KEYS } from '../../src/config/catalog.ts'

const program = createProgram(() => {})
const script = completionScript('bash', program)

/** What bash offers for the last word of a line. */
function offered(typed: string): string[] {
  const words = typed.split(' ')
  const line = `COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')}) COMP_CWORD=${words.length - 1}`
  const asked = `${line}\n_ctr\nprintf '%s\\n' "\${COMPREPLY[@]}"`
  return execFileSync('bash', ['--norc', '-c', `${script}\n${asked}`], { encoding: 'utf8' })
    .split('\n')
    .filter((word) => word !== '')
}

test('every verb and every option of each is offered', () => {
  expect(offered('ctr ')).toEqual(program.commands.map((command) => command.name()))
  for (const command of program.commands) {
    const options = command.options.filter(({ hidden }) => !hidden).map(({ long }) => long ?? '')
    expect(offered(`ctr ${command.name()} --`).sort()).toEqual([...options, '--help'].sort())
  }
})

test.each([
  ['ctr r', ['run', 'replay']],
  ['ctr checkpoint ', ['list', 'inspect', 'verify', 'diff', 'export']],
  ['ctr checkpoint export --format ', ['json', 'csv']],
  ['ctr checkpoint list --js', ['--json']],
  ['ctr config ', ['check', 'print', 'diff', 'schema']],
  ['ctr load --codec z', ['zstd']],
  ['ctr load --rate ', []],
  ['ctr run --set window.si', ['window.size=']],
  ['ctr run -s window.s', ['window.size=', 'window.slide=']],
  ['ctr query --write --dem', ['--demo']],
  ['ctr completion ', ['bash', 'zsh', 'fish']],
  ['ctr --', ['--version', '--help']],
  // The value of an option is no verb.
  ['ctr query --file run --dem', ['--demo']],
])('%s<TAB> offers %j', (line, words) => {
  expect(offered(line)).toEqual(words)
})

test('every key that may be set is offered', () => {
  const keys = KEYS.filter(({ path, field }) => field !== undefined && !path.includes('[]')).map(({ path }) => `${path}=`)
  expect(offered('ctr run --set ')).toEqual(keys)
})

test.each(['zsh', 'fish'] as const)('the script for %s has every verb and option too', (shell) => {
  const text = completionScript(shell, program)
  for (const command of program.commands) {
    expect(text).toContain(command.name())
    for (const { long, hidden } of command.options)
      if (!hidden) expect(text).toContain(shell === 'fish' ? `-l ${long?.slice(2)}` : `${long}:`)
  }
})
