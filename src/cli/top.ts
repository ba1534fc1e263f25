/** `ctr top`: a running pipeline in the terminal, by its own API. */
import { emitKeypressEvents, type Key } from 'node:readline'
import { loadConfig } from '../config/load.ts'
import { tokenOfEnvironment } from '../config/token.ts'
import { CtrError } from '../errors.ts'
import { storageDirectory } from '../store/open-store.ts'
import { visible } from '../text.ts'
import { FIRST_CHOICE, pressed, type TopChoice } from '../top/top-keys.ts'
import type { TopAnswers } from '../top/top-lists.ts'
import { renderTop, topLine } from '../top/top-screen.ts'
import { NO_ANSWERS, type TopPart, TopSource } from '../top/top-source.ts'
import { COLOURS } from './colours.ts'
import type { TopOptions } from './options.ts'
import { listenForStop } from './signals.ts'
import { addressOf, type Way, wayTo } from './way-to-pipeline.ts'

const TICK_MS = 1000
const ANSWER_MAX_MS = 10_000
const PLAIN_EVERY_MS = 2000

/** Where the API has each answer. */
const PATHS: Readonly<Record<TopPart, string>> = {
  state: 'state',
  history: 'history?span=15m',
  partitions: 'partitions',
  products: 'products?by=impressions&span=1h&limit=100',
  letters: 'dead-letters',
}

/** Runs the verb; returns the exit code. */
export async function topVerb(options: TopOptions): Promise<number> {
  const source = await connectTo(options)
  const first = await source.ask('state')
  if (options.once === true || process.stdout.isTTY !== true)
    return plain(source, { ...NO_ANSWERS, state: first } as TopAnswers, options.once === true)
  return live(source)
}

interface Asker {
  /** Throws CtrError when it is refused, or not answered. */
  ask(path: string): Promise<unknown>
}

async function connectTo(options: TopOptions): Promise<Asker> {
  const { checkpoint, http } = loadConfig({ file: options.config, sets: options.set })
  const url = options.url?.replace(/\/(?:ui\/?)?$/, '') ?? addressOf(http)
  if (url === undefined)
    throw new CtrError('CTR_USAGE', 'http.port is 0, any free port: give --url with the one that the log of the pipeline names')
  const way = await wayTo(url, storageDirectory(checkpoint))
  if (way === undefined) throw new CtrError('CTR_USAGE', `no pipeline answers at ${url}; start one, or give its address with --url`)
  const token = options.token ?? tokenOfEnvironment() ?? http.token
  return { ask: (path) => askApi(way, url, token, path) }
}

async function askApi(way: Way, url: string, token: string | undefined, path: string): Promise<unknown> {
  const headers: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` }
  const { status, facts } = await way({ method: 'GET', path: `/api/v1/${path}`, headers, body: undefined, maxMs: ANSWER_MAX_MS }).catch(
    (cause: unknown) => {
      throw new CtrError('CTR_USAGE', `${url} does not answer: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
    },
  )
  if (status === 200) return facts
  const hint = status === 401 || status === 403 ? '; give a token with --token or in CTR_TOKEN' : ''
  throw new CtrError('CTR_USAGE', `${url}: ${String(facts.error ?? status)}${hint}`)
}

/** A line now and then, until somebody stops it or nobody reads it. */
async function plain(source: Asker, first: TopAnswers, once: boolean): Promise<number> {
  const write = (line: string) => void process.stdout.write(`${visible(line)}\n`)
  write(topLine(first, ''))
  if (once) return 0
  const stop = listenForStop()
  process.stdout.on('error', () => process.exit(0))
  await until(stop.signal, PLAIN_EVERY_MS, async () => {
    const [state, error] = await source.ask('state').then(
      (answer) => [answer, ''],
      (reason: unknown) => [undefined, wordsOf(reason)],
    )
    write(topLine({ ...NO_ANSWERS, state } as TopAnswers, String(error)))
  })
  stop.dispose()
  return 0
}

function until(signal: AbortSignal, everyMs: number, act: () => Promise<void>): Promise<void> {
  return new Promise((resolve) => {
    let acting = Promise.resolve()
    const timer = setInterval(() => {
      acting = acting.then(act)
    }, everyMs)
    const end = () => {
      clearInterval(timer)
      resolve()
    }
    if (signal.aborted) end()
    else signal.addEventListener('abort', end, { once: true })
  })
}

const ENTER = '\x1b[?1049h\x1b[?25l'
const LEAVE = '\x1b[?25h\x1b[?1049l'
const HOME = '\x1b[H'
const CLEAR_LINE = '\x1b[K'

/** The screen, until `q`. What the terminal was before is there again afterwards. */
async function live(asker: Asker): Promise<number> {
  const { stdin, stdout } = process
  let choice: TopChoice = FIRST_CHOICE
  const source = new TopSource((part) => asker.ask(PATHS[part]))
  const done = Promise.withResolvers<void>()
  const draw = () => {
    const size = { columns: stdout.columns || 80, rows: stdout.rows || 24 }
    const lines = renderTop(source.answers, { choice, error: source.error }, size, COLOURS)
    stdout.write(HOME + lines.map((line) => line + CLEAR_LINE).join('\r\n'))
  }
  const look = async () => {
    if (choice.paused) return
    await source.look(choice.list, stdout.columns || 80, Date.now())
    draw()
  }
  const onKey = (text: string | undefined, { name, ctrl }: Key) => {
    const next = pressed(choice, { name, text: /^\P{C}$/u.test(text ?? '') ? text : undefined, ctrl })
    if (next === 'quit') return done.resolve()
    const other = next.list !== choice.list
    choice = next
    draw()
    if (other) void look()
  }
  const stop = listenForStop()
  stop.signal.addEventListener('abort', () => done.resolve())
  stdout.write(ENTER)
  emitKeypressEvents(stdin)
  if (stdin.isTTY) stdin.setRawMode(true)
  stdin.on('keypress', onKey).resume()
  stdout.on('resize', draw)
  const timer = setInterval(() => void look(), TICK_MS)
  try {
    void look()
    draw()
    await done.promise
    return 0
  } finally {
    clearInterval(timer)
    stdout.off('resize', draw)
    stdin.off('keypress', onKey).pause()
    if (stdin.isTTY) stdin.setRawMode(false)
    stdout.write(LEAVE)
    stop.dispose()
  }
}

function wordsOf(reason: unknown): string {
  return reason instanceof Error ? reason.message : String(reason)
}
