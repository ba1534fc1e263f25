/**
 * The way of this user's command line to a pipeline on the same machine: the routes of the HTTP server on a Unix socket, in a folder that
 * only the user can enter. The socket lies below the directory of the checkpoints, under a name that follows from machine and port, so that
 * whoever has the configuration finds it.
 */
import { createHash } from 'node:crypto'
import { chmod, rm } from 'node:fs/promises'
import type { RequestListener, Server } from 'node:http'
import { connect, type Socket } from 'node:net'
import { hostname } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { sleep } from '../clock.ts'
import { http } from '../node-http.ts'
import { isPrivateFolder, SOCKET_PATH_MAX_BYTES } from '../private-folder.ts'

const FOLDER = '.control'

/** Where the pipeline of this machine listens that has the HTTP port and keeps its checkpoints in `directory`. */
export function controlPath(directory: string, port: number): string {
  const name = createHash('sha256').update(`${hostname()}:${port}`).digest('hex').slice(0, 16)
  return join(resolve(directory), FOLDER, `${name}.s`)
}

/** Whether the folder of a socket is this user's alone; false when there is none. */
export function isOwnControl(path: string): boolean {
  try {
    return isPrivateFolder(dirname(path))
  } catch {
    return false
  }
}

/** What a control socket is made of. */
export interface Control {
  /** Of the checkpoints; it need not be there yet. */
  readonly directory: string
  /** Makes a folder for one user, and those above it. */
  makeFolder(path: string): Promise<void>
}

const TRY_AGAIN_MS = 5_000
const FIRST_TRY_MAX_MS = 1_000

/**
 * Listens on the control socket of whoever has the HTTP port; `owners` takes the connections. Resolves when it listens, or can't at first:
 * then it is tried on, for a directory may come later. There is none where its path is too long, its folder can't be one user's alone, or
 * another process answers on it.
 */
export async function openControl(control: Control, port: number, handler: RequestListener, owners: WeakSet<Socket>) {
  const path = controlPath(control.directory, port)
  let server: Server | undefined
  let closed = false
  let timer: NodeJS.Timeout | undefined
  const attempt = async () => {
    const opened = await listenIn(control, path, handler, owners).catch(() => undefined)
    if (closed) return opened?.close()
    server = opened
    if (server === undefined) timer = setTimeout(attempt, TRY_AGAIN_MS).unref()
  }
  if (Buffer.byteLength(path) <= SOCKET_PATH_MAX_BYTES) await Promise.race([attempt(), sleep(FIRST_TRY_MAX_MS)])
  return {
    close() {
      closed = true
      clearTimeout(timer)
      server?.close()
      server?.closeAllConnections()
    },
  }
}

async function listenIn(control: Control, path: string, handler: RequestListener, owners: WeakSet<Socket>): Promise<Server | undefined> {
  if (await answers(path)) return undefined
  await control.makeFolder(dirname(path))
  await chmod(dirname(path), 0o700)
  if (!isOwnControl(path)) return undefined
  await rm(path, { force: true })
  const server = http.createServer(handler).on('connection', (socket: Socket) => owners.add(socket))
  await new Promise<void>((listening, failed) => server.once('error', failed).listen(path, listening))
  return server
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path)
    const end = (answered: boolean) => {
      socket.destroy()
      resolve(answered)
    }
    socket.once('connect', () => end(true)).once('error', () => end(false))
  })
}
