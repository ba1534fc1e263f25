/**
 * Brings batches to ClickHouse, however long it takes. Nothing is given up: failures that pass are retried with exponential backoff and
 * full jitter, others every FIXED_DELAY_MS, for somebody may mend the table, the right or the password meanwhile. What goes wrong is
 * reported once per kind of trouble: at once when waiting won't help by itself, else after maxRetries failures in a row.
 *
 * A batch that is refused for what it holds is cut up until the rows to blame stand alone (place.ts). If the rows are to blame, and not the
 * table (parking.ts), they are reported as parked and the batch counts as delivered. Otherwise what is left of the batch is held: tried
 * every FIXED_DELAY_MS as it is, and cut up anew every HOLD_MS.
 *
 * The ledger goes its own way beside the rows, over the same connection, so that neither waits for the other.
 */
import type { ClickHouseClient } from '@clickhouse/client'
import { assert } from '../assert.ts'
import { type Backoff, backoffMs } from '../backoff.ts'
import { applySchema, checkSchema, type TableTypes } from '../clickhouse/apply-schema.ts'
import { CONTENT, TOO_LARGE, TOO_MANY_PARTS } from '../clickhouse/codes.ts'
import { clickHouseCode, clickHouseReason, connect, type Endpoint, explainClickHouse, isAway } from '../clickhouse/connect.ts'
import { LEDGER, LEDGER_WINDOWS, RESULTS, type Table } from '../clickhouse/schema.ts'
import { sleep as systemSleep } from '../clock.ts'
import { CtrError } from '../errors.ts'
import type { LedgerRow, WindowLedgerRow } from '../window/ledger.ts'
import type { Batch } from './batch.ts'
import { type InsertForm, insertForm, insertRows } from './insert.ts'
import { InsertSize } from './insert-size.ts'
import { encodeLedger, encodeWindows } from './ledger-binary.ts'
import { PARKED_MAX, Parking, type Verdict } from './parking.ts'
import { type Outcome, place, type RefusedRow } from './place.ts'
import { EncodedRows, type ResultRow, type RowRange } from './row-reader.ts'
import { countEmitDelay, countFlush, countParked, countRetry } from './sink-stats.ts'
import { type TroubleReports, Troubles, type Work } from './troubles.ts'

/** With full jitter: anything up to the bound. */
const BACKOFF: Backoff = { firstMs: 100, maxMs: 10_000, shares: [0, 1] }
const FIXED_DELAY_MS = 2_000
const HOLD_MS = 60_000
const INTERVAL_WIDEST_MS = 10_000
/** The ledger's windows of a long catch-up go in several inserts. */
const LEDGER_ROWS_MAX = 20_000

/** A row that is not in ClickHouse because it refuses it: `reason` in its own words. */
export interface ParkedRow extends ResultRow {
  readonly code: number
  readonly reason: string
}

/** What main hears of. */
export interface DeliveryReports extends TroubleReports {
  parked(rows: readonly ParkedRow[]): void
}

export interface DeliveryOptions {
  readonly endpoint: Endpoint
  readonly tenant: string
  readonly revision: number
  readonly maxRetries: number
  readonly flushIntervalMs: number
  readonly stats: SharedArrayBuffer
  readonly reports: DeliveryReports
  readonly random: () => number
  /** Ends every wait and request; deliver then resolves false. */
  readonly signal: AbortSignal
  /** For tests, which have no time; the machine's own when not given. ms. */
  readonly now?: () => number
  readonly sleep?: typeof systemSleep
}

export class Delivery {
  /** How long rows may wait for others to share an insert, ms: flushIntervalMs, or more while ClickHouse complains of too many parts. */
  intervalMs: number
  /** Rows of the batch under way that are not acknowledged. */
  pending = 0

  #client: ClickHouseClient
  #endpoint: Endpoint
  /** As ClickHouse has them; insert forms follow. */
  #types: TableTypes = new Map()
  readonly #forms = new Map<Table, InsertForm>()
  readonly #options: DeliveryOptions
  readonly #slots: Float64Array
  readonly #troubles: Troubles
  readonly #parking = new Parking()
  readonly #size: InsertSize
  readonly #now: () => number
  readonly #sleep: typeof systemSleep
  /** In a row, by kind of work. */
  readonly #failures: Record<Work, number> = { rows: 0, ledger: 0 }

  constructor(options: DeliveryOptions) {
    this.#options = options
    this.#endpoint = options.endpoint
    this.intervalMs = options.flushIntervalMs
    this.#client = connect(options.endpoint, options.endpoint.database)
    this.#slots = new Float64Array(options.stats)
    this.#troubles = new Troubles(options.reports)
    this.#size = new InsertSize(options.endpoint.requestTimeoutMs)
    this.#now = options.now ?? (() => performance.now())
    this.#sleep = options.sleep ?? systemSleep
  }

