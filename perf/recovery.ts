/**
 * How long after a SIGKILL the first new row is there:
 *
 *   node perf/recovery.ts [--kills 10] [--rate 20_000] [--window 1] [--json FILE]
 *
 * An engine with 1,000 products, checkpoints every 10 s and short windows counts a live load. At moments spread over the interval it is
 * killed and started again at once, under the same kafka.clientId and with the default session timeout. Measured from the signal to the
 * first row that the new process emitted, as ClickHouse has it. What came since the checkpoint is read again meanwhile. In the end all rows
 * and the ledger are held against the oracle's.
 */

import { sleep } from '../src/clock.ts'
import { success } from '../workshop/child.ts'
import { type Engine, type EngineOptions, startEngine } from '../workshop/engine.ts'
import { startLoad, TOPICS } from '../workshop/load.ts'
import { scriptOptions } from '../workshop/options.ts'
import { conclude, place, quantile, table } from '../workshop/report.ts'
import { runScript, type Stand, withStand } from '../workshop/stand.ts'
import { faultsOf, judgeStand } from './verdict.ts'

const options = scriptOptions('perf/recovery.ts', { kills: 10, rate: 20_000, window: 1, json: '' })

const PARTITIONS = 4
const INTERVAL_MS = 10_000
const FIRST_ROW_MAX_MS = 60_000
const POLL_MS = 20
const END_MAX_MS = 200_000

async function main(stand: Stand): Promise<number> {
  const database = 'recovery'
  const windowSize = options.window * 1000
  const engineOptions: EngineOptions = {
    topics: TOPICS,
    groupId: 'recovery',
    database,
    sets: ['kafka.clientId=pod-0', `checkpoint.interval=${INTERVAL_MS}ms`, `window.size=${windowSize}ms`],
  }
  const load = startLoad(stand, { partitions: PARTITIONS, generate: { seed: 3, products: 1000, disorderMs: 2000 }, rate: options.rate })
  let engine = startEngine(stand, engineOptions)
  await running(engine)
  const recoveries: number[] = []
  for (let kill = 0; kill < options.kills; kill++) {
    // Each time further behind the last checkpoint.
    await sleep(INTERVAL_MS + (INTERVAL_MS * kill) / options.kills)
    engine.process.kill('SIGKILL')
    const killedAt = Date.now()
    engine = startEngine(stand, engineOptions)
    const startedAt = Date.now()
    const firstRowAt = await firstRowSince(stand, database, startedAt)
    recoveries.push(firstRowAt - killedAt)
    process.stderr.write(`${kill + 1}: first new row after ${firstRowAt - killedAt} ms\n`)
  }
  load.enough()
  const sent = await load.done
  engine.process.kill('SIGTERM')
  await success('the last pod', engine, END_MAX_MS)
  await success('the end', startEngine(stand, { ...engineOptions, untilEnd: true }), END_MAX_MS)
  const verdict = await judgeStand(stand, database, undefined, { windowSize })
  const faults = faultsOf(verdict)
  if (verdict.records !== sent.events) faults.push(`${verdict.records} records in the topics, ${sent.events} were sent`)
  const report = { place: place(), options, events: sent.events, rowsDiffering: verdict.difference.count, recoveries, faults }
  const [p50, max] = [quantile(recoveries, 0.5), Math.max(...recoveries)]
  const figures = [
    ['events', String(sent.events)],
    ['SIGKILL to first new row, ms, median', p50.toFixed(0)],
    ['  at most', max.toFixed(0)],
    ['rows differing from the oracle', String(verdict.difference.count)],
  ]
  return conclude(report, table(['kills', String(options.kills)], figures), options.json)
}

async function running(engine: Engine): Promise<void> {
  await Promise.race([engine.consuming, sleep(FIRST_ROW_MAX_MS)])
  if (engine.milestones.running === undefined) throw new Error('the engine does not get to counting')
}

/** When the first row that was emitted at or after `since` could be read, ms. */
async function firstRowSince({ clickhouse }: Stand, database: string, since: number): Promise<number> {
  const sql = `SELECT count() AS rows FROM db.ctr_results WHERE emitted_at >= fromUnixTimestamp64Milli(${since})`
  for (const giveUpAt = Date.now() + FIRST_ROW_MAX_MS; Date.now() < giveUpAt; await sleep(POLL_MS)) {
    const [found] = await clickhouse.rows<{ rows: number }>(sql, database)
    if ((found?.rows ?? 0) > 0) return Date.now()
  }
  throw new Error(`no new row within ${FIRST_ROW_MAX_MS / 1000} s`)
}

await runScript(() => withStand(main))
