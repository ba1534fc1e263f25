/** What is around every view: who it is, the sentence, the navigation, and what can be done with the page itself. */
import { html, nothing, type TemplateResult } from 'lit-html'
import { addressText, VIEWS, type ViewName } from './address.ts'
import type { Answer } from './answers.ts'
import type { PageView, Shown } from './parts.ts'
import { viewAt } from './views.ts'
import { clockText, sinceText, timeText } from './words.ts'

/** What the shell shows beside what views do. */
export interface ShellState {
  readonly state: Answer<'state'> | undefined
  /** Of the newest attempt to get the state; '' when there is one. */
  readonly stateError: string
  /** It wants a token, or another one. */
  readonly tokenWanted: boolean
  /** When the file was made that is shown, ISO; undefined: it is the engine that is shown. */
  readonly fileFrom: string | undefined
  /** What an action came to, or why a file could not be opened. */
  readonly notice: string
  readonly theme: Theme
}

/** Of the page; `auto` is that of the system. */
export type Theme = 'auto' | 'light' | 'dark'

/** What can be done with the page. */
export interface ShellActs {
  giveToken(token: string): void
  saveFile(): void
  openFile(file: File): void
  closeFile(): void
  nextTheme(): void
  clearNotice(): void
}

const MARKS = { ok: '✓', info: 'ℹ', warning: '▲', critical: '✕' } as const
const MARK_WORDS = { ok: 'Fine', info: 'Note', warning: 'Warning', critical: 'Critical' } as const
const TREND_WORDS = { better: '↘ getting better', worse: '↗ getting worse', steady: '→ steady', unknown: '' } as const

/** The whole page. */
export function shell(page: PageView, around: ShellState, acts: ShellActs): TemplateResult {
  return html`<a class="skip" href="#main" @click=${toMain}>To the content</a>
    <header>
      ${identity(around)}
      <div class="tools">${pageTools(around, acts)}</div>
    </header>
    ${notices(around, acts)} ${around.state === undefined ? nothing : sentence(around.state)}
    <nav class="views" aria-label="Views">${Object.entries(VIEWS).map(([view, name]) => viewLink(page, view as ViewName, name))}</nav>
    <main id="main" tabindex="-1">${around.tokenWanted ? tokenForm(acts) : viewAt(page)}</main>`
}

function toMain(event: Event): void {
  event.preventDefault()
  document.querySelector<HTMLElement>('#main')?.focus()
}

function identity({ state, fileFrom }: ShellState): TemplateResult {
  if (state === undefined) return html`<h1>ctr</h1>`
  const from = fileFrom === undefined ? nothing : html` · <strong>recorded ${timeText(fileFrom)} UTC</strong>`
  return html`<h1>ctr <small class="id">${state.group}</small></h1>
    <p class="identity">${state.state} · ${state.version} · <time datetime=${state.at}>${timeText(state.at)}</time> UTC${from}</p>`
}

function viewLink({ address }: PageView, view: ViewName, name: string): TemplateResult {
  return html`<a href=${addressText({ view, id: '', params: {} })} aria-current=${address.view === view ? 'page' : nothing}>${name}</a>`
}

/** How it is, and what else there is. What changes by the second is not read out; that another thing is the matter is. */
function sentence({ diagnosis, at }: Answer<'state'>): TemplateResult {
  const { severity, sentence: words, remedy, since, trend, others } = diagnosis
  const lasting = since === null ? '' : `since ${clockText(since, at)}, for ${sinceText(since, at)}`
  return html`<section class="sentence ${severity}" aria-label="How it is">
    <p class="words"><span class="mark">${marked(severity)}</span>${words}</p>
    ${lasting === '' ? nothing : html`<p class="since">${lasting} <span class="trend">${TREND_WORDS[trend]}</span></p>`}
    ${remedy === '' ? nothing : html`<p class="remedy">${remedy}</p>`}
    ${
      others.length === 0
        ? nothing
        : html`<details>
            <summary>${others.length} more</summary>
            <ul>${others.map((other) => html`<li>${marked(other.severity)}${other.sentence} ${other.remedy}</li>`)}</ul>
          </details>`
    }
    <p class="unseen" role="status">${MARK_WORDS[severity]}: ${diagnosis.cause} ${diagnosis.subject}</p>
  </section>`
}

/** The sign for eyes, the word for ears. */
function marked(severity: keyof typeof MARKS): TemplateResult {
  return html`<span aria-hidden="true">${MARKS[severity]} </span><span class="unseen">${MARK_WORDS[severity]}: </span>`
}

function notices({ stateError, state, notice, fileFrom }: ShellState, acts: ShellActs): Shown {
  const lost = stateError === '' || fileFrom !== undefined ? nothing : lostText(stateError, state)
  const told =
    notice === '' ? nothing : html`<p class="notice" role="status">${notice} <button @click=${acts.clearNotice}>close</button></p>`
  return html`${lost}${told}`
}

function lostText(error: string, state: Answer<'state'> | undefined): TemplateResult {
  const from = state === undefined ? '' : ` What is shown is of ${timeText(state.at)} UTC.`
  return html`<p class="trouble" role="alert">The engine can’t be asked: ${error}.${from}</p>`
}

function pageTools({ fileFrom, theme }: ShellState, acts: ShellActs): TemplateResult {
  const onFile = (event: Event) => {
    const input = event.target as HTMLInputElement
    const [file] = input.files ?? []
    if (file !== undefined) acts.openFile(file)
    input.value = ''
  }
  return html`${
    fileFrom === undefined
      ? html`<button @click=${acts.saveFile}>Save as a file</button>`
      : html`<button @click=${acts.closeFile}>Back to the engine</button>`
  }
    <label class="button">Open a file<input class="unseen" type="file" accept="application/json,.json" @change=${onFile} /></label>
    <button @click=${acts.nextTheme} aria-label="Colours: ${theme}">◐ ${theme}</button>`
}

function tokenForm(acts: ShellActs): TemplateResult {
  const onSubmit = (event: SubmitEvent) => {
    event.preventDefault()
    acts.giveToken(String(new FormData(event.target as HTMLFormElement).get('token') ?? ''))
  }
  return html`<h2>A token, please</h2>
    <p>This engine shows itself to those only who have one of its <code>http.tokens</code>. It is kept for this tab.</p>
    <form class="tools" @submit=${onSubmit}>
      <label>Token <input name="token" type="password" autocomplete="off" required /></label> <button>Show me</button>
    </form>`
}
