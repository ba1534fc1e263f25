/** A real Prometheus beside a real engine: dashboards show something, and what goes wrong raises the alert for it and nothing else. */
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { connect, type Endpoint } from '../../src/clickhouse/connect.ts'
import { sleep } from '../../src/clock.ts'
import { isSql } from '../../src/monitoring/dashboard.ts'
import { DASHBOARDS } from '../../src/monitoring/files.ts'
import { ALERTS } from '../../src/monitoring/rules.ts'
import { type ConfigTree, type EngineProcess, merged, startEngine, workFolder } from '../../workshop/engine-process.ts'
import { freePorts } from '../../workshop/free-ports.ts'
import { TcpProxy } from '../../workshop/tcp-proxy.ts'
import { freshTopics, from, type Topics } from '../support/feed.ts'
import { sharedServers } from '../support/shared-clickhouse.ts'
import { tmpfs } from '../support/tmpfs.ts'
import { type Watch, watchEngine } from '../support/watched.ts'

const { brokers, clickhouse } = await sharedServers()
const PARTITIONS = 4
const TENANT = 'watched'

/** Expressions that show nothing in a healthy run of minutes, and why. */
const SHOWS_NOTHING: Readonly<Record<string, string>> = {
  'CTR now, and what is usual: yesterday': 'there was no yesterday',
  'Alerts: ': 'none fires',
}
/** The same of SQL. */
const NO_ROWS: Readonly<Record<string, string>> = {
  'Products whose CTR is not what it was an hour before': 'there was no hour before',
  'Minutes that do not balance': 'all do',
}

interface Run {
  readonly engine: EngineProcess
  readonly config: ConfigTree
  readonly topics: Topics
  readonly endpoint: Endpoint
  readonly address: string
}

/** An engine on topics and a database of its own, at a port that it has again after a restart. */
async function run(more: ConfigTree = {}): Promise<Run> {
  const topics = await freshTopics(brokers, PARTITIONS)
  const endpoint = clickhouse.own('monitoring')
  const [port = 0] = await freePorts(1)
  const { url, username, password, database } = endpoint
  const config = merged(
    from(brokers, topics),
    {
      tenant: TENANT,
      http: { port },
      window: { size: '5s' },
      time: { outOfOrderness: '2s', idleTimeout: '5s' },
      checkpoint: { storage: join(workFolder(), 'checkpoints'), interval: '2s' },
      clickhouse: { url, username, password, database, rollUps: { interval: '5s' } },
    },
    more,
  )
  const engine = startEngine(['run'], { config })
  await engine.ready()
  return { engine, config, topics, endpoint, address: `127.0.0.1:${port}` }
}

/** Generated events, 4,000 a second, until the test is over. */
function load({ topics }: Run, ...more: string[]): EngineProcess {
  const names = `${topics.impressions},${topics.clicks}`
  return startEngine([
    'load',
    '--brokers',
    brokers.join(),
    '--topics',
    names,
    '--rate',
    '4000',
    '--duration',
    '10m',
    '--products',
    '50',
    ...more,
  ])
}

async function until<T>(claim: string, holds: () => Promise<T | undefined>, maxMs = 120_000): Promise<T> {
  for (const giveUpAt = performance.now() + maxMs; ; await sleep(500)) {
    const held = await holds()
    if (held !== undefined) return held
    if (performance.now() > giveUpAt) throw new Error(`not within ${maxMs} ms: ${claim}`)
  }
}

/** `title: legend` of each expression in PromQL that shows nothing now. */
async function empty({ values }: Watch): Promise<string[]> {
  const found: string[] = []
  for (const { title, targets } of DASHBOARDS.flatMap(({ rows }) => rows.flatMap(({ panels }) => panels)))
    for (const target of targets) {
      if (isSql(target)) continue
      const expr = target.expr
        .replaceAll('$namespace', '.*')
        .replaceAll('$job', 'ctr')
        .replaceAll('$instance', '.+')
        .replaceAll('$__rate_interval', '20s')
      if ((await values(expr)).length === 0) found.push(`${title}: ${target.legend}`)
    }
  return found
}

/** How many rows each query of the dashboards and of the runbook gives, by the panel's title or the query. */
async function rowCounts(endpoint: Endpoint): Promise<Map<string, number>> {
  const client = connect(endpoint, endpoint.database)
  const counts = new Map<string, number>()
  const ask = async (name: string, query: string) => {
    const result = await client.query({ query, format: 'JSONEachRow' })
    counts.set(name, (await result.json()).length)
  }
  try {
    for (const { title, targets } of DASHBOARDS.flatMap(({ rows }) => rows.flatMap(({ panels }) => panels)))
      for (const target of targets) if (isSql(target)) await ask(title, expanded(target.sql))
    for (const command of ALERTS.flatMap(({ runbook }) => runbook.commands)) {
      const [, sql] = /ctr query .*"(SELECT .*)"/.exec(command) ?? []
      if (sql !== undefined) await ask(sql, sql)
    }
  } finally {
    await client.close()
  }
  return counts
}

