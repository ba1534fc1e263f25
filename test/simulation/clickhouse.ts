/**
 * ClickHouse and the sink in front of it. The tables keep what ReplacingMergeTree keeps. The sink reads the row rings with the engine's own
 * intake; inserts take their time, fail, take effect twice or later than a newer one, and of a process that has died in part or not at all.
 */

import { CtrError } from '../../src/errors.ts'
import type { ParkedRow } from '../../src/sink/deliver.ts'
import { RowIntake } from '../../src/sink/row-intake.ts'
import type { Sink } from '../../src/sink/sink.ts'
import { createSinkStats, readSinkStats } from '../../src/sink/sink-stats.ts'
import type { LedgerRow, WindowLedgerRow } from '../../src/window/ledger.ts'
import { type OracleRow, rowKey } from '../../workshop/oracle.ts'
import { readRow } from '../../workshop/read-row.ts'
import type { Owner } from './scheduler.ts'
import { differenceOf } from './truth.ts'
import type { World } from './world.ts'

export class ClickHouse {
  readonly rows = new Map<string, OracleRow>()
  /** By topic, partition and last offset. */
  readonly ledger = new Map<string, LedgerRow>()
  /** By task and window end. */
  readonly windows = new Map<string, WindowLedgerRow>()
  readonly #world: World

  constructor(world: World) {
    this.#world = world
  }

  insert(rows: readonly OracleRow[]): void {
    const anyVersion = this.#world.mutation === 'version ignored'
    for (const row of rows) {
      const key = rowKey(row)
      const old = this.rows.get(key)
      // Of two incomplete values with as many events the later one stays, as there; the complete one is above both.
      if (old === undefined || anyVersion || row.version >= old.version) this.rows.set(key, row)
      const want = this.#world.truth.rows.get(key)
      if (row.impressions > (want?.impressions ?? 0) || row.clicks > (want?.clicks ?? 0)) {
        this.#world.violation(
          `row ${key} counts too much: ${row.impressions}+${row.clicks}, the truth is ${want?.impressions}+${want?.clicks}`,
        )
      }
    }
  }

  insertLedger(rows: readonly LedgerRow[], windows: readonly WindowLedgerRow[]): void {
    for (const row of rows) {
      const { topic, partition, last, totals, deadLettered, maxEventTime } = row
      const key = `${topic}/${partition}/${totals.first}-${last}`
      const want = this.#world.truth.prefix(topic, partition, last + 1)
      const { ignored, ...reasons } = totals.invalid
      const invalid = Object.values(reasons).reduce((sum, count) => sum + count, 0)
      const difference = differenceOf(totals, want)
      if (difference !== undefined) this.#world.violation(`ledger ${key}: ${difference}`)
      if (totals.first !== 0) this.#world.violation(`ledger ${key} does not begin at 0`)
      if (maxEventTime !== want.ledgerTime) this.#world.violation(`ledger ${key}: largest event time ${maxEventTime}`)
      if (deadLettered !== invalid) this.#world.violation(`ledger ${key}: ${deadLettered} of ${invalid} dead-lettered`)
      this.ledger.set(key, row)
    }
    for (const row of windows) {
      const key = `${row.task}/${row.end}`
      const old = this.windows.get(key)
      if (old === undefined || row.events > old.events) this.windows.set(key, row)
    }
  }
}

const RETRY_MS = 200
/** What an insert that was given up on may still do. */
const GHOST_CHANCE = 0.02

export class SimulatedSink implements Sink {
  readonly ready: Promise<void>
  readonly ended: Promise<void>
  readonly #world: World
  readonly #clickHouse: ClickHouse
  readonly #pod: Owner
  readonly #intake: RowIntake
  readonly #stats = createSinkStats()
  readonly #ended = Promise.withResolvers<void>()
  readonly #stopped = Promise.withResolvers<void>()
  #reading = false
  #away = false
  #stop = false
  #told = -1
  #sent = -1
  #onBarrier: (number: number) => void = () => {}
  #onDied: (error: CtrError) => void = () => {}
  #onParked: (rows: readonly ParkedRow[]) => void = () => {}

  constructor(world: World, clickHouse: ClickHouse, pod: Owner, rings: readonly SharedArrayBuffer[]) {
    this.#world = world
    this.#clickHouse = clickHouse
    this.#pod = pod
    this.#intake = new RowIntake(rings, 1 + world.random.below(200))
    this.ready = world.pause(world.latency())
    this.ended = this.#ended.promise
    this.ended.catch(() => {})
  }

