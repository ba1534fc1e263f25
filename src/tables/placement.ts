/**
 * Whether the tables may stand where the address leads. Plain tables are on one server: through an address that leads to one server now and
 * to another then, rows scatter over both, and neither has them all. Tables of a cluster need what the cluster's servers know of it.
 *
 * Seen are: who answers at the addresses, over several connections; the clusters that the server belongs to; and tables that are replicated
 * between servers. What the user may not read is said, and not held against anybody.
 */
import type { ClickHouseClient } from '@clickhouse/client'
import { DENIED } from '../clickhouse/codes.ts'
import { clickHouseCode, connect, type Endpoint, explainClickHouse, whereOf } from '../clickhouse/connect.ts'
import { CtrError } from '../errors.ts'

/** What the configuration says of where the tables stand. */
export interface TablePlacement {
  readonly cluster: string | undefined
  /** The address leads to one server alone, though that belongs to a cluster. */
  readonly singleServer: boolean
  /** Whether tables are to be made. */
  readonly makesTables: boolean
}

/** A server of a cluster, as `system.clusters` of the server that was asked has it. */
export interface ClusterServer {
  readonly cluster: string
  readonly host: string
  readonly address: string
  /** 1 is the server itself. */
  readonly local: number
}

/** What was seen; undefined where it could not be asked. */
export interface Seen {
  /** Each server that has answered, once. */
  readonly servers: readonly string[]
  /** ClickHouse Cloud, which replicates whatever is made. */
  readonly cloud: boolean | undefined
  readonly clusters: readonly ClusterServer[] | undefined
  /** Tables of more than one replica, as `database.table`. */
  readonly replicated: readonly string[] | undefined
  readonly macros: readonly string[] | undefined
  /** The engines of the database and of ctr_results; empty when they are not there. */
  readonly databaseEngine: string | undefined
  readonly resultsEngine: string | undefined
}

/** Connections to each address: one that leads to two servers in turn or at random is found out in all but one of a hundred cases. */
const CONNECTIONS = 8

/**
 * Throws CTR_CLICKHOUSE_REFUSED when the tables must not stand there, and as explainClickHouse when nobody can be asked. Gives what could
 * not be seen, each in a few words.
 */
export async function checkPlacement(endpoint: Endpoint, placement: TablePlacement): Promise<string[]> {
  if (endpoint.socketPath !== undefined) return []
  const unseen: string[] = []
  const seen = await look(endpoint, unseen)
  const wrong = placementFault(seen, placement)
  if (wrong === undefined) return unseen
  throw new CtrError('CTR_CLICKHOUSE_REFUSED', `${wrong.key}: ${whereOf(endpoint)}: ${wrong.seen}; ${wrong.remedy}`)
}

const REMEDY = 'name the cluster with clickhouse.cluster, or give the address of one server with clickhouse.url'
const REMEDY_PEERS = `${REMEDY} and say so with clickhouse.singleServer: true`

/** Says what checkPlacement could not see. */
export function tellUnseen(unseen: readonly string[], reports: { info(text: string): void }): void {
  if (unseen.length === 0) return
  const remedy = 'grant SELECT on it to have it looked at, or see to it that clickhouse.url leads to one server or names a cluster'
  reports.info(`whether rows would scatter over several servers is not known whole: ${unseen.join(', ')} can't be seen; ${remedy}`)
}

/** What is wrong with where the tables are to stand; undefined when nothing is. */
export function placementFault(
  seen: Seen,
  placement: TablePlacement,
): { readonly key: string; readonly seen: string; readonly remedy: string } | undefined {
  if (placement.cluster !== undefined) return clusterFault(seen, placement.cluster)
  // Whoever has made replicated or distributed tables by hand knows where rows go, as long as no others are made beside them.
  const plain = !/^(?:Replicated|Shared|Distributed)/.test(seen.resultsEngine ?? '')
  if (seen.cloud === true || (!placement.makesTables && !plain)) return undefined
  const scatter = 'rows of plain tables would scatter over them'
  if (seen.servers.length > 1) {
    const key = placement.singleServer ? 'clickhouse.singleServer' : 'clickhouse.url'
    return { key, seen: `several servers answer, ${seen.servers.join(' and ')}: ${scatter}`, remedy: REMEDY }
  }
  if (placement.singleServer) return undefined
  const [beside] = peers(seen.clusters ?? [])
  if (beside !== undefined) {
    const what = `the server belongs to the cluster ${beside.cluster}, with ${beside.hosts.join(' and ')}`
    return { key: 'clickhouse.url', seen: `${what}: if they share this address, ${scatter}`, remedy: REMEDY_PEERS }
  }
  if (seen.databaseEngine === 'Replicated') {
    const what = 'the database is of engine Replicated, and plain tables in it are on every server with other rows'
    return { key: 'clickhouse.database', seen: what, remedy: 'give the engine a database of another engine, and clickhouse.cluster' }
  }
  const [replicated] = seen.replicated ?? []
  if (replicated === undefined) return undefined
  const what = `its table ${replicated} has replicas on other servers`
  return { key: 'clickhouse.url', seen: `${what}: if they share this address, ${scatter}`, remedy: REMEDY_PEERS }
}

