/**
 * Entry of the sink's thread, the only one that talks to ClickHouse: rows out of the workers' rings, in batches, into ctr_results.
 *
 *   start     schema applied (when asked for) and checked → `ready`; what waiting won't mend → `failed`, and the thread ends
 *   running   one insert at a time, sent when the batch is full, when its oldest row has waited flushIntervalMs, or at once when a
 *             barrier or the end is complete; `barrier n` when every row before barrier n, in every ring, is acknowledged
 *   end       every ring ended and every row acknowledged → `ended`
 *
 * Rows that ClickHouse refuses for what they hold are told as `parked` before the first barrier behind them. The ledger is written beside
 * all this, one order after another, from `ready` until the thread is terminated: `ended` does not end it.
 *
 * Beside that, roll-ups are computed at intervals (roll-up-loop.ts): `rollUps` tells each time what has come of it. Once more they are when
 * that is ordered, at the end of a bounded run.
 *
 * A failing ClickHouse stops the reading of rings (row-intake.ts) and is retried for ever (deliver.ts): `trouble`, later `recovered`.
 */
import { parentPort, workerData } from 'node:worker_threads'
import { assert } from '../assert.ts'
import { type Endpoint, explainClickHouse } from '../clickhouse/connect.ts'
import { CtrError, type CtrErrorCode } from '../errors.ts'
import type { Form } from '../tables/objects.ts'
import type { TablePlacement } from '../tables/placement.ts'
import type { RollUpOutcome } from '../tables/roll-up-job.ts'
import type { LedgerRow, WindowLedgerRow } from '../window/ledger.ts'
import { Delivery, type ParkedRow } from './deliver.ts'
import { RollUpLoop } from './roll-up-loop.ts'
import { RowIntake } from './row-intake.ts'
import { countExpired, countRollUp, setPending } from './sink-stats.ts'
import { type ToldWindow, toldWindows } from './told-windows.ts'

/** The thread's workerData. */
export interface SinkThreadData {
  /** One ring per worker, carrying blocks of rows, barriers and an end. */
  readonly rings: readonly SharedArrayBuffer[]
  /** See sink-stats.ts. */
  readonly stats: SharedArrayBuffer
  /** See window/closings.ts. */
  readonly closings?: SharedArrayBuffer | undefined
  readonly endpoint: Endpoint
  readonly tenant: string
  readonly revision: number
  readonly revisionFrom?: number | undefined
  /** The name of the windows, see RESULTS_TABLE; empty when not given. */
  readonly windowName?: string
  readonly hidesRows?: boolean
  readonly batchRows: number
  readonly flushIntervalMs: number
  readonly maxRetries: number
  /** For how long rows are kept after the end of their window. */
  readonly keptMs: number
  readonly form: Form
  /** Whether the tables are ours to make. */
  readonly applySchema: boolean
  /** How often roll-ups are computed; infinite: never. */
  readonly rollUpIntervalMs: number
  readonly placement: TablePlacement
  /** Each window that is closed is told. */
  readonly tellsWindows: boolean
}

/** What the thread says. */
export type SinkReport =
  | { readonly kind: 'ready' | 'recovered' | 'ended' | 'expired' }
  | {
      readonly kind: 'failed' | 'trouble' | 'retrying' | 'notRolledUp'
      readonly code: CtrErrorCode
      readonly message: string
      readonly retriable: boolean
    }
  | { readonly kind: 'barrier'; readonly number: number }
  | { readonly kind: 'parked'; readonly rows: readonly ParkedRow[] }
  | { readonly kind: 'moved'; readonly url: string; readonly why: string }
  | { readonly kind: 'ledger'; readonly number: number }
  | { readonly kind: 'schema' | 'schemaLoss'; readonly text: string }
  | { readonly kind: 'windows'; readonly windows: readonly ToldWindow[] }
  | { readonly kind: 'rollUps' | 'rolledUp'; readonly outcome: RollUpOutcome }
  | { readonly kind: 'rollingUp'; readonly step: string }

/** What the thread is told. */
export type SinkOrder =
  | { readonly kind: 'moved'; readonly endpoint: Partial<Endpoint> }
  /** Everything, once; it is answered by `rolledUp` or `notRolledUp`. */
  | { readonly kind: 'rollUp' }
  | {
      readonly kind: 'ledger'
      /** Comes back with the acknowledgement. */
      readonly number: number
      readonly rows: readonly LedgerRow[]
      readonly windows: readonly WindowLedgerRow[]
      /** Wall time, ms. */
      readonly cutAt: number
    }

/** A ring that is quiet is looked at again after this time, should a wake-up ever be missed. */
const RING_WAIT_MS = 1_000

