/**
 * `ctr completion`: scripts by which bash, zsh and fish complete verbs, options, their choices, files and keys of the configuration. They
 * are made from the command tree and hold all there is to know, so that completing starts no process.
 */
import type { Command, Option } from 'commander'
import { KEYS } from '../config/catalog.ts'

/** A shell that scripts are made for. */
export type Shell = 'bash' | 'zsh' | 'fish'

/** What can stand at a place: one of these words, a file, or something that nobody can guess. */
type Values = { readonly kind: 'words'; readonly words: readonly string[] } | { readonly kind: 'files' } | { readonly kind: 'any' }

interface Switch {
  /** As written: `--config`, `-c`. */
  readonly names: readonly string[]
  readonly description: string
  /** undefined of one that takes none. */
  readonly values: Values | undefined
}

/** A verb, or the part of one; '' is the program itself. */
interface Place {
  /** Verbs before the cursor: `checkpoint list`. */
  readonly path: string
  readonly verbs: readonly { readonly name: string; readonly description: string }[]
  readonly switches: readonly Switch[]
  readonly operands: Values
}

/** The script of a shell for the program and all its verbs. */
export function completionScript(shell: Shell, program: Command): string {
  const places = placesOf(program, '')
  return { bash: bashScript, zsh: zshScript, fish: fishScript }[shell](program.name(), places)
}

function placesOf(command: Command, path: string): Place[] {
  const help = command.createHelp()
  const verbs = help.visibleCommands(command).filter((sub) => command.commands.includes(sub))
  const own: Place = {
    path,
    verbs: verbs.map((sub) => ({ name: sub.name(), description: sub.description() })),
    switches: help.visibleOptions(command).map(switchOf),
    operands: operandsOf(command),
  }
  return [own, ...verbs.flatMap((sub) => placesOf(sub, path === '' ? sub.name() : `${path} ${sub.name()}`))]
}

function switchOf(option: Option): Switch {
  const names = [option.long, option.short].flatMap((name) => name ?? [])
  return {
    names,
    description: option.description,
    values: option.required || option.optional ? valuesOf(option.flags, option.argChoices) : undefined,
  }
}

/** Of several operands those of the first with choices are completed first; else files, when one of them is a file. */
function operandsOf({ registeredArguments }: Command): Values {
  const choices = registeredArguments.find(({ argChoices }) => argChoices !== undefined)?.argChoices
  return valuesOf(registeredArguments.map((argument) => `<${argument.name()}>`).join(' '), choices)
}

function valuesOf(flags: string, choices: readonly string[] | undefined): Values {
  if (choices !== undefined) return { kind: 'words', words: choices }
  if (/<key=value>/.test(flags)) return { kind: 'words', words: keys() }
  return /<(?:file|files|path|config)>/.test(flags) ? { kind: 'files' } : { kind: 'any' }
}

function keys(): string[] {
  return KEYS.flatMap(({ path, field }) => (field === undefined || path.includes('[]') ? [] : [`${path}=`]))
}

const quoted = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`

/** Patterns of a shell's `case` for the verbs that lead from one place to the next: `|run`, `checkpoint|list`. */
function steps(places: readonly Place[]): string {
  return places.flatMap(({ path, verbs }) => verbs.map(({ name }) => quoted(`${path}|${name}`))).join('|')
}

/** For each option with a value, the patterns of its names behind a place, and what can stand there. */
function valuesBehind({ path, switches }: Place): { readonly patterns: string; readonly values: Values }[] {
  return switches.flatMap(({ names, values }) =>
    values === undefined ? [] : [{ patterns: names.map((name) => quoted(`${path}|${name}`)).join('|'), values }],
  )
}

function bashScript(name: string, places: readonly Place[]): string {
  const offer = (values: Values) =>
    values.kind === 'files' ? 'files=1' : `words=${quoted(values.kind === 'words' ? values.words.join(' ') : '')}`
  const behind = places.flatMap((place) => valuesBehind(place).map(({ patterns, values }) => `    ${patterns}) ${offer(values)} ;;`))
  const at = places.map(({ path, verbs, switches, operands }) => {
    const words = [...verbs.map((verb) => verb.name), ...(operands.kind === 'words' ? operands.words : [])].join(' ')
    const names = switches.flatMap((one) => one.names).join(' ')
    return `        ${quoted(path)}) words=${quoted(words)} options=${quoted(names)}${operands.kind === 'files' ? ' files=1' : ''} ;;`
  })
  return `# Completion of ${name} for bash; made by: ${name} completion bash
