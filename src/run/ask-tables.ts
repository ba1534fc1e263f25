/**
 * Questions of the API to ClickHouse, over a connection of its own that is opened by the first of them. Each has a bound on its time and
 * memory, so many are asked at a time, and whoever asks the same within SAME_MS gets the same answer: ten viewers cost what one does.
 */
import type { ClickHouseClient } from '@clickhouse/client'
import { connect, type Endpoint, explainClickHouse } from '../clickhouse/connect.ts'
import type { EmbeddedClickHouse, FrontLogger } from '../clickhouse/embedded-front.ts'
import { frontEndpoint, openEndpoint } from '../clickhouse/endpoint.ts'
import { settingsFor, type WantedSettings } from '../clickhouse/settings.ts'
import type { Clock } from '../clock.ts'
import type { Config } from '../config/schema.ts'
import { CtrError } from '../errors.ts'
import type { Ask } from '../server/table-queries.ts'

const SAME_MS = 5_000
const AT_ONCE_MAX = 4
const WAITING_MAX = 32
const TIMEOUT_MS = 10_000

/** Reading is all that is done, so there is nothing to undo when a question is given up. */
const WANTED: WantedSettings = {
  readonly: { value: 2, orElse: ['1'], needed: 'a statement could write otherwise' },
  max_execution_time: { value: 8 },
  max_memory_usage: { value: 1_000_000_000 },
  max_threads: { value: 2 },
  cancel_http_readonly_queries_on_client_close: { value: 1 },
}

/** How to ask, and the end of it. */
export interface TableAsker {
  readonly ask: Ask
  close(): Promise<void>
}

interface Answered {
  readonly at: number
  readonly rows: Promise<readonly unknown[]>
}

/** Nothing is connected before the first question. */
export function askTables(clickhouse: Config['clickhouse'], logger: FrontLogger, monotonic: Clock): TableAsker {
  const limited = { ...clickhouse, requestTimeout: Math.min(clickhouse.requestTimeout, TIMEOUT_MS) }
  let opened: Promise<{ client: ClickHouseClient; endpoint: Endpoint; front: EmbeddedClickHouse | undefined }> | undefined
  const answered = new Map<string, Answered>()
  const waiting: (() => void)[] = []
  let asking = 0

  const open = async () => {
    const { endpoint, front } = await openEndpoint(limited, logger, (address) => {
      opened = opened?.then(async (before) => {
        await before.client.close()
        const moved = { ...before.endpoint, ...frontEndpoint(address) }
        return { ...before, endpoint: moved, client: connect(moved, moved.database) }
      })
    })
    return { client: connect(endpoint, endpoint.database), endpoint, front }
  }

  const run: Ask = async (query, params) => {
    opened ??= open()
    opened.catch(() => {
      opened = undefined
    })
    const { client, endpoint } = await opened
    try {
      const { settings } = await settingsFor(client, WANTED)
      const answer = await client.query({ query, format: 'JSONEachRow', query_params: { ...params }, clickhouse_settings: settings })
      return await answer.json()
    } catch (error) {
      throw explainClickHouse(error, endpoint)
    }
  }

  /** Waits for its turn. */
  const inTurn: Ask = async (query, params) => {
    if (asking >= AT_ONCE_MAX) {
      if (waiting.length >= WAITING_MAX)
        throw new CtrError('CTR_CLICKHOUSE_UNREACHABLE', 'too many questions wait for ClickHouse', { retriable: true })
      await new Promise<void>((turn) => waiting.push(turn))
    }
    asking++
    try {
      return await run(query, params)
    } finally {
      asking--
      waiting.shift()?.()
    }
  }

  const ask: Ask = (query, params) => {
    const key = JSON.stringify([query, params])
    const now = monotonic()
    for (const [old, { at }] of answered) if (now - at >= SAME_MS) answered.delete(old)
    const known = answered.get(key)
    if (known !== undefined) return known.rows
    const rows = inTurn(query, params)
    answered.set(key, { at: now, rows })
    rows.catch(() => answered.delete(key))
    return rows
  }

  return {
    ask,
    async close() {
      const last = await opened?.catch(() => undefined)
      await last?.client.close()
      last?.front?.close()
    },
  }
}