function clusterFault({ clusters, macros, cloud, databaseEngine }: Seen, cluster: string) {
  const key = 'clickhouse.cluster'
  if (cloud === true) {
    const what = 'this is ClickHouse Cloud, which replicates by itself and has no clusters to name'
    return { key, seen: what, remedy: 'remove clickhouse.cluster' }
  }
  if (clusters !== undefined && !clusters.some((server) => server.cluster === cluster)) {
    const names = [...new Set(clusters.map((server) => server.cluster))]
    const known = names.length === 0 ? 'knows no cluster' : `knows the clusters ${names.join(', ')}`
    return { key, seen: `the server ${known}, and not ${cluster}`, remedy: 'name one of them, or add it to remote_servers of every server' }
  }
  const missing = macros === undefined ? [] : ['shard', 'replica'].filter((macro) => !macros.includes(macro))
  if (missing.length > 0) {
    const what = `the server has no macro ${missing.join(' and ')}, by which replicated tables find each other`
    return { key, seen: what, remedy: 'give every server of the cluster its macros shard and replica' }
  }
  if (databaseEngine !== 'Replicated') return undefined
  const what = 'the database is of engine Replicated, which has paths of its own for tables'
  return { key: 'clickhouse.database', seen: what, remedy: 'give the engine a database of engine Atomic, the default' }
}

/** Of each cluster that the server belongs to, the others of it; a test's cluster of one machine has none. */
function peers(clusters: readonly ClusterServer[]): { readonly cluster: string; readonly hosts: readonly string[] }[] {
  const names = [...new Set(clusters.filter(({ local }) => local === 1).map(({ cluster }) => cluster))]
  return names.flatMap((cluster) => {
    const others = clusters.filter((server) => server.cluster === cluster && server.local !== 1 && !/^(?:127\.|::1$)/.test(server.address))
    return others.length === 0 ? [] : [{ cluster, hosts: [...new Set(others.map(({ host }) => host))] }]
  })
}

async function look(endpoint: Endpoint, unseen: string[]): Promise<Seen> {
  const client = connect(endpoint, undefined)
  const ask = async <T>(what: string, query: string): Promise<T[] | undefined> => {
    try {
      const answer = await client.query({ query, query_params: { database: endpoint.database }, format: 'JSONEachRow' })
      return await answer.json<T>()
    } catch (error) {
      // A right that is missing, or a table that this version does not have.
      if (!DENIED.has(clickHouseCode(error)) && clickHouseCode(error) !== 60) throw explainClickHouse(error, endpoint)
      unseen.push(what)
      return undefined
    }
  }
  try {
    const servers = await whoAnswers(endpoint, unseen)
    const cloud = await ask<{ value: string }>('system.settings', "SELECT value FROM system.settings WHERE name = 'cloud_mode'")
    const clusters = await ask<ClusterServer>(
      'system.clusters',
      'SELECT cluster, host_name AS host, host_address AS address, is_local AS local FROM system.clusters',
    )
    const replicated = await ask<{ name: string }>(
      'system.replicas',
      "SELECT concat(database, '.', table) AS name FROM system.replicas WHERE total_replicas > 1 ORDER BY name LIMIT 1",
    )
    const macros = await ask<{ macro: string }>('system.macros', 'SELECT macro FROM system.macros')
    const databases = await ask<{ engine: string }>(
      'system.databases',
      'SELECT engine FROM system.databases WHERE name = {database:String}',
    )
    const tables = await ask<{ engine: string }>(
      'system.tables',
      "SELECT engine FROM system.tables WHERE database = {database:String} AND name = 'ctr_results'",
    )
    return {
      servers,
      cloud: cloud && cloud[0]?.value === '1',
      clusters,
      replicated: replicated?.map(({ name }) => name),
      macros: macros?.map(({ macro }) => macro),
      databaseEngine: databases && (databases[0]?.engine ?? ''),
      resultsEngine: tables && (tables[0]?.engine ?? ''),
    }
  } finally {
    await client.close()
  }
}

/** The servers that answer at all addresses, over connections of their own. An address at which nobody answers is one that is not seen. */
async function whoAnswers(endpoint: Endpoint, unseen: string[]): Promise<string[]> {
  const found = new Set<string>()
  const urls = endpoint.urls ?? [endpoint.url]
  await Promise.all(
    urls.flatMap((url) =>
      Array.from({ length: CONNECTIONS }, async (_, i) => {
        const client: ClickHouseClient = connect({ ...endpoint, url }, undefined)
        try {
          const answer = await client.query({ query: 'SELECT hostName() AS host, toString(serverUUID()) AS id', format: 'JSONEachRow' })
          for (const { host, id } of await answer.json<{ host: string; id: string }>()) found.add(`${host} (${id})`)
        } catch {
          if (i === 0) unseen.push(`who answers at ${url}`)
        } finally {
          await client.close()
        }
      }),
    ),
  )
  return [...found].toSorted()
}
