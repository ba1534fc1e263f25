/**
 * Entry of the child process that holds an embedded ClickHouse: a chDB engine on one directory behind an HTTP front on a Unix socket.
 *
 *   directory/lock          held by the child that owns the directory (directory-hold.ts)
 *   directory/data/         the engine's
 *   directory/engine.xml    the engine's limits, and users.xml what its user may do
 *   directory/front-…/      0700, of one child alone: its socket, and request bodies on their way in. It lies in the temporary folder
 *                           when the path is too long for a socket, or a pattern to the engine
 *   directory/front.json    where the front listens and its password, mode 0600; absent when it was closed in order
 *
 * Life: the parent sends FrontStart, gets FrontReport, and lets go. The child belongs to nobody: it lives as long as any process holds a
 * lease (a connection) and lingerMs longer, whoever started it. It closes its socket before it lets go of the directory, so that nobody
 * attaches to a front about to leave.
 *
 * A child whose directory was removed, moved or replaced ends at once: it looks several times a second, and before it answers. It does not
 * close its engine then, which would remove its successor's files by their path.
 */
import { randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import type { Server } from 'node:http'
import { createRequire } from 'node:module'
import { tmpdir, totalmem } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { http } from '../node-http.ts'
import { isPrivateFolder, SOCKET_PATH_MAX_BYTES } from '../private-folder.ts'
import { holdDirectory } from './directory-hold.ts'
import { fetchedEngine } from './fetched-engine.ts'
import { type FrontAddress, makePrivate, publishFrontAddress, readFrontAddress, withdrawFrontAddress, writeWhole } from './front-address.ts'
import { FrontConnections } from './front-connections.ts'
import { frontHandler } from './front-server.ts'
import { isPlainPath } from './front-sql.ts'
import { ENGINE_USERS } from './front-user.ts'

/** What the parent asks for, the first message of the channel. */
export interface FrontStart {
  readonly directory: string
  readonly lingerMs: number
}

/** The child's only message: it serves, or it leaves and why. Of `held` and `lost` another try may come to something. */
export type FrontReport =
  | { readonly kind: 'ready'; readonly address: FrontAddress }
  | { readonly kind: 'failed'; readonly reason: FailedStart; readonly message: string }

/**
 * `package`: the engine is not installed. `fetched`: it was fetched, and its module can't be loaded. `held`: another process owns the
 * directory. `lost`: it became another one meanwhile. `owner`: it is another user's.
 */
export type FailedStart = 'package' | 'fetched' | 'engine' | 'files' | 'held' | 'lost' | 'owner'

/** How often the child looks whether its directory is still there. */
const LOOK_MS = 250
const FOLDER_PREFIX = 'front-'

/** Nobody came for a lease in this time after the start. */
const FIRST_LEASE_MS = 10_000

process.once('message', (start: FrontStart) => {
  begin(start).then(
    (address) => report({ kind: 'ready', address }),
    (error: unknown) =>
      // Not by an exit, in which an engine may still touch files by their path.
      report({ kind: 'failed', reason: reasonOf(error), message: String((error as Error).message) }, () =>
        process.kill(process.pid, 'SIGKILL'),
      ),
  )
})
// A parent that died before it sent anything leaves nothing to do. Afterwards leases decide.
process.once('disconnect', () => {
  if (!begun) process.exit(0)
})
let begun = false

async function begin({ directory, lingerMs }: FrontStart): Promise<FrontAddress> {
  begun = true
  if (!makePrivate(directory)) throw new StartError('owner', `${directory} belongs to another user`)
  const data = join(directory, 'data')
  mkdirSync(data, { recursive: true })
  const held = holdDirectory(directory, ['data'])
  if (held === undefined) throw new StartError('held', 'another process owns the directory')
  if (!held.isStill()) throw new StartError('lost', 'the directory was replaced')
  const { Session } = await importEngine()
  const keeper = new Session(data, { connectionArgs: [`--config-file=${writeEngineFiles(directory)}`] })
  const version = (await keeper.queryAsync('SELECT version()', { format: 'TabSeparatedRaw' })).text().trim()
  const [username, password] = ['default', randomBytes(24).toString('base64url')]
  removeLeftFolders(directory)
  let folder = ''
  const leave = () => {
    server.close()
    server.closeAllConnections()
    rmSync(folder, { recursive: true, force: true })
    if (!held.isStill()) return process.kill(process.pid, 'SIGKILL')
    withdrawFrontAddress(directory, address)
    keeper.close()
    process.exit(0)
  }
  const look = () => {
    if (!held.isStill()) leave()
  }
  const { leases, requests } = countUses(lingerMs, leave)
  const connections = new FrontConnections(() => new Session(data))
  const options = { connections, version, username, password, spool: () => folder, look, leases, requests }
  const server = http.createServer({ keepAliveTimeout: 30_000, requestTimeout: 0 }, frontHandler(options))
  folder = await listenIn(server, directory)
  const socketPath = join(folder, SOCKET)
  const address: FrontAddress = { socketPath, username, password, pid: process.pid }
  process.on('SIGTERM', leave)
  process.on('SIGINT', leave)
  if (!held.isStill()) throw new StartError('lost', 'the directory was replaced')
  // Relative to the directory, for others may see that at another place.
  publishFrontAddress(directory, { ...address, socketPath: dirname(folder) === directory ? join(basename(folder), SOCKET) : socketPath })
  setInterval(look, LOOK_MS)
  return address
}

const SOCKET = 's'

async function importEngine(): Promise<typeof import('chdb')> {
  try {
    return await import('chdb')
  } catch (error) {
    const folder = await fetchedEngine()
    if (folder === undefined) throw new StartError('package', String((error as Error).message))
    try {
      return createRequire(join(folder, 'package.json'))('chdb') as typeof import('chdb')
    } catch (why) {
      throw new StartError('fetched', `${folder}: ${String((why as Error).message)}`)
    }
  }
}

class StartError extends Error {
  readonly reason: FailedStart

  constructor(reason: FailedStart, message: string) {
    super(message)
    this.reason = reason
  }
}

function reasonOf(error: unknown): FailedStart {
  if (error instanceof StartError) return error.reason
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

/**
 * The engine's limits, a quarter of the machine's memory and at least 1 GiB, and its user's rights. Returns the path of the former.
 */
function writeEngineFiles(directory: string): string {
  const users = join(directory, 'users.xml')
  writeWhole(users, ENGINE_USERS)
  const memory = Math.max(1024 ** 3, Math.round(totalmem() / 4))
  const limits = `<max_server_memory_usage>${memory}</max_server_memory_usage><mark_cache_size>134217728</mark_cache_size>`
  const rights =
    '<access_control_improvements><table_engines_require_grant>true</table_engines_require_grant></access_control_improvements>'
  const path = join(directory, 'engine.xml')
  const escaped = users.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
  writeWhole(path, `<clickhouse>${limits}${rights}<users_config>${escaped}</users_config></clickhouse>\n`)
  return path
}

/** Folders of children that were killed. To be called by the directory's owner. */
function removeLeftFolders(directory: string): void {
  const left = readdirSync(directory).filter((name) => name === 'spool' || name.startsWith(FOLDER_PREFIX))
  const before = readFrontAddress(directory)
  const elsewhere =
    before === undefined ? [] : [dirname(before.socketPath)].filter((folder) => basename(folder).startsWith(`ctr-${FOLDER_PREFIX}`))
  for (const folder of [...left.map((name) => join(directory, name)), ...elsewhere]) rmSync(folder, { recursive: true, force: true })
}

/** Listens in a new folder that is this child's alone; returns its path. */
async function listenIn(server: Server, directory: string): Promise<string> {
  let failure: unknown
  for (const parent of [directory, tmpdir()]) {
    const fits = Buffer.byteLength(join(parent, `${FOLDER_PREFIX}XXXXXX`, SOCKET)) <= SOCKET_PATH_MAX_BYTES
    if (!fits || !isPlainPath(parent)) continue
    const folder = mkdtempSync(join(parent, parent === directory ? FOLDER_PREFIX : `ctr-${FOLDER_PREFIX}`))
    try {
      if (!isPrivateFolder(folder)) throw new Error(`${folder} is open to others, whatever rights it is given`)
      await listen(server, join(folder, SOCKET))
      return folder
    } catch (error) {
      // Not every file system has rights, or sockets.
      rmSync(folder, { recursive: true, force: true })
      failure = error
    }
  }
  throw failure ?? new StartError('files', `no folder for a socket: the path of ${tmpdir()} is too long, or a pattern`)
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

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(path, () => {
      server.off('error', reject)
      resolve()
    })
  })
}
