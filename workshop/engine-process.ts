/**
 * The engine as a user runs it: `node src/main.ts VERB …` in a process of its own, in a temporary folder with a generated ctr.yaml, on a
 * free port. What it says is collected, and shown when the test fails. Nothing is left behind: when the test is over, or the test run is
 * killed, the process is too, and an embedded ClickHouse that it started is waited for.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { onTestFailed, onTestFinished } from 'vitest'
import { sleep } from '../src/clock.ts'
import { type Child, startProgram } from './child.ts'
import { gone, type TestClickHouse } from './clickhouse.ts'
import { type LogLine, readLog } from './log-line.ts'

/** The engine's entry. */
export const MAIN = fileURLToPath(new URL('../src/main.ts', import.meta.url))
const WAIT_MS = 30_000
const POLL_MS = 20

/** A configuration, or a part of one, as it would stand in ctr.yaml. */
export interface ConfigTree {
  readonly [key: string]: ConfigTree | readonly (string | ConfigTree)[] | string | number | boolean | undefined
}

export interface EngineOptions {
  readonly config?: ConfigTree
  /** Where it runs; one of its own when not given. A restarted engine is given the folder it had. */
  readonly folder?: string
  /** Over those of the test run. */
  readonly environment?: Readonly<Record<string, string>>
}

/** An exit code, or the signal that ended the process. */
export type Exit = number | NodeJS.Signals

export class EngineProcess {
  readonly folder: string
  readonly logs: LogLine[] = []
  /** Lines on stderr that are no log lines: what an error says to its user. */
  readonly complaints: string[] = []
  readonly #words: readonly string[]
  readonly #child: Child
  readonly #exit: Promise<Exit>
  #exited: Exit | undefined

