/**
 * Settings that go with a statement. A user's profile may forbid to change one, so what has its value already is not sent. What can't be
 * had is an error that names it, when exactness rests on it; a mere preference is left out.
 *
 * A client is asked once for what its statements want, and again when a statement was refused for a setting.
 */
import type { ClickHouseClient, ClickHouseSettings } from '@clickhouse/client'
import { CtrError } from '../errors.ts'
import { SETTING_REFUSED } from './codes.ts'
import { clickHouseCode } from './connect.ts'

/** A setting as a statement wants it; `needed` says what goes wrong without, and is absent of a preference. */
export interface WantedSetting {
  readonly value: number | string
  /** Others that will do when they are in force. */
  readonly orElse?: readonly string[]
  readonly needed?: string
}

/** By name. One object for all statements that want the same: what was asked is kept by it. */
export type WantedSettings = Readonly<Record<string, WantedSetting>>

/** What to send, and a line about each preference that can't be had. */
export interface SentSettings {
  readonly settings: ClickHouseSettings
  readonly leftOut: readonly string[]
}

/** A row of system.settings; `readonly`: this user can't change it. */
export interface ServerSetting {
  readonly name: string
  readonly value: string
  readonly readonly: number
  readonly min: string | null
  readonly max: string | null
  readonly user: string
}

const asked = new WeakMap<ClickHouseClient, Map<WantedSettings, Promise<SentSettings>>>()

/** What a client's statements are to send. Rejects as the client does, and with CTR_CLICKHOUSE_REFUSED when a needed one can't be had. */
export function settingsFor(client: ClickHouseClient, wanted: WantedSettings): Promise<SentSettings> {
  const known = asked.get(client) ?? new Map<WantedSettings, Promise<SentSettings>>()
  asked.set(client, known)
  const answer = known.get(wanted) ?? ask(client, wanted)
  known.set(wanted, answer)
  answer.catch(() => known.delete(wanted))
  return answer
}

/** Runs a statement with them. */
export async function withSettings<T>(
  client: ClickHouseClient,
  wanted: WantedSettings,
  work: (settings: ClickHouseSettings) => Promise<T>,
): Promise<T> {
  const { settings } = await settingsFor(client, wanted)
  try {
    return await work(settings)
  } catch (error) {
    if (SETTING_REFUSED.has(clickHouseCode(error))) asked.get(client)?.delete(wanted)
    throw error
  }
}

async function ask(client: ClickHouseClient, wanted: WantedSettings): Promise<SentSettings> {
  const answer = await client.query({
    query: `SELECT name, value, readonly, min, max, currentUser() AS user FROM system.settings WHERE name IN {names:Array(String)}`,
    query_params: { names: Object.keys(wanted) },
    format: 'JSONEachRow',
  })
  return settingsToSend(wanted, await answer.json<ServerSetting>())
}

/** Holds what is wanted against what the server says of each. Throws CTR_CLICKHOUSE_REFUSED for a needed one that can't be had. */
export function settingsToSend(wanted: WantedSettings, server: readonly ServerSetting[]): SentSettings {
  const settings: Record<string, number | string> = {}
  const leftOut: string[] = []
  for (const [name, { value, orElse = [], needed }] of Object.entries(wanted)) {
    const found = server.find((one) => one.name === name)
    if (found !== undefined && [String(value), ...orElse].includes(found.value)) continue
    if (found !== undefined && mayBe(found, value)) settings[name] = value
    else if (needed === undefined) leftOut.push(`${stateOf(name, found)}; ${value} would be better, and it is left as it is`)
    else throw new CtrError('CTR_CLICKHOUSE_REFUSED', `clickhouse.username: ${stateOf(name, found)}, and ${value} is needed: ${needed}`)
  }
  return { settings, leftOut }
}

function mayBe({ readonly, min, max }: ServerSetting, value: number | string): boolean {
  return Number(readonly) === 0 && (min === null || Number(value) >= Number(min)) && (max === null || Number(value) <= Number(max))
}

function stateOf(name: string, found: ServerSetting | undefined): string {
  if (found === undefined) return `this ClickHouse knows no setting ${name}`
  const remedy = `(to let it, change the constraints of its settings profile)`
  return `the setting ${name} is ${found.value}, which user ${found.user} may not change ${remedy}`
}
