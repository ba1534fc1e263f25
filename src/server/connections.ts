/**
 * Room for whoever comes next. A server with a plain limit on its connections turns probes away while others sit on all of them, whether
 * they send slowly, read slowly or do nothing. Here the newcomer is let in, and the connection that has done nothing for longest gives way.
 * One whose request waits for its answer does not: the answer is the server's to give.
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

/** Keeps a server at `max` connections. Only where every one of them waits for an answer, newcomers are turned away. */
export function keepRoom(server: Server, max: number): void {
  /** Since when each has done nothing: the first one longest. With the answer that it is given, if any. */
  const open = new Map<Socket, ServerResponse | undefined>()
  const touch = (socket: Socket, response: ServerResponse | undefined) => {
    if (!open.delete(socket)) return
    open.set(socket, response)
  }
  server.on('connection', (socket: Socket) => {
    if (open.size >= max) {
      const idle = firstIdle(open) ?? socket
      idle.destroy()
      open.delete(idle)
      if (idle === socket) return
    }
    open.set(socket, undefined)
    socket.once('close', () => open.delete(socket))
  })
  server.on('request', ({ socket }: IncomingMessage, response: ServerResponse) => {
    touch(socket, response)
    response.once('finish', () => touch(socket, undefined))
  })
}

function firstIdle(open: ReadonlyMap<Socket, ServerResponse | undefined>): Socket | undefined {
  for (const [socket, response] of open) {
    // An answer that is given whole and not taken is nothing to wait for.
    if (response === undefined || response.writableEnded) return socket
  }
  return undefined
}
