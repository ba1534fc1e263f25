/** A proxy before a schema registry that does what networks, gateways and other registries do. The port stays the same throughout. */
import { once } from 'node:events'
import { createServer, request as httpRequest, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createTlsServer, type ServerOptions } from 'node:https'
import type { AddressInfo } from 'node:net'

/** What becomes of a request. */
export type RegistryFault =
  | { readonly kind: 'answer'; readonly status: number; readonly headers?: Record<string, string>; readonly body?: string }
  /** No answer at all. */
  | { readonly kind: 'silent' }
  /** The connection breaks. */
  | { readonly kind: 'reset' }
  /** The answer comes later, ms. */
  | { readonly kind: 'slow'; readonly ms: number }
  /** The answer begins and never ends. */
  | { readonly kind: 'endless' }

export interface RegistryProxy extends AsyncDisposable {
  readonly url: string
  /** Holds for every request to a path that matches. */
  fault: { readonly path: RegExp; readonly fault: RegistryFault } | undefined
  /** The value of `authorization` that requests must have; all others get 401. */
  authorization: string | undefined
  /** Method and path of all requests so far. */
  readonly seen: string[]
  /** Nobody listens any more and every connection breaks. */
  cut(): Promise<void>
  /** After `cut`. */
  mend(): Promise<void>
}

/** Leads to `target`, an address without a path; undefined: only faults answer, and 404. */
export async function startRegistryProxy(target?: string, tls?: ServerOptions): Promise<RegistryProxy> {
  const seen: string[] = []
  const proxy = { fault: undefined as RegistryProxy['fault'], authorization: undefined as string | undefined }
  const handle = (request: IncomingMessage, response: ServerResponse) => {
    seen.push(`${request.method} ${request.url}`)
    if (proxy.authorization !== undefined && request.headers.authorization !== proxy.authorization) {
      response.writeHead(401, { 'content-type': 'application/json' }).end('{"error_code":401,"message":"Unauthorized"}')
      return
    }
    const fault = proxy.fault?.path.test(request.url ?? '') ? proxy.fault.fault : undefined
    if (fault?.kind === 'slow') setTimeout(() => pass(request, response, target), fault.ms)
    else if (fault === undefined) pass(request, response, target)
    else fail(request, response, fault)
  }
  const listen = async (port: number): Promise<Server> => {
    const server = tls === undefined ? createServer(handle) : (createTlsServer(tls, handle) as unknown as Server)
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
    return server
  }
  let server: Server | undefined = await listen(0)
  const { port } = server.address() as AddressInfo
  const cut = async () => {
    const closed = server && once(server, 'close')
    server?.close()
    server?.closeAllConnections()
    server = undefined
    await closed
  }
  return Object.assign(proxy, {
    url: `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}`,
    seen,
    cut,
    mend: async () => {
      server = await listen(port)
    },
    [Symbol.asyncDispose]: cut,
  })
}

function fail({ socket }: IncomingMessage, response: ServerResponse, fault: Exclude<RegistryFault, { kind: 'slow' }>): void {
  if (fault.kind === 'reset') socket.destroy()
  else if (fault.kind === 'answer') response.writeHead(fault.status, fault.headers).end(fault.body)
  else if (fault.kind === 'endless') {
    const drip = setInterval(() => response.write(' '), 20)
    response.on('close', () => clearInterval(drip))
  }
}

function pass(request: IncomingMessage, response: ServerResponse, target: string | undefined): void {
  if (target === undefined) {
    response.writeHead(404).end()
    return
  }
  const { method, headers } = request
  const onward = httpRequest(target + request.url, { method, headers: { ...headers, host: new URL(target).host } }, (answer) => {
    response.writeHead(answer.statusCode ?? 500, answer.headers)
    answer.pipe(response)
  })
  onward.on('error', () => response.destroy())
  request.pipe(onward)
}
