/** Processes that benches and tests start: heard and measured to their end, and ended when who started them goes first, however it goes. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Usage } from './usage.ts'

/** Of a process that ended; `usage` is undefined when it had no time to write it (SIGKILL), or is not ours to preload. */
export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  /** From its start to its end. */
  readonly wallSeconds: number
  readonly usage: Usage | undefined
  readonly stdout: string
  /** The last lines of stderr. */
  readonly stderr: readonly string[]
}

export interface Child {
  readonly process: ChildProcess
  readonly pid: number
  /** What it has written to stdout so far. */
  readonly stdout: string
  readonly ended: Promise<Ended>
}

export interface ChildOptions {
  /** Where it writes what it has used, with startChild. */
  readonly folder: string
  /** The Node that runs it, when it is not this one. */
  readonly node?: string
  readonly execArgv?: readonly string[]
  /** A command and its arguments that run Node, such as a profiler. */
  readonly under?: readonly string[]
  readonly onErrorLine?: (line: string) => void
  /** With a channel for messages. */
  readonly ipc?: boolean
  /** Where it runs, and variables over ours. */
  readonly cwd?: string
  readonly environment?: Readonly<Record<string, string>>
}

const STDERR_LINES_MAX = 60
const END_MAX_MS = 10_000
const preload = fileURLToPath(new URL('./usage.ts', import.meta.url))
let number = 0

/** Every child that still runs. */
const running = new Set<ChildProcess>()

/** Path of a file of the repository. */
export function repositoryPath(path: string): string {
  return fileURLToPath(new URL(`../${path}`, import.meta.url))
}

/** Starts Node on a script: a path within the repository, or an absolute one. */
export function startChild(script: string, args: readonly string[], options: ChildOptions): Child {
  const { node = process.execPath, execArgv = [], under = [] } = options
  const [command = '', ...all] = [...under, node, '--import', preload, ...execArgv, resolve(repositoryPath(''), script), ...args]
  return startProgram(command, all, options)
}

/** Starts any program. */
export function startProgram(command: string, args: readonly string[], options: ChildOptions): Child {
  const usageFile = join(options.folder, `usage-${++number}.json`)
  const began = performance.now()
  const child = spawn(command, args, {
    stdio: options.ipc === true ? ['ignore', 'pipe', 'pipe', 'ipc'] : ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, CTR_BENCH_USAGE: usageFile, ...options.environment },
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  })
  running.add(child)
  endWithUs(child)
  let stdout = ''
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
  })
  const stderr: string[] = []
  if (child.stderr !== null) {
    createInterface({ input: child.stderr }).on('line', (line) => {
      if (stderr.push(line) > STDERR_LINES_MAX) stderr.shift()
      options.onErrorLine?.(line)
    })
  }
  let exitedAt = 0
  child.once('exit', () => {
    exitedAt = performance.now()
    running.delete(child)
  })
  const ended = once(child, 'close').then(([code, signal]): Ended => {
    return { code, signal, wallSeconds: (exitedAt - began) / 1000, usage: readUsage(usageFile), stdout, stderr }
  })
  ended.catch(() => {})
  return {
    process: child,
    pid: child.pid ?? 0,
    ended,
    get stdout() {
      return stdout
    },
  }
}

/** Waits for a child of startChild that should end by itself with exit code 0; throws with what it said when it doesn't. */
export async function success(name: string, child: Child, maxMs: number): Promise<Ended & { readonly usage: Usage }> {
  const ended = await finished(name, child, maxMs)
  if (ended.usage === undefined) throw new Error(`${name} has not said what it used`)
  return { ...ended, usage: ended.usage }
}

/** The same for any program. */
export async function finished(name: string, child: Child, maxMs: number): Promise<Ended> {
  const timer = setTimeout(() => child.process.kill('SIGKILL'), maxMs)
  const ended = await child.ended
  clearTimeout(timer)
  const { code, signal, stderr } = ended
  if (code === 0) return ended
  const how = signal === 'SIGKILL' ? `ended by SIGKILL (it has ${maxMs / 1000} s)` : `ended with ${code ?? signal}`
  throw new Error(`${name} ${how}:\n${stderr.join('\n')}`)
}

/** A shell that waits for our end of its pipe to close, however we die, and then ends the child. It goes when the child goes first. */
export function endWithUs(child: ChildProcess): void {
  const guard = spawn('sh', ['-c', 'cat > /dev/null; kill -9 "$0" 2> /dev/null', String(child.pid)], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  })
  guard.unref()
  child.once('exit', () => guard.kill('SIGKILL'))
}

/** Ends all children that still run. */
export async function endChildren(): Promise<void> {
  await Promise.all(
    [...running].map(async (child) => {
      const exited = once(child, 'exit')
      child.kill('SIGTERM')
      const forced = setTimeout(() => child.kill('SIGKILL'), END_MAX_MS)
      await exited
      clearTimeout(forced)
    }),
  )
}

function readUsage(file: string): Usage | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Usage
  } catch {
    return undefined
  }
}