  constructor(words: readonly string[], folder: string, environment: Readonly<Record<string, string>>) {
    this.folder = folder
    this.#words = words
    const onErrorLine = (line: string) => {
      const log = readLog(line)
      if (log === undefined) this.complaints.push(line)
      else this.logs.push(log)
    }
    const args = ['--disable-warning=ExperimentalWarning', MAIN, ...words]
    this.#child = startProgram(process.execPath, args, { folder, cwd: folder, environment, onErrorLine })
    this.#exit = this.#child.ended.then(({ code, signal }) => {
      this.#exited = code ?? signal ?? 0
      return this.#exited
    })
  }

  get stdout(): string {
    return this.#child.stdout
  }

  /** Code or signal; fails, with what the engine said, when it doesn't end. */
  async exit(maxMs = WAIT_MS): Promise<Exit> {
    const patience = new AbortController()
    const exit = await Promise.race([this.#exit, sleep(maxMs, patience.signal).then(() => undefined)])
    patience.abort()
    if (exit === undefined) throw new Error(`the engine runs on after ${maxMs} ms; ${this.#said()}`)
    return exit
  }

  get pid(): number {
    return this.#child.pid
  }

  get running(): boolean {
    return this.#exited === undefined
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.process.kill(signal)
  }

  /** SIGTERM, and the exit it leads to. */
  async terminate(maxMs = WAIT_MS): Promise<Exit> {
    this.signal('SIGTERM')
    return this.exit(maxMs)
  }

  /** Until `holds` gives something other than false or undefined; fails when the engine ends first. */
  async until<T>(claim: string, holds: () => Promise<T | false | undefined> | T | false | undefined, maxMs = WAIT_MS): Promise<T> {
    for (const giveUpAt = performance.now() + maxMs; ; ) {
      const held = await holds()
      if (held !== false && held !== undefined) return held
      if (!this.running) throw new Error(`the engine ended with ${this.#exited} before: ${claim}; ${this.#said()}`)
      if (performance.now() > giveUpAt) throw new Error(`not within ${maxMs} ms: ${claim}; ${this.#said()}`)
      await sleep(POLL_MS)
    }
  }

  /** The first log line whose message has `text` in it. */
  logged(text: string, maxMs?: number): Promise<LogLine> {
    return this.until(`a log line with "${text}"`, () => this.logs.find(({ msg }) => msg.includes(text)), maxMs)
  }

  async get(path: string): Promise<{ status: number; text: string }> {
    const { url } = await this.logged('health and metrics')
    const response = await fetch(`${String(url)}${path}`)
    return { status: response.status, text: await response.text() }
  }

  /** /readyz as it is now: the status, and why it isn't 200. */
  async readiness(): Promise<{ status: number; reasons: string[] }> {
    const { status, text } = await this.get('/readyz')
    return { status, reasons: (JSON.parse(text) as { reasons: string[] }).reasons }
  }

  async ready(maxMs?: number): Promise<void> {
    await this.until('ready', async () => (await this.readiness()).status === 200, maxMs)
  }

  /** The samples of /metrics, by name and labels as they are exposed. */
  async metrics(): Promise<Map<string, number>> {
    const { text } = await this.get('/metrics')
    const samples = new Map<string, number>()
    for (const line of text.split('\n')) {
      const [, name, value] = /^([a-zA-Z_:][^ {]*(?:\{.*\})?) (\S+)$/.exec(line) ?? []
      if (name !== undefined) samples.set(name, Number(value))
    }
    return samples
  }

  /** The sum over all samples of a metric. */
  async metric(name: string): Promise<number> {
    let sum = 0
    for (const [key, value] of await this.metrics()) if (key === name || key.startsWith(`${name}{`)) sum += value
    return sum
  }

  /** How it stands with it, and the last of what it has said. */
  story(): string {
    const state = this.running ? 'runs' : `ended with ${this.#exited}`
    return `ctr ${this.#words.join(' ')} (pid ${this.pid}) ${state}; ${this.#said()}`
  }

  #said(): string {
    const logs = this.logs.slice(-15).map((line) => JSON.stringify(line))
    return ['it said:', ...logs, ...this.complaints, this.stdout.slice(-2000)].join('\n')
  }
}

/** Starts the engine with these words of the command line; it is gone when the test is over. */
export function startEngine(words: readonly string[], { config, folder, environment = {} }: EngineOptions = {}): EngineProcess {
  const place = folder ?? workFolder()
  const all = config === undefined ? words : [...words, '--config', 'ctr.yaml']
  // JSON is YAML.
  if (config !== undefined) writeFileSync(join(place, 'ctr.yaml'), JSON.stringify(merged({ http: { port: 0 } }, config), null, 2))
  const engine = new EngineProcess(all, place, environment)
  // Whichever assertion it was that failed: what the process said explains it.
  onTestFailed(() => console.error(engine.story()))
  onTestFinished(async () => {
    if (engine.running) engine.signal('SIGKILL')
    await engine.exit()
  })
  return engine
}

/** A temporary folder, gone when the test is. An embedded ClickHouse in its `.ctr/clickhouse` ends first. */
export function workFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'ctr-engine-'))
  onTestFinished(async () => {
    const front = join(folder, '.ctr/clickhouse/front.json')
    if (existsSync(front)) await gone((JSON.parse(readFileSync(front, 'utf8')) as { pid: number }).pid)
    rmSync(folder, { recursive: true, force: true })
  })
  return folder
}

/** Runs the engine to its end and tells how it went. */
export async function runEngine(words: readonly string[], options: EngineOptions = {}, maxMs = 60_000): Promise<EngineProcess> {
  const engine = startEngine(words, options)
  await engine.exit(maxMs)
  return engine
}

/** Parts of a configuration laid over each other; later ones win. */
export function merged(...parts: readonly (ConfigTree | undefined)[]): ConfigTree {
  const all: Record<string, ConfigTree[string]> = {}
  for (const part of parts) {
    for (const [key, value] of Object.entries(part ?? {})) {
      const before = all[key]
      all[key] = isTree(before) && isTree(value) ? merged(before, value) : value
    }
  }
  return all
}

function isTree(value: ConfigTree[string]): value is ConfigTree {
  return typeof value === 'object' && !Array.isArray(value)
}

/** The configuration that writes to a test's ClickHouse as this tenant. */
export function into({ endpoint }: TestClickHouse, tenant: string): ConfigTree {
  const { url, username, password, database } = endpoint
  // A database of many tests at once has roll-ups to wait for; those who want them say so.
  return { tenant, clickhouse: { url, username, password, database, rollUps: { interval: 'off' } } }
}
