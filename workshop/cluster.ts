/**
 * A cluster of ClickHouse with two shards or more: the servers that CTR_TEST_CLUSTER names, or two shards in one embedded engine
 * (configured-clickhouse.ts), which has neither replicas nor ON CLUSTER.
 *
 *   CTR_TEST_CLUSTER="NAME http://user:password@host:port http://…"     the cluster's name and the address of each of its servers
 */
import { attach, type TestClickHouse } from './clickhouse.ts'
import { SELF, shardPolicy, startConfigured } from './configured-clickhouse.ts'

/** All servers of a cluster. */
export interface TestCluster {
  readonly name: string
  readonly servers: readonly TestClickHouse[]
  stop(): Promise<void>
}

const SHARDS = 2

/** The named cluster, or one of the test's own, in which `tables` of `database` are sharded by tenant and product. */
export async function startCluster(database: string, tables: readonly string[]): Promise<TestCluster> {
  const [name, ...urls] = (process.env.CTR_TEST_CLUSTER ?? '').split(' ').filter((part) => part !== '')
  if (name !== undefined) {
    const servers = urls.map((text) => {
      const { origin, username, password } = new URL(text)
      return attach({ url: origin, username, password, database, requestTimeoutMs: 60_000, compression: false })
    })
    return { name, servers, stop: async () => void (await Promise.all(servers.map((server) => server.stop()))) }
  }
  const own = 'two_shards'
  const server = await startConfigured({
    clusters: { [own]: Array.from({ length: SHARDS }, () => [SELF]) },
    macros: { shard: '1', replica: 'a' },
    policies: tables.map((table) => [database, table, shardPolicy(SHARDS)] as const),
  })
  return { name: own, servers: [server], stop: server.stop }
}
