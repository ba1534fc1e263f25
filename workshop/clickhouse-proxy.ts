/**
 * A proxy before a ClickHouse that does what networks and servers do: refuses connections, resets in the middle of an insert, swallows the
 * answer of one that was done, or its headers, or lets it come late, is slow, answers with an error, makes ClickHouse itself refuse (by
 * settings, by another password), and speaks TLS. The port stays the same across close and reopen.
 */
import { createServer, request as httpRequest, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { sleep } from '../src/clock.ts'

export type Fault =
  | { readonly kind: 'pass' }
  /** The connection breaks after so many bytes of the body. */
  | { readonly kind: 'reset'; readonly afterBytes: number }
  /** ClickHouse does it, but its answer never arrives. */
  | { readonly kind: 'lose-answer' }
  /** ClickHouse does it at once, and the answer takes its time. */
  | { readonly kind: 'late-answer'; readonly ms: number }
  | { readonly kind: 'slow'; readonly ms: number }
  /** Slow by size: so long for each KiB. */
  | { readonly kind: 'slow-by-size'; readonly msPerKiB: number }
  /** ClickHouse does it and answers, but what it says of it in headers does not come through. */
  | { readonly kind: 'drop-headers' }
  /** ClickHouse gets the insert under these settings, such as readonly. */
  | { readonly kind: 'settings'; readonly settings: Readonly<Record<string, string>> }
  /** ClickHouse has got another password. */
  | { readonly kind: 'wrong-password' }
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

interface Forwarding {
  readonly answer?: boolean
  readonly dropHeaders?: boolean
  readonly answerAfterMs?: number
  readonly msPerKiB?: number
  readonly settings?: Readonly<Record<string, string>>
}

export class ClickHouseProxy {
  url = ''
  /** What becomes of the next inserts, one by one; then `fault` holds. */
  readonly next: Fault[] = []
  fault: Fault = { kind: 'pass' }
  /** Which inserts faults are for. */
  concerned = /^INSERT/
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
    const query = new URL(request.url ?? '/', 'http://x').searchParams.get('query') ?? ''
    if (query.startsWith('INSERT')) this.inserts++
    const fault = this.concerned.test(query) ? (this.next.shift() ?? this.fault) : ({ kind: 'pass' } as const)
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
        return this.#forward(request, response, {})
      case 'slow-by-size':
        return this.#forward(request, response, { msPerKiB: fault.msPerKiB })
      case 'late-answer':
        return this.#forward(request, response, { answerAfterMs: fault.ms })
      case 'settings':
        return this.#forward(request, response, { settings: fault.settings })
      case 'drop-headers':
        return this.#forward(request, response, { dropHeaders: true })
      case 'wrong-password':
        request.headers.authorization = `Basic ${Buffer.from('default:changed').toString('base64')}`
        return this.#forward(request, response, {})
      default:
        return this.#forward(request, response, { answer: fault.kind === 'pass' })
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

  async #forward(request: IncomingMessage, response: ServerResponse, how: Forwarding): Promise<void> {
    const settings = new URLSearchParams(how.settings).toString()
    const forward = this.#request(request, settings === '' ? '' : `&${settings}`)
    const answered = new Promise<IncomingMessage>((resolve, reject) => forward.once('response', resolve).once('error', reject))
    if (how.msPerKiB === undefined) request.pipe(forward)
    else {
      const body: Buffer[] = []
      for await (const chunk of request) body.push(chunk as Buffer)
      const bytes = Buffer.concat(body)
      await sleep((how.msPerKiB * bytes.length) / 1024)
      forward.end(bytes)
    }
    const from = await answered
    await sleep(how.answerAfterMs ?? 0)
    if (how.answer === false) {
      for await (const _ of from) {
        // Only its end matters: then ClickHouse is done.
      }
      request.socket.resetAndDestroy()
      return
    }
    const headers = Object.entries(from.headers).filter(([name]) => how.dropHeaders !== true || !name.startsWith('x-clickhouse'))
    response.writeHead(from.statusCode ?? 500, Object.fromEntries(headers))
    from.pipe(response)
  }

  #request(request: IncomingMessage, more = '') {
    const { hostname, port } = this.#target
    return httpRequest({
      hostname,
      port,
      method: request.method ?? 'POST',
      path: (request.url ?? '/') + more,
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
