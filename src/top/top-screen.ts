/**
 * A running pipeline as lines: pure functions from answers of the API and what the user has chosen to text of exactly a terminal's size.
 * `ctr top` shows them on the whole of it, the view of a run below what it logs (`renderAttached`).
 */
import picocolors from 'picocolors'
import stringWidth from 'string-width'
import { fit } from '../columns.ts'
import type { ApiAnswer } from '../server/api-schemas.ts'
import { formatBytes, formatCount, formatRatio, formatSpan } from '../text.ts'
import { bar, sparkline } from './spark.ts'
import { ATTACHED_KEYS, LISTS, TOP_KEYS, type TopChoice, type TopList } from './top-keys.ts'
import { type TopAnswers, type TopRow, topTable } from './top-lists.ts'

/** Of a terminal. */
export interface ScreenSize {
  readonly columns: number
  readonly rows: number
}

/** What is drawn beside the answers. */
export interface TopDrawn {
  readonly choice: TopChoice
  /** Why the newest question was not answered; '' when it was. */
  readonly error: string
  /** Below the log of the run that it shows. */
  readonly attached?: boolean
  /** Instead of what keys do. */
  readonly note?: string
}

const MARKS = { ok: '✓', info: 'i', warning: '▲', critical: '✕' } as const
const LIST_NAMES = { partitions: 'partitions', products: 'products', letters: 'letters', threads: 'threads' } as const
const TRENDS = { better: ', getting better', worse: ', getting worse', steady: ', steady', unknown: '' } as const
const UNKNOWN = '-'

type Colours = ReturnType<typeof picocolors.createColors>

/** The whole screen: `rows` lines, none wider than `columns`. */
export function renderTop(answers: TopAnswers, drawn: TopDrawn, { columns, rows }: ScreenSize, colours: boolean): string[] {
  const c = picocolors.createColors(colours)
  const { choice, error } = drawn
  const { state } = answers
  const top = [headLine(state, drawn, columns, c)]
  if (error !== '') top.push(c.red(fit(` ✕ ${error}`, columns)))
  if (state !== undefined) {
    top.push(...sentenceLines(state.diagnosis, state.at, columns, c))
  }
  if (state !== undefined && !choice.help) {
    const blank = rows < ROOMY_MIN_ROWS ? [] : ['']
    const room = rows - top.length - 2 * blank.length - LIST_MIN_ROWS - FOOT_ROWS
    top.push(...blank, ...figureLines(answers, state, { columns, rows: Math.max(FIGURES_MIN_ROWS, room) }, c), ...blank)
  }
  const foot = footLine(drawn, columns, c)
  const room = Math.max(0, rows - top.length - FOOT_ROWS)
  const middle = choice.help ? helpLines(drawn, columns, c) : listsLines(answers, choice, { columns, rows: room }, c)
  const filled = [...top.slice(0, rows - FOOT_ROWS), ...middle.slice(0, room)]
  return [...filled, ...new Array<string>(Math.max(0, rows - FOOT_ROWS - filled.length)).fill(''), foot]
}

/** A line that is empty, for whatever else may be printed there, and the screen below it; the log has the rest of the terminal. */
export function renderAttached(answers: TopAnswers, drawn: TopDrawn, { columns, rows }: ScreenSize, colours: boolean): string[] {
  const own = Math.min(ATTACHED_MAX_ROWS, Math.max(1, Math.floor(rows * ATTACHED_SHARE)))
  return ['', ...renderTop(answers, { ...drawn, attached: true }, { columns, rows: own }, colours)]
}

/** Of a terminal of 24 rows the log has eight. */
const ATTACHED_SHARE = 0.64
const ATTACHED_MAX_ROWS = 30
/** With fewer, no line is left empty. */
const ROOMY_MIN_ROWS = 15
const FOOT_ROWS = 1
/** The head, and three of them. */
const LIST_MIN_ROWS = 4
const FIGURES_MIN_ROWS = 3

