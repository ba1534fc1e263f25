/**
 * Tables of which every server has a copy, where it matters that a copy is the newest: whoever writes and then looks who else has written.
 * An insert is acknowledged by one server; the others have it a moment later.
 */
import type { ClickHouseClient } from '@clickhouse/client'
import type { WantedSettings } from '../clickhouse/settings.ts'

/** Of a query that must see what was acknowledged: ClickHouse Cloud looks for it then; a server of its own has it anyway. */
export const NEWEST: WantedSettings = { select_sequential_consistency: { value: 1 } }

/** In a cluster: waits until the server that is asked has all that any server has acknowledged so far. Rejects as the client does. */
export async function catchUp(client: ClickHouseClient, cluster: string | undefined, table: string): Promise<void> {
  if (cluster !== undefined) await client.command({ query: `SYSTEM SYNC REPLICA ${table} LIGHTWEIGHT` })
}
