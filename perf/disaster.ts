/**
 * What a pipeline needs is lost, one thing after the other, and brought back as the runbook says:
 *
 *   node perf/disaster.ts [--rate 20_000] [--calm 15] [--pause 12] [--lost 30] [--window 2] [--json FILE]
 *
 * Under a steady load, with `pause` seconds after each: the pod is killed; it is killed and its disk with all checkpoints is gone; the
 * store of checkpoints is emptied, and then the pod killed; the broker is killed and started again; ClickHouse comes back from a backup
 * that is `lost` seconds old, and what it lacks is counted anew from the savepoint that was taken with the backup. RTO is from the loss
 * until of every task a window can be read that was closed after it, and of ClickHouse until all rows are there that were there before; it
 * must be within 60 s. RPO is how many rows differ from the oracle's in the end, and must be 0. Of all windows 99.9 % must be readable
 * within 60 s of closing.
 */
import { sleep } from '../src/clock.ts'
import { finished, startChild, success } from '../workshop/child.ts'
import { type Engine, type EngineOptions, engineSets, startEngine } from '../workshop/engine.ts'
import type { Broker } from '../workshop/kafka-broker.ts'
import { createTopics } from '../workshop/kafka-harness.ts'
import { type Load, startLoad, TOPICS } from '../workshop/load.ts'
import { scriptOptions } from '../workshop/options.ts'
import { runScript, type Stand, withStand } from '../workshop/stand.ts'
import { TableBackup } from '../workshop/table-backup.ts'
import { concludeDrill, DRILL_LOAD, DRILL_TASKS, emptyStore } from './drill.ts'
import { endBy, unlessFailed, within } from './lives.ts'
import type { Blow } from './recoveries.ts'
import { type Watch, watchWindows } from './watch.ts'

const NAME = 'disaster'
const SAVEPOINT = 'backup'
const START_MAX_MS = 60_000
const SAVEPOINT_MAX_MS = 60_000
const BACK_MAX_MS = 120_000
const BROKER_AWAY_MS = 3_000
/** Windows that ended so long ago have all their rows. */
const WHOLE_MS = 12_000
const POLL_MS = 100
const SETTLE_MS = 8_000
const END_MAX_MS = 180_000

const options = scriptOptions('perf/disaster.ts', { rate: 20_000, calm: 15, pause: 12, lost: 30, window: 2, json: '' })

interface Drill {
  readonly stand: Stand
  readonly broker: Broker
  readonly load: Load
  readonly engineOptions: EngineOptions
  readonly blows: Blow[]
  engine: Engine
  /** Where the present engine can be asked. */
  readonly url: () => string
}

async function main(stand: Stand, broker: Broker): Promise<number> {
  let url = ''
  const engineOptions: EngineOptions = {
    topics: TOPICS,
    groupId: NAME,
    database: NAME,
    deadLetterTopic: 'dead-letters',
    sets: ['kafka.clientId=pod-0', 'checkpoint.interval=5s', `window.size=${options.window}s`],
    onLog: (line) => {
      if (line.msg === 'health and metrics') url = String(line.url)
    },
  }
  await createTopics([...stand.brokers], TOPICS, DRILL_TASKS, { 'message.timestamp.type': 'LogAppendTime' })
  const engine = startEngine(stand, engineOptions)
  await within(START_MAX_MS, engine.consuming, 'the engine does not get to counting')
  const watch = watchWindows(stand.clickhouse, NAME)
  const load = startLoad(stand, { partitions: DRILL_TASKS, generate: DRILL_LOAD, rate: options.rate })
  const drill: Drill = { stand, broker, load, engineOptions, blows: [], engine, url: () => url }
  await quiet(drill, options.calm * 1000)

  await losePod(drill, 'the pod', () => {})
  await losePod(drill, 'the pod and its disk', () => emptyStore(stand))
  emptyStore(stand)
  await quiet(drill, options.pause * 1000)
  await losePod(drill, 'the pod, after the store of checkpoints', () => {})
  await loseBroker(drill)
  const database = await loseRows(drill)
  return end(drill, watch, database)
}