function headLine(state: ApiAnswer<'state'> | undefined, { choice, attached }: TopDrawn, columns: number, c: Colours): string {
  if (state === undefined) return c.bold(fit(attached === true ? ' ctr' : ' ctr top', columns))
  const parts = [
    state.group,
    state.state,
    `${formatCount(state.tasks.assigned)} tasks`,
    `up ${formatSpan(Date.parse(state.at) - Date.parse(state.startedAt))}`,
  ]
  const text = ` ctr ${choice.paused ? 'PAUSED · ' : ''}${parts.join(' · ')} · ${state.at.slice(0, 19).replace('T', ' ')} UTC`
  return c.bold(fit(text, columns))
}

function sentenceLines(
  { severity, sentence, remedy, since, trend, others }: ApiAnswer<'state'>['diagnosis'],
  at: string,
  columns: number,
  c: Colours,
): string[] {
  const paint = { ok: c.green, info: c.cyan, warning: c.yellow, critical: c.red }[severity]
  const lasting = since === null ? '' : ` For ${formatSpan(Math.max(0, Date.parse(at) - Date.parse(since)))}${TRENDS[trend]}.`
  const more = others.length === 0 ? '' : ` And ${others.length} more.`
  const lines = wrapped(`${MARKS[severity]} ${sentence}${lasting}${more}`, columns - 2, SENTENCE_LINES).map((line) =>
    paint(fit(` ${line}`, columns)),
  )
  return remedy === '' ? lines : [...lines, ...wrapped(`→ ${remedy}`, columns - 2, REMEDY_LINES).map((line) => fit(` ${line}`, columns))]
}

const SENTENCE_LINES = 3
const REMEDY_LINES = 2

/** Words on at most so many lines; what has no room is cut by `fit`, which marks it. */
function wrapped(text: string, columns: number, lines: number): string[] {
  const all: string[] = ['']
  for (const word of text.split(' ')) {
    const last = all.at(-1) ?? ''
    const longer = last === '' ? word : `${last} ${word}`
    if (stringWidth(longer) <= columns || last === '' || all.length === lines) all[all.length - 1] = longer
    else all.push(word)
  }
  return all
}

interface Figure {
  readonly name: string
  readonly value: string
  readonly line: readonly (number | null)[]
  /** Instead of a line: how much of something has passed. */
  readonly passedShare?: number
}

const NAME_COLUMNS = 11
const VALUE_COLUMNS = 12
const SPARK_MAX = 60
const TWO_MIN_COLUMNS = 2 * (NAME_COLUMNS + VALUE_COLUMNS) + 4

/** Two figures a line where there is room for them, each with its last quarter of an hour; the last ones go where there are too many. */
function figureLines(answers: TopAnswers, state: ApiAnswer<'state'>, { columns, rows }: ScreenSize, c: Colours): string[] {
  const aLine = columns < TWO_MIN_COLUMNS ? 1 : 2
  const all = figuresOf(answers.history, state).slice(0, rows * aLine)
  const each = Math.floor((columns - 1) / aLine)
  const spark = Math.max(0, Math.min(SPARK_MAX, each - NAME_COLUMNS - VALUE_COLUMNS - 2))
  const cell = ({ name, value, line, passedShare }: Figure) =>
    c.dim(fit(name, NAME_COLUMNS)) +
    c.bold(fit(value, VALUE_COLUMNS)) +
    c.cyan(passedShare === undefined ? sparkline(line, spark) : bar(passedShare, spark)) +
    ' '.repeat(Math.max(0, each - NAME_COLUMNS - VALUE_COLUMNS - spark))
  const lines: string[] = []
  for (let i = 0; i < all.length; i += aLine) {
    const cells = all.slice(i, i + aLine).map(cell)
    lines.push(` ${cells.join('').trimEnd()}`)
  }
  return lines
}

