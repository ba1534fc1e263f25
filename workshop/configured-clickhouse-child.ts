/**
 * Entry of a child process: an embedded engine with a configuration of the test's own behind a front on a port of the loopback.
 *
 *   node configured-clickhouse-child.ts FOLDER PASSWORD REPLICATED
 *
 * FOLDER has engine.xml. The address goes to stdout. What an embedded engine can't run of a cluster's DDL is taken out of it: ON CLUSTER,
 * for which a server has a thread of its own, and, unless REPLICATED is true, the replication of tables, for which it listens to others.
 */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { Session } from 'chdb'
import { FrontConnections } from '../src/clickhouse/front-connections.ts'
import { frontHandler } from '../src/clickhouse/front-server.ts'

const [folder = '', password = '', replicated = ''] = process.argv.slice(2)
const data = join(folder, 'data')
const keeper = new Session(data, { connectionArgs: [`--config-file=${join(folder, 'engine.xml')}`] })
const version = (await keeper.queryAsync('SELECT version()', { format: 'TabSeparatedRaw' })).text().trim()

function open() {
  const session = new Session(data)
  return {
    queryAsync: (sql: string, options: { format: string }) => session.queryAsync(runnable(sql), options),
    close: () => session.close(),
  }
}

function runnable(sql: string): string {
  const here = sql.replaceAll(/ ON CLUSTER `[^`]+`/g, '')
  if (replicated === 'true') return here
  return here
    .replaceAll(/ReplicatedReplacingMergeTree\('[^']*', '[^']*', (\w+)\)/g, 'ReplacingMergeTree($1)')
    .replaceAll(/SYSTEM SYNC REPLICA [^\s]+ LIGHTWEIGHT/g, 'SELECT 1 FORMAT Null')
}

const none = () => undefined
const server = createServer(
  { keepAliveTimeout: 30_000, requestTimeout: 0 },
  frontHandler({
    connections: new FrontConnections(open),
    version,
    username: 'default',
    password,
    spool: () => folder,
    look: none,
    leases: none,
    requests: none,
  }),
)
server.listen(0, '127.0.0.1', () => console.log(`http://127.0.0.1:${(server.address() as AddressInfo).port}`))
