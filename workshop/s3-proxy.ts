/** A proxy before an S3 server that does what networks and other servers do. Requests keep their Host, which their signature covers. */
import { once } from 'node:events'
import { createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'

export type S3Fault =
  /** The server does it, but its answer never arrives. */
  | { readonly kind: 'lose-answer' }
  /** The connection breaks before the server hears of it. */
  | { readonly kind: 'reset' }
  /** The answer breaks off in its body. */
  | { readonly kind: 'cut-answer'; readonly afterBytes: number }
  /** No answer at all. */
  | { readonly kind: 'hang' }
  | { readonly kind: 'error'; readonly status: number; readonly code: string }

export interface S3Proxy extends AsyncDisposable {
  readonly endpoint: string
  /** What becomes of the next requests of a method, one by one. */
  readonly next: [method: string, fault: S3Fault][]
  /** Faults that hold for every request that carries a header. */
  readonly onHeader: Map<string, S3Fault>
  /** Methods of all requests so far. */
  readonly seen: string[]
}

/** Listens on a free port of the loopback. */
export async function startS3Proxy(target: string, tls?: { cert: string; key: string }): Promise<S3Proxy> {
  const next: S3Proxy['next'] = []
  const onHeader: S3Proxy['onHeader'] = new Map()
  const seen: string[] = []
  const handle = (request: IncomingMessage, response: ServerResponse) => {
    seen.push(request.method ?? '')
    const planned = next.findIndex(([method]) => method === request.method)
    const fault = planned >= 0 ? next.splice(planned, 1)[0]?.[1] : [...onHeader].find(([name]) => request.headers[name] !== undefined)?.[1]
    void serve(request, response, target, fault).catch(() => response.destroy())
  }
  const server = tls === undefined ? createServer(handle) : createTlsServer(tls, handle)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    endpoint: `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}`,
    next,
    onHeader,
    seen,
    [Symbol.asyncDispose]: async () => {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}

async function serve(request: IncomingMessage, response: ServerResponse, target: string, fault: S3Fault | undefined): Promise<void> {
  const body = Buffer.concat(await request.toArray())
  if (fault?.kind === 'hang') return
  if (fault?.kind === 'reset') {
    request.socket.destroy()
    return
  }
  if (fault?.kind === 'error') {
    response.writeHead(fault.status, { 'content-type': 'application/xml' })
    response.end(`<?xml version="1.0"?><Error><Code>${fault.code}</Code><Message>injected</Message></Error>`)
    return
  }
  const upstream = httpRequest(target + request.url, { method: request.method, headers: request.headers })
  upstream.end(body)
  const [answer] = (await once(upstream, 'response')) as [IncomingMessage]
  const answered = Buffer.concat(await answer.toArray())
  if (fault?.kind === 'lose-answer') {
    request.socket.destroy()
    return
  }
  response.writeHead(answer.statusCode ?? 500, answer.headers)
  if (fault?.kind !== 'cut-answer') response.end(answered)
  else response.write(answered.subarray(0, fault.afterBytes), () => request.socket.destroy())
}
