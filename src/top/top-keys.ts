/** What is looked at, and what a key makes of it. */

/** The lists, in the order of their numbers. */
export const LISTS = ['partitions', 'products', 'letters', 'threads'] as const
/** One of them. */
export type TopList = (typeof LISTS)[number]

/** What the user has chosen. */
export interface TopChoice {
  readonly list: TopList
  /** Of the list's columns. */
  readonly sort: number
  readonly down: boolean
  readonly filter: string
  /** Keys go into the filter. */
  readonly typing: boolean
  readonly paused: boolean
  readonly help: boolean
  /** Rows that lie above the first one shown. */
  readonly scroll: number
}

/** At the start. */
export const FIRST_CHOICE: TopChoice = {
  list: 'partitions',
  sort: 0,
  down: true,
  filter: '',
  typing: false,
  paused: false,
  help: false,
  scroll: 0,
}

/** Keys and what they do, as the help shows them. */
export const TOP_KEYS: readonly (readonly [key: string, does: string])[] = [
  ['1 2 3 4, Tab', 'partitions, products, dead letters, threads'],
  ['s, S', 'sort by the next column, the one before'],
  ['r', 'turn the order round'],
  ['/', 'filter: type, Enter keeps it, Esc takes it away'],
  ['↑ ↓ PgUp PgDn, k j', 'scroll'],
  ['p, space', 'pause, go on'],
  ['? h', 'this help'],
  ['q, Ctrl-C', 'quit'],
]

/** The same of the view of a run. */
export const ATTACHED_KEYS: typeof TOP_KEYS = [
  ['q', 'close the view; the run goes on'],
  ['Ctrl-C, Ctrl-Z', 'stop the run, suspend it'],
  ...TOP_KEYS.slice(0, -1),
]

const PAGE_ROWS = 10

/** The choice after a key, as Node's readline names it; 'quit' for the end. */
export function pressed(choice: TopChoice, { name = '', text = '', ctrl = false }: TopKey): TopChoice | 'quit' {
  if (ctrl && name === 'c') return 'quit'
  if (choice.typing) return typed(choice, name, text)
  if (choice.help) return name === 'q' ? 'quit' : { ...choice, help: false }
  const list = LISTS[Number(text) - 1]
  if (list !== undefined && text !== '') return listed(choice, list)
  switch (text === '' ? name : text) {
    case 'q':
      return 'quit'
    case '?':
    case 'h':
      return { ...choice, help: true }
    case 'p':
    case ' ':
      return { ...choice, paused: !choice.paused }
    case '/':
      return { ...choice, typing: true }
    case 's':
      return { ...choice, sort: choice.sort + 1, scroll: 0 }
    case 'S':
      return { ...choice, sort: choice.sort - 1, scroll: 0 }
    case 'r':
      return { ...choice, down: !choice.down, scroll: 0 }
    case 'j':
      return scrolled(choice, 1)
    case 'k':
      return scrolled(choice, -1)
  }
  return named(choice, name)
}

/** A key: what it is called, and the character that it makes, if any. */
export interface TopKey {
  readonly name?: string | undefined
  readonly text?: string | undefined
  readonly ctrl?: boolean | undefined
}

function named(choice: TopChoice, name: string): TopChoice {
  switch (name) {
    case 'tab':
      return listed(choice, LISTS[(LISTS.indexOf(choice.list) + 1) % LISTS.length] ?? 'partitions')
    case 'down':
      return scrolled(choice, 1)
    case 'up':
      return scrolled(choice, -1)
    case 'pagedown':
      return scrolled(choice, PAGE_ROWS)
    case 'pageup':
      return scrolled(choice, -PAGE_ROWS)
    case 'home':
      return { ...choice, scroll: 0 }
    case 'escape':
      return { ...choice, filter: '', scroll: 0 }
    default:
      return choice
  }
}

function listed(choice: TopChoice, list: TopList): TopChoice {
  return { ...choice, list, sort: 0, down: true, scroll: 0, filter: '' }
}

function scrolled(choice: TopChoice, rows: number): TopChoice {
  return { ...choice, scroll: Math.max(0, choice.scroll + rows) }
}

function typed(choice: TopChoice, name: string, text: string): TopChoice {
  const scroll = 0
  if (name === 'return' || name === 'enter') return { ...choice, typing: false }
  if (name === 'escape') return { ...choice, typing: false, filter: '', scroll }
  if (name === 'backspace') return { ...choice, filter: [...choice.filter].slice(0, -1).join(''), scroll }
  return /^\P{C}+$/u.test(text) ? { ...choice, filter: choice.filter + text, scroll } : choice
}
