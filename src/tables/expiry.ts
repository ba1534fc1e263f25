/** The step that changes for how long rows are kept: the last one, for what a migration copies must be copied before it expires. */

import { formatCount } from '../text.ts'
import { namesOf, wholeName } from './cluster.ts'
import type { Difference } from './differences.ts'
import type { Part, State, Step } from './steps.ts'

/** Tells how many rows go by it. */
export function expiryStep(differences: (state: State) => readonly Difference[]): Step {
  const parts = async (state: State) => {
    const all: Part[] = []
    for (const { object, what, statements, ttl } of differences(state)) {
      if (ttl === undefined) continue
      const rows = ttl === '' ? 0 : await rowsBeyond(state, object.name, ttl)
      all.push({ name: `${object.name} ${what}; rows that go by it now: ${formatCount(rows)}`, statements })
    }
    return all
  }
  return { name: 'expiry', what: 'change for how long rows are kept', parts }
}

/** How many rows of a table lie beyond a TTL. */
async function rowsBeyond({ client, form, actual }: State, table: string, ttl: string): Promise<number> {
  if (!actual.has(table)) return 0
  const query = `SELECT toFloat64(count()) AS found FROM ${namesOf(form).all(wholeName(form, table))} WHERE ${ttl} <= now()`
  const answer = await client.query({ query, format: 'JSONEachRow' })
  return (await answer.json<{ found: number }>())[0]?.found ?? 0
}
