/**
 * The pipelines of a self-test: `ctr run` in processes of their own, as installed, killed and started again. What they say is kept for the
 * day they fail. None outlives this process, unless that is killed itself.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { sleep } from '../clock.ts'
import { CtrError } from '../errors.ts'

/** The same place from the sources and from dist/. */
const CTR = fileURLToPath(new URL('../../bin/ctr.js', import.meta.url))
const POLL_MS = 50
const LINES_MAX = 30

export interface Pod {
  readonly running: boolean
  /** What it has printed on stdout. */
  readonly stdout: string
  kill(signal: NodeJS.Signals): void
  /** The exit code, or the signal that ended it; throws when that takes longer. */
  ended(maxMs: number): Promise<number | NodeJS.Signals>
  /** Until the sum over all samples of a metric is above zero; false when the pod was killed before. Throws when that takes longer. */
  counts(metric: string, maxMs: number): Promise<boolean>
  /** Its last lines on stderr. */
  said(): string
}

export interface Pods {
  /** Starts `ctr` with these words. Throws after `close`. */
  start(words: readonly string[]): Pod
  /** Kills those that run and waits for their end. */
  close(): Promise<void>
}

/** No pods yet. */
export function selftestPods(): Pods {
  const all = new Set<{ readonly child: ChildProcess; readonly exit: Promise<unknown> }>()
  let closed = false
  const killAll = () => {
    for (const { child } of all) child.kill('SIGKILL')
  }
  process.on('exit', killAll)
  return {
    start(words) {
      if (closed) throw new CtrError('CTR_SELFTEST', 'it is over')
      const child = spawn(process.execPath, [CTR, ...words], { stdio: ['ignore', 'pipe', 'pipe'] })
      const exit = once(child, 'close').then(([code, signal]) => (code ?? signal) as number | NodeJS.Signals)
      const entry = { child, exit }
      all.add(entry)
      void exit.then(() => all.delete(entry))
      return podOf(child, exit)
    },
    async close() {
      closed = true
      killAll()
      await Promise.all([...all].map(({ exit }) => exit))
      process.off('exit', killAll)
    },
  }
}

function podOf(child: ChildProcess, exit: Promise<number | NodeJS.Signals>): Pod {
  const lines: string[] = []
  let stdout = ''
  let url: string | undefined
  let ended: number | NodeJS.Signals | undefined
  let killed = false
  void exit.then((how) => {
    ended = how
  })
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
  })
  if (child.stderr !== null) {
    createInterface({ input: child.stderr }).on('line', (line) => {
      if (lines.push(line) > LINES_MAX) lines.shift()
      url ??= urlIn(line)
    })
  }
  const said = () => lines.join('\n')
  return {
    get running() {
      return ended === undefined
    },
    get stdout() {
      return stdout
    },
    said,
    kill(signal) {
      killed = true
      child.kill(signal)
    },
    async ended(maxMs) {
      const patience = new AbortController()
      const how = await Promise.race([exit, sleep(maxMs, patience.signal).then(() => undefined)])
      patience.abort()
      if (how === undefined) throw new CtrError('CTR_SELFTEST', `a pipeline does not end within ${maxMs / 1000} s; it said:\n${said()}`)
      return how
    },
    async counts(metric, maxMs) {
      for (const giveUpAt = Date.now() + maxMs; ; await sleep(POLL_MS)) {
        if (killed) return false
        if (ended !== undefined) throw new CtrError('CTR_SELFTEST', `a pipeline ended by itself with ${ended}; it said:\n${said()}`)
        if (url !== undefined && (await sumOf(url, metric)) > 0) return true
        if (Date.now() > giveUpAt) {
          throw new CtrError('CTR_SELFTEST', `a pipeline has no ${metric} after ${maxMs / 1000} s; it said:\n${said()}`)
        }
      }
    },
  }
}

/** Of its health and metrics, as the pipeline logs it at its start. */
function urlIn(line: string): string | undefined {
  if (!line.includes('health and metrics')) return undefined
  try {
    return (JSON.parse(line) as { url?: string }).url
  } catch {
    return undefined
  }
}

/** 0 while it can't be had. */
async function sumOf(url: string, metric: string): Promise<number> {
  try {
    const text = await (await fetch(`${url}/metrics`, { signal: AbortSignal.timeout(5_000) })).text()
    let sum = 0
    for (const line of text.split('\n')) {
      if (line.startsWith(`${metric} `) || line.startsWith(`${metric}{`)) sum += Number(line.slice(line.lastIndexOf(' ') + 1))
    }
    return sum
  } catch {
    return 0
  }
}
