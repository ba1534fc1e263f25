/** The checks of this machine: memory, cores, descriptors, the port, files and disks. */
import type { StatsFs } from 'node:fs'
import { readFile, statfs } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { dirname, resolve } from 'node:path'
import type { Config } from '../config/schema.ts'
import { CtrError } from '../errors.ts'
import { tryFile } from '../output/file-output.ts'
import { DEAD_LETTERS, LATE_EVENTS } from '../output/output.ts'
import { privacyOf } from '../privacy/privacy.ts'
import { STATE_MIN_BYTES, stateLimits, workersOf } from '../run/memory-plan.ts'
import { tryPort } from '../server/http.ts'
import { storageDirectory } from '../store/open-store.ts'
import { formatBytes } from '../text.ts'
import { judgeRoom, type Room } from './clickhouse-judge.ts'
import { type Check, type Finding, ok, skipped, warning } from './finding.ts'

/** The HTTP server alone may have 256 connections; each broker takes two, and two more for each output. */
const DESCRIPTORS_LOW = 1024
const ANSWER_MAX_MS = 2_000

/** All of them, in order. */
export function machineChecks(config: Config): Check[] {
  const check = (name: string, look: Check['look']): Check => ({ part: 'machine', name, look })
  const { deadLetter, late, http } = config
  const files = [
    ...(deadLetter.file === undefined ? [] : [['dead letters', deadLetter.file, DEAD_LETTERS] as const]),
    ...(late.file === undefined ? [] : [['late events', late.file, LATE_EVENTS] as const]),
  ]
  return [
    check('memory', async () => judgeMemory(stateLimits(config).maxBytes)),
    check('cores', async () => judgeCores(config.engine.workers, workersOf(config), availableParallelism())),
    check('descriptors', descriptors),
    check('http port', (signal) => port(http, signal)),
    ...files.map(([name, path, label]) =>
      check(`file of ${name}`, async () => {
        await tryFile(path, label)
        return ok(`${path} can be appended to`)
      }),
    ),
    ...(config.privacy.payload === 'full' ? [] : [check('masks', async () => masks(config))]),
    check('disks', () => disks(config)),
  ]
}

function masks(config: Config): Finding {
  const { payload, keys = [] } = config.privacy
  privacyOf(config)
  const [key] = keys
  return ok(
    payload === 'none' || key === undefined ? `privacy.payload is ${payload}, without a key` : `values are masked by the key ${key.id}`,
  )
}

/** What is left for products and windows. */
export function judgeMemory(maxBytes: number): Finding {
  const found = `${formatBytes(maxBytes)} for products and windows`
  if (maxBytes > STATE_MIN_BYTES) return ok(found)
  return warning(`${found}: all else takes what this machine has`, 'give it more memory, or lower engine.workers and engine.ringBytes')
}

/** Main and the sink have a thread each beside the workers. */
export function judgeCores(wanted: Config['engine']['workers'], workers: number, cores: number): Finding {
  const found = `${workers} ${workers === 1 ? 'worker' : 'workers'} on ${cores} ${cores === 1 ? 'core' : 'cores'}`
  if (cores < 2) return warning(`${found}: reading and counting take turns`, 'give it two cores')
  if (wanted === 'auto' || workers < cores) return ok(found)
  return warning(`${found}, which reading and writing need too`, `lower engine.workers to ${Math.max(1, cores - 2)}, or set it to auto`)
}

/** What /proc/self/limits says. */
export function judgeDescriptors(limits: string): Finding {
  const soft = /^Max open files\s+(\S+)/m.exec(limits)?.[1]
  if (soft === undefined) return skipped('this system does not say how many files a process may open')
  const found = `this process may open ${soft} files`
  if (soft === 'unlimited' || Number(soft) >= DESCRIPTORS_LOW) return ok(found)
  return warning(`${found}, and connections are files too`, `raise the limit to ${DESCRIPTORS_LOW} or more (ulimit -n, LimitNOFILE)`)
}

async function descriptors(): Promise<Finding> {
  return judgeDescriptors(await readFile('/proc/self/limits', 'utf8').catch(() => ''))
}

async function port({ host, port: number }: Config['http'], signal: AbortSignal): Promise<Finding> {
  try {
    await tryPort(host, number)
    return ok(number === 0 ? `a free port of ${host}` : `${number} on ${host} is free`)
  } catch (error) {
    if (!(error instanceof CtrError) || !(await isOurs(host, number, signal))) throw error
    return warning(`a ctr is running on http.port ${number} of ${host} already`, 'give another process another http.port, or 0 to take any')
  }
}

async function isOurs(host: string, number: number, signal: AbortSignal): Promise<boolean> {
  const to = { '0.0.0.0': '127.0.0.1', '::': '[::1]' }[host] ?? (host.includes(':') ? `[${host}]` : host)
  try {
    const answer = await fetch(`http://${to}:${number}/`, { signal: AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MAX_MS)]) })
    return ((await answer.json()) as { name?: unknown }).name === 'ctr'
  } catch {
    return false
  }
}

/** Of the nearest folder on the way to `path` that is there. */
async function statfsAbove(path: string): Promise<StatsFs> {
  for (let at = resolve(path); ; at = dirname(at)) {
    try {
      return await statfs(at)
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (at === dirname(at) || (code !== 'ENOENT' && code !== 'ENOTDIR')) throw error
    }
  }
}

async function disks(config: Config): Promise<Finding> {
  const { clickhouse, checkpoint, deadLetter, late } = config
  const places: (readonly [key: string, path: string | undefined])[] = [
    ['checkpoint.storage', storageDirectory(checkpoint)],
    ['clickhouse.embedded', clickhouse.url === undefined ? clickhouse.embedded : undefined],
    ['deadLetter.file', deadLetter.file && dirname(deadLetter.file)],
    ['late.file', late.file && dirname(late.file)],
  ]
  const rooms: Room[] = []
  for (const [key, path] of places) {
    if (path === undefined) continue
    const { bavail, bsize, files, ffree } = await statfsAbove(path)
    rooms.push({ place: `${key} ${path}`, freeBytes: bavail * bsize, inodes: files === 0 ? undefined : ffree })
  }
  if (rooms.length === 0) return ok('nothing is kept on this machine')
  return judgeRoom(rooms, 'make room there, or set the key to another place')
}
