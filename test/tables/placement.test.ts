/** Where plain tables would scatter rows: seen, said, and refused; and what the tables of a cluster need. */
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, expect, onTestFinished, test } from 'vitest'
import { schemaVerb } from '../../src/cli/schema.ts'
import { checkPlacement, placementFault, type Seen, type TablePlacement } from '../../src/tables/placement.ts'
import { startProxy } from '../../workshop/clickhouse-proxy.ts'
import { type ConfiguredOptions, SELF, startConfigured } from '../../workshop/configured-clickhouse.ts'
import { ONE_PLACE } from '../../workshop/tables.ts'
import { startRun } from '../support/sink-run.ts'

const PLAIN = ONE_PLACE
const SINGLE: TablePlacement = { ...PLAIN, singleServer: true }
const OTHER = '10.1.2.3'

const stops: (() => Promise<void>)[] = []
afterAll(async () => {
  for (const stop of stops) await stop()
})

async function start(options: ConfiguredOptions) {
  const server = await startConfigured({ password: 'common', ...options })
  stops.push(server.stop)
  return server
}

/** Requests go to the servers in turn. */
async function balancerOver(targets: readonly string[]): Promise<string> {
  let next = 0
  const server = createServer((incoming, answer) => {
    const { hostname, port } = new URL(targets[next++ % targets.length] as string)
    const { method, url: path, headers } = incoming
    const forward = request({ hostname, port, method, path, headers, agent: false })
    forward.once('response', (from) => from.pipe(answer.writeHead(from.statusCode ?? 500, from.headers)))
    incoming.pipe(forward)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

test('two servers behind one address, or at two, are refused by their names, whatever is said; each of them alone is not', async () => {
  const [a, b] = [await start({ hostName: 'node-a' }), await start({ hostName: 'node-b' })]
  for (const one of [a, b]) expect(await checkPlacement(one.endpoint, PLAIN)).toEqual([])
  const balanced = { ...a.endpoint, url: await balancerOver([a.endpoint.url, b.endpoint.url]) }
  const listed = { ...a.endpoint, urls: [a.endpoint.url, b.endpoint.url] }
  for (const both of [balanced, listed]) {
    await expect(checkPlacement(both, PLAIN)).rejects.toMatchObject({
      code: 'CTR_CLICKHOUSE_REFUSED',
      message: expect.stringMatching(
        /^clickhouse\.url: .*: several servers answer, node-a \(.*\) and node-b \(.*\): rows .* scatter.*; name the cluster with/,
      ),
    })
    await expect(checkPlacement(both, SINGLE)).rejects.toThrow(/^clickhouse\.singleServer: .* several servers answer, node-a/)
  }
  const same = { ...a.endpoint, urls: [a.endpoint.url, await balancerOver([a.endpoint.url])] }
  expect(await checkPlacement(same, PLAIN)).toEqual([])
})

test('an address at which nobody answers now is said to be unseen', async () => {
  const server = await start({})
  const gone = await startProxy(server.endpoint.url, { open: false })
  expect(await checkPlacement({ ...server.endpoint, urls: [server.endpoint.url, gone.url] }, PLAIN)).toEqual([`who answers at ${gone.url}`])
})

test('a server of a cluster is refused, with the others of it, unless it is said that it is the only one behind the address', async () => {
  const server = await start({ clusters: { pair: [[SELF, OTHER]], alone: [[SELF]] }, macros: { shard: '1', replica: 'a' } })
  await expect(checkPlacement(server.endpoint, PLAIN)).rejects.toThrow(
    /belongs to the cluster pair, with 10\.1\.2\.3: if they share this address, rows .* and say so with clickhouse\.singleServer: true$/,
  )
  expect(await checkPlacement(server.endpoint, SINGLE)).toEqual([])
  expect(await checkPlacement(server.endpoint, { ...PLAIN, cluster: 'pair' })).toEqual([])
  await expect(checkPlacement(server.endpoint, { ...PLAIN, cluster: 'peer' })).rejects.toThrow(
    /^clickhouse\.cluster: .*knows the clusters alone, pair, and not peer; name one of them/,
  )
})

test('the start of a sink and `ctr schema apply` refuse there, and make nothing', async () => {
  const server = await start({ clusters: { pair: [[SELF, OTHER]] } })
  const { url, username, password } = server.endpoint
  const keys = { url, username, password, database: 'refused' }
  const refusal = { code: 'CTR_CLICKHOUSE_REFUSED', message: expect.stringContaining('belongs to the cluster pair') }
  const sink = startRun(server.endpoint, keys).sink
  await expect(sink.ready).rejects.toMatchObject(refusal)
  await sink.stop()
  const set = Object.entries(keys).map(([key, value]) => `clickhouse.${key}=${value}`)
  await expect(schemaVerb('apply', { set })).rejects.toMatchObject(refusal)
  expect(await server.rows("SELECT name FROM system.databases WHERE name = 'refused'")).toEqual([])
  const said: string[] = []
  expect(await schemaVerb('apply', { set: [...set, 'clickhouse.singleServer=true'] }, (text) => void said.push(text))).toBe(0)
  expect(said.join()).toContain('the schema is in place')
})

test('a server that only knows of clusters of others, or of machines that are itself, is none of a cluster', async () => {
  const server = await start({ clusters: { others: [[OTHER], ['10.1.2.4']], two_shards: [[SELF], ['127.0.0.2']] } })
  expect(await checkPlacement(server.endpoint, PLAIN)).toEqual([])
  await expect(checkPlacement(server.endpoint, { ...PLAIN, cluster: 'two_shards' })).rejects.toThrow(
    /^clickhouse\.cluster: .*no macro shard and replica, by which .*; give every server/,
  )
})

const NOTHING: Seen = {
  servers: ['a (1)'],
  cloud: false,
  clusters: [],
  replicated: [],
  macros: ['shard', 'replica'],
  databaseEngine: '',
  resultsEngine: '',
}
const BALANCED = { ...NOTHING, servers: ['a (1)', 'b (2)'] }
const clusterOf = (cluster: string) => [{ cluster, host: 'a', address: '10.0.0.1', local: 1 }]

test.each<[string, Partial<Seen>, TablePlacement, string | undefined]>([
  ['one server', {}, PLAIN, undefined],
  ['nothing of which may be read', { cloud: undefined, clusters: undefined, replicated: undefined, macros: undefined }, PLAIN, undefined],
  ['tables with replicas elsewhere', { replicated: ['shop.orders'] }, PLAIN, 'its table shop.orders has replicas on other servers'],
  ['tables with replicas elsewhere, and one server behind the address', { replicated: ['shop.orders'] }, SINGLE, undefined],
  ['ClickHouse Cloud, whatever answers', { ...BALANCED, cloud: true, databaseEngine: 'Shared' }, PLAIN, undefined],
  ['ClickHouse Cloud and a cluster', { cloud: true }, { ...PLAIN, cluster: 'c' }, 'remove clickhouse.cluster'],
  ['a database that copies its DDL and not its rows', { databaseEngine: 'Replicated' }, PLAIN, 'the database is of engine Replicated'],
  [
    'such a database and a cluster',
    { databaseEngine: 'Replicated', clusters: clusterOf('c') },
    { ...PLAIN, cluster: 'c' },
    'engine Atomic',
  ],
  ['no cluster at all', {}, { ...PLAIN, cluster: 'c' }, 'the server knows no cluster, and not c'],
  ['a cluster of whose servers nothing may be read', { clusters: undefined, macros: undefined }, { ...PLAIN, cluster: 'c' }, undefined],
  [
    'replicated tables made by hand',
    { ...BALANCED, resultsEngine: 'ReplicatedReplacingMergeTree' },
    { ...PLAIN, makesTables: false },
    undefined,
  ],
  ['the same, and others are to be made', { ...BALANCED, resultsEngine: 'ReplicatedReplacingMergeTree' }, PLAIN, 'several servers answer'],
  [
    'plain tables made by hand',
    { ...BALANCED, resultsEngine: 'ReplacingMergeTree' },
    { ...PLAIN, makesTables: false },
    'several servers answer',
  ],
])('%s', (_, seen, placement, part) => {
  const fault = placementFault({ ...NOTHING, ...seen }, placement)
  if (part === undefined) expect(fault).toBeUndefined()
  else expect(`${fault?.seen}; ${fault?.remedy}`).toContain(part)
})
