/** Pieces that several views are made of. */
import { html, nothing, type TemplateResult } from 'lit-html'
import { type Address, addressText, withParams } from './address.ts'
import type { ApiQuestion, Kept, KeptAnswers } from './answers.ts'
import type { ChartLines } from './chart-lines.ts'
import { type SortValue, sortRows } from './sorted-rows.ts'

/** What can be shown. */
export type Shown = TemplateResult | string | number | typeof nothing

/** What a view is given. */
export interface PageView {
  readonly address: Address
  readonly answers: KeptAnswers
  /** When the state was read, ISO: what "now" is. */
  readonly at: string
  /** A file is shown: nothing can be asked or done. */
  readonly recorded: boolean
  readonly acts: PageActs
}

/** What a view can have done. */
export interface PageActs {
  /** Shows that; `replace` does not make a step for the back button. */
  go(address: Address, replace?: boolean): void
  takeSavepoint(name: string): void
  removeSavepoint(name: string): void
}

/** A column of a table. */
export interface ShownColumn<Row> {
  readonly key: string
  readonly name: string
  /** What it is sorted by, and shown unless there is `cell`. */
  value(row: Row): SortValue
  cell?(row: Row): Shown
  readonly right?: boolean
}

/** A table. */
export interface TableOptions<Row> {
  readonly caption: string
  readonly columns: readonly ShownColumn<Row>[]
  readonly rows: readonly Row[]
  /** Of the columns; '' leaves the rows in their order until somebody asks. */
  readonly sortedBy?: string
  readonly down?: boolean
  /** Of the row, for those that stand out. */
  rowClass?(row: Row): string
  /** Instead of no rows. */
  readonly empty: string
  /** Rows that are shown until somebody asks for all. */
  readonly max?: number
}

/** More take a while to draw, and nobody reads them. */
const ROWS_MAX = 100

/** A table that its heads sort. Which way it is sorted is in the address. */
export function table<Row>({ address }: PageView, options: TableOptions<Row>): TemplateResult {
  const { caption, columns, rows, rowClass, empty } = options
  const max = address.params.rows === 'all' ? rows.length : (options.max ?? ROWS_MAX)
  if (rows.length === 0) return html`<p class="empty">${empty}</p>`
  const sortedBy = address.params.sort ?? options.sortedBy ?? ''
  const column = columns.find(({ key }) => key === sortedBy)
  const down = address.params.sort === undefined ? options.down === true : address.params.down === '1'
  const all = addressText(withParams(address, { rows: 'all' }))
  const sorted = column === undefined ? rows : sortRows(rows, column.value, down)
  return html`<div class="scroll" role="region" tabindex="0" aria-label=${caption}>
    <table>
      <caption class="unseen">${caption}</caption>
      <thead>
        <tr>${columns.map((each) => head(address, each, each === column ? down : undefined))}</tr>
      </thead>
      <tbody>
        ${sorted.slice(0, max).map(
          (row) => html`<tr class=${rowClass?.(row) ?? ''}>
            ${columns.map((each, i) => cell(each, row, i === 0))}
          </tr>`,
        )}
      </tbody>
    </table>
    ${sorted.length > max ? html`<p class="note"><a href=${all}>all ${sorted.length} rows</a></p>` : nothing}
  </div>`
}

/** `down` is undefined where the rows are sorted by something else. */
function head<Row>(address: Address, { key, name, right }: ShownColumn<Row>, down: boolean | undefined): TemplateResult {
  const arrow = down === undefined ? '' : down ? ' ▾' : ' ▴'
  // Numbers are looked at from the largest down, first.
  const next = down === undefined ? right === true : !down
  const to = addressText(withParams(address, { sort: key, down: next ? '1' : '0' }))
  const sort = down === undefined ? 'none' : down ? 'descending' : 'ascending'
  return html`<th scope="col" class=${right === true ? 'right' : ''} aria-sort=${sort}><a class="sort" href=${to}>${name}${arrow}</a></th>`
}

function cell<Row>(column: ShownColumn<Row>, row: Row, first: boolean): TemplateResult {
  const shown = column.cell === undefined ? (column.value(row) ?? '–') : column.cell(row)
  const right = column.right === true ? 'right' : ''
  return first ? html`<th scope="row" class=${right}>${shown}</th>` : html`<td class=${right}>${shown}</td>`
}

/** A figure of the head of a view. */
export function figure(name: string, value: Shown, note: Shown = ''): TemplateResult {
  return html`<div class="figure"><dt>${name}</dt><dd>${value}${note === '' ? nothing : html`<small>${note}</small>`}</dd></div>`
}

/** Links of which one is chosen: spans, orders. */
export function links(
  { address }: PageView,
  label: string,
  key: string,
  options: Readonly<Record<string, string>>,
  chosen: string,
): TemplateResult {
  return html`<nav class="choice" aria-label=${label}>
    ${Object.entries(options).map(
      ([value, name]) =>
        html`<a href=${addressText(withParams(address, { [key]: value }))} aria-current=${value === chosen ? 'true' : nothing}>${name}</a>`,
    )}
  </nav>`
}

/** A field that narrows down what is shown. */
export function searchField({ address, acts }: PageView, label: string, key: string): TemplateResult {
  const onInput = (event: Event) => acts.go(withParams(address, { [key]: (event.target as HTMLInputElement).value }), true)
  return html`<label class="search">
    ${label} <input type="search" autocomplete="off" .value=${address.params[key] ?? ''} @input=${onInput} />
  </label>`
}

/** What to show while there is no answer: that it is waited for, or why it did not come. */
export function waiting({ answers, recorded }: PageView, { path }: ApiQuestion): TemplateResult {
  const kept = answers.get(path)
  if (kept === undefined) return html`<p class="empty">${recorded ? 'The file has nothing of this.' : 'It is being asked …'}</p>`
  return html`<p class="empty trouble">${errorOf(kept)}</p>`
}

/** What was wrong with the newest attempt, above what is known from before; nothing otherwise. */
export function staleNote({ answers }: PageView, { path }: ApiQuestion): Shown {
  const kept = answers.get(path)
  return kept === undefined || kept.error === '' ? nothing : html`<p class="trouble" role="status">Not new: ${errorOf(kept)}</p>`
}

function errorOf({ error }: Kept): string {
  return error === '' ? 'It was answered with nothing.' : error
}

/** One below the other, or side by side where there is room. */
export function charts(all: readonly ChartLines[]): TemplateResult {
  return html`<div class="charts">${all.map((lines) => html`<ctr-chart .lines=${lines}></ctr-chart>`)}</div>`
}

const BAR_WIDTH = 100

/** What bars of intervals reach from and to. */
export interface IntervalScale {
  readonly low: number
  readonly high: number
}

/** An interval with its middle; its figures are beside it. */
export function intervalBar(low: number, middle: number, high: number, scale: IntervalScale): TemplateResult {
  const at = (value: number) => Math.max(0, Math.min(1, (value - scale.low) / Math.max(1e-9, scale.high - scale.low))) * BAR_WIDTH
  const width = Math.max(1, at(high) - at(low)).toFixed(1)
  return html`<svg class="interval" viewBox="0 0 ${BAR_WIDTH} 10" preserveAspectRatio="none" aria-hidden="true">
    <rect class="track" x="0" y="4.5" width=${BAR_WIDTH} height="1"></rect>
    <rect class="estimate" x=${at(low).toFixed(1)} y="2.5" width=${width} height="5"></rect>
    <rect class="middle" x=${at(middle).toFixed(1)} y="1" width="1" height="8"></rect>
  </svg>`
}
