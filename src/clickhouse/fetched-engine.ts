/**
 * The embedded engine where the package does not bring it: 540 MB that most installations, which have a server, never need. It is fetched
 * once, by npm and into a folder of the user's own cache, in the versions and with the integrity of `bin/embedded/package-lock.json`. The
 * folder appears by one rename, once all of it is there, so nobody sees half of it.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, rmSync } from 'node:fs'
import { copyFile, mkdtemp, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { CtrError } from '../errors.ts'

const ORDER = new URL('../../bin/embedded/', import.meta.url)
const OWN_FOLDER = new URL('../../bin/own-folder.js', import.meta.url)
const FILES = ['package.json', 'package-lock.json']
/** The engine's code for the machine is an optional package, which a user may have left out for all others. */
const NPM = ['ci', '--include=optional', '--prefer-offline', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error']

const FETCH_MAX_MS = 900_000
const TOLD_EVERY_MS = 5_000
const SAID_MAX = 300
/** A folder that was begun so long ago is nobody's. */
const LEFT_MS = 4 * FETCH_MAX_MS
/** So long may npm take to end. */
const STOP_MAX_MS = 3_000
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
const MIB = 1024 ** 2

/** Before anything is timed or shown: fetches the engine unless the package has it, or it was fetched before. */
export async function bringEngine(tell: (message: string) => void): Promise<void> {
  try {
    createRequire(import.meta.url).resolve('chdb')
  } catch {
    await fetchEngine(tell)
  }
}

/** The folder that it was fetched into, from which `chdb` resolves; undefined where it was not. */
export async function fetchedEngine(): Promise<string | undefined> {
  const folder = await engineFolder()
  return folder === undefined || !existsSync(folder) ? undefined : folder
}

/**
 * Fetches it; `tell` hears how far that is. Throws CTR_CLICKHOUSE_EMBEDDED with what to do instead. A signal ends it and leaves nothing
 * behind: CTR_INTERRUPTED when somebody else listens to it, too, else the process ends by it.
 */
export async function fetchEngine(tell: (message: string) => void, npm = 'npm'): Promise<void> {
  const folder = await engineFolder()
  if (folder === undefined) throw unfetched('there is no folder that is this user’s alone; set XDG_CACHE_HOME to one')
  if (existsSync(folder)) return
  tell(`fetching the embedded ClickHouse into ${folder}, which takes 540 MB there and is done once`)
  const fetching = new Fetching()
  try {
    await removeLeft(folder)
    fetching.building = await mkdtemp(`${folder}.`)
    for (const file of FILES) await copyFile(new URL(file, ORDER), join(fetching.building, file))
    await install(npm, fetching, tell)
    await mustBeWhole(fetching.building)
    await rename(fetching.building, folder).catch((error: NodeJS.ErrnoException) => {
      // Another process was first.
      if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error
    })
  } catch (error) {
    if (fetching.signal === undefined) throw unfetched((error as Error).message)
  } finally {
    // A disk that fails may keep it; what it has failed with says more.
    if (fetching.building !== '') await rm(fetching.building, { recursive: true, force: true }).catch(() => undefined)
    fetching.end()
  }
  const { signal } = fetching
  if (signal === undefined || existsSync(folder)) return
  if (process.listenerCount(signal) === 0) process.kill(process.pid, signal)
  throw new CtrError('CTR_INTERRUPTED', `${signal} came while the embedded ClickHouse was fetched; the next start fetches it`)
}

/** What must not outlive this process: npm, and the folder that it fills. */
class Fetching {
  /** The folder; empty before there is one. */
  building = ''
  /** The one that came. */
  signal: (typeof SIGNALS)[number] | undefined
  #npm: ChildProcess | undefined

  constructor() {
    for (const signal of SIGNALS) process.on(signal, this.#onSignal)
    process.on('exit', this.#onExit)
  }

  watch(npm: ChildProcess): void {
    this.#npm = npm
    if (this.signal !== undefined) npm.kill()
  }

  end(): void {
    for (const signal of SIGNALS) process.off(signal, this.#onSignal)
    process.off('exit', this.#onExit)
  }

  readonly #onSignal = (signal: NodeJS.Signals) => {
    this.signal ??= signal as (typeof SIGNALS)[number]
    this.#npm?.kill()
    setTimeout(() => this.#npm?.kill('SIGKILL'), STOP_MAX_MS).unref()
  }

  readonly #onExit = () => {
    this.#npm?.kill('SIGKILL')
    if (this.building !== '') rmSync(this.building, { recursive: true, force: true })
  }
}

/** Folders of processes that were killed while they fetched. */
async function removeLeft(folder: string): Promise<void> {
  const parent = dirname(folder)
  const name = /^chdb-[\d.]+\.\w{6}$/
  for (const left of (await readdir(parent)).filter((each) => name.test(each))) {
    const path = join(parent, left)
    const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: Number.POSITIVE_INFINITY }))
    if (Date.now() - mtimeMs > LEFT_MS) await rm(path, { recursive: true, force: true })
  }
}

/** To npm an optional package that can't be fetched, or that no machine like this one has, is no failure. Here it is the engine itself. */
async function mustBeWhole(folder: string): Promise<void> {
  if (!existsSync(join(folder, 'node_modules/chdb/package.json'))) throw new Error('npm ends well, and has brought no chdb')
  const parent = join(folder, 'node_modules/@chdb')
  const builds = await readdir(parent).catch(() => [])
  for (const build of builds) {
    const { files = [] } = JSON.parse(await readFile(join(parent, build, 'package.json'), 'utf8')) as { files?: string[] }
    if (files.length > 0 && files.every((file) => existsSync(join(parent, build, file)))) return
  }
  const name = `@chdb/lib-${process.platform}-${process.arch}`
  const reasons = `the disk is full, the registry lacks ${name}*, or there is no such package, as on Alpine`
  throw new Error(`npm left out its code for this machine: ${reasons}`)
}

/** Where it lies, in its version; undefined when nothing may be run from there. */
async function engineFolder(): Promise<string | undefined> {
  const order = JSON.parse(await readFile(new URL('package.json', ORDER), 'utf8')) as { dependencies: { chdb: string } }
  const { ownCacheFolder } = (await import(OWN_FOLDER.href)) as { ownCacheFolder(name: string): string | undefined }
  const cache = ownCacheFolder('embedded')
  return cache && join(cache, `chdb-${order.dependencies.chdb}`)
}

/** Runs npm, which knows the user's registry, proxy and credentials. */
async function install(npm: string, fetching: Fetching, tell: (message: string) => void): Promise<void> {
  const child = spawn(npm, NPM, { cwd: fetching.building, stdio: ['ignore', 'ignore', 'pipe'], timeout: FETCH_MAX_MS })
  fetching.watch(child)
  let said = ''
  child.stderr.on('data', (data: Buffer) => {
    said = (said + data.toString()).slice(-SAID_MAX)
  })
  const began = Date.now()
  const timer = setInterval(async () => {
    const size = await sizeOf(fetching.building).catch(() => 0)
    tell(
      `fetching the embedded ClickHouse: ${Math.round(size / MIB)} of 540 MB unpacked after ${Math.round((Date.now() - began) / 1000)} s`,
    )
  }, TOLD_EVERY_MS)
  try {
    await new Promise<void>((done, failed) => {
      child.once('error', (error: NodeJS.ErrnoException) => failed(error.code === 'ENOENT' ? new Error(`there is no ${npm}`) : error))
      child.once('close', (code, signal) => (code === 0 ? done() : failed(new Error(`npm ends with ${signal ?? code}: ${said.trim()}`))))
    })
  } finally {
    clearInterval(timer)
  }
}

async function sizeOf(folder: string): Promise<number> {
  let size = 0
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) size += (await stat(join(entry.parentPath, entry.name))).size
  }
  return size
}

function unfetched(why: string): CtrError {
  const version = fileURLToPath(ORDER)
  const remedy = `run npm i chdb beside ctr (${version} has the version), or give a server's address with clickhouse.url`
  return new CtrError(
    'CTR_CLICKHOUSE_EMBEDDED',
    `clickhouse.embedded: the engine is not installed and can't be fetched (${why}); ${remedy}`,
  )
}
