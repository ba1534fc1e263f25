/** Green beside blue: two engines of two groups with a database each, compared, and readers switched from one to the other and back. */
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { type ConfigTree, type EngineProcess, merged, runEngine, startEngine, workFolder } from '../../workshop/engine-process.ts'
import { fresh } from '../../workshop/kafka-harness.ts'
import { sumOfWindows } from '../../workshop/result-rows.ts'
import { Feeder, freshTopics, from, record } from '../support/feed.ts'
import { sharedServers } from '../support/shared-clickhouse.ts'

const { brokers, clickhouse } = await sharedServers()
const PRODUCTS = 20
const ROLLBACK_MAX_MS = 60_000

test('no row is lost or mixed while readers are switched under load, and the way back takes seconds', async () => {
  const topics = await freshTopics(brokers, 2)
  const [blue, green, live] = ['blue', 'green', 'live'].map((name) => clickhouse.own(name).database) as [string, string, string]
  const { url, username, password } = clickhouse.endpoint
  // The tenant tells a reader whose rows it sees.
  const group = fresh('group')
  const configOf = (tenant: string, database: string): ConfigTree =>
    merged(from(brokers, { ...topics, group: `${group}-${tenant}` }), {
      tenant,
      kafka: { startFrom: 'earliest' },
      window: { size: '1s' },
      time: { outOfOrderness: '0s', allowedLateness: '1s' },
      clickhouse: { url, username, password, database, flushInterval: '200ms', rollUps: { interval: 'off' } },
    })
  const start = (tenant: string, database: string): EngineProcess => startEngine(['run'], { config: configOf(tenant, database) })
  const folder = workFolder()
  const ctr = async (...words: string[]) => {
    const command = await runEngine(words, { folder, config: configOf('none', blue) })
    return { code: await command.exit(), out: command.stdout, complaints: command.complaints.join('\n') }
  }
  const switchTo = (...words: string[]) => ctr('schema', 'switch', '--live', live, ...words)

  const engines = [start('blue', blue)]
  await engines[0]?.ready()
  const feeder = await Feeder.connect(brokers, topics)
  const T0 = Math.floor(Date.now() / 1000) * 1000 - 600_000
  let seconds = 0
  let over = false
  /** Each second of event time a click and two impressions of each product, in each partition. */
  const load = async () => {
    for (; !over; seconds++) {
      for (const partition of [0, 1]) {
        const all = Array.from({ length: PRODUCTS }, (_, i) => i)
        const at = (i: number) => T0 + seconds * 1000 + i
        await feeder.append(all.flatMap((i) => [0, 1].map(() => record(topics.impressions, `p${i}`, 'impression', at(i), partition))))
        await feeder.append(all.map((i) => record(topics.clicks, `p${i}`, 'click', at(i), partition)))
      }
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }
  const loading = load()

  expect(await switchTo('--to', green)).toMatchObject({ code: 1, complaints: expect.stringContaining('it has no view ctr_windows') })
  expect(await switchTo('--to', blue)).toMatchObject({ code: 0, complaints: '' })
  engines.push(start('green', green))
  await engines[1]?.ready()

  // Green has read what there was before it began, and goes on beside blue.
  const newest = async (database: string) => {
    const sql = 'SELECT toUnixTimestamp64Milli(max(window_start)) AS at FROM db.ctr_windows'
    return (await clickhouse.rows<{ at: number }>(sql, database))[0]?.at ?? 0
  }
  await engines[1]?.until('green has come up', async () => (await newest(green)) >= (await newest(blue)) - 2000 && seconds > 20)
  // Rows of both must see both sides: tenants differ, so each side is a configuration.
  const sides = [join(engines[0]?.folder ?? '', 'ctr.yaml'), join(engines[1]?.folder ?? '', 'ctr.yaml')] as const
  const to = new Date((await newest(green)) - 3000).toISOString()
  const compared = await ctr('compare', '--a', sides[0], '--b', sides[1], '--from', new Date(T0).toISOString(), '--to', to, '--json')
  expect(compared.code, compared.out + compared.complaints).toBe(0)
  expect(JSON.parse(compared.out)).toMatchObject({ equal: true, rows: { onlyA: 0, onlyB: 0, different: 0 } })

  const seen = new Map<string, number>()
  const read = async () => {
    const tenants = (view: string) => `(SELECT arrayStringConcat(groupUniqArray(tenant), ' and ') FROM ${live}.${view})`
    const [row] = await clickhouse.rows<{ a: string; b: string }>(`SELECT ${tenants('ctr_windows')} AS a, ${tenants('ctr_latest')} AS b`)
    return row?.a === row?.b ? (row?.a ?? '') : `${row?.a} | ${row?.b}`
  }
  const reading = (async () => {
    while (!over) {
      const answer = await read()
      seen.set(answer, (seen.get(answer) ?? 0) + 1)
    }
  })()
  expect(await switchTo('--to', green)).toMatchObject({ code: 0 })
  expect(await read()).toBe('green')
  // The way back, as an operator would take it: one command, until a reader sees blue.
  const before = performance.now()
  expect(await switchTo('--back')).toMatchObject({ code: 0 })
  expect(await read()).toBe('blue')
  const rollbackMs = performance.now() - before
  expect(await switchTo('--back')).toMatchObject({ code: 0 })
  expect(await read()).toBe('green')
  over = true
  await Promise.all([loading, reading])
  await feeder.close()
  expect([...seen.keys()].sort()).toEqual(['blue', 'green'])
  expect(rollbackMs).toBeLessThan(ROLLBACK_MAX_MS)
  console.log(`rollback ${Math.round(rollbackMs)} ms; answers: ${JSON.stringify([...seen])}`)

  // Both come to their end: drained, each has counted every event that was sent, once.
  const sent = seconds * 2 * PRODUCTS * 3
  for (const [i, database] of [blue, green].entries()) {
    const engine = engines[i] as EngineProcess
    await engine.until('all is read', async () => (await engine.metric('ctr_events_processed_total')) >= sent)
    expect(await engine.terminate()).toBe(0)
    const finished = await runEngine(['run', '--until-end'], {
      folder: engine.folder,
      config: configOf(i === 0 ? 'blue' : 'green', database),
    })
    expect(await finished.exit()).toBe(0)
    expect(await sumOfWindows(clickhouse, database)).toBe(sent)
  }
  const whole = await ctr(
    'compare',
    '--a',
    sides[0],
    '--b',
    sides[1],
    '--from',
    new Date(T0).toISOString(),
    '--to',
    new Date(T0 + seconds * 1000).toISOString(),
  )
  expect(whole.code, whole.out + whole.complaints).toBe(0)
  expect(whole.out).toContain('equal: every window of every product')

  // And what is not the same is told with 1.
  await clickhouse.command(`INSERT INTO ${green}.ctr_results
      (tenant, product_id, window_start, window_end, task, impressions, clicks, ctr, version, emitted_at)
    SELECT tenant, product_id, window_start, window_end, task, impressions + 5, clicks, ctr, version + 5, now64(3) FROM ${green}.ctr_results
    WHERE product_id = 'p3' ORDER BY window_start LIMIT 1`)
  const differing = await ctr('compare', '--a', sides[0], '--b', sides[1], '--from', new Date(T0).toISOString(), '--to', to)
  expect(differing.code).toBe(1)
  expect(differing.out).toMatch(/0 rows only in a, 0 only in b, 1 with other counts\nlargest difference: p3, /)
  expect(await ctr('compare', '--a', blue, '--b', 'no_such')).toMatchObject({ code: 2, complaints: expect.stringContaining('no_such') })
}, 120_000)
