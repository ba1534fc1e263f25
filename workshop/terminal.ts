/**
 * Commands on a terminal of their own: a pseudo terminal that `script` of util-linux makes, with a screen that shows what is written to it.
 * They end with the test at the latest.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFailed, onTestFinished } from 'vitest'
import { sleep } from '../src/clock.ts'
import { endWithUs } from './child.ts'
import { Screen } from './screen.ts'

const WAIT_MS = 30_000
const POLL_MS = 20

export interface TerminalOptions {
  readonly columns: number
  readonly rows: number
  /** Over those of the test run, which has neither CI nor NO_COLOR here. */
  readonly environment?: Readonly<Record<string, string>>
  readonly cwd?: string
}

export class Terminal {
  readonly screen: Screen
  /** Everything that was written, as it was. */
  written = ''
  readonly #folder: string
  readonly #script: ChildProcess
  readonly #exit: Promise<number>

  /** Runs `command` in a shell; its own process number is in $PIDFILE when it is begun by `run`. */
  constructor(command: string, { columns, rows, environment = {}, cwd }: TerminalOptions) {
    this.screen = new Screen(columns, rows)
    this.#folder = mkdtempSync(join(tmpdir(), 'ctr-terminal-'))
    const begin = [
      `export PIDFILE=${this.#path('pid')}`,
      `tty > ${this.#path('tty')}`,
      `stty cols ${columns} rows ${rows}`,
      `run() { sh -c 'echo $$ > $PIDFILE; exec "$@"' run "$@"; }`,
    ].join('; ')
    const env = { ...process.env, CI: '', NO_COLOR: '', TERM: 'xterm-256color', SHELL: '/bin/bash', ...environment }
    this.#script = spawn('script', ['-qefc', `${begin}; ${command}`, '/dev/null'], {
      env,
      stdio: 'pipe',
      ...(cwd !== undefined && { cwd }),
    })
    endWithUs(this.#script)
    this.#script.stdin?.on('error', () => {})
    this.#script.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.written += text
      this.screen.write(text)
    })
    this.#exit = new Promise((resolve, reject) => {
      this.#script.once('error', (cause) => reject(new Error('script is missing: install util-linux', { cause })))
      this.#script.once('close', (code) => resolve(code ?? -1))
    })
    onTestFailed(() => console.error(`the terminal shows:\n${this.screen.text}`))
    onTestFinished(async () => {
      this.#script.kill('SIGKILL')
      await this.#exit
      rmSync(this.#folder, { recursive: true, force: true })
    })
  }

  /** Of the process that `run` began. */
  get pid(): number {
    return Number(readFileSync(this.#path('pid'), 'utf8'))
  }

  /** Presses keys. */
  type(keys: string): void {
    this.#script.stdin?.write(keys)
  }

  resize(columns: number, rows: number): void {
    this.screen.resize(columns, rows)
    execFileSync('stty', ['-F', readFileSync(this.#path('tty'), 'utf8').trim(), 'cols', String(columns), 'rows', String(rows)])
  }

  /** Waits until the screen shows it; fails with what it shows. */
  async shows(what: string, holds: (screen: Screen) => boolean, maxMs = WAIT_MS): Promise<void> {
    const end = performance.now() + maxMs
    while (!holds(this.screen)) {
      if (performance.now() > end) throw new Error(`the terminal does not show ${what}`)
      await sleep(POLL_MS)
    }
  }

  /** The exit code of the command. */
  async exit(maxMs = WAIT_MS): Promise<number> {
    const patience = new AbortController()
    const code = await Promise.race([this.#exit, sleep(maxMs, patience.signal).then(() => undefined)])
    patience.abort()
    if (code === undefined) throw new Error(`the command runs on after ${maxMs} ms`)
    return code
  }

  #path(name: string): string {
    return join(this.#folder, name)
  }
}
