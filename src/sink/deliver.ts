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
 *
 * Of several addresses one is in use. What another server may do better is tried there at once; when all were tried, it is waited.
 */
import type { ClickHouseClient } from '@clickhouse/client'
import { assert } from '../assert.ts'
import { type Backoff, backoffMs } from '../backoff.ts'
import { mayBeDoneElsewhere, nextAddress } from '../clickhouse/addresses.ts'
import { CONTENT, TOO_LARGE, TOO_MANY_PARTS } from '../clickhouse/codes.ts'
import { clickHouseCode, clickHouseReason, connect, type Endpoint, explainClickHouse, isAway } from '../clickhouse/connect.ts'
import { settingsFor } from '../clickhouse/settings.ts'
import { sleep as systemSleep } from '../clock.ts'
import { CtrError } from '../errors.ts'
import { type ApplyReports, applySchema } from '../tables/apply.ts'
import { checkAnswers, checkSchema, type TableTypes } from '../tables/check.ts'
import { LEDGER, LEDGER_WINDOWS, RESULTS, type Table } from '../tables/columns.ts'
import type { Form } from '../tables/objects.ts'
import { checkPlacement, type TablePlacement, tellUnseen } from '../tables/placement.ts'
import { Closings } from '../window/closings.ts'
import type { LedgerRow, WindowLedgerRow } from '../window/ledger.ts'
import type { Batch } from './batch.ts'
import { countDelivered } from './count-delivered.ts'
import { INSERT_SETTINGS, type Insert, type InsertForm, insertForm, insertRows } from './insert.ts'
import { InsertSize } from './insert-size.ts'
import { encodeLedger, encodeWindows } from './ledger-binary.ts'
import { PARKED_MAX, Parking } from './parking.ts'
import { type Outcome, place } from './place.ts'
import { heldProblem, SILENCE_MS, silenceProblem } from './problems.ts'
import { encodeName } from './row-binary.ts'
import { EncodedRows, type ResultRow, type RowRange } from './row-reader.ts'
import { countFlush, countMove, countParked, countRetry } from './sink-stats.ts'
import { type TroubleReports, Troubles, type Work } from './troubles.ts'

/** With full jitter: anything up to the bound. */
const BACKOFF: Backoff = { firstMs: 100, maxMs: 10_000, shares: [0, 1] }
const FIXED_DELAY_MS = 2_000
const HOLD_MS = 60_000
/** How long attempts fail before it is told that they do. */
const RETRYING_TOLD_MS = 1_500
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
  /** For a while every attempt has failed, or one has had no answer, which may pass; the end is `recovered`, or `trouble`. */
  retrying(problem: CtrError): void
  parked(rows: readonly ParkedRow[]): void
  /** Rows are written at another address than before, as the one before has this trouble. */
  moved(url: string, problem: CtrError): void
}

export interface DeliveryOptions {
  readonly endpoint: Endpoint
  readonly tenant: string
  readonly revision: number
  readonly revisionFrom?: number | undefined
  /** The name of the windows, see RESULTS_TABLE; empty when not given. */
  readonly windowName?: string
  readonly hidesRows?: boolean
  readonly maxRetries: number
  readonly flushIntervalMs: number
  readonly stats: SharedArrayBuffer
  /** Where main notes when windows were closed (window/closings.ts); without it latency is not counted. */
  readonly closings?: SharedArrayBuffer | undefined
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
  /** Where rows were written last, as far as was told; and why they are not any more. */
  #home: string
  #left: CtrError | undefined
  /** As ClickHouse has them; insert forms follow. */
  #types: TableTypes = new Map()
  /** What the name of the windows takes in each row. */
  readonly #nameBytes: number
  readonly #forms = new Map<Table, InsertForm>()
  readonly #options: DeliveryOptions
  readonly #slots: Float64Array
  readonly #closings: Closings | undefined
  readonly #troubles: Troubles
  readonly #parking = new Parking()
  readonly #size: InsertSize
  readonly #now: () => number
  readonly #sleep: typeof systemSleep
  /** In a row, by kind of work. */
  readonly #failures: Record<Work, number> = { rows: 0, ledger: 0 }
  /** When the first of them was. */
  readonly #failedAt: Record<Work, number> = { rows: 0, ledger: 0 }
  /** Of what it is told that it is tried again. */
  readonly #retrying = new Set<Work>()

