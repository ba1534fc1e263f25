/** Records of up to 1,000 events over a real broker, with the smallest rings that hold them: killed again and again, no row differs. */
import { expect, onTestFinished, test } from 'vitest'
import { sleep } from '../../src/clock.ts'
import { Random } from '../../src/load/random.ts'
import { into, merged, runEngine, startEngine, workFolder } from '../../workshop/engine-process.ts'
import { fresh } from '../../workshop/kafka-harness.ts'
import { runOracle, sumLedgers } from '../../workshop/oracle.ts'
import { Feeder, freshTopics, from, placed } from '../support/feed.ts'
import { listMapping, makeLists } from '../support/list-records.ts'
import { differences, finalRows } from '../support/rows.ts'
import { sharedServers } from '../support/shared-clickhouse.ts'

const { brokers, clickhouse } = await sharedServers()
const SHAPE = { partitions: 2, records: 360, products: 3000, elementsMax: 1000, ownTimes: true, stepMs: 200 }
const KILLS = 3
const BATCH_RECORDS = 60

test('SIGKILL at random moments leaves the rows of the oracle, and a ledger that balances', async () => {
  const seed = Date.now() % 1_000_000
  console.log(`seed ${seed}`)
  const random = new Random(seed)
  const topics = await freshTopics(brokers, SHAPE.partitions)
  const tenant = fresh('tenant')
  const { plain } = listMapping(SHAPE)
  const events = {
    fields: { product: 'items[].id', type: ['items[].type', 'type'], time: ['items[].at', 'at'] },
    click: { field: 'items[].clicked' },
    maxPerRecord: SHAPE.elementsMax,
  }
  const more = { events, engine: { workers: 2, ringBytes: '192KiB' }, checkpoint: { interval: '1s' }, kafka: { commitInterval: '200ms' } }
  const config = merged(from(brokers, topics), into(clickhouse, tenant), more)
  const folder = workFolder()
  const feeder = await Feeder.connect(brokers, topics)
  onTestFinished(() => feeder.close())
  const lists = placed(makeLists({ ...SHAPE, seed }), topics)
  for (let at = 0; at < SHAPE.records; at += BATCH_RECORDS) await feeder.appendAll(lists.map((list) => list.slice(at, at + BATCH_RECORDS)))
  for (let life = 0; life < KILLS; life++) {
    const engine = startEngine(['run'], { config, folder })
    // Later lives may find all read already, by the one before.
    if (life > 0) await engine.ready()
    else await engine.until('it reads', async () => (await engine.metric('ctr_events_processed_total')) > 0)
    await sleep(random.below(700))
    engine.signal('SIGKILL')
    expect([await engine.exit(), engine.complaints]).toEqual(['SIGKILL', []])
  }
  const last = await runEngine(['run', '--until-end'], { config, folder })
  expect([await last.exit(), last.complaints]).toEqual([0, []])
  const { rows, ledgers } = runOracle(lists, { tenant, events: plain })
  expect(differences(await finalRows(clickhouse, tenant), rows)).toEqual([])
  const { counted, late, ignored, invalid } = sumLedgers(ledgers.values())
  const found = await clickhouse.rows<
    Record<string, unknown>
  >(`SELECT sum(counted) AS counted, sum(late) AS late, sum(ignored) AS ignored, sum(invalid) AS invalid,
    sum(unaccounted) AS unaccounted, sum(missing) AS missing
    FROM ${clickhouse.endpoint.database}.ctr_reconciliation WHERE tenant = '${tenant}'`)
  const wanted = { counted, late, ignored, invalid: Object.values(invalid).reduce((a, b) => a + b), unaccounted: 0, missing: 0 }
  expect(Object.fromEntries(Object.entries(found[0] ?? {}).map(([key, value]) => [key, Number(value)]))).toEqual(wanted)
}, 180_000)
