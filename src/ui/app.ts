/** The page as it lives: asks what the view needs, keeps answers, and draws. It rests while nobody looks. */
import { render } from 'lit-html'
import { type Address, addressText, parseAddress, VIEWS } from './address.ts'
import type { Answer, Kept, KeptAnswers } from './answers.ts'
import { dueOf } from './answers.ts'
import { EXPORTED, exportText, openExport } from './export-file.ts'
import { ask, giveToken, Refused, send } from './feed.ts'
import { ASK_STATE, questionsOf } from './needs.ts'
import type { PageActs } from './parts.ts'
import { type ShellActs, shell, type Theme } from './shell.ts'

const TICK_MS = 250
/** Answers that no view needs are forgotten after this. */
const KEEP_MS = 60_000
const TOKEN_STATUS: ReadonlySet<number> = new Set([401, 403])
const THEME_KEY = 'ctr-theme'
const THEMES: readonly Theme[] = ['auto', 'light', 'dark']

export class App implements PageActs, ShellActs {
  readonly #root: HTMLElement
  readonly #answers = new Map<string, Kept>()
  readonly #asking = new Set<string>()
  #address: Address
  #file: { readonly at: string; readonly answers: KeptAnswers } | undefined
  #notice = ''
  #tokenWanted = false
  #theme: Theme
  #drawing = false

  constructor(root: HTMLElement) {
    this.#root = root
    this.#address = parseAddress(location.hash)
    this.#theme = THEMES.find((each) => each === localStorage.getItem(THEME_KEY)) ?? 'auto'
  }

  /** Once. */
  start(): void {
    this.#applyTheme()
    addEventListener('hashchange', () => this.#arrive())
    document.addEventListener('visibilitychange', () => this.#tick())
    setInterval(() => this.#tick(), TICK_MS)
    this.#tick()
    this.#draw()
  }

  readonly go = (address: Address, replace = false): void => {
    if (!replace) {
      location.hash = addressText(address)
      return
    }
    history.replaceState(null, '', addressText(address))
    this.#address = address
    this.#tick()
    this.#draw()
  }

  readonly takeSavepoint = (name: string): void => {
    this.#do(`Savepoint ${name} is taken …`, () => send('POST', '/savepoints', { name }), `Savepoint ${name} is complete.`)
  }

  readonly removeSavepoint = (name: string): void => {
    this.#do('', () => send('DELETE', `/savepoints/${encodeURIComponent(name)}`, undefined), `Savepoint ${name} is gone.`)
  }

  readonly giveToken = (token: string): void => {
    giveToken(token)
    this.#tokenWanted = false
    this.#answers.clear()
    this.#tick()
    this.#draw()
  }

  readonly saveFile = (): void => {
    this.#do(
      'The file is made …',
      async () => {
        const asked = EXPORTED.map(async ({ path }): Promise<[string, unknown][]> => [[path, await ask(path)]])
        const answers = new Map((await Promise.allSettled(asked)).flatMap((each) => (each.status === 'fulfilled' ? each.value : [])))
        if (!answers.has(ASK_STATE.path)) throw new Error('the engine does not answer')
        const at = new Date()
        download(`ctr-${at.toISOString().slice(0, 19).replaceAll(/[-:]/g, '')}.json`, exportText(answers, at))
      },
      'Saved. “Open a file” shows it again, here or on any other page of ctr.',
    )
  }

  readonly openFile = (file: File): void => {
    this.#do(
      '',
      async () => {
        this.#file = openExport(await file.text())
        this.#tokenWanted = false
      },
      '',
    )
  }

  readonly closeFile = (): void => {
    this.#file = undefined
    this.#tick()
    this.#draw()
  }

  readonly nextTheme = (): void => {
    this.#theme = THEMES[(THEMES.indexOf(this.#theme) + 1) % THEMES.length] ?? 'auto'
    localStorage.setItem(THEME_KEY, this.#theme)
    this.#applyTheme()
    this.#draw()
  }

  readonly clearNotice = (): void => {
    this.#tell('')
  }

  #applyTheme(): void {
    document.documentElement.dataset.theme = this.#theme
    document.dispatchEvent(new Event('ctr-theme'))
  }

  /** The fragment has changed, by a link or by hand. */
  #arrive(): void {
    const before = this.#address
    this.#address = parseAddress(location.hash)
    this.#tick()
    this.#draw()
    if (before.view !== this.#address.view || before.id !== this.#address.id) {
      scrollTo(0, 0)
      this.#root.querySelector<HTMLElement>('main')?.focus({ preventScroll: true })
    }
  }

