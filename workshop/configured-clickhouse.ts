/**
 * An embedded engine that takes itself for servers of a cluster, for tests of what a cluster changes.
 *
 * Two shards in one engine: the engine is both, so that distributed tables read the same local tables once for each shard, and a row policy
 * on the local tables shows each shard only the rows whose hash is its own. So what a shard sees is what a server of its own would have, as
 * far as queries come through distributed tables; what reads local tables directly sees both halves. That has all of ClickHouse's own
 * reading over shards, and nothing of networks, replicas and Keeper.
 */
import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sleep } from '../src/clock.ts'
import { startChild } from './child.ts'
import { attach, type TestClickHouse } from './clickhouse.ts'

/** What an engine is told of itself. */
export interface ConfiguredOptions {
  /** Clusters by name: of each the shards, and of those the addresses of the replicas; SELF is the engine itself. */
  readonly clusters?: Readonly<Record<string, readonly (readonly string[])[]>>
  readonly macros?: Readonly<Record<string, string>>
  /** Conditions under which rows are seen, by database and table. */
  readonly policies?: readonly (readonly [database: string, table: string, condition: string])[]
  /** Tables stay replicated: they are made, and find each other by Keeper, but take no rows, for nobody listens to other replicas. */
  readonly replicated?: boolean
  /** More of the engine's configuration, as XML. */
  readonly more?: string
  /** Of its user; a random one when not given. */
  readonly password?: string
  /** What the engine's machine is called; takes root. */
  readonly hostName?: string
}

/** The address of the engine itself. */
export const SELF = '127.0.0.1'

const START_MAX_MS = 60_000
const PORT = 9000

/** Starts one; its folder goes with stop(). */
export async function startConfigured(options: ConfiguredOptions): Promise<TestClickHouse> {
  const folder = mkdtempSync(join(tmpdir(), 'ctr-configured-'))
  const users = join(folder, 'users.xml')
  writeFileSync(users, usersXml(options))
  writeFileSync(join(folder, 'engine.xml'), engineXml(options, users))
  const { password = randomUUID() } = options
  const under = options.hostName === undefined ? [] : ['unshare', '--uts', 'sh', '-c', `hostname ${options.hostName} && exec "$@"`, 'sh']
  const child = startChild('workshop/configured-clickhouse-child.ts', [folder, password, String(options.replicated === true)], {
    folder,
    under,
  })
  const url = await Promise.race([
    firstLine(() => child.stdout),
    child.ended.then(({ stderr }) => Promise.reject(new Error(stderr.join('\n')))),
  ])
  const endpoint = { url, username: 'default', password, database: 'ctr', requestTimeoutMs: 30_000, compression: false }
  return attach(endpoint, async () => {
    child.process.kill('SIGKILL')
    await child.ended
    rmSync(folder, { recursive: true, force: true })
  })
}

/** The condition under which one of `shards` shards sees a row of a table that is sharded by tenant and product. */
export function shardPolicy(shards: number): string {
  return `shardNum() = 0 OR modulo(cityHash64(tenant, product_id), ${shards}) = shardNum() - 1`
}

async function firstLine(read: () => string): Promise<string> {
  for (const end = Date.now() + START_MAX_MS; Date.now() < end; await sleep(20)) {
    const end = read().indexOf('\n')
    if (end > 0) return read().slice(0, end)
  }
  throw new Error('the engine does not start')
}

function engineXml({ clusters = {}, macros = {}, more = '' }: ConfiguredOptions, users: string): string {
  const replica = (host: string) => `<replica><host>${host}</host><port>${PORT}</port></replica>`
  const shard = (hosts: readonly string[]) =>
    `<shard><internal_replication>true</internal_replication>${hosts.map(replica).join('')}</shard>`
  const servers = Object.entries(clusters).map(([name, shards]) => `<${name}>${shards.map(shard).join('')}</${name}>`)
  const parts = [
    // Nobody listens there: it tells the engine which servers are itself.
    `<tcp_port>${PORT}</tcp_port>`,
    `<remote_servers>${servers.join('')}</remote_servers>`,
    `<macros>${Object.entries(macros)
      .map(([name, value]) => `<${name}>${value}</${name}>`)
      .join('')}</macros>`,
    `<users_config>${users}</users_config>`,
    more,
  ]
  return `<clickhouse>${parts.join('\n')}</clickhouse>\n`
}

function usersXml({ policies = [] }: ConfiguredOptions): string {
  const databases = [...new Set(policies.map(([database]) => database))].map((database) => {
    const tables = policies.filter(([of]) => of === database)
    const filters = tables.map(([, table, condition]) => `<${table}><filter>${condition}</filter></${table}>`)
    return `<${database}>${filters.join('')}</${database}>`
  })
  return `<clickhouse><profiles><default/></profiles><quotas><default/></quotas><users><default>
<password></password><networks><ip>::/0</ip></networks><profile>default</profile><quota>default</quota>
<access_management>1</access_management><databases>${databases.join('')}</databases></default></users></clickhouse>
`
}
