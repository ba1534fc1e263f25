/**
 * Entry of the child process that holds an embedded ClickHouse: a chDB engine on one directory behind an HTTP front on 127.0.0.1.
 *
 *   directory/data/        the engine's
 *   directory/spool/       request bodies on their way in; emptied at start
 *   directory/engine.xml   the engine's limits
 *   directory/front.json   where the front listens and its password, mode 0600; absent when it was closed in order
 *
 * Life: the parent sends FrontStart, gets FrontReport, and lets go. The child belongs to nobody: it lives as long as any process holds a
 * lease (a connection) and lingerMs longer, whoever started it. It closes its port before it lets go of the directory, so that nobody
 * attaches to a front about to leave. The engine's own lock on data/ decides who holds the directory when two start at once.
 */
import { randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { tmpdir, totalmem } from 'node:os'
import { join } from 'node:path'
import { frontHandler } from './front-server.ts'
import { isPlainPath } from './front-sql.ts'

/** What the parent asks for, the first message of the channel. */
export interface FrontStart {
  readonly directory: string
  readonly lingerMs: number
  /** What a front before had, so that its clients find this one: tried first. 0 takes a free port. */
  readonly port: number
  readonly password: string
}

/** Where the front is; the content of front.json. */
export interface FrontAddress {
  readonly url: string
  readonly username: string
  readonly password: string
  readonly pid: number
}

/** The child's only message: it serves, or it leaves and why. */
export type FrontReport =
  | { readonly kind: 'ready'; readonly address: FrontAddress }
  | { readonly kind: 'failed'; readonly reason: 'package' | 'engine' | 'files'; readonly message: string }

/** Nobody came for a lease in this time after the start. */
const FIRST_LEASE_MS = 10_000

process.once('message', (start: FrontStart) => {
  begin(start).then(
    (address) => report({ kind: 'ready', address }),
    (error: unknown) =>
      report({ kind: 'failed', reason: reasonOf(error), message: String((error as Error).message) }, () => process.exit(1)),
  )
})
// A parent that died before it sent anything leaves nothing to do. Afterwards leases decide.
process.once('disconnect', () => {
  if (!begun) process.exit(0)
})
let begun = false

async function begin(start: FrontStart): Promise<FrontAddress> {
  begun = true
  const { Session } = await importEngine()
  const data = join(start.directory, 'data')
  const keeper = new Session(data, { connectionArgs: [`--config-file=${writeLimits(start.directory)}`] })
  const spool = emptySpool(start.directory)
  const version = (await keeper.queryAsync('SELECT version()', { format: 'TabSeparatedRaw' })).text().trim()
  const username = 'default'
  const password = start.password === '' ? randomBytes(24).toString('base64url') : start.password
  const leave = () => {
    server.close()
    server.closeAllConnections()
    rmSync(join(start.directory, 'front.json'), { force: true })
    rmSync(spool, { recursive: true, force: true })
    keeper.close()
    process.exit(0)
  }
  const { leases, requests } = countUses(start.lingerMs, leave)
  const handler = frontHandler({ open: () => new Session(data), version, username, password, spool, leases, requests })
  const server = createServer({ keepAliveTimeout: 30_000, requestTimeout: 0 }, handler)
  const port = await listen(server, start.port)
  process.on('SIGTERM', leave)
  process.on('SIGINT', leave)
  const address: FrontAddress = { url: `http://127.0.0.1:${port}`, username, password, pid: process.pid }
  writeWhole(join(start.directory, 'front.json'), `${JSON.stringify(address)}\n`)
  return address
}

async function importEngine(): Promise<typeof import('chdb')> {
  try {
    return await import('chdb')
  } catch (error) {
    throw new PackageError(String((error as Error).message))
  }
}

class PackageError extends Error {}

function reasonOf(error: unknown): 'package' | 'engine' | 'files' {
  if (error instanceof PackageError) return 'package'
  return error instanceof Error && 'syscall' in error ? 'files' : 'engine'
}

function report(message: FrontReport, sent: () => void = () => undefined): void {
  if (process.connected) {
    process.send?.(message, () => {
      if (process.connected) process.disconnect()
      sent()
    })
  } else sent()
}

/** The engine's limits: a quarter of the machine's memory, at least 1 GiB. Returns the file's path. */
function writeLimits(directory: string): string {
  mkdirSync(join(directory, 'data'), { recursive: true })
  const memory = Math.max(1024 ** 3, Math.round(totalmem() / 4))
  const settings = `<max_server_memory_usage>${memory}</max_server_memory_usage><mark_cache_size>134217728</mark_cache_size>`
  const path = join(directory, 'engine.xml')
  writeWhole(path, `<clickhouse>${settings}</clickhouse>\n`)
  return path
}

/** An empty spool; it lies elsewhere when the directory's name is a pattern to the engine. Call with the engine's lock held. */
function emptySpool(directory: string): string {
  const spool = join(directory, 'spool')
  if (!isPlainPath(spool)) return mkdtempSync(join(tmpdir(), 'ctr-spool-'))
  rmSync(spool, { recursive: true, force: true })
  mkdirSync(spool, { mode: 0o700 })
  return spool
}

/** Counts leases and requests, and calls `leave` when there has been neither for `lingerMs`. */
function countUses(lingerMs: number, leave: () => void) {
  let leases = 0
  let requests = 0
  let timer = setTimeout(leave, Math.max(lingerMs, FIRST_LEASE_MS))
  const changed = () => {
    clearTimeout(timer)
    if (leases + requests === 0) timer = setTimeout(leave, lingerMs)
  }
  return {
    leases: (change: 1 | -1) => {
      leases += change
      changed()
    },
    requests: (change: 1 | -1) => {
      requests += change
      changed()
    },
  }
}

/** The wanted port when it is free, else any. */
async function listen(server: Server, wanted: number): Promise<number> {
  const attempt = (port: number) =>
    new Promise<number>((resolve, reject) => {
      server.once('error', reject)
      server.listen(port, '127.0.0.1', () => {
        server.off('error', reject)
        const address = server.address()
        resolve(typeof address === 'object' && address !== null ? address.port : 0)
      })
    })
  return wanted === 0 ? attempt(0) : attempt(wanted).catch(() => attempt(0))
}

/** Whole or not at all: a reader never sees half a file, nor anybody but the owner what is in it. */
function writeWhole(path: string, content: string): void {
  const draft = `${path}.${process.pid}`
  writeFileSync(draft, content, { mode: 0o600 })
  renameSync(draft, path)
}