function figuresOf(history: ApiAnswer<'history'> | undefined, state: ApiAnswer<'state'>): Figure[] {
  const { rates, lastMinute, latency, emitDelay, memory } = state
  const line = (name: keyof ApiAnswer<'history'>['series']) => history?.series[name] ?? []
  const delay = latency.endToEnd.count > 0 ? latency.endToEnd : emitDelay
  const span = (seconds: number | null) => (seconds === null ? UNKNOWN : formatSpan(Math.max(0, seconds) * 1000))
  return [
    { name: 'events/s', value: formatCount(rates.recordsPerSecond), line: line('recordsPerSecond') },
    nextRows(state.nextWindow),
    { name: 'lag', value: state.lagRecords === null ? UNKNOWN : formatCount(state.lagRecords), line: line('lagRecords') },
    { name: 'CTR, 1 min', value: lastMinute.ctr === null ? UNKNOWN : formatRatio(lastMinute.ctr), line: line('ctr') },
    { name: 'behind', value: span(state.behindSeconds), line: line('behindSeconds') },
    { name: 'late/s', value: rates.latePerSecond.toFixed(1), line: line('latePerSecond') },
    { name: 'readable', value: span(delay.p95Seconds), line: line('delaySeconds') },
    { name: 'watermark', value: span(state.watermark.lagSeconds), line: line('watermarkLagSeconds') },
    { name: 'rows/s', value: formatCount(rates.rowsPerSecond), line: line('rowsPerSecond') },
    { name: 'rows wait', value: formatCount(state.rowsPending), line: line('rowsPending') },
    { name: 'invalid/s', value: rates.invalidPerSecond.toFixed(1), line: line('invalidPerSecond') },
    { name: 'checkpoint', value: state.checkpoint.enabled ? span(state.checkpoint.ageSeconds) : 'off', line: [] },
    { name: 'memory', value: formatBytes(memory.rssBytes), line: line('rssBytes') },
  ]
}

/** Until the rows of a window are due, and how much of it has passed. */
function nextRows(next: ApiAnswer<'state'>['nextWindow']): Figure {
  if (next === null) return { name: 'next rows', value: UNKNOWN, line: [] }
  const lengthMs = Date.parse(next.end) - Date.parse(next.start)
  return {
    name: 'next rows',
    value: `in ${formatSpan(next.inSeconds * 1000)}`,
    line: [],
    passedShare: 1 - (next.inSeconds * 1000) / lengthMs,
  }
}

const CELL_COLUMNS = 11
const NAME_MIN_COLUMNS = 12
/** From here on there is room for a second list beside the first. */
export const TWO_LISTS_MIN_COLUMNS = 150
const FIRST_LIST_SHARE = 0.62

function listsLines(answers: TopAnswers, choice: TopChoice, { columns, rows }: ScreenSize, c: Colours): string[] {
  // A head alone says nothing.
  if (rows < 2) return []
  if (columns < TWO_LISTS_MIN_COLUMNS) return listLines(answers, choice, columns, rows, c)
  const left = Math.floor(columns * FIRST_LIST_SHARE)
  const beside = { ...choice, list: besideList(choice.list), sort: 0, down: true, filter: '', scroll: 0 }
  const first = listLines(answers, choice, left, rows, c)
  const second = listLines(answers, beside, columns - left, rows, c)
  return Array.from({ length: Math.max(first.length, second.length) }, (_, i) => (first[i] ?? ' '.repeat(left)) + (second[i] ?? ''))
}

/** What stands beside a list on a wide terminal: the reasons of what was not counted. */
export function besideList(list: TopList): TopList {
  return list === 'letters' ? 'partitions' : 'letters'
}