_${name}() {
  local at='' word words='' options='' files='' i
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]}
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=\${COMP_WORDS[i]}
    case "$at|$word" in
      ${steps(places)}) at="\${at:+$at }$word" ;;
    esac
  done
  case "$at|$prev" in
${behind.join('\n')}
    *)
      case "$at" in
${at.join('\n')}
      esac
      [[ $cur == -* ]] && words=$options files='' ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
  [[ -n $files ]] && compopt -o default 2>/dev/null
  [[ \${COMPREPLY[0]-} == *= ]] && compopt -o nospace 2>/dev/null
  return 0
}
complete -F _${name} ${name}
`
}

/** A word and its description, as _describe takes them. */
const described = (word: string, description: string) => quoted(`${word.replaceAll(':', '\\:')}:${description}`)

function zshScript(name: string, places: readonly Place[]): string {
  const offer = (values: Values) => {
    if (values.kind === 'files') return '_files'
    if (values.kind === 'any') return ':'
    const unfinished = values.words.some((word) => word.endsWith('='))
    return `compadd ${unfinished ? "-S '' " : ''}-- ${values.words.map(quoted).join(' ')}`
  }
  const behind = places.flatMap((place) =>
    valuesBehind(place).map(({ patterns, values }) => `    ${patterns}) ${offer(values)}; return ;;`),
  )
  const at = places.map(({ path, verbs, switches, operands }) => {
    const options = switches.flatMap(({ names, description }) => names.map((one) => described(one, description)))
    const words = verbs.map((verb) => described(verb.name, verb.description))
    const other = operands.kind === 'any' ? '' : ` ${offer(operands)};`
    return `    ${quoted(path)}) options=(${options.join(' ')}); verbs=(${words.join(' ')});${other} ;;`
  })
  return `#compdef ${name}
# Completion of ${name} for zsh; made by: ${name} completion zsh
_${name}() {
  local at='' word i
  local -a options verbs
  for ((i = 2; i < CURRENT; i++)); do
    word=$words[i]
    case "$at|$word" in
      ${steps(places).replaceAll("'|'", "' | '")}) at="\${at:+$at }$word" ;;
    esac
  done
  case "$at|$words[CURRENT-1]" in
${behind.join('\n')}
  esac
  case "$at" in
${at.join('\n')}
  esac
  (( $#verbs )) && _describe verb verbs
  [[ $words[CURRENT] == -* ]] && _describe option options
  return 0
}
if [[ $funcstack[1] == _${name} ]]; then _${name} "$@"; else compdef _${name} ${name}; fi
`
}

function fishScript(name: string, places: readonly Place[]): string {
  const text = (words: string) => `'${words.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
  const lines = places.flatMap(({ path, verbs, switches, operands }) => {
    const begin = `complete -c ${name} -n ${text(`__${name}_at ${path === '' ? "''" : `'${path}'`}`)}`
    const valued = (values: Values | undefined) => {
      if (values === undefined) return ''
      return values.kind === 'files' ? ' -r -F' : ` -x${values.kind === 'words' ? ` -a ${text(values.words.join(' '))}` : ''}`
    }
    const named = (names: readonly string[]) =>
      names.map((one) => (one.startsWith('--') ? ` -l ${one.slice(2)}` : ` -s ${one.slice(1)}`)).join('')
    return [
      ...verbs.map((verb) => `${begin} -a ${verb.name} -d ${text(verb.description)}`),
      ...switches.map((one) => `${begin}${named(one.names)}${valued(one.values)} -d ${text(one.description)}`),
      ...(operands.kind === 'words' ? [`${begin} -a ${text(operands.words.join(' '))}`] : operands.kind === 'files' ? [`${begin} -F`] : []),
    ]
  })
  const known = places.flatMap(({ path, verbs }) => verbs.map((verb) => text(`${path}|${verb.name}`))).join(' ')
  return `# Completion of ${name} for fish; made by: ${name} completion fish
function __${name}_at
    set -l at ''
    for word in (commandline -opc)[2..]
        if contains -- "$at|$word" ${known}
            set at (string trim "$at $word")
        end
    end
    test "$at" = "$argv[1]"
end
complete -c ${name} -f
${lines.join('\n')}
`
}
