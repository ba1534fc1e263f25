/** The tables of a ctr database for tests and benches: nothing expires but ctr_recent, as by default. */
import { connect, type Endpoint } from '../src/clickhouse/connect.ts'
import { parseDuration } from '../src/config/units.ts'
import { applySchema } from '../src/tables/apply.ts'
import { namesOf } from '../src/tables/cluster.ts'
import { HISTORY_MARK } from '../src/tables/emissions.ts'
import type { Form, Intervals, Retention, View } from '../src/tables/objects.ts'
import type { TablePlacement } from '../src/tables/placement.ts'
import { RollUpJob, type RollUpOutcome } from '../src/tables/roll-up-job.ts'

const NEVER = Number.POSITIVE_INFINITY

/** As by default. */
export const RETENTION: Retention = {
  results: NEVER,
  recent: parseDuration('2d') ?? NEVER,
  minutely: NEVER,
  hourly: NEVER,
  daily: NEVER,
  ledger: NEVER,
  emissions: parseDuration('30d') ?? NEVER,
}

/** As by default. */
export const INTERVALS: Intervals = { level: 0.95, minImpressions: 1000 }

/** Of a server that belongs to no cluster, or is not asked about it. */
export const ONE_PLACE: TablePlacement = { cluster: undefined, singleServer: false, makesTables: true }

/** Of a database on one server. */
export function plainForm(database: string): Form {
  return { database, embedded: true, cluster: undefined, retention: RETENTION, intervals: INTERVALS, history: false }
}

/** A view as a query names it: one with parameters, all of which are times, with an instant for each. */
export function callOf(view: View): string {
  const parameters = new Set([...view.query(namesOf(plainForm('ctr'))).matchAll(/\{(\w+):/g)].map(([, name]) => name))
  const instants = [...parameters].map((name) => `${name} = '2026-01-01 00:00:00'`)
  return instants.length === 0 ? view.name : `${view.name}(${instants.join(', ')})`
}

/** The statement after which ctr_results_as_of answers for the instants of `callOf`. */
export function historyFromLongAgo(database: string): string {
  return `INSERT INTO ${database}.ctr_refreshed (name, at) VALUES ('${HISTORY_MARK}', '2025-01-01 00:00:00')`
}

/** Makes the tables of the endpoint's database, or brings them to our version. */
export async function makeTables(endpoint: Endpoint, form = plainForm(endpoint.database)): Promise<void> {
  await applySchema(endpoint, form, { info: () => undefined }, new AbortController().signal)
}

/** Computes all roll-ups and newest windows of the endpoint's database now. */
export async function computeRollUps(endpoint: Endpoint): Promise<RollUpOutcome> {
  const client = connect(endpoint, endpoint.database)
  try {
    return await new RollUpJob(client, plainForm(endpoint.database)).runAll(new AbortController().signal)
  } finally {
    await client.close()
  }
}
