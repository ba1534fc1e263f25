/**
 * Connections to the chDB engine, each with a session of its own: settings and a database. One that has served a request well serves
 * another of the same session; opening one and telling it its session takes longer than a short query.
 */
import { identifier } from './front-sql.ts'

/** What the front needs of chDB. */
export interface EngineConnection {
  queryAsync(
    sql: string,
    options: { format: string },
  ): Promise<{ bytes(): Uint8Array; rowsRead: number; bytesRead: number; elapsed: number }>
  close(): void
}

/** What sticks to a connection. */
export interface FrontSession {
  /** A statement that sets them; undefined when there are none. */
  readonly settings: string | undefined
  /** Empty: the engine's own. */
  readonly database: string
  /** What the client calls it; empty when nothing is to be left in it. */
  readonly id: string
}

/** So many wait for a request of their session. */
const IDLE_MAX = 8
/** Values of a query's parameters stick too, and a query that lacks one must not find an earlier one's. */
const PARAMETER = /\bparam_/

export class FrontConnections {
  readonly #open: () => EngineConnection
  /** The one that was used last is last. */
  #idle: { readonly key: string; readonly connection: EngineConnection }[] = []

  constructor(open: () => EngineConnection) {
    this.#open = open
  }

  /** One of this session that nobody else has. Rejects as the engine does. */
  async take(session: FrontSession): Promise<EngineConnection> {
    const key = keyOf(session)
    const at = this.#idle.findLastIndex((one) => one.key === key)
    const [kept] = at < 0 ? [] : this.#idle.splice(at, 1)
    if (kept !== undefined) return kept.connection
    const connection = this.#open()
    const { settings, database } = session
    try {
      if (settings !== undefined) await connection.queryAsync(settings, { format: 'Null' })
      if (database !== '') await connection.queryAsync(`USE ${identifier(database)}`, { format: 'Null' })
      return connection
    } catch (error) {
      connection.close()
      throw error
    }
  }

  /** The request is over, nothing has failed, and the session is as it was. */
  give(session: FrontSession, connection: EngineConnection): void {
    if (PARAMETER.test(session.settings ?? '')) {
      connection.close()
      return
    }
    this.#idle.push({ key: keyOf(session), connection })
    if (this.#idle.length > IDLE_MAX) this.#idle.shift()?.connection.close()
  }
}

function keyOf({ settings = '', database, id }: FrontSession): string {
  return `${id}\n${database}\n${settings}`
}
