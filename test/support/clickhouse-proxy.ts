/**
 * A proxy before a ClickHouse that does what networks and servers do: refuses connections, resets in the middle of an insert, swallows
 * the answer of one that was done, is slow, answers with an error, and speaks TLS. The port stays the same across close and reopen.
 */
import { createServer, request as httpRequest, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { sleep } from '../../src/clock.ts'

export type Fault =
  | { readonly kind: 'pass' }
  /** The connection breaks after so many bytes of the body. */
  | { readonly kind: 'reset'; readonly afterBytes: number }
  /** ClickHouse does it, but its answer never arrives. */
  | { readonly kind: 'lose-answer' }
  | { readonly kind: 'slow'; readonly ms: number }
  /** No answer at all until the client gives up. */
  | { readonly kind: 'hang' }
  | { readonly kind: 'error'; readonly status: number; readonly body: string }

export const clickHouseError = (code: number, type: string): Fault => ({
  kind: 'error',
  status: 500,
  body: `Code: ${code}. DB::Exception: injected. (${type}) (version 26.7)`,
})

export interface ProxyOptions {
  readonly tls?: { readonly cert: string; readonly key: string; readonly ca?: string; readonly requestCert?: boolean }
  /** False begins with nobody listening; the port is known all the same. */
  readonly open?: boolean
}

export class ClickHouseProxy {
  url = ''
  /** What becomes of the next inserts, one by one; then `fault` holds. */
  readonly next: Fault[] = []
  fault: Fault = { kind: 'pass' }
  /** Inserts seen, faulty ones included. */
  inserts = 0
  readonly #target: URL
  readonly #options: ProxyOptions
  #server: Server
  #port = 0

  constructor(target: string, options: ProxyOptions) {
    this.#target = new URL(target)
    this.#options = options
    this.#server = this.#create()
  }

  async open(): Promise<void> {
    this.#server = this.#create()
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen(this.#port, '127.0.0.1', resolve)
    })
    this.#port = (this.#server.address() as AddressInfo).port
    this.url = `${this.#options.tls === undefined ? 'http' : 'https'}://localhost:${this.#port}`
  }

  /** Nobody listens from now on; open connections break. */
  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve))
    this.#server.closeAllConnections()
    await closed
  }

  #create(): Server {
    const { tls } = this.#options
    const handle = (request: IncomingMessage, response: ServerResponse) =>
      void this.#handle(request, response).catch(() => response.destroy())
    return tls === undefined ? createServer(handle) : createTlsServer({ ...tls, rejectUnauthorized: tls.requestCert === true }, handle)
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const isInsert = new URL(request.url ?? '/', 'http://x').searchParams.get('query')?.startsWith('INSERT') === true
    if (isInsert) this.inserts++
    const fault = isInsert ? (this.next.shift() ?? this.fault) : ({ kind: 'pass' } as const)
    switch (fault.kind) {
      case 'hang':
        request.resume()
        return
      case 'error':
        request.resume()
        await new Promise((resolve) => request.once('end', resolve))
        response.writeHead(fault.status).end(fault.body)
        return
      case 'reset':
        return this.#reset(request, fault.afterBytes)
      case 'slow':
        await sleep(fault.ms)
        return this.#forward(request, response, true)
      default:
        return this.#forward(request, response, fault.kind === 'pass')
    }
  }

  /** Passes so many bytes on, so that ClickHouse sees a broken insert too. */
  async #reset(request: IncomingMessage, afterBytes: number): Promise<void> {
    const forward = this.#request(request)
    forward.on('error', () => undefined)
    let seen = 0
    for await (const chunk of request) {
      forward.write((chunk as Buffer).subarray(0, Math.max(0, afterBytes - seen)))
      seen += (chunk as Buffer).length
      if (seen >= afterBytes) break
    }
    forward.destroy()
    request.socket.resetAndDestroy()
  }

  async #forward(request: IncomingMessage, response: ServerResponse, answer: boolean): Promise<void> {
    const forward = this.#request(request)
    const answered = new Promise<IncomingMessage>((resolve, reject) => forward.once('response', resolve).once('error', reject))
    request.pipe(forward)
    const from = await answered
    if (!answer) {
      for await (const _ of from) {
        // Only its end matters: then ClickHouse is done.
      }
      request.socket.resetAndDestroy()
      return
    }
    response.writeHead(from.statusCode ?? 500, from.headers)
    from.pipe(response)
  }

  #request(request: IncomingMessage) {
    const { hostname, port } = this.#target
    return httpRequest({
      hostname,
      port,
      method: request.method ?? 'POST',
      path: request.url ?? '/',
      headers: request.headers,
      agent: false,
    })
  }
}

/** A proxy before `target`, listening unless told otherwise. */
export async function startProxy(target: string, options: ProxyOptions = {}): Promise<ClickHouseProxy> {
  const proxy = new ClickHouseProxy(target, options)
  await proxy.open()
  if (options.open === false) await proxy.close()
  return proxy
}
