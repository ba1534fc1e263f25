/** Computes roll-ups and newest windows once, up to what is written, over a connection of its own. */
import { connect, explainClickHouse } from '../clickhouse/connect.ts'
import { openEndpoint } from '../clickhouse/endpoint.ts'
import type { Config } from '../config/schema.ts'
import { HOUR } from '../config/units.ts'
import type { Logger } from '../log.ts'
import { formOf } from '../tables/objects.ts'
import { RollUpJob, type RollUpOutcome } from '../tables/roll-up-job.ts'

const STATEMENT_TIMEOUT_MS = HOUR

/** Throws CtrError when ClickHouse is away; what `signal` aborts with, at once. `told` hears what is being done. */
export async function rollUpAll(
  clickhouse: Config['clickhouse'],
  log: Logger,
  signal: AbortSignal,
  told: (step: string) => void,
): Promise<RollUpOutcome> {
  const { endpoint, front } = await openEndpoint(clickhouse, log)
  const client = connect({ ...endpoint, requestTimeoutMs: STATEMENT_TIMEOUT_MS }, endpoint.database)
  try {
    return await new RollUpJob(client, formOf(clickhouse)).runAll(signal, told)
  } catch (error) {
    throw signal.aborted ? error : explainClickHouse(error, endpoint)
  } finally {
    await client.close()
    front?.close()
  }
}
