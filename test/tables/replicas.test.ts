/**
 * Replicated tables as the form of a cluster makes them, with a real ZooKeeper: which servers' tables are replicas of one another. They
 * take no rows here, for an embedded engine does not listen to other replicas; nor does it know ON CLUSTER, so each server is told.
 */
import { afterAll, expect, test } from 'vitest'
import { configSchema } from '../../src/config/schema.ts'
import { objectsOf } from '../../src/tables/cluster.ts'
import { type Form, formOf } from '../../src/tables/objects.ts'
import { databaseStatement, schemaStatements } from '../../src/tables/render.ts'
import { SELF, startConfigured } from '../../workshop/configured-clickhouse.ts'
import { startZooKeeper } from '../../workshop/zookeeper.ts'

const stops: (() => Promise<void>)[] = []
afterAll(async () => {
  for (const stop of stops.toReversed()) await stop()
})

const CLUSTER = 'main'
const { clickhouse: config } = configSchema.parse({ clickhouse: { url: 'http://h:1', database: 'ctr', cluster: CLUSTER } })
const form: Form = formOf(config)

test('tables with products are replicas within their shard, those without on all servers', async () => {
  const zookeeper = await startZooKeeper()
  stops.push(zookeeper.stop)
  const more = `<zookeeper><node><host>127.0.0.1</host><port>${zookeeper.port}</port></node></zookeeper>`
  const servers = await Promise.all(
    [
      { shard: '1', replica: 'a' },
      { shard: '1', replica: 'b' },
      { shard: '2', replica: 'a' },
    ].map((macros) => startConfigured({ clusters: { [CLUSTER]: [[SELF]] }, macros, more, replicated: true })),
  )
  stops.push(...servers.map(({ stop }) => stop))
  for (const server of servers) for (const sql of [databaseStatement(form), ...schemaStatements(form)]) await server.command(sql)
  const stored = objectsOf(form).filter((object) => object.kind === 'table')
  const replicas = (shard: number) =>
    Object.fromEntries(stored.map(({ name, spread }) => [name, spread === 'copy' ? servers.length : shard === 0 ? 2 : 1]))
  for (const [i, server] of servers.entries()) {
    const rows = await server.rows<{ table: string; total: number }>(
      "SELECT table, total_replicas AS total FROM system.replicas WHERE database = 'ctr'",
    )
    expect(Object.fromEntries(rows.map(({ table, total }) => [table, total]))).toEqual(replicas(i < 2 ? 0 : 1))
  }
  // Made again, as on a server that was lost and comes back without its data: it is refused, rather than made into a replica of its own.
  const again = await startConfigured({ clusters: { [CLUSTER]: [[SELF]] }, macros: { shard: '1', replica: 'a' }, more, replicated: true })
  stops.push(again.stop)
  await again.command(databaseStatement(form))
  await expect(again.command(schemaStatements(form)[0] as string)).rejects.toThrow(/already exists/)
}, 180_000)