/** With what the ClickHouse data source of Grafana puts in place of its macros, for the last six hours in steps of a minute. */
function expanded(sql: string): string {
  return sql
    .replaceAll(/\$__timeFilter\((\w+)\)/g, '$1 >= toDateTime(now() - 21600) AND $1 <= toDateTime(now())')
    .replaceAll(/\$__timeInterval\((\w+)\)/g, 'toStartOfInterval(toDateTime($1), INTERVAL 60 second)')
    .replaceAll(`\${tenant:sqlstring}`, `'${TENANT}'`)
}

test('a healthy run fills the dashboards and is near no alert; that its process was killed is told, and that it is back', async () => {
  const running = await run()
  load(running, '--late', '0.0004', '--invalid', '0.002')
  const watch = await watchEngine(running.address)
  const wanted = Object.keys(SHOWS_NOTHING).toSorted()
  let left: string[] = []
  await until('every expression shows something', async () => {
    left = await empty(watch)
    return left.length <= wanted.length ? true : undefined
  }).catch((error: Error) => expect(left, error.message).toEqual(wanted))
  expect(left.toSorted()).toEqual(wanted)
  expect(await watch.values('ALERTS')).toEqual([])
  expect(await watch.sickRules()).toEqual([])

  const counts = await until('roll-ups', async () => {
    const now = await rowCounts(running.endpoint)
    return (now.get('CTR by hour: today, yesterday, last week') ?? 0) > 0 ? now : undefined
  })
  const none = [...counts].filter(([name, count]) => count === 0 && !name.startsWith('SELECT ')).map(([name]) => name)
  expect(none.toSorted()).toEqual(Object.keys(NO_ROWS).toSorted())

  running.engine.signal('SIGKILL')
  const firing = await until('CtrDown is heard', async () => watch.heard.find(({ status }) => status === 'firing'))
  expect(firing.labels).toMatchObject({ alertname: 'CtrDown', severity: 'critical', instance: 'ctr-0:9464', namespace: 'default' })
  expect(firing.annotations.description).toContain('ctr-0:9464 has answered no scrape')
  expect(await watch.active()).toEqual(['CtrDown'])
  startEngine(['run'], { config: running.config, folder: running.engine.folder })
  await until('CtrDown is over', async () =>
    watch.heard.find(({ status, labels }) => status === 'resolved' && labels.alertname === 'CtrDown'),
  )
}, 400_000)

describe('what is made to go wrong raises its alert and nothing else', () => {
  /** How long the set of alerts must stay as it is. */
  const STAYS_MS = 8_000

  /** Exactly these, from when they are all there. */
  async function onlyThese(watch: Watch, expected: readonly string[]): Promise<void> {
    let last: string[] = []
    await until(`${expected.join()} instead of`, async () => {
      last = await watch.active()
      return expected.every((name) => last.includes(name)) ? true : undefined
    }).catch((error: Error) => expect(last, error.message).toEqual(expected))
    for (const end = performance.now() + STAYS_MS; performance.now() < end; await sleep(1000))
      expect(await watch.active()).toEqual(expected)
  }

  test('a bad producer', async () => {
    const running = await run()
    load(running, '--invalid', '0.3')
    const watch = await watchEngine(running.address)
    await onlyThese(watch, ['CtrInvalidRatioHigh'])
    // After a minute the engine says so itself, which nobody needs to hear twice.
    const degraded = 'ALERTS{alertname="CtrDegraded",reason="invalid",alertstate="firing"}'
    await until('the reason', async () => ((await watch.values(degraded)).length > 0 ? true : undefined))
    await onlyThese(watch, ['CtrInvalidRatioHigh'])
  }, 200_000)

  test('a producer that is too late', async () => {
    const running = await run()
    load(running, '--late', '0.3')
    await onlyThese(await watchEngine(running.address), ['CtrCompletenessBurn', 'CtrLateRatioHigh'])
  }, 200_000)

  test('partitions that bring nothing', async () => {
    const running = await run()
    load(running, '--products', '1')
    await onlyThese(await watchEngine(running.address), ['CtrPartitionSilent'])
  }, 200_000)

  test('a store of checkpoints that takes no more', async () => {
    const disk = tmpfs('16m')
    onTestFinished(() => disk[Symbol.dispose]())
    const running = await run({ checkpoint: { storage: join(disk.path, 'checkpoints') } })
    onTestFinished(() => running.engine.signal('SIGKILL'))
    load(running)
    const watch = await watchEngine(running.address)
    await until('a scrape', async () => ((await watch.values('ctr_ready')).length > 0 ? true : undefined))
    disk.remount('ro')
    await onlyThese(watch, ['CtrCheckpointFailing'])
  }, 200_000)

  test('a ClickHouse that can no longer be reached', async () => {
    const { hostname, port } = new URL(clickhouse.endpoint.url)
    const proxy = await TcpProxy.start(Number(port))
    onTestFinished(() => proxy.close())
    const running = await run({ clickhouse: { url: `http://${hostname}:${proxy.port}` } })
    load(running)
    const watch = await watchEngine(running.address)
    await until('rows', async () => ((await watch.values('ctr_rows_written_total > 0')).length > 0 ? true : undefined))
    await proxy.cut()
    await onlyThese(watch, ['CtrNotReady'])
  }, 200_000)
})
