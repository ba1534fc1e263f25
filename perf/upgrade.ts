/**
 * A rolling upgrade from an engine of version 1 of the tables:
 *
 *   node perf/upgrade.ts [--old e22b50f] [--rate 20_000] [--pause 12] [--window 2] [--json FILE]
 *
 * Two pods of the old engine count a steady load. The first one becomes the new engine, which migrates while the other one inserts; the
 * other one is started again as the old engine, which runs its own statements against the migrated tables; then it becomes the new one too.
 * Afterwards every row is compared with the oracle's, the views with the rows, and the tables with what the new engine wants.
 */
import { join } from 'node:path'
import { sleep } from '../src/clock.ts'
import { formatCount } from '../src/text.ts'
import { checkOut, findRevision } from '../workshop/checkout.ts'
import { startChild, success } from '../workshop/child.ts'
import { type EngineOptions, startEngine } from '../workshop/engine.ts'
import { createTopics } from '../workshop/kafka-harness.ts'
import { startLoad, TOPICS } from '../workshop/load.ts'
import { naiveViews, shownViews } from '../workshop/naive-views.ts'
import { scriptOptions } from '../workshop/options.ts'
import { conclude, place } from '../workshop/report.ts'
import { runScript, type Stand, withStand } from '../workshop/stand.ts'
import { endBy, unlessFailed } from './lives.ts'
import { consuming, type Pod, startAgain, startPod } from './pods.ts'
import { faultsOf, judgeStand } from './verdict.ts'

const options = scriptOptions('perf/upgrade.ts', { old: 'e22b50f', rate: 20_000, pause: 12, window: 2, json: '' })

const DATABASE = 'upgrade'
const PARTITIONS = 4
const PRODUCTS = 200
const DISORDER_MS = 2_000
const END_MAX_MS = 180_000

async function main(stand: Stand): Promise<number> {
  const checkout = await checkOut(findRevision(options.old), join(stand.folder, 'old'))
  const windowSize = options.window * 1000
  // An engine of before does not find the front of an embedded ClickHouse of now.
  const { url } = stand.clickhouse.endpoint
  const own = [`window.size=${windowSize}ms`]
  const now: EngineOptions = { topics: TOPICS, groupId: DATABASE, database: DATABASE, clickhouseUrl: url, sets: own }
  const old: EngineOptions = { ...now, checkout }
  await createTopics([...stand.brokers], TOPICS, PARTITIONS)
  const pods = [startPod(stand, 'pod-0', old), startPod(stand, 'pod-1', old)] as [Pod, Pod]
  for (const pod of pods) await consuming(pod)
  const load = startLoad(stand, {
    partitions: PARTITIONS,
    generate: { seed: 1, products: PRODUCTS, disorderMs: DISORDER_MS },
    rate: options.rate,
  })
  const views: Record<string, string[]> = {}
  const pause = async (after: string) => {
    await unlessFailed(
      load,
      pods.map(({ engine }) => engine),
      sleep(options.pause * 1000),
    )
    views[after] = await missingViews(stand)
  }
  await pause('two old engines')
  await become(stand, pods[0], now)
  await pause('one new engine')
  await become(stand, pods[1], old)
  await pause('the old engine started again')
  await become(stand, pods[1], now)
  await pause('two new engines')
  load.enough()
  const sent = await load.done
  await Promise.all(pods.map(({ engine }) => endBy(engine, 'SIGTERM')))
  await success('the last life', startEngine(stand, { ...now, untilEnd: true }), END_MAX_MS)

  const verdict = await judgeStand(stand, DATABASE, undefined, { windowSize })
  const [shown, naive] = [await shownViews(stand.clickhouse, DATABASE), await naiveViews(stand.clickhouse, DATABASE)]
  const wrong = Object.keys(naive).filter((view) => String(shown[view as keyof typeof naive]) !== String(naive[view as keyof typeof naive]))
  const diff = await startChild('bin/ctr.js', ['schema', 'diff', ...sets(stand)], { folder: stand.folder }).ended
  const faults = [
    ...faultsOf(verdict),
    ...wrong.map((view) => `${view} shows other rows than the tables have`),
    ...Object.entries(views).flatMap(([after, missing]) => missing.map((view) => `${view} could not be read: ${after}`)),
    ...(diff.code === 0 ? [] : [`ctr schema diff: ${diff.stdout}`]),
  ]
  const report = {
    place: place(),
    options,
    events: sent.events,
    rows: verdict.rows.size,
    rowsDiffering: verdict.difference.count,
    viewsDiffering: wrong.length,
    faults,
  }
  const rows = `${formatCount(report.rows)} rows, ${report.rowsDiffering} differ`
  const text = `${formatCount(sent.events)} events; ${rows}; ${wrong.length} views differ`
  return conclude(report, text, options.json)
}

async function become(stand: Stand, pod: Pod, engineOptions: EngineOptions): Promise<void> {
  await endBy(pod.engine, 'SIGTERM')
  startAgain(stand, pod, engineOptions)
  await consuming(pod)
}

/** Views of version 1 that can't be read. */
async function missingViews({ clickhouse }: Stand): Promise<string[]> {
  const missing: string[] = []
  for (const view of ['ctr_windows', 'ctr_latest', 'ctr_minutely', 'ctr_hourly', 'ctr_reconciliation']) {
    await clickhouse
      .rows(`SELECT count() FROM ${DATABASE}.${view}`)
      .catch((error) => missing.push(`${view} (${String(error).slice(0, 200)})`))
  }
  return missing
}

function sets({ clickhouse }: Stand): string[] {
  return ['--set', `clickhouse.embedded=${clickhouse.directory}`, '--set', `clickhouse.database=${DATABASE}`]
}

await runScript(() => withStand(main))