  #tick(): void {
    if (document.hidden || this.#file !== undefined || this.#tokenWanted) return
    const now = Date.now()
    const questions = questionsOf(this.#address)
    for (const { path } of dueOf(questions, this.#answers, now)) if (!this.#asking.has(path)) void this.#ask(path)
    for (const [path, { askedAtMs }] of this.#answers)
      if (now - askedAtMs > KEEP_MS && !questions.some((each) => each.path === path)) this.#answers.delete(path)
  }

  async #ask(path: string): Promise<void> {
    this.#asking.add(path)
    try {
      this.#answers.set(path, { value: await ask(path), error: '', askedAtMs: Date.now() })
    } catch (error) {
      const kept = this.#answers.get(path)
      this.#answers.set(path, { value: kept?.value, error: wordsOf(error), askedAtMs: Date.now() })
      if (error instanceof Refused && TOKEN_STATUS.has(error.status) && path === ASK_STATE.path) this.#tokenWanted = true
    }
    this.#asking.delete(path)
    this.#draw()
  }

  /** Does something that takes a while; its words are told before and after it. */
  #do(before: string, act: () => Promise<unknown>, after: string): void {
    this.#tell(before)
    act().then(
      () => this.#tell(after),
      (error: unknown) => this.#tell(`That did not work: ${wordsOf(error)}.`),
    )
  }

  #tell(notice: string): void {
    this.#notice = notice
    this.#draw()
  }

  /** At most once a frame. */
  #draw(): void {
    if (this.#drawing) return
    this.#drawing = true
    requestAnimationFrame(() => {
      this.#drawing = false
      try {
        this.#drawNow()
      } catch (error) {
        if (this.#file === undefined) throw error
        this.#leaveFile()
      }
    })
  }

  /** A file of a stranger's may hold anything. */
  #leaveFile(): void {
    this.#file = undefined
    this.#tick()
    this.#tell('This export can’t be shown: it is damaged, or none of ctr. The engine is shown instead.')
  }

  #drawNow(): void {
    const answers: KeptAnswers = this.#file?.answers ?? this.#answers
    const kept = answers.get(ASK_STATE.path)
    const state = kept?.value as Answer<'state'> | undefined
    const at = state?.at ?? new Date().toISOString()
    const page = { address: this.#address, answers, at, recorded: this.#file !== undefined, acts: this }
    const around = {
      state,
      stateError: kept?.error ?? '',
      tokenWanted: this.#tokenWanted,
      fileFrom: this.#file?.at,
      notice: this.#notice,
      theme: this.#theme,
    }
    const mark = state?.diagnosis.severity === 'critical' ? '✕ ' : state?.diagnosis.severity === 'warning' ? '▲ ' : ''
    document.title = `${mark}ctr ${state?.group ?? ''} · ${VIEWS[this.#address.view]}`
    render(shell(page, around, this), this.#root)
  }
}

function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

function download(name: string, text: string): void {
  const url = URL.createObjectURL(new Blob([text], { type: 'application/json' }))
  const link = document.createElement('a')
  link.href = url
  link.download = name
  link.click()
  setTimeout(() => URL.revokeObjectURL(url), 1000)
}
