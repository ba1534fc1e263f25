/**
 * Opens the embedded ClickHouse of a directory: attaches to the front that already serves it, or starts one (front-child.ts).
 *
 * Any number of processes may have the directory open. Each holds a lease, a connection whose end tells the front that its holder is gone,
 * however it went. When the front itself dies, every holder notices at once and whoever comes first starts it again at the same address.
 */
import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { closeSync, mkdirSync, openSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { type ClientRequest, get, type IncomingMessage } from 'node:http'
import { extname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Backoff, backoffMs } from '../backoff.ts'
import { sleep } from '../clock.ts'
import { CtrError } from '../errors.ts'
import type { FrontAddress, FrontReport, FrontStart } from './front-child.ts'

/** What is said about the front's life; pino fits. */
export interface FrontLogger {
  info(values: object, message: string): void
  warn(values: object, message: string): void
}

export interface EmbeddedOptions {
  /** How long a front without leases waits for the next one before it leaves. */
  readonly lingerMs?: number
  /** How long somebody else may hold the directory without answering: a front that is starting or leaving. */
  readonly heldTimeoutMs?: number
  /** The front came back under another address, because its old port was taken meanwhile. */
  readonly onMoved?: (address: FrontAddress) => void
}

/** An open embedded ClickHouse. */
export interface EmbeddedClickHouse extends FrontAddress {
  /** Gives the lease back. The front leaves once nobody holds one. */
  close(): void
}

const LINGER_MS = 3_000
/** Opening a directory takes half a second, replaying a crashed one a few; loading the engine from a cold disk some more. */
const OPEN_TIMEOUT_MS = 60_000
const HELD_TIMEOUT_MS = 15_000
const LEASE_TIMEOUT_MS = 5_000
const BACKOFF: Backoff = { firstMs: 100, maxMs: 5_000, shares: [1, 1] }
/** Between looks at a directory that another process holds: always alike, apart from others who look. */
const LOOK_AGAIN: Backoff = { firstMs: 200, maxMs: 200, shares: [0.5, 1] }
const REMEDY = 'choose another directory with clickhouse.embedded, or give the address of a server with clickhouse.url'

/** Attaches to or starts the embedded ClickHouse in `directory`. Throws CTR_CLICKHOUSE_EMBEDDED. */
export async function openEmbedded(directory: string, logger: FrontLogger, options: EmbeddedOptions = {}): Promise<EmbeddedClickHouse> {
  const path = resolve(directory)
  let lease = await attachOrStart(path, options, undefined)
  logger.info({ directory: path, url: lease.address.url, pid: lease.address.pid }, 'embedded ClickHouse is open')
  let closed = false

  const watch = () => {
    lease.onLost(() => {
      if (!closed) void reopen()
    })
  }
  const reopen = async () => {
    logger.warn({ directory: path }, 'embedded ClickHouse has gone, starting it again')
    for (let failures = 1; !closed; failures++) {
      try {
        const next = await attachOrStart(path, options, lease.address)
        if (closed) return next.release()
        if (next.address.url !== lease.address.url || next.address.password !== lease.address.password) options.onMoved?.(next.address)
        lease = next
        logger.info({ directory: path, url: lease.address.url, pid: lease.address.pid }, 'embedded ClickHouse is back')
        return watch()
      } catch (error) {
        logger.warn({ directory: path, error: String(error) }, 'embedded ClickHouse does not start, trying again')
        await sleep(backoffMs(failures, BACKOFF))
      }
    }
  }
  watch()
  return {
    ...lease.address,
    close() {
      closed = true
      lease.release()
    },
  }
}

async function attachOrStart(directory: string, options: EmbeddedOptions, before: FrontAddress | undefined): Promise<Lease> {
  const { lingerMs = LINGER_MS, heldTimeoutMs = HELD_TIMEOUT_MS } = options
  const started = Date.now()
  for (;;) {
    const known = readAddress(directory)
    const lease = known === undefined ? undefined : await takeLease(known)
    if (lease !== undefined) return lease
    const report = await startFront(directory, { lingerMs, previous: known ?? before })
    if (report.kind === 'ready') {
      const own = await takeLease(report.address)
      if (own !== undefined) return own
    } else if (report.reason !== 'engine' || !isHeld(report.message) || Date.now() - started > heldTimeoutMs) {
      throw explain(directory, report)
    }
    await sleep(backoffMs(1, LOOK_AGAIN))
  }
}

/** The address that the directory's front published; undefined when there is none. */
function readAddress(directory: string): FrontAddress | undefined {
  try {
    return JSON.parse(readFileSync(join(directory, 'front.json'), 'utf8')) as FrontAddress
  } catch {
    return undefined
  }
}

interface Lease {
  readonly address: FrontAddress
  onLost(callback: () => void): void
  release(): void
}

/** Undefined when nobody answers there, or somebody else does. */
function takeLease(address: FrontAddress): Promise<Lease | undefined> {
  return new Promise((resolve) => {
    const auth = `${address.username}:${address.password}`
    const request: ClientRequest = get(`${address.url}/lease`, { agent: false, auth, timeout: LEASE_TIMEOUT_MS })
    request.once('timeout', () => request.destroy())
    request.once('error', () => resolve(undefined))
    request.once('response', (response) => {
      if (response.statusCode !== 200 || response.headers['x-clickhouse-server-display-name'] !== 'ctr-embedded') {
        request.destroy()
        return resolve(undefined)
      }
      request.setTimeout(0)
      resolve(leaseOf(address, request, response))
    })
  })
}

function leaseOf(address: FrontAddress, request: ClientRequest, response: IncomingMessage): Lease {
  let lost = false
  let onLost: (() => void) | undefined
  response.once('close', () => {
    lost = true
    onLost?.()
  })
  response.on('error', () => undefined)
  request.on('error', () => undefined)
  response.resume()
  request.socket?.unref()
  return {
    address,
    onLost(callback) {
      onLost = callback
      if (lost) callback()
    },
    release() {
      onLost = undefined
      request.destroy()
    },
  }
}

/** Starts a child and waits for its report; the child outlives this process. */
async function startFront(directory: string, how: { lingerMs: number; previous: FrontAddress | undefined }): Promise<FrontReport> {
  const log = join(directory, `front.${randomUUID()}.log`)
  let logFile: number
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 })
    logFile = openSync(log, 'w', 0o600)
  } catch (error) {
    return { kind: 'failed', reason: 'files', message: String((error as Error).message) }
  }
  const entry = fileURLToPath(new URL(`./front-child${extname(import.meta.filename)}`, import.meta.url))
  // The engine makes paths relative to the working directory and then looks for patterns in them; `/` has none, and keeps no volume busy.
  const child = spawn(process.execPath, [entry], { detached: true, stdio: ['ignore', 'ignore', logFile, 'ipc'], cwd: '/' })
  closeSync(logFile)
  const start: FrontStart = {
    directory,
    lingerMs: how.lingerMs,
    port: Number(new URL(how.previous?.url ?? 'http://x:0').port),
    password: how.previous?.password ?? '',
  }
  const report = await new Promise<FrontReport>((resolve) => {
    const fail = (message: string) => resolve({ kind: 'failed', reason: 'engine', message })
    const timer = setTimeout(() => fail(`no answer within ${OPEN_TIMEOUT_MS} ms`), OPEN_TIMEOUT_MS)
    child.once('message', (message) => resolve(message as FrontReport))
    child.once('error', (error) => fail(error.message))
    child.once('exit', (code, signal) => fail(`exit ${signal ?? code}`))
    child.send(start, (error) => error !== null && fail(error.message))
    child.once('message', () => clearTimeout(timer)).once('exit', () => clearTimeout(timer))
  })
  child.unref()
  if (report.kind === 'ready') {
    renameSync(log, join(directory, 'front.log'))
    return report
  }
  child.kill('SIGKILL')
  const said = readFileSync(log, 'utf8').trim()
  rmSync(log, { force: true })
  return { ...report, message: [report.message, said.slice(-2_000)].filter((part) => part !== '').join(': ') }
}

/** The engine's own words when another process has the directory open. */
function isHeld(message: string): boolean {
  return message.includes('Cannot lock file')
}

/** One message for an operator: the key, the value, what is wrong and what to do. */
export function explain(directory: string, report: FrontReport & { kind: 'failed' }): CtrError {
  const message = (text: string) => new CtrError('CTR_CLICKHOUSE_EMBEDDED', `clickhouse.embedded: ${text}`)
  if (report.reason === 'package') {
    return message(
      `the engine is not installed (${firstLine(report.message)}); run \`npm i chdb\`, or give a server's address with clickhouse.url`,
    )
  }
  if (report.reason === 'files') return message(`can't write to ${directory} (${firstLine(report.message)}); ${REMEDY}`)
  if (isHeld(report.message)) {
    return message(`${directory} is in use by another process that doesn't answer; end that process, or ${REMEDY}`)
  }
  return message(
    `the engine doesn't start in ${directory} (${report.message}); if its files are damaged, move the directory away, or ${REMEDY}`,
  )
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0] ?? ''
}
