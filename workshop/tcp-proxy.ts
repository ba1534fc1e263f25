/**
 * A TCP proxy that does what networks do: refuses connections, breaks them, falls silent without a word, is slow, delivers half of it.
 * The port stays the same throughout. A Kafka broker must advertise it: `startBroker({ proxyPort: proxy.port })`.
 */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { sleep } from '../src/clock.ts'

const FETCH = 1
const API_KEY_AT = 4

interface Pair {
  readonly client: Socket
  readonly server: Socket
  /** A Fetch request has come, as it does on a Kafka consumer's second connection to a broker, though not always as the first one. */
  fetches: boolean
  forgotten: boolean
}

export class TcpProxy {
  /** Where connections lead; may change. */
  target = 0
  /** Each piece is so late, ms. */
  latencyMs = 0
  /** Of answers, over each connection. */
  bytesPerSecond = Number.POSITIVE_INFINITY
  /** Connections made so far. */
  connections = 0
  /** Connections are forgotten before their first Fetch request comes through. */
  forgetsFetches = false
  readonly port: number
  readonly #pairs = new Set<Pair>()
  #server: Server | undefined
  #silent = false
  #changed = Promise.withResolvers<void>()

  private constructor(server: Server) {
    this.#server = this.#serve(server)
    this.port = (server.address() as AddressInfo).port
  }

  /** Listens on a free port; leads to `target` of the loopback. */
  static async start(target = 0): Promise<TcpProxy> {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const proxy = new TcpProxy(server)
    proxy.target = target
    return proxy
  }

  get address(): string {
    return `127.0.0.1:${this.port}`
  }

  /** Connections stay open, new ones too, and nothing comes through: packets vanish. What was on its way comes when it is over. */
  set silent(silent: boolean) {
    this.#silent = silent
    this.#change()
  }

  /** As a firewall that has lost its table: connections for Fetch requests that are there now are silent for ever. Tells how many. */
  forgetFetches(): number {
    const forgotten = [...this.#pairs].filter(({ fetches }) => fetches)
    for (const pair of forgotten) pair.forgotten = true
    return forgotten.length
  }

  /** Every connection breaks at once (RST); new ones are taken. */
  reset(): void {
    for (const { client, server } of this.#pairs) {
      client.resetAndDestroy()
      server.resetAndDestroy()
    }
  }

  /** Nobody listens any more and every connection breaks. */
  async cut(): Promise<void> {
    const server = this.#server
    this.#server = undefined
    this.reset()
    if (server !== undefined) await new Promise((resolve) => server.close(resolve))
  }

  /** After `cut`. */
  async mend(): Promise<void> {
    const server = createServer().listen(this.port, '127.0.0.1')
    await once(server, 'listening')
    this.#server = this.#serve(server)
  }

  async close(): Promise<void> {
    this.silent = false
    for (const pair of this.#pairs) pair.forgotten = false
    this.#change()
    await this.cut()
  }

  #serve(server: Server): Server {
    return server.on('connection', (client: Socket) => {
      this.connections++
      const pair: Pair = { client, server: connect(this.target, '127.0.0.1'), fetches: false, forgotten: false }
      this.#pairs.add(pair)
      for (const socket of [pair.client, pair.server]) {
        socket.setNoDelay(true)
        socket.on('error', () => {})
      }
      const pumping = [this.#pump(pair, client, pair.server), this.#pump(pair, pair.server, client)]
      void Promise.allSettled(pumping).then(() => this.#pairs.delete(pair))
    })
  }

  async #pump(pair: Pair, from: Socket, to: Socket): Promise<void> {
    try {
      for await (const chunk of from as AsyncIterable<Buffer>) {
        if (from === pair.client) pair.fetches ||= asksForRecords(chunk)
        if (pair.fetches && this.forgetsFetches) pair.forgotten = true
        if (this.latencyMs > 0) await sleep(this.latencyMs)
        if (from === pair.server && Number.isFinite(this.bytesPerSecond)) await sleep((chunk.length * 1000) / this.bytesPerSecond)
        while (this.#silent || pair.forgotten) await this.#changed.promise
        if (!to.write(chunk)) await Promise.race([once(to, 'drain'), once(to, 'close')])
      }
    } catch {
      // One end broke: so does the other.
    }
    // That one end has gone is a packet like any other.
    while (this.#silent || pair.forgotten) await this.#changed.promise
    if (from.readableEnded) to.end()
    else to.destroy()
  }

  #change(): void {
    this.#changed.resolve()
    this.#changed = Promise.withResolvers()
  }
}

/** Whether one of the requests in a piece is a Fetch. A consumer's requests are small: a piece begins with one, and holds whole ones. */
function asksForRecords(chunk: Buffer): boolean {
  for (let at = 0; at + API_KEY_AT + 2 <= chunk.length; at += API_KEY_AT + Math.max(0, chunk.readInt32BE(at))) {
    if (chunk.readInt16BE(at + API_KEY_AT) === FETCH) return true
  }
  return false
}