/** As many columns of the list as have room. */
function listLines(answers: TopAnswers, choice: TopChoice, columns: number, room: number, c: Colours): string[] {
  const { heads, rows, empty, sorted } = topTable(answers, choice.list, choice.filter, choice.sort, choice.down)
  const shown = Math.min(heads.length, 1 + Math.max(1, Math.floor((columns - 1 - NAME_MIN_COLUMNS) / CELL_COLUMNS)))
  const name = Math.max(NAME_MIN_COLUMNS, columns - 1 - (shown - 1) * CELL_COLUMNS)
  const cells = (texts: readonly string[]) => {
    const parts = texts.slice(0, shown).map((text, i) => (i === 0 ? fit(text, name) : right(text)))
    return fit(` ${parts.join('')}`, columns)
  }
  const arrow = choice.sort === 0 && choice.down ? '' : choice.down ? '▾' : '▴'
  const head = c.dim(cells(heads.map((each, i) => (i === sorted ? each + arrow : each))))
  if (rows.length === 0) return [head, c.dim(fit(` ${choice.filter === '' ? empty : 'nothing that fits the filter'}`, columns))]
  const first = Math.min(choice.scroll, Math.max(0, rows.length - (room - 1)))
  const body = rows.slice(first, first + room - 1).map((row: TopRow) => {
    const text = cells(row.cells)
    return row.marked ? c.yellow(text) : text
  })
  return [head, ...body]
}

/** At the right of a cell, with a space before it. */
function right(text: string): string {
  return ` ${fit(text.padStart(CELL_COLUMNS - 1), CELL_COLUMNS - 1)}`
}

function helpLines({ attached }: TopDrawn, columns: number, c: Colours): string[] {
  const keys = attached === true ? ATTACHED_KEYS : TOP_KEYS
  const keyColumns = Math.min(KEY_MAX_COLUMNS, Math.floor(columns / 2))
  return keys.map(([key, does]) => c.bold(fit(` ${key}`, keyColumns)) + fit(does, columns - keyColumns))
}

const KEY_MAX_COLUMNS = 22
/** What has room for the names of the lists, and for all keys beside them. */
const NAMES_MIN_COLUMNS = 76
const ALL_KEYS_MIN_COLUMNS = 110

function footLine({ choice, attached, note = '' }: TopDrawn, columns: number, c: Colours): string {
  const { list, typing, filter, help } = choice
  if (note !== '') return c.yellow(fit(` ${note}`, columns))
  if (typing) return fit(` /${filter}▏ Enter keeps it, Esc takes it away`, columns)
  if (help) return c.dim(fit(' any key goes back', columns))
  const lists = LISTS.map((each, i) => (each === list ? `[${i + 1} ${LIST_NAMES[each]}]` : ` ${i + 1} ${LIST_NAMES[each]} `)).join('')
  const parts = [
    columns < NAMES_MIN_COLUMNS ? '1-4' : lists,
    ...(filter === '' ? [] : [`/${filter}`]),
    ...(columns < ALL_KEYS_MIN_COLUMNS ? [] : ['s sort', '/ filter', 'p pause']),
    '? help',
    attached === true ? 'q close view' : 'q quit',
  ]
  return c.dim(fit(` ${parts.join('  ')}`, columns))
}

/** One line, where there is no terminal. */
export function topLine({ state }: TopAnswers, error: string): string {
  if (state === undefined || error !== '') return `not answered: ${error}`
  const { diagnosis, rates, lagRecords, behindSeconds, lastMinute, rowsPending, totals } = state
  const parts = [
    `${formatCount(rates.recordsPerSecond)} events/s`,
    `lag ${lagRecords === null ? UNKNOWN : formatCount(lagRecords)}`,
    `behind ${behindSeconds === null ? UNKNOWN : formatSpan(behindSeconds * 1000)}`,
    `CTR ${lastMinute.ctr === null ? UNKNOWN : formatRatio(lastMinute.ctr)}`,
    `late ${formatCount(totals.records.late)}`,
    `invalid ${formatCount(totals.records.invalid)}`,
    `rows wait ${formatCount(rowsPending)}`,
  ]
  const matter = diagnosis.remedy === '' ? diagnosis.sentence : `${diagnosis.sentence} ${diagnosis.remedy}`
  return `${state.at.slice(0, 19)}Z ${state.state}: ${parts.join(', ')}; ${diagnosis.severity}: ${matter}`
}