const port = parentPort
assert(port !== null, 'the sink runs as a thread')
const report = (message: SinkReport) => port.postMessage(message)
const data = workerData as SinkThreadData
const slots = new Float64Array(data.stats)
const delivery = new Delivery({
  ...data,
  random: Math.random,
  signal: new AbortController().signal,
  reports: {
    trouble: (error) => report(failure('trouble', error)),
    retrying: (error) => report(failure('retrying', error)),
    recovered: () => report({ kind: 'recovered' }),
    parked: (rows) => report({ kind: 'parked', rows }),
    moved: (url, { message }) => report({ kind: 'moved', url, why: message }),
  },
})
const bell = createBell()
const rollUps = new RollUpLoop(data.endpoint, data.form, data.rollUpIntervalMs, (outcome) => {
  countRollUp(slots, outcome.seconds)
  report({ kind: 'rollUps', outcome })
})
const prepared = delivery.prepare(data.applySchema ? data.form : undefined, data.placement, {
  info: (text) => report({ kind: 'schema', text }),
  warn: (text) => report({ kind: 'schemaLoss', text }),
})
/** Orders of the ledger, one behind another. What goes wrong with one is a bug, and ends the thread as one. */
let ledger: Promise<void> = prepared.catch(() => undefined)
port.on('message', (order: SinkOrder) => {
  if (order.kind === 'moved') {
    delivery.move(order.endpoint)
    rollUps.move(order.endpoint)
    bell.ring()
  } else if (order.kind === 'rollUp') {
    rollUps
      .last((step) => report({ kind: 'rollingUp', step }))
      .then(
        (outcome) => report({ kind: 'rolledUp', outcome }),
        (error: unknown) => report(failure('notRolledUp', explainClickHouse(error, data.endpoint))),
      )
  } else {
    const { number, rows, windows, cutAt } = order
    ledger = ledger.then(async () => {
      await delivery.writeLedger(rows, windows, cutAt)
      report({ kind: 'ledger', number })
    })
  }
})

try {
  await prepared
  report({ kind: 'ready' })
  rollUps.start()
  await run(new RowIntake(data.rings, data.batchRows, data.keptMs))
} catch (error) {
  if (!(error instanceof CtrError)) throw error
  report(failure('failed', error))
  await delivery.close()
  port.close()
}

async function run(intake: RowIntake): Promise<void> {
  const waiting = intake.readers.map(() => false)
  let away = false
  /** Barriers whose rows are all in batches sent, acknowledged, told. */
  let sent = -1
  let told = -1

  const tell = (barrier: number) => {
    if (barrier > told) report({ kind: 'barrier', number: barrier })
    told = Math.max(told, barrier)
  }
  const send = () => {
    const batch = intake.take()
    const barrier = intake.barrier
    sent = barrier
    away = true
    void delivery.deliver(batch).then((delivered) => {
      if (delivered && batch.rowsExpired > 0) {
        countExpired(slots, batch.rowsExpired)
        report({ kind: 'expired' })
      }
      if (delivered && data.tellsWindows) report({ kind: 'windows', windows: toldWindows(batch, Date.now()) })
      intake.give(batch)
      away = false
      if (delivered) tell(barrier)
      bell.ring()
    }, bell.fail)
  }

  for (;;) {
    const now = performance.now()
    intake.read(now)
    setPending(slots, intake.rows + delivery.pending)
    const due = intake.since + delivery.intervalMs
    const atOnce = intake.full || intake.barrier > sent || intake.ended
    if (!away && intake.rows > 0 && (atOnce || now >= due)) {
      send()
      continue
    }
    if (!away && intake.rows === 0) {
      tell(intake.barrier)
      if (intake.ended) return report({ kind: 'ended' })
    }
    if (!intake.full) listen(intake, waiting)
    await bell.wait(!away && intake.rows > 0 ? due - now : RING_WAIT_MS)
  }
}

/** Lets every ring that is read wake the loop, once. */
function listen(intake: RowIntake, waiting: boolean[]): void {
  for (let ring = 0; ring < waiting.length; ring++) {
    if (waiting[ring] || intake.hasEnded(ring)) continue
    waiting[ring] = true
    intake.readers[ring]!.waitAsync(RING_WAIT_MS).then(() => {
      waiting[ring] = false
      bell.ring()
    }, bell.fail)
  }
}

/** One waiter; a ring while nobody waits ends the next wait at once. */
function createBell() {
  let rung = false
  let failed: unknown
  let wake: (() => void) | undefined
  const ring = () => {
    rung = true
    wake?.()
  }
  return {
    ring,
    /** The waiter throws this. */
    fail: (error: unknown) => {
      failed = error
      ring()
    },
    wait: async (ms: number) => {
      if (!rung) {
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, Math.max(0, ms))
          wake = () => {
            clearTimeout(timer)
            resolve()
          }
        })
      }
      wake = undefined
      rung = false
      if (failed !== undefined) throw failed
    },
  }
}

function failure(kind: 'failed' | 'trouble' | 'retrying' | 'notRolledUp', error: CtrError): SinkReport {
  return { kind, code: error.code, message: error.message, retriable: error.retriable }
}
