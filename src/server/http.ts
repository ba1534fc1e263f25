/**
 * Health, metrics, savepoints, the API and the page over HTTP. routes.ts has what can be asked, access.ts who may ask. Probes are answered
 * at once (probes.ts); what answers the rest (app.ts) is loaded when the first of it is asked for, since that takes longer than all that a
 * start of the engine does besides.
 */
import { lookup } from 'node:dns/promises'
import { once } from 'node:events'
import type { Server as HttpServer, RequestListener } from 'node:http'
import { createServer, type Socket } from 'node:net'
import { CtrError } from '../errors.ts'
import { http } from '../node-http.ts'
import type { AppOptions, ServerApp } from './app.ts'
import { keepRoom } from './connections.ts'
import { type Control, openControl } from './control.ts'
import { answersProbes, type ProbeOptions, sendError } from './probes.ts'
import { createTlsServer, type TlsFiles, type TlsLog } from './tls.ts'

export interface ServerOptions extends AppOptions, ProbeOptions {
  readonly host: string
  /** 0 takes a free one. */
  readonly port: number
  readonly tls?: TlsFiles | undefined
  readonly log?: TlsLog | undefined
  /** Where this user's command line finds a socket (control.ts); undefined: there is none. */
  readonly control?: Control | undefined
}

export interface Server {
  /** With the port that was taken. */
  readonly url: string
  readonly port: number
  close(): Promise<void>
}

/** Whoever dawdles or floods must not take the descriptors that Kafka's connections need. */
const REQUEST_MAX_MS = 10_000
const CONNECTIONS_MAX = 256

/** Listens, or throws CtrError CTR_CONFIG that names the key to change. */
export async function startServer(options: ServerOptions): Promise<Server> {
  const { host, port, savepoints, control, tls } = options
  const owners = new WeakSet<Socket>()
  const isProbe = answersProbes(options)
  let app: Promise<ServerApp> | undefined
  const answer: RequestListener = (request, response) => {
    if (isProbe(request, response)) return
    app ??= import('./app.ts').then(({ createApp }) => createApp(options, main, (socket) => owners.has(socket)))
    app.then(
      (loaded) => loaded.answer(request, response),
      (error: unknown) => {
        // The next request tries again.
        app = undefined
        sendError(response, error)
      },
    )
  }
  const main = serverOf(options, answer)
  const servers = [main]
  try {
    await listen(main, host, port)
    servers.push(...(await listenBeside(main, host, () => serverOf(options, answer))))
    const wanted = savepoints === undefined ? undefined : control
    const own = wanted === undefined ? undefined : await openControl(wanted, portOf(main), answer, owners)
    const close = async () => {
      own?.close()
      await Promise.all(servers.map(end))
      await (await app?.catch(() => undefined))?.close()
    }
    return { url: `${tls === undefined ? 'http' : 'https'}://${shownHost(main, host)}:${portOf(main)}`, port: portOf(main), close }
  } catch (error) {
    await Promise.all(servers.map(end))
    throw listenError(error, host, port)
  }
}

const NO_LOG: TlsLog = { info: () => {}, warn: () => {} }

function serverOf({ tls, log = NO_LOG }: ServerOptions, answer: RequestListener): HttpServer {
  const server = tls === undefined ? http.createServer(answer) : createTlsServer(tls, answer, log)
  server.requestTimeout = REQUEST_MAX_MS
  keepRoom(server, CONNECTIONS_MAX)
  return server
}

async function listen(server: HttpServer, host: string, port: number): Promise<void> {
  server.listen({ host, port })
  await once(server, 'listening')
}

/** The name localhost has two addresses on most machines; one that can't be listened on is left out. */
async function listenBeside(main: HttpServer, host: string, make: () => HttpServer): Promise<HttpServer[]> {
  if (host !== 'localhost') return []
  const addresses = new Set((await lookup(host, { all: true })).map(({ address }) => address))
  addresses.delete(addressOf(main))
  const made = [...addresses].map(async (address) => {
    const server = make()
    return listen(server, address, portOf(main)).then(
      () => [server],
      () => [],
    )
  })
  return (await Promise.all(made)).flat()
}

/** A scraper's idle connection must not hold up the end. */
async function end(server: HttpServer): Promise<void> {
  const ended = new Promise((resolve) => server.close(resolve))
  server.closeAllConnections()
  await ended
}

/** Listens for a moment, so that it is known whether it could; throws as startServer does. */
export async function tryPort(host: string, port: number): Promise<void> {
  const server = createServer()
  try {
    server.listen({ host, port })
    await once(server, 'listening')
  } catch (error) {
    throw listenError(error, host, port)
  } finally {
    server.close()
  }
}

function portOf(server: HttpServer): number {
  const address = server.address()
  return typeof address === 'object' && address !== null ? address.port : 0
}

function addressOf(server: HttpServer): string {
  const address = server.address()
  return typeof address === 'object' && address !== null ? address.address : ''
}

/** As it stands in a URL that this machine can ask. */
function shownHost(server: HttpServer, host: string): string {
  if (host === '0.0.0.0' || host === '::') return 'localhost'
  const address = addressOf(server)
  return address.includes(':') ? `[${address}]` : address
}

function listenError(cause: unknown, host: string, port: number): CtrError {
  const code = (cause as NodeJS.ErrnoException).code
  const messages: Readonly<Record<string, string>> = {
    EADDRINUSE: `http.port ${port} on ${host} is in use; set http.port to a free one, or to 0 to take any`,
    EACCES: `http.port ${port} may not be opened by this user; set http.port to one above 1023`,
    EADDRNOTAVAIL: `http.host ${host} is not an address of this machine; set http.host to 127.0.0.1, or 0.0.0.0 for all addresses`,
    ENOTFOUND: `http.host ${host} can't be resolved; set http.host to 127.0.0.1, or 0.0.0.0 for all addresses`,
  }
  const known = code === undefined ? undefined : messages[code]
  return new CtrError('CTR_CONFIG', known ?? `can't listen on http.host ${host}, http.port ${port}: ${String(cause)}`, { cause })
}