  /** Waits until ClickHouse answers and has the tables; throws what waiting won't mend, for at the start that is a wrong setting. */
  async prepare(apply: boolean): Promise<void> {
    const { signal, random } = this.#options
    for (let failures = 0; !signal.aborted; ) {
      try {
        if (apply) await applySchema(this.#endpoint)
        this.#adopt(await checkSchema(this.#endpoint))
        return this.#troubles.clear('rows')
      } catch (error) {
        const problem = explainClickHouse(error, this.#endpoint)
        if (!problem.retriable) throw problem
        failures++
        this.#troubles.set('rows', problem)
        await this.#sleep(backoffMs(failures, BACKOFF, random), signal)
      }
    }
  }

  /** Resolves true when every row of the batch is acknowledged by ClickHouse or reported as parked, false when it was told to stop. */
  async deliver(batch: Batch): Promise<boolean> {
    const { signal, reports } = this.#options
    let rows = new EncodedRows(batch.bytes.subarray(0, batch.size), batch.rows)
    this.pending = rows.count
    let parked = 0
    while (rows.count > 0) {
      const current = rows
      const size = () => this.#size.rows
      const placement = await place(current.count, PARKED_MAX, size, (range) => this.#attempt(current, range))
      if (signal.aborted) return false
      const { refused, left } = placement
      if (refused.length === 0) break
      const table = await this.#checkTable('rows')
      rows = current.gather([...refused.map(({ row }) => ({ from: row, to: row + 1 })), ...left])
      if (table === 'changed') continue
      let why = table
      if (why === 'sound') {
        const verdict = this.#parking.judge(batch.rows - this.pending, placement, this.#now())
        if (verdict === 'park') {
          parked = refused.length
          countParked(this.#slots, parked)
          reports.parked(refused.map((each) => parkedRow(current, each)))
          break
        }
        why = heldProblem(verdict, refused, this.#endpoint)
      }
      rows = await this.#hold(rows, why)
    }
    if (signal.aborted) return false
    assert(this.pending === parked, 'every row of a batch is acknowledged or parked', { of: batch.rows, pending: this.pending, parked })
    this.#delivered(batch)
    return true
  }

  /** Resolves true when ClickHouse has acknowledged all rows of both kinds, false when it was told to stop. `cutAt`: wall time, ms. */
  async writeLedger(rows: readonly LedgerRow[], windows: readonly WindowLedgerRow[], cutAt: number): Promise<boolean> {
    const { tenant, revision } = this.#options
    // Of a partition of which nothing was read there is nothing to say, and no last offset to say it of.
    const said = rows.filter(({ last, totals }) => last >= totals.first)
    for (const some of chunks(said)) if (!(await this.#insist(LEDGER, encodeLedger(tenant, some, cutAt)))) return false
    for (const some of chunks(windows)) {
      if (!(await this.#insist(LEDGER_WINDOWS, encodeWindows(tenant, revision, some, cutAt)))) return false
    }
    return true
  }

  /** Later attempts go to another address. */
  move(address: Pick<Endpoint, 'url' | 'username' | 'password'>): void {
    void this.#client.close()
    const { url, username, password } = address
    this.#endpoint = { ...this.#endpoint, url, username, password }
    this.#client = connect(this.#endpoint, this.#endpoint.database)
  }

  async close(): Promise<void> {
    await this.#client.close()
  }

  /** One insert. Failures that are not about content are waited out, as far as waiting goes, before it says "again". */
  async #attempt(rows: EncodedRows, range: RowRange): Promise<Outcome> {
    const { signal } = this.#options
    const count = range.to - range.from
    const begun = performance.now()
    try {
      await insertRows(this.#client, this.#form(RESULTS), rows.slice(range), signal)
    } catch (error) {
      if (signal.aborted) return 'stopped'
      const code = clickHouseCode(error)
      if (CONTENT.has(code)) {
        this.#failures.rows = 0
        return { code, reason: clickHouseReason(error) }
      }
      const ms = performance.now() - begun
      if (!isAway(error)) this.#size.failed(count, ms, code !== 0, TOO_LARGE.has(code), this.#now())
      if (code === TOO_MANY_PARTS) this.intervalMs = Math.max(this.intervalMs, Math.min(this.intervalMs * 2, INTERVAL_WIDEST_MS))
      await this.#failed('rows', error)
      return signal.aborted ? 'stopped' : 'again'
    }
    const ms = performance.now() - begun
    this.#failures.rows = 0
    this.#size.accepted(ms, this.#now())
    this.#parking.accepted()
    this.pending -= count
    countFlush(this.#slots, count, ms / 1000)
    return 'accepted'
  }

  /** Waits for somebody to mend what holds the rows, HOLD_MS at most. Gives those of them that are still to be placed. */
  async #hold(rows: EncodedRows, why: CtrError): Promise<EncodedRows> {
    const { signal } = this.#options
    let problem = why
    for (const end = this.#now() + HOLD_MS; this.#now() < end && !signal.aborted; ) {
      this.#troubles.set('rows', problem)
      await this.#sleep(FIXED_DELAY_MS, signal)
      if (signal.aborted) break
      const table = await this.#checkTable('rows')
      if (table instanceof CtrError) {
        problem = table
        continue
      }
      problem = why
      const first = { from: 0, to: Math.min(rows.count, this.#size.rows) }
      if ((await this.#attempt(rows, first)) === 'accepted') return rows.gather([{ from: first.to, to: rows.count }])
      countRetry(this.#slots)
    }
    return rows
  }

  /** Tries an insert into a table of the ledger until it is done: true; or the end came: false. */
  async #insist(table: Table, bytes: Uint8Array): Promise<boolean> {
    const { signal } = this.#options
    while (!signal.aborted) {
      try {
        await insertRows(this.#client, this.#form(table), bytes, signal)
        this.#failures.ledger = 0
        this.#troubles.clear('ledger')
        return true
      } catch (error) {
        if (signal.aborted) return false
        const checked = CONTENT.has(clickHouseCode(error)) ? await this.#checkTable('ledger') : 'sound'
        if (checked !== 'changed') await this.#failed('ledger', checked === 'sound' ? error : checked)
      }
    }
    return false
  }

  /** Whether the tables have the columns that rows are written for. `changed`: with other types than before; inserts follow. */
  async #checkTable(work: Work): Promise<'sound' | 'changed' | CtrError> {
    const { signal } = this.#options
    while (!signal.aborted) {
      try {
        return this.#adopt(await checkSchema(this.#endpoint)) ? 'changed' : 'sound'
      } catch (error) {
        const problem = explainClickHouse(error, this.#endpoint)
        if (!problem.retriable) return problem
        await this.#failed(work, problem)
      }
    }
    return 'sound'
  }

  /** Whether the types differ from those known before. */
  #adopt(types: TableTypes): boolean {
    const differ = [...types].some(([table, columns]) => columns.join() !== this.#types.get(table)?.join())
    this.#types = types
    if (differ) this.#forms.clear()
    return differ
  }

  #form(table: Table): InsertForm {
    const known = this.#forms.get(table)
    if (known !== undefined) return known
    const form = insertForm(table, this.#types.get(table.name))
    this.#forms.set(table, form)
    return form
  }

  #delivered(batch: Batch): void {
    const now = Date.now()
    for (const windowEnd of batch.firstEnds) countEmitDelay(this.#slots, (now - windowEnd) / 1000)
    this.intervalMs = Math.max(this.#options.flushIntervalMs, this.intervalMs * 0.9)
    this.pending = 0
    this.#troubles.clear('rows')
  }

  async #failed(work: Work, error: unknown): Promise<void> {
    const { maxRetries, random, signal } = this.#options
    const problem = explainClickHouse(error, this.#endpoint)
    const failures = ++this.#failures[work]
    countRetry(this.#slots)
    if (!problem.retriable || failures > maxRetries) this.#troubles.set(work, problem)
    await this.#sleep(problem.retriable ? backoffMs(failures, BACKOFF, random) : FIXED_DELAY_MS, signal)
  }
}

function parkedRow(rows: EncodedRows, { row, refusal }: RefusedRow): ParkedRow {
  return { ...rows.read(row), ...refusal }
}

function heldProblem(verdict: Exclude<Verdict, 'park'>, refused: readonly RefusedRow[], { url }: Endpoint): CtrError {
  const reason = refused[0]?.refusal.reason
  const what = verdict === 'table' ? 'every row for what it holds' : `more than ${PARKED_MAX} rows a minute for what they hold`
  const remedy = 'mend the constraint, column, default or view of ctr_results that does it: the rows wait'
  return new CtrError('CTR_CLICKHOUSE_REFUSED', `clickhouse.database: ClickHouse at ${url} refuses ${what} (${reason}); ${remedy}`)
}

function* chunks<T>(rows: readonly T[]): Generator<readonly T[]> {
  for (let from = 0; from < rows.length; from += LEDGER_ROWS_MAX) yield rows.slice(from, from + LEDGER_ROWS_MAX)
}
