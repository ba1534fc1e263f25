/** Roll-ups and newest windows for tests and benches: computed at once. */
import { connect, type Endpoint } from '../src/clickhouse/connect.ts'
import { RollUpJob, type RollUpOutcome } from '../src/tables/roll-up-job.ts'
import { plainForm } from './tables.ts'

/** Computes everything of the endpoint's database; fails when something of it does. */
export async function rollUpNow(endpoint: Endpoint, form = plainForm(endpoint.database)): Promise<RollUpOutcome> {
  const client = connect(endpoint, endpoint.database)
  try {
    const outcome = await new RollUpJob(client, form).runAll(AbortSignal.timeout(endpoint.requestTimeoutMs))
    if (outcome.failed.length > 0) throw new Error(outcome.failed.map(({ view, reason }) => `${view}: ${reason}`).join('; '))
    return outcome
  } finally {
    await client.close()
  }
}
