/**
 * Opens the embedded ClickHouse of a directory: attaches to the front that already serves it, or starts one (front-child.ts).
 *
 * Any number of processes may have the directory open. Each holds a lease, a connection whose end tells the front that its holder is gone,
 * however it went. When the front itself dies, every holder notices at once, whoever comes first starts it again, and all move to its new
 * address. A front whose directory was removed or replaced dies too (front-child.ts), and the next one begins with what is there.
 */
import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { closeSync, mkdirSync, openSync, readFileSync, renameSync, rmSync } from 'node:fs'
import type { ClientRequest, IncomingMessage } from 'node:http'
import { extname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Backoff, backoffMs } from '../backoff.ts'
import { sleep } from '../clock.ts'
import { CtrError } from '../errors.ts'
import { http } from '../node-http.ts'
import { fetchEngine } from './fetched-engine.ts'
import { type FrontAddress, makePrivate, readFrontAddress } from './front-address.ts'
import type { FrontReport, FrontStart } from './front-child.ts'

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
  /** The front was started again, and has another address. */
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
  const tell = (message: string) => logger.info({}, message)
  let lease = await attachOrStart(path, options, tell)
  logger.info({ directory: path, socket: lease.address.socketPath, pid: lease.address.pid }, 'embedded ClickHouse is open')
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
        const next = await attachOrStart(path, options, tell)
        if (closed) return next.release()
        if (next.address.password !== lease.address.password) options.onMoved?.(next.address)
        lease = next
        logger.info({ directory: path, socket: lease.address.socketPath, pid: lease.address.pid }, 'embedded ClickHouse is back')
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

async function attachOrStart(directory: string, options: EmbeddedOptions, tell: (message: string) => void): Promise<Lease> {
  const { lingerMs = LINGER_MS, heldTimeoutMs = HELD_TIMEOUT_MS } = options
  let started = Date.now()
  let fetched = false
  for (;;) {
    const known = readFrontAddress(directory)
    const lease = known === undefined ? undefined : await takeLease(known)
    if (lease !== undefined) return lease
    const report = await startFront(directory, lingerMs)
    if (report.kind === 'ready') {
      const own = await takeLease(report.address)
      if (own !== undefined) return own
    } else if (report.reason === 'package' && !fetched) {
      await fetchEngine(tell)
      fetched = true
      started = Date.now()
    } else if ((report.reason !== 'held' && report.reason !== 'lost') || Date.now() - started > heldTimeoutMs) {
      throw explain(directory, report)
    }
    await sleep(backoffMs(1, LOOK_AGAIN))
  }
}

interface Lease {
  readonly address: FrontAddress
  onLost(callback: () => void): void
  release(): void
}

/** Undefined when nobody answers there. */
function takeLease(address: FrontAddress): Promise<Lease | undefined> {
  return new Promise((resolve) => {
    const auth = `${address.username}:${address.password}`
    const request: ClientRequest = http.get({
      socketPath: address.socketPath,
      path: '/lease',
      agent: false,
      auth,
      timeout: LEASE_TIMEOUT_MS,
    })
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
async function startFront(directory: string, lingerMs: number): Promise<FrontReport> {
  const log = join(directory, `front.${randomUUID()}.log`)
  let logFile: number
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 })
    if (!makePrivate(directory)) return { kind: 'failed', reason: 'owner', message: '' }
    logFile = openSync(log, 'wx', 0o600)
  } catch (error) {
    return { kind: 'failed', reason: 'files', message: String((error as Error).message) }
  }
  const entry = fileURLToPath(new URL(`./front-child${extname(import.meta.filename)}`, import.meta.url))
  // The engine makes paths relative to the working directory and then looks for patterns in them; `/` has none, and keeps no volume busy.
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', entry], {
    detached: true,
    stdio: ['ignore', 'ignore', logFile, 'ipc'],
    cwd: '/',
  })
  closeSync(logFile)
  const report = await new Promise<FrontReport>((resolve) => {
    const fail = (message: string) => resolve({ kind: 'failed', reason: 'engine', message })
    const timer = setTimeout(() => fail(`no answer within ${OPEN_TIMEOUT_MS} ms`), OPEN_TIMEOUT_MS)
    child.once('message', (message) => resolve(message as FrontReport))
    child.once('error', (error) => fail(error.message))
    child.once('exit', (code, signal) => fail(`exit ${signal ?? code}`))
    child.send({ directory, lingerMs } satisfies FrontStart, (error) => error !== null && fail(error.message))
    child.once('message', () => clearTimeout(timer)).once('exit', () => clearTimeout(timer))
  })
  child.unref()
  if (report.kind === 'ready') {
    keepLog(log, directory)
    return report
  }
  child.kill('SIGKILL')
  const message = [report.message, takeLog(log).slice(-2_000)].filter((part) => part !== '').join(': ')
  return { ...report, message, reason: report.reason === 'engine' && isHeld(message) ? 'held' : report.reason }
}

/** What a front says from now on is in front.log. */
function keepLog(log: string, directory: string): void {
  try {
    renameSync(log, join(directory, 'front.log'))
  } catch {
    // It went with the directory.
  }
}

/** What the log of a front that did not start says; the file is removed. */
function takeLog(log: string): string {
  try {
    return readFileSync(log, 'utf8').trim()
  } catch {
    return ''
  } finally {
    rmSync(log, { force: true })
  }
}

/** The engine's own words when another process has opened its data: a front of an earlier version. */
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
  if (report.reason === 'fetched') {
    const remedy = "remove that folder, and the next start fetches it again; or give a server's address with clickhouse.url"
    return message(`the engine that was fetched can't be loaded from its folder (${firstLine(report.message)}); ${remedy}`)
  }
  if (report.reason === 'files') return message(`can't write to ${directory} (${firstLine(report.message)}); ${REMEDY}`)
  if (report.reason === 'owner') {
    return message(`${directory} belongs to another user, who could change what is in it; run as that user, or ${REMEDY}`)
  }
  if (report.reason === 'held' || report.reason === 'lost') {
    return message(`${directory} is in use by another process that doesn't answer; end that process, or ${REMEDY}`)
  }
  return message(
    `the engine doesn't start in ${directory} (${report.message}); if its files are damaged, move the directory away, or ${REMEDY}`,
  )
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0] ?? ''
}
