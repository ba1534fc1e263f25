/**
 * Whether a member of a consumer group, or who has the right to change tables, lives, told by its name alone: brokers show a member's name
 * in every state of the group, and all else only while the group is stable.
 *
 *   ctr@ctr-0:17/3f9c0a1b2c4d.-.mb1x3k9q.9f86d081884c7d65
 *   │   │     │  │            │ │        └ token, of this one member
 *   │   │     │  │            │ └ began at, ms since the epoch in base 36
 *   │   │     │  │            └ container; - outside of one
 *   │   │     │  └ place: boot of the machine and network namespace; - when they can't be read
 *   │   │     └ pid, and host before it: for people
 *   └ kafka.clientId
 *
 * The proof is a Unix socket without a file (Linux: abstract), named by the token. It lasts exactly as long as its process, also one that
 * is stopped or busy, and whoever shares the network namespace can knock: processes of a machine, containers of a pod, a container that
 * was restarted in its pod. Host names and pids prove nothing, since containers have them in common.
 *
 * Same place: alive when somebody answers, else dead. Same container, another place: it was restarted, and a container lives once: dead.
 * Anything else: unknown. Where there are no such sockets, a process of the same host lives while its pid does.
 */
import { createHash, randomBytes } from 'node:crypto'
import { readFileSync, readlinkSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { hostname } from 'node:os'

/** What a name says of its member. */
export interface Sign {
  readonly client: string
  readonly host: string
  readonly pid: number
  /** '' when it could not be read. */
  readonly place: string
  /** '' outside of a container. */
  readonly container: string
  /** ms since the epoch. */
  readonly since: number
  readonly token: string
}

/** Where this process runs. */
export type Here = Pick<Sign, 'host' | 'place' | 'container'>

/** A life that others can see, until it is ended. */
export interface Life {
  readonly sign: Sign
  /** What to join a group as. */
  readonly name: string
  end(): void
}

/** What can be known of a member. */
export type Vital = 'alive' | 'dead' | 'unknown'

const ABSTRACT = process.platform === 'linux'
/** Somebody holds the socket who does not even take a connection. */
const KNOCK_MAX_MS = 1_000

/** Begins a life of this process under `client`, a kafka.clientId. Without a socket nobody can tell its end, and it is waited for. */
export async function beginLife(client: string, here: Here = whereWeAre()): Promise<Life> {
  const token = randomBytes(8).toString('hex')
  const server = createServer((socket) => socket.destroy())
  const open =
    ABSTRACT &&
    (await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false))
      server.listen({ path: socketOf(token) }, () => resolve(true))
    }))
  server.unref()
  const place = open || !ABSTRACT ? here.place : ''
  const sign = { ...here, client, pid: process.pid, place, since: Date.now(), token }
  return { sign, name: spellSign(sign), end: () => void (open && server.close()) }
}

/** The name that says it. */
export function spellSign({ client, host, pid, place, container, since, token }: Sign): string {
  return `${client}@${host}:${pid}/${place || '-'}.${container || '-'}.${since.toString(36)}.${token}`
}

const NAME = /^(.*)@([^@]*):(\d+)\/([0-9a-f]{12}|-)\.([0-9a-f]{12}|-)\.([0-9a-z]{1,11})\.([0-9a-f]{16})(?:-[0-9a-f-]{36})?$/s

/** What a client's name, or a member's id, which begins with it, says; undefined when it is of another make. */
export function readSign(name: string): Sign | undefined {
  const [, client, host, pid, place, container, since, token] = NAME.exec(name) ?? []
  if (client === undefined || host === undefined || token === undefined) return undefined
  const known = (part: string | undefined) => (part === undefined || part === '-' ? '' : part)
  const began = Number.parseInt(since ?? '', 36)
  return { client, host, pid: Number(pid), place: known(place), container: known(container), since: began, token }
}

/** Whether the member of this sign lives, as far as can be known from `here`. `knock`: whether its socket, or its process, is there. */
export async function vitalOf(sign: Sign | undefined, here: Here, knock: (sign: Sign) => Promise<boolean> = answers): Promise<Vital> {
  if (sign === undefined || sign.place === '' || here.place === '') return 'unknown'
  if (sign.place === here.place) return (await knock(sign)) ? 'alive' : 'dead'
  return sign.container !== '' && sign.container === here.container ? 'dead' : 'unknown'
}

/** Boot, network namespace and container of this process, hashed; the host by its name. */
export function whereWeAre(): Here {
  const host = hostname()
  if (!ABSTRACT) return { host, place: hashed(host), container: '' }
  const boot = attempt(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8'))
  const network = attempt(() => readlinkSync('/proc/self/ns/net'))
  const mounts = attempt(() => readFileSync('/proc/self/mountinfo', 'utf8'))
  // Engines of containers mount a file of the container's folder, which has its id for a name, as its host name.
  const id = /\/([0-9a-f]{64})\/(?:[^ ]*\/)?hostname \/etc\/hostname /.exec(mounts ?? '')?.[1]
  return {
    host,
    place: boot === undefined || network === undefined ? '' : hashed(`${boot} ${network}`),
    container: id === undefined ? '' : hashed(id),
  }
}

function answers({ token, pid }: Sign): Promise<boolean> {
  if (!ABSTRACT) return Promise.resolve(isRunning(pid))
  return new Promise((resolve) => {
    const socket = connect({ path: socketOf(token) })
    const settle = (there: boolean) => {
      clearTimeout(patience)
      socket.destroy()
      resolve(there)
    }
    const patience = setTimeout(() => settle(true), KNOCK_MAX_MS)
    socket.once('connect', () => settle(true))
    // Only a refusal says that nobody is there: with a full queue the answer is another one.
    socket.once('error', ({ code }: NodeJS.ErrnoException) => settle(code !== 'ECONNREFUSED'))
  })
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

function socketOf(token: string): string {
  return `\0ctr-engine/${token}`
}

function hashed(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 12)
}

function attempt<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch {
    return undefined
  }
}