  constructor(options: DeliveryOptions) {
    this.#options = options
    this.#endpoint = options.endpoint
    this.#home = options.endpoint.url
    this.intervalMs = options.flushIntervalMs
    this.#client = connect(options.endpoint, options.endpoint.database)
    this.#slots = new Float64Array(options.stats)
    this.#closings = options.closings && new Closings(options.closings)
    this.#nameBytes = encodeName(options.windowName ?? '').length
    this.#troubles = new Troubles(options.reports)
    this.#size = new InsertSize(options.endpoint.requestTimeoutMs)
    this.#now = options.now ?? (() => performance.now())
    this.#sleep = options.sleep ?? systemSleep
  }

  /**
   * Waits until ClickHouse answers and has the tables, which are made when there is a form for them; throws what waiting won't mend, for at
   * the start that is a wrong setting, or tables that would stand where rows scatter.
   */
  async prepare(form: Form | undefined, placement: TablePlacement, reports: ApplyReports): Promise<void> {
    const { signal, random } = this.#options
    for (let failures = 0; !signal.aborted; ) {
      try {
        await this.#untilAnswered(checkAnswers(this.#endpoint))
        tellUnseen(await checkPlacement(this.#endpoint, placement), reports)
        if (form !== undefined) await applySchema(this.#endpoint, form, reports, signal)
        this.#adopt(await checkSchema(this.#endpoint))
        for (const text of (await settingsFor(this.#client, INSERT_SETTINGS)).leftOut) reports.info(text)
        return this.#troubles.clear('rows')
      } catch (error) {
        if (signal.aborted) return
        const problem = explainClickHouse(error, this.#endpoint)
        if (!problem.retriable) throw problem
        failures++
        if (this.#turn(this.#endpoint.url, problem) && !this.#roundDone(failures)) continue
        this.#troubles.set('rows', problem)
        await this.#sleep(backoffMs(this.#rounds(failures), BACKOFF, random), signal)
      }
    }
  }

  /** That nothing at all comes back is told long before the request is given up. */
  async #untilAnswered(answer: Promise<void>): Promise<void> {
    const silent = setTimeout(() => this.#troubles.set('rows', silenceProblem(this.#endpoint)), SILENCE_MS)
    await answer.finally(() => clearTimeout(silent))
  }

  /** Resolves true when every row of the batch is acknowledged by ClickHouse or reported as parked, false when it was told to stop. */
  async deliver(batch: Batch): Promise<boolean> {
    const { signal, reports } = this.#options
    let rows = new EncodedRows(batch.bytes.subarray(0, batch.size), batch.rows, this.#nameBytes)
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
          reports.parked(refused.map(({ row, refusal }) => ({ ...current.read(row), ...refusal })))
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
    const { tenant } = this.#options
    // Of a partition of which nothing was read there is nothing to say, and no last offset to say it of.
    const said = rows.filter(({ last, totals }) => last >= totals.first)
    for (const some of chunks(said))
      if (!(await this.#insist(LEDGER, { bytes: encodeLedger(tenant, some, cutAt), count: some.length }))) return false
    for (const some of chunks(windows)) {
      const bytes = encodeWindows(tenant, this.#options, some, cutAt)
      if (!(await this.#insist(LEDGER_WINDOWS, { bytes, count: some.length }))) return false
    }
    return true
  }

  /** Later attempts go to another address. */
  move(endpoint: Partial<Endpoint>): void {
    void this.#client.close()
    this.#endpoint = { ...this.#endpoint, ...endpoint }
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
    const { url } = this.#endpoint
    const slow = setTimeout(() => this.#tellRetrying('rows', silenceProblem(this.#endpoint)), SILENCE_MS)
    try {
      await insertRows(this.#client, this.#form(RESULTS), { bytes: rows.slice(range), count }, signal).finally(() => clearTimeout(slow))
    } catch (error) {
      if (signal.aborted) return 'stopped'
      const code = clickHouseCode(error)
      if (CONTENT.has(code)) {
        this.#failures.rows = 0
        return { code, reason: this.#options.hidesRows === true ? `code ${code}` : clickHouseReason(error) }
      }
      const ms = performance.now() - begun
      if (!isAway(error)) this.#size.failed(count, ms, code !== 0, TOO_LARGE.has(code), this.#now())
      if (code === TOO_MANY_PARTS) this.intervalMs = Math.max(this.intervalMs, Math.min(this.intervalMs * 2, INTERVAL_WIDEST_MS))
      await this.#failed('rows', url, error)
      return signal.aborted ? 'stopped' : 'again'
    }
    const ms = performance.now() - begun
    this.#accepted('rows')
    this.#settled(url)
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
  async #insist(table: Table, rows: Insert): Promise<boolean> {
    const { signal } = this.#options
    while (!signal.aborted) {
      const { url } = this.#endpoint
      try {
        await insertRows(this.#client, this.#form(table), rows, signal)
        this.#accepted('ledger')
        this.#troubles.clear('ledger')
        return true
      } catch (error) {
        if (signal.aborted) return false
        const checked = CONTENT.has(clickHouseCode(error)) ? await this.#checkTable('ledger') : 'sound'
        if (checked !== 'changed') await this.#failed('ledger', url, checked === 'sound' ? error : checked)
      }
    }
    return false
  }

  /** Whether the tables have the columns that rows are written for. `changed`: with other types than before; inserts follow. */
  async #checkTable(work: Work): Promise<'sound' | 'changed' | CtrError> {
    const { signal } = this.#options
    while (!signal.aborted) {
      const { url } = this.#endpoint
      try {
        return this.#adopt(await checkSchema(this.#endpoint)) ? 'changed' : 'sound'
      } catch (error) {
        const problem = explainClickHouse(error, this.#endpoint)
        if (!problem.retriable) return problem
        await this.#failed(work, url, problem)
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
    const form = insertForm(table, this.#types.get(table.name), table === RESULTS && this.#nameBytes > 0)
    this.#forms.set(table, form)
    return form
  }

  #delivered(batch: Batch): void {
    countDelivered(this.#slots, this.#closings, batch, Date.now())
    this.intervalMs = Math.max(this.#options.flushIntervalMs, this.intervalMs * 0.9)
    this.pending = 0
    this.#troubles.clear('rows')
  }

  /** An attempt at the address `url` has failed. Resolves when it is time for the next. */
  async #failed(work: Work, url: string, error: unknown): Promise<void> {
    // It was given up for another address.
    if (url !== this.#endpoint.url) return
    const { maxRetries, random, signal } = this.#options
    const problem = explainClickHouse(error, { ...this.#endpoint, url })
    const failures = ++this.#failures[work]
    countRetry(this.#slots)
    if (failures === 1) this.#failedAt[work] = this.#now()
    if (!problem.retriable || failures > maxRetries) {
      this.#troubles.set(work, problem)
      this.#retrying.delete(work)
    } else if (this.#now() - this.#failedAt[work] >= RETRYING_TOLD_MS) this.#tellRetrying(work, problem)
    if (this.#turn(url, problem) && !this.#roundDone(failures)) return
    await this.#sleep(problem.retriable ? backoffMs(this.#rounds(failures), BACKOFF, random) : FIXED_DELAY_MS, signal)
  }

  #tellRetrying(work: Work, problem: CtrError): void {
    if (this.#retrying.has(work)) return
    this.#retrying.add(work)
    this.#options.reports.retrying(problem)
  }

  #accepted(work: Work): void {
    this.#failures[work] = 0
    if (this.#retrying.delete(work)) this.#options.reports.recovered()
  }

  /** Whether another address than `url` is in use now: this makes it so where that may help, unless other work has done so before. */
  #turn(url: string, problem: CtrError): boolean {
    if (this.#endpoint.url === url && mayBeDoneElsewhere(problem)) {
      const next = nextAddress(this.#endpoint)
      if (next === url) return false
      if (url === this.#home) this.#left = problem
      this.move({ url: next })
    }
    return this.#endpoint.url !== url
  }

  /** Rows are written at this address. */
  #settled(url: string): void {
    const left = this.#left
    this.#left = undefined
    if (url === this.#home || left === undefined) return
    this.#home = url
    countMove(this.#slots)
    this.#options.reports.moved(url, left)
  }

  /** How often every address was tried, after so many failures in a row. */
  #rounds(failures: number): number {
    return Math.ceil(failures / (this.#endpoint.urls?.length ?? 1))
  }

  #roundDone(failures: number): boolean {
    return failures % (this.#endpoint.urls?.length ?? 1) === 0
  }
}

function* chunks<T>(rows: readonly T[]): Generator<readonly T[]> {
  for (let from = 0; from < rows.length; from += LEDGER_ROWS_MAX) yield rows.slice(from, from + LEDGER_ROWS_MAX)
}