async function end(
  drill: Drill,
  watch: Watch,
  database: { readonly seconds: number; readonly faults: readonly string[] },
): Promise<number> {
  const { stand, load, engineOptions, blows } = drill
  load.enough()
  const { events } = await load.done
  await sleep(SETTLE_MS)
  await watch.stop()
  await endBy(drill.engine, 'SIGTERM')
  await success('the last life', startEngine(stand, { ...engineOptions, untilEnd: true }), END_MAX_MS)
  const ran = { database: NAME, windowSize: options.window * 1000, watch, sent: events, blows }
  const more = { kind: "ClickHouse's last rows", seconds: database.seconds }
  return concludeDrill(stand, ran, { title: 'lost', options, more: [more], faults: database.faults })
}

/** Until it is the next one's turn; the engine and the load go on. */
async function quiet({ load, engine }: Drill, ms: number): Promise<void> {
  await unlessFailed(load, [engine], sleep(ms))
}

async function losePod(drill: Drill, kind: string, meanwhile: () => void): Promise<void> {
  strike(drill, kind)
  await endBy(drill.engine, 'SIGKILL')
  meanwhile()
  await restart(drill, {})
  await quiet(drill, options.pause * 1000)
}

async function loseBroker(drill: Drill): Promise<void> {
  strike(drill, 'the broker')
  await drill.broker.kill()
  await quiet(drill, BROKER_AWAY_MS)
  await unlessFailed(drill.load, [drill.engine], drill.broker.restart())
  await quiet(drill, options.pause * 1000)
}

/** Gives the seconds until all rows are there again. */
async function loseRows(drill: Drill): Promise<{ seconds: number; faults: string[] }> {
  const { stand, engineOptions } = drill
  const backup = new TableBackup(stand.clickhouse, NAME)
  const words = ['savepoint', 'create', SAVEPOINT, '--url', drill.url(), ...engineSets(stand, engineOptions)]
  await finished('ctr savepoint create', startChild('bin/ctr.js', words, { folder: stand.folder }), SAVEPOINT_MAX_MS)
  await backup.take()
  await quiet(drill, options.lost * 1000)
  const until = Date.now() - WHOLE_MS
  const before = await rowsUntil(stand, until)
  strike(drill, 'ClickHouse')
  const lostAt = Date.now()
  await backup.restore()
  const lost = before - (await rowsUntil(stand, until))
  await endBy(drill.engine, 'SIGTERM')
  await restart(drill, { from: `savepoint:${SAVEPOINT}` })
  while ((await rowsUntil(stand, until)) < before) {
    if (Date.now() - lostAt > BACK_MAX_MS)
      throw new Error(`ClickHouse lost ${lost} rows, which are not back within ${BACK_MAX_MS / 1000} s`)
    await quiet(drill, POLL_MS)
  }
  const seconds = (Date.now() - lostAt) / 1000
  process.stderr.write(`ClickHouse lost ${lost} rows, which are back after ${seconds.toFixed(1)} s\n`)
  await quiet(drill, options.pause * 1000)
  return { seconds, faults: lost > 0 ? [] : ['ClickHouse lost no row: give it a longer --lost'] }
}

/** How many there are of windows that had ended by then. */
async function rowsUntil({ clickhouse }: Stand, until: number): Promise<number> {
  const sql = `SELECT count() AS rows FROM db.ctr_results FINAL WHERE window_end <= fromUnixTimestamp64Milli(${until})`
  const [found] = await clickhouse.rows<{ rows: number }>(sql, NAME)
  return found?.rows ?? 0
}

async function restart(drill: Drill, more: Partial<EngineOptions>): Promise<void> {
  drill.engine = startEngine(drill.stand, { ...drill.engineOptions, ...more })
  await unlessFailed(drill.load, [drill.engine], within(START_MAX_MS, drill.engine.consuming, 'the engine does not get to counting'))
}

function strike({ blows, load }: Drill, kind: string): void {
  blows.push({ kind, at: Date.now() })
  process.stderr.write(`${blows.length}: lost is ${kind}; ${load.events} events sent\n`)
}

await runScript(() => withStand(main))
