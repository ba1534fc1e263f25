/**
 * Prometheus, Alertmanager and their tools as they are installed, on free ports of the loopback. One that is not there is a failure that
 * says what to install.
 */
import { spawnSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { sleep } from '../src/clock.ts'
import { type Child, startProgram } from './child.ts'
import { freePorts } from './free-ports.ts'

const REMEDY = 'apt-get install -y --no-install-recommends prometheus prometheus-alertmanager'
const READY_MAX_MS = 20_000
const STOP_MAX_MS = 10_000

/** Debian's name of the program first, where it has another one than elsewhere. */
const NAMES = {
  promtool: ['promtool'],
  amtool: ['amtool'],
  prometheus: ['prometheus'],
  alertmanager: ['prometheus-alertmanager', 'alertmanager'],
} as const

function found(name: keyof typeof NAMES): string {
  const program = NAMES[name].find((each) => spawnSync(each, ['--version']).error === undefined)
  if (program === undefined) throw new Error(`${name} is not on the PATH; install it: ${REMEDY}`)
  return program
}

/** Runs a tool to its end; throws, with all that it said, when it is not content. */
export function runTool(name: 'promtool' | 'amtool', words: readonly string[], cwd: string): string {
  const { status, stdout, stderr } = spawnSync(found(name), words, { cwd, encoding: 'utf8' })
  if (status !== 0) throw new Error(`${name} ${words.join(' ')} ended with ${status}:\n${stdout}\n${stderr}`)
  return stdout
}

/** A server that answers at `url`. */
export interface Monitor {
  readonly url: string
  /** The answer to a path, as JSON. */
  get<T>(path: string): Promise<T>
  /** SIGTERM, and its end. */
  stop(): Promise<void>
}

/** A port that nobody has yet, for who must be told of another before it runs. */
export async function freeAddress(): Promise<string> {
  const [port = 0] = await freePorts(1)
  return `127.0.0.1:${port}`
}

/** Prometheus with the configuration prometheus.yml of `folder`. */
export function startPrometheus(folder: string, address: string): Promise<Monitor> {
  const data = join(folder, 'prometheus-data')
  mkdirSync(data)
  const words = ['--config.file=prometheus.yml', `--storage.tsdb.path=${data}`, `--web.listen-address=${address}`]
  return started(startProgram(found('prometheus'), words, { folder, cwd: folder }), address)
}

/** Alertmanager, alone, with the configuration alertmanager.yml of `folder`. */
export function startAlertmanager(folder: string, address: string): Promise<Monitor> {
  const data = join(folder, 'alertmanager-data')
  mkdirSync(data)
  const words = ['--config.file=alertmanager.yml', `--storage.path=${data}`, `--web.listen-address=${address}`, '--cluster.listen-address=']
  return started(startProgram(found('alertmanager'), words, { folder, cwd: folder }), address)
}

async function started(child: Child, address: string): Promise<Monitor> {
  const url = `http://${address}`
  let ended = false
  void child.ended.then(() => {
    ended = true
  })
  const stop = async () => {
    child.process.kill('SIGTERM')
    const forced = setTimeout(() => child.process.kill('SIGKILL'), STOP_MAX_MS)
    await child.ended
    clearTimeout(forced)
  }
  for (const giveUpAt = performance.now() + READY_MAX_MS; ; await sleep(50)) {
    const answer = await fetch(`${url}/-/ready`).catch(() => undefined)
    if (answer?.ok === true) break
    if (!ended && performance.now() < giveUpAt) continue
    await stop()
    throw new Error(`${url} does not get ready:\n${(await child.ended).stderr.join('\n')}`)
  }
  const get = async <T>(path: string) => {
    const answer = await fetch(`${url}${path}`)
    if (!answer.ok) throw new Error(`${url}${path} answers ${answer.status}: ${await answer.text()}`)
    return (await answer.json()) as T
  }
  return { url, get, stop }
}