  /** There is something in the rings. */
  wake(): void {
    if (this.#reading || this.#stop) return
    this.#reading = true
    this.#world.time.after(this.#world.random.below(4), () => this.#read(), this.#pod)
  }

  onBarrier(callback: (number: number) => void): void {
    this.#onBarrier = callback
  }

  onParked(callback: (rows: readonly ParkedRow[]) => void): void {
    this.#onParked = callback
  }

  onDied(callback: (error: CtrError) => void): void {
    this.#onDied = callback
  }

  onTrouble(): void {}

  /** The thread ends though nobody stopped it. */
  die(): void {
    if (this.#stop) return
    void this.stop()
    this.#onDied(new CtrError('CTR_SINK_DIED', 'the sink thread ended: out of luck'))
  }

  async writeLedger(rows: readonly LedgerRow[], windows: readonly WindowLedgerRow[]): Promise<void> {
    if (this.#world.mutation === 'ledger not awaited') {
      void this.#persist(() => this.#clickHouse.insertLedger(rows, windows))
      return
    }
    await Promise.race([this.#persist(() => this.#clickHouse.insertLedger(rows, windows)), this.#stopped.promise])
  }

  stats() {
    return readSinkStats(this.#stats)
  }

  async stop(): Promise<void> {
    this.#stop = true
    const error = new CtrError('CTR_SINK_DIED', 'the sink was stopped')
    this.#stopped.promise.catch(() => {})
    this.#stopped.reject(error)
    this.#ended.reject(error)
  }

  #read(): void {
    this.#reading = false
    if (this.#stop) return
    const intake = this.#intake
    const { random, time } = this.#world
    intake.read(time.now)
    if (this.#world.mutation === 'commit before the rows are acknowledged') this.#tell(intake.barrier)
    if (this.#away) return
    const atOnce = intake.full || intake.barrier > this.#sent || intake.ended
    if (intake.rows > 0 && (atOnce || random.chance(0.3))) return void this.#send()
    if (intake.rows > 0) {
      this.#reading = true
      time.after(random.below(100), () => this.#read(), this.#pod)
      return
    }
    this.#tell(intake.barrier)
    if (intake.ended) this.#ended.resolve()
  }

  async #send(): Promise<void> {
    const intake = this.#intake
    const batch = intake.take()
    const { barrier } = intake
    this.#sent = barrier
    this.#away = true
    const rows: OracleRow[] = []
    for (let at = 0; at < batch.size; ) {
      const { row, end } = readRow(batch.bytes, at, this.#world.plan.rules.windowSlide !== undefined)
      rows.push(row)
      at = end
    }
    const refused = rows.filter(({ product }) => product === this.#world.plan.poison)
    const taken = rows.filter((row) => !refused.includes(row))
    if (taken.length > 0) await this.#persist(() => this.#insert(taken))
    if (refused.length > 0) this.#onParked(refused.map(parked))
    intake.give(batch)
    this.#away = false
    this.#tell(barrier)
    this.wake()
  }

  /** The whole, but of a process that has died perhaps a part; perhaps once more, much later. */
  #insert(rows: readonly OracleRow[]): void {
    const { random, time } = this.#world
    const done = this.#pod.dead ? rows.filter(() => random.chance(0.5)) : rows
    this.#clickHouse.insert(done)
    if (random.chance(GHOST_CHANCE)) time.after(random.below(10_000), () => this.#clickHouse.insert(rows), undefined)
  }

  async #persist(effect: () => void): Promise<void> {
    for (let done = false; !done && !this.#stop; ) {
      done = await this.#world.request(this.#pod, 'clickhouse', effect).then(
        () => true,
        () => this.#world.pause(RETRY_MS).then(() => false),
      )
    }
    if (this.#stop) await new Promise(() => {})
  }

  #tell(barrier: number): void {
    if (barrier <= this.#told) return
    this.#told = barrier
    this.#onBarrier(barrier)
  }
}

function parked({ product, ...row }: OracleRow): ParkedRow {
  return { ...row, productId: product, emittedAt: row.windowEnd, code: 469, reason: 'a constraint is violated' }
}
