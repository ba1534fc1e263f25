/**
 * Several addresses of one ClickHouse: servers of a cluster, each of which has or reaches all the tables. One of them is in use until it
 * does not answer, or says that another may do better; then it is the turn of the next.
 */
import type { CtrError } from '../errors.ts'
import { ELSEWHERE } from './codes.ts'
import { clickHouseCode, connect, type Endpoint } from './connect.ts'

/** A server that is well answers a ping at once. */
const PING_MAX_MS = 3_000

/** The endpoint at the first of its addresses that answers, or at its first when none does: what is wrong is found by using it. */
export async function atFirstThatAnswers(endpoint: Endpoint): Promise<Endpoint> {
  for (const url of endpoint.urls ?? []) {
    const tried = { ...endpoint, url }
    const client = connect({ ...tried, requestTimeoutMs: Math.min(PING_MAX_MS, endpoint.requestTimeoutMs) }, undefined)
    try {
      if ((await client.ping()).success) return tried
    } finally {
      await client.close()
    }
  }
  return endpoint
}

/** The address after the one in use; the same when there is no other. */
export function nextAddress({ url, urls = [url] }: Endpoint): string {
  return urls[(urls.indexOf(url) + 1) % urls.length] ?? url
}

/** Whether another server may do what this one does not. */
export function mayBeDoneElsewhere(problem: CtrError): boolean {
  return problem.code === 'CTR_CLICKHOUSE_UNREACHABLE' || ELSEWHERE.has(clickHouseCode(problem))
}
