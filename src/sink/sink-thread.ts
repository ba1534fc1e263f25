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
 * A failing ClickHouse stops the reading of rings (row-intake.ts) and is retried for ever (deliver.ts): `trouble`, later `recovered`.
 */
import { parentPort, workerData } from 'node:worker_threads'
import { assert } from '../assert.ts'
import type { Endpoint } from '../clickhouse/connect.ts'
import { CtrError, type CtrErrorCode } from '../errors.ts'
import type { LedgerRow, WindowLedgerRow } from '../window/ledger.ts'
import { Delivery, type ParkedRow } from './deliver.ts'
import { RowIntake } from './row-intake.ts'
import { setPending } from './sink-stats.ts'

/** The thread's workerData. */
export interface SinkThreadData {
  /** One ring per worker, carrying blocks of rows, barriers and an end. */
  readonly rings: readonly SharedArrayBuffer[]
  /** See sink-stats.ts. */
  readonly stats: SharedArrayBuffer
  readonly endpoint: Endpoint
  readonly tenant: string
  readonly revision: number
  readonly batchRows: number
  readonly flushIntervalMs: number
  readonly maxRetries: number
  readonly applySchema: boolean
}

/** What the thread says. */
export type SinkReport =
  | { readonly kind: 'ready' | 'recovered' | 'ended' }
  | { readonly kind: 'failed' | 'trouble'; readonly code: CtrErrorCode; readonly message: string; readonly retriable: boolean }
  | { readonly kind: 'barrier'; readonly number: number }
  | { readonly kind: 'parked'; readonly rows: readonly ParkedRow[] }
  | { readonly kind: 'ledger'; readonly number: number }

/** What the thread is told. */
export type SinkOrder =
  | { readonly kind: 'moved'; readonly url: string; readonly username: string; readonly password: string }
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
    recovered: () => report({ kind: 'recovered' }),
    parked: (rows) => report({ kind: 'parked', rows }),
  },
})
const bell = createBell()
const prepared = delivery.prepare(data.applySchema)
/** Orders of the ledger, one behind another. What goes wrong with one is a bug, and ends the thread as one. */
let ledger: Promise<void> = prepared.catch(() => undefined)
port.on('message', (order: SinkOrder) => {
  if (order.kind === 'moved') {
    delivery.move(order)
    bell.ring()
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
  await run(new RowIntake(data.rings, data.batchRows))
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

function failure(kind: 'failed' | 'trouble', error: CtrError): SinkReport {
  return { kind, code: error.code, message: error.message, retriable: error.retriable }
}
