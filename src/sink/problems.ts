/** What is told of rows that wait: with the key to look at, and what to do. */
import { type Endpoint, whereOf } from '../clickhouse/connect.ts'
import { CtrError } from '../errors.ts'
import { PARKED_MAX, type Verdict } from './parking.ts'
import type { RefusedRow } from './place.ts'

/** How long nothing is heard, at the start or of an insert, before that is told. */
export const SILENCE_MS = 3_000

/** Nothing has come back so far. */
export function silenceProblem(endpoint: Endpoint): CtrError {
  const where = `clickhouse.url: ${whereOf(endpoint)}: no answer for ${SILENCE_MS / 1000} s`
  const remedy = 'check that it runs and that nothing drops what is sent there; it is waited for, for clickhouse.requestTimeout each time'
  return new CtrError('CTR_CLICKHOUSE_UNREACHABLE', `${where}; ${remedy}`, { retriable: true })
}

/** Rows are held that are refused for what they hold. */
export function heldProblem(verdict: Exclude<Verdict, 'park'>, refused: readonly RefusedRow[], endpoint: Endpoint): CtrError {
  const reason = refused[0]?.refusal.reason
  const what = verdict === 'table' ? 'every row for what it holds' : `more than ${PARKED_MAX} rows a minute for what they hold`
  const remedy = 'mend the constraint, column, default or view of ctr_results that does it: the rows wait'
  return new CtrError('CTR_CLICKHOUSE_REFUSED', `clickhouse.database: ${whereOf(endpoint)} refuses ${what} (${reason}); ${remedy}`)
}
