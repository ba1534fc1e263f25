/** `ctr explain`: what a code means and what to do about it. */
import picocolors from 'picocolors'
import { CtrError } from '../errors.ts'
import { CODE_GROUPS, type CodeGroup, type Explanation, explained, explanations, nearestCodes } from '../explain/explain.ts'
import { COLOURS } from './colours.ts'
import { wrap } from './wrap.ts'

export interface ExplainOptions {
  readonly json?: boolean
}

/** Without a word all groups, with a group's name its codes, with a code what is known of it. Throws CtrError CTR_USAGE for others. */
export function explainVerb(
  word: string | undefined,
  { json = false }: ExplainOptions,
  write: (text: string) => void = (text) => void process.stdout.write(text),
  width = process.stdout.columns || WIDTH,
): number {
  const all = explanations()
  const group = groupOf(word)
  const found =
    word === undefined || group !== undefined ? all.filter((each) => group === undefined || each.group === group) : explained(word, all)
  if (found.length === 0) throw unknown(word ?? '', all)
  if (json) write(`${JSON.stringify(found, null, 2)}\n`)
  else if (word === undefined || group !== undefined) write(`${listOf(found, width).join('\n')}\n`)
  else write(`${found.map((each) => pageOf(each, width).join('\n')).join('\n\n')}\n`)
  return 0
}

const WIDTH = 120

function groupOf(word: string | undefined): CodeGroup | undefined {
  return (Object.keys(CODE_GROUPS) as CodeGroup[]).find((group) => group === word?.toLowerCase())
}

function unknown(word: string, all: readonly Explanation[]): CtrError {
  const near = nearestCodes(word, all)
  const remedy = near.length > 0 ? `did you mean ${near.join(', ')}?` : '`ctr explain` alone lists all codes'
  return new CtrError('CTR_USAGE', `${word || "''"}: no such code; ${remedy}`)
}

function listOf(all: readonly Explanation[], width: number): string[] {
  const c = picocolors.createColors(COLOURS)
  const groups = Object.entries(CODE_GROUPS).filter(([group]) => all.some((each) => each.group === group))
  return groups.flatMap(([group, title], i) => {
    const own = all.filter((each) => each.group === group)
    const indent = Math.max(...own.map(({ code }) => code.length)) + 4
    const rows = own.map(({ code, means }) => {
      const [first = '', ...more] = wrap(means, Math.max(MEANS_MIN, width - indent))
      return `  ${code.padEnd(indent - 2)}${first}${more.length > 0 ? ' …' : ''}`
    })
    return [...(i === 0 ? [] : ['']), c.bold(group), `  ${title}.`, '', ...rows]
  })
}

const MEANS_MIN = 30

function pageOf({ code, group, means, facts, notice, commands, keys, more }: Explanation, width: number): string[] {
  const c = picocolors.createColors(COLOURS)
  const text = (words: string) => wrap(words, Math.max(MEANS_MIN, Math.min(width, WIDTH) - 2)).map((line) => `  ${line}`)
  const keyLines = keys.length === 0 ? [] : [c.bold('Keys'), ...text(keys.join(', '))]
  return [
    `${c.bold(code)} (${group})`,
    ...text([means, ...facts].join(' ')),
    c.bold('Users notice'),
    ...text(notice),
    c.bold('First'),
    ...commands.map((command) => `  ${c.cyan(command)}`),
    ...keyLines,
    c.bold('More'),
    `  docs/${more}`,
  ]
}
