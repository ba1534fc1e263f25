/**
 * Computes what readers find computed (roll-ups.ts, latest.ts) from what has changed since the last time, with statements of bounded size:
 *
 *   minutely, latest   from rows that were inserted since, the first also from those of inputs that have ended since; at every run
 *   hourly … monthly   from periods of the roll-up below that were computed since; at a rhythm of their own
 *
 * Whole periods are computed, never differences. The mark of a computation that succeeded is the instant its run began, before anything was
 * read, so that whatever fails, is killed or missed is made up for by the next run. A run looks some time behind the mark, for inserts that
 * were under way, and from time to time further (a sweep), for those that took long.
 *
 * A period of which rows may have expired is left as it is.
 */
import type { ClickHouseClient } from '@clickhouse/client'
import { clickHouseReason, isAway, unacknowledged } from '../clickhouse/connect.ts'
import { sleep } from '../clock.ts'
import { DAY, HOUR, MINUTE, SECOND } from '../config/units.ts'
import { CtrError } from '../errors.ts'
import { readBook } from './book.ts'
import { namesOf } from './cluster.ts'
import { LATEST_VIEW, LOOK_BACK_SECONDS, SETTLED_MARK } from './latest.ts'
import { holderName, tryLease } from './lease.ts'
import { keepMarks, type Marks, readMarks } from './marks.ts'
import { VERSION } from './migrations.ts'
import type { Form, Names } from './objects.ts'
import {
  latestStatement,
  levelStatement,
  minutelyStatement,
  revisionsQuery,
  settleStatements,
  totalsStatement,
} from './roll-up-statements.ts'
import { ROLL_UPS } from './roll-ups.ts'
import { type Chunk, chunksOf, type Unit } from './spans.ts'
import { type Bounds, changedPeriods, changedWindows, insertedSince, isTrue, newestRows, withEndedInputs } from './touched.ts'

/** Tables of this version and of later ones have all that roll-ups read and write. */
const ROLL_UPS_FROM = 2
const LOOK_BACK_MS = LOOK_BACK_SECONDS * SECOND
const SWEEP_EVERY_MS = 30 * MINUTE
/** An insert may take so long until its rows can be read. */
const SWEEP_BACK_MS = 10 * MINUTE
/** Further back ctr_recent is not used for whole windows, however long its rows are kept. */
const RECENT_MAX_MS = DAY
/** DateTime, in which periods are kept, holds no time from here on; windows that start later are in no roll-up. */
const PERIODS_END_MS = Date.UTC(2106, 0, 1)
/** Rows that expire this soon count as expired: they may go while a run reads them. */
const EXPIRY_MARGIN_MS = HOUR
/** What comes a little before its time is on time: timers are not exact. */
const ON_TIME = 0.9
/** Newest windows are settled so often, if more than this share of them is new: it takes as long as all of them take. */
const SETTLE_EVERY_MS = 2 * MINUTE
const SETTLE_FROM_SHARE = 0.04
const LEASE_PAUSE_MS = 500
const NEVER_ABORTED = new AbortController().signal

/** The roll-ups above minutes, each from the one before, and how often. */
const LEVELS = [
  { name: 'hourly', below: ROLL_UPS.minutely, rollUp: ROLL_UPS.hourly, everyMs: 5 * MINUTE },
  { name: 'daily', below: ROLL_UPS.hourly, rollUp: ROLL_UPS.daily, everyMs: 30 * MINUTE },
  { name: 'monthly', below: ROLL_UPS.daily, rollUp: ROLL_UPS.monthly, everyMs: 6 * HOUR },
] as const

/** Something that could not be computed. */
export interface FailedRollUp {
  /** What is read: ctr_hourly. */
  readonly view: string
  /** In ClickHouse's words, on one line. */
  readonly reason: string
}

/** What a run has done. */
export interface RollUpOutcome {
  readonly failed: readonly FailedRollUp[]
  /** Changed rows of periods that are left as they are, since rows of them may have expired. */
  readonly leftOut: number
  /** By all statements together. */
  readonly rowsRead: number
  readonly seconds: number
}

/** Computes for one process. Rejections are those of the client, when ClickHouse is away. */
export class RollUpJob {
  readonly #client: ClickHouseClient
  readonly #form: Form
  #holder: string | undefined

  /** `holder`: a name to compute under, in place of one that others can tell it by. */
  constructor(client: ClickHouseClient, form: Form, holder?: string) {
    this.#client = client
    this.#form = form
    this.#holder = holder
  }

  /** What is due at this interval; undefined when nothing is, or another process is at it. */
  async runDue(intervalMs: number): Promise<RollUpOutcome | undefined> {
    const { now, marks } = await readMarks(this.#client, namesOf(this.#form))
    if (dueNames(now, marks, intervalMs).size === 0) return undefined
    const work = () => this.#run(intervalMs, NEVER_ABORTED, () => undefined)
    this.#holder ??= await holderName()
    const held = await tryLease(this.#client, this.#form.cluster, 'roll-ups', this.#holder, work)
    return held?.done
  }

  /**
   * Everything, up to what can be read now; waits for another process that is at it. Rejects at once when `signal` aborts: a statement that
   * ClickHouse runs then goes on there, and no other is sent. `told` hears what is being done.
   */
  async runAll(signal: AbortSignal, told: (step: string) => void = () => undefined): Promise<RollUpOutcome> {
    this.#holder ??= await holderName()
    for (;;) {
      signal.throwIfAborted()
      const held = await tryLease(this.#client, this.#form.cluster, 'roll-ups', this.#holder, () => this.#run(0, signal, told))
      if (held !== undefined) return held.done
      told('waiting for another process that computes, or was killed while it did')
      await sleep(LEASE_PAUSE_MS, signal)
    }
  }

  async #run(intervalMs: number, signal: AbortSignal, told: (step: string) => void): Promise<RollUpOutcome> {
    const begun = performance.now()
    const { version = { version: 1 } } = await readBook(this.#client, this.#form.database)
    if (version.version < ROLL_UPS_FROM) {
      const reason = `the tables are of version ${version.version}; \`ctr schema apply\` brings them to version ${VERSION}`
      return { failed: [{ view: ROLL_UPS.minutely.view, reason }], leftOut: 0, rowsRead: 0, seconds: 0 }
    }
    const names = namesOf(this.#form)
    const { now, marks } = await readMarks(this.#client, names)
    const due = dueNames(now, marks, intervalMs)
    const run = new Run(this.#client, this.#form, { now, marks, signal, told })
    await run.compute(ROLL_UPS.minutely.view, due.has('minutely'), () => run.minutely(due.has('minutely sweep')))
    await run.compute(LATEST_VIEW.name, due.has('latest'), () => run.latest(due.has('latest sweep')))
    await run.compute(LATEST_VIEW.name, due.has('latest'), () => run.settle(intervalMs === 0))
    for (const level of LEVELS) await run.compute(level.rollUp.view, due.has(level.name), () => run.level(level))
    return { ...run.outcome, seconds: (performance.now() - begun) / 1000 }
  }
}

/** The computations that are due; all of them at an interval of 0. */
function dueNames(now: number, marks: Marks, intervalMs: number): Set<string> {
  const rhythms: readonly (readonly [name: string, everyMs: number])[] = [
    ...['minutely', 'latest'].flatMap((name) => [[name, intervalMs] as const, [`${name} sweep`, SWEEP_EVERY_MS] as const]),
    ...LEVELS.map(({ name, everyMs }) => [name, everyMs] as const),
  ]
  const isDue = (last: number, everyMs: number) => now - last >= everyMs * ON_TIME || isAhead(last, now)
  const due = rhythms.filter(([name, everyMs]) => intervalMs === 0 || isDue(marks.get(name) ?? 0, everyMs))
  return new Set(due.map(([name]) => name))
}

/** Whether a mark can't be of this clock. One that has gone back a little is no matter: a run looks further behind the mark. */
function isAhead(mark: number, now: number): boolean {
  return mark > now + LOOK_BACK_MS
}

/** The instant of a run: now, and later than that of any run before, for of two computations the one of the later instant counts. */
function instantOf(now: number, marks: Marks): number {
  const before = [...marks.values()].filter((mark) => !isAhead(mark, now))
  return before.reduce((at, mark) => Math.max(at, mark + 1), now)
}

/** What a run begins with. */
interface Begin {
  /** By ClickHouse's clock. */
  readonly now: number
  readonly marks: Marks
  readonly signal: AbortSignal
  readonly told: (step: string) => void
}

/** One run, at one instant. */
class Run {
  readonly #client: ClickHouseClient
  readonly #form: Form
  readonly #names: Names
  readonly #begin: Begin
  readonly #at: number
  readonly #marks: Marks
  /** From which event time on tables lack no row. */
  readonly #whole: Marks
  readonly #failed: FailedRollUp[] = []
  #leftOut = 0
  #rowsRead = 0

  constructor(client: ClickHouseClient, form: Form, begin: Begin) {
    const { now, marks } = begin
    this.#client = client
    this.#form = form
    this.#names = namesOf(form)
    this.#begin = begin
    this.#at = instantOf(now, marks)
    this.#marks = marks
    this.#whole = wholeFrom(form, this.#at, marks)
  }

  get outcome(): Omit<RollUpOutcome, 'seconds'> {
    return { failed: this.#failed, leftOut: this.#leftOut, rowsRead: this.#rowsRead }
  }

  /** One that fails does not keep the others from being computed; its mark stays, so the next run goes through the same again. */
  async compute(view: string, isDue: boolean, work: () => Promise<readonly string[]>): Promise<void> {
    if (!isDue) return
    const { signal, told } = this.#begin
    told(view)
    try {
      const done = await unlessAborted(work(), signal)
      if (done.length > 0) await keepMarks(this.#client, new Map([...done.map((name) => [name, this.#at] as const), ...this.#whole]))
    } catch (error) {
      if (isAway(error) || signal.aborted) throw error
      this.#failed.push({ view, reason: error instanceof CtrError ? error.message : clickHouseReason(error) })
    }
  }

  /** Minutes and their totals. Gives the marks that are to be kept. */
  async minutely(sweep: boolean): Promise<string[]> {
    const sinceMs = this.#since('minutely', sweep)
    const bounds = this.#bounds(PERIODS_END_MS, ROLL_UPS.minutely.table)
    const inserted = insertedSince(sinceMs, bounds)
    const changes = await withEndedInputs(this.#client, this.#names, inserted, sinceMs)
    const { units, leftOut } = await changedWindows(this.#client, this.#names, changes, bounds)
    this.#leftOut += leftOut
    for (const chunk of this.#chunks(ROLL_UPS.minutely.view, units)) {
      const mixed = await isTrue(this.#client, revisionsQuery(this.#statement(chunk), changes))
      await this.#send(minutelyStatement(this.#statement(chunk), changes, mixed))
      await this.#send(totalsStatement(this.#statement(chunk)))
    }
    return sweep ? ['minutely', 'minutely sweep'] : ['minutely']
  }

  /** Newest windows. Inputs have rows of their own here, whichever of them counts. */
  async latest(sweep: boolean): Promise<string[]> {
    const sinceMs = this.#since('latest', sweep)
    const bounds = this.#bounds(Number.MAX_SAFE_INTEGER)
    const changes = insertedSince(sinceMs, bounds)
    const { units } = await changedWindows(this.#client, this.#names, changes, bounds)
    for (const chunk of this.#chunks(LATEST_VIEW.name, units)) await this.#send(latestStatement(this.#statement(chunk), changes))
    return sweep ? ['latest', 'latest sweep'] : ['latest']
  }

  /** Settles the newest windows if many have come since the last time, and that is some time ago or `atOnce`. */
  async settle(atOnce: boolean): Promise<string[]> {
    const settledMs = this.#marks.get(SETTLED_MARK) ?? 0
    if (!atOnce && this.#at - settledMs < SETTLE_EVERY_MS * ON_TIME) return []
    const { settled, since } = await newestRows(this.#client, this.#names, settledMs)
    if (since <= settled * SETTLE_FROM_SHARE) return []
    for (const statement of settleStatements(this.#form, settledMs)) await this.#send(statement)
    return [SETTLED_MARK]
  }

  /** A roll-up from the one below. */
  async level(level: (typeof LEVELS)[number]): Promise<string[]> {
    const { name, below, rollUp } = level
    const sinceMs = Math.max(0, this.#last(name) - LOOK_BACK_MS)
    const fromMs = this.#whole.get(`whole ${below.table}`) ?? 0
    const { units, leftOut } = await changedPeriods(this.#client, this.#names, level, { sinceMs, fromMs })
    this.#leftOut += leftOut
    for (const chunk of this.#chunks(rollUp.view, units)) {
      await this.#send(levelStatement(this.#statement(chunk), below, rollUp, sinceMs))
    }
    return [name]
  }

  /** From which insert on rows are looked at; 0 where nothing was computed yet. */
  #since(name: string, sweep: boolean): number {
    const last = this.#last(name)
    return Math.max(0, sweep ? Math.min(last, this.#last(`${name} sweep`)) - SWEEP_BACK_MS : last - LOOK_BACK_MS)
  }

  /** When the last computation began that succeeded; 0: none has. */
  #last(name: string): number {
    const last = this.#marks.get(name) ?? 0
    if (isAhead(last, this.#begin.now)) throw clockWentBack(name, last, this.#begin.now)
    return last
  }

  /** What is computed up to `toMs` of results, into tables whose rows may expire, too. */
  #bounds(toMs: number, ...into: readonly string[]): Bounds {
    const wholeFrom = (table: string) => Math.ceil((this.#whole.get(`whole ${table}`) ?? 0) / MINUTE) * MINUTE
    return { fromMs: Math.max(...['ctr_results', ...into].map(wholeFrom)), toMs, recentFromMs: wholeFrom('ctr_recent') }
  }

  *#chunks(view: string, units: readonly Unit[]): Generator<Chunk> {
    const chunks = chunksOf(units)
    for (const [i, chunk] of chunks.entries()) {
      this.#begin.told(`${view}, part ${i + 1} of ${chunks.length}`)
      yield chunk
    }
  }

  #statement(chunk: Chunk) {
    return { names: this.#names, at: this.#at, chunk }
  }

  async #send(query: string): Promise<void> {
    this.#begin.signal.throwIfAborted()
    const { summary } = await this.#client.command({ query, clickhouse_settings: { wait_end_of_query: 1 } })
    if (summary === undefined) throw unacknowledged('statements that compute roll-ups')
    this.#rowsRead += Number(summary.read_rows)
  }
}

/** Where rows may have expired before. What is kept for longer than at an earlier run was not then. */
function wholeFrom({ retention }: Form, at: number, marks: Marks): Marks {
  const keptMs: readonly (readonly [table: string, ms: number])[] = [
    // Rows of ctr_recent live for so long after their insert, too: half of it leaves room for whatever is late.
    ['ctr_recent', Math.min(retention.recent / 2, RECENT_MAX_MS)],
    ['ctr_results', retention.results - EXPIRY_MARGIN_MS],
    ...LEVELS.map(({ below }) => [below.table, below.keptMs(retention) - EXPIRY_MARGIN_MS] as const),
  ]
  const whole = new Map<string, number>()
  for (const [table, ms] of keptMs) {
    const from = Math.max(marks.get(`whole ${table}`) ?? 0, Number.isFinite(ms) ? at - ms : 0)
    if (from > 0) whole.set(`whole ${table}`, from)
  }
  return whole
}

/** Rejects when the signal aborts, whatever becomes of the work. */
async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise: aborted, reject } = Promise.withResolvers<never>()
  const abort = () => reject(signal.reason)
  signal.addEventListener('abort', abort, { once: true })
  if (signal.aborted) abort()
  return Promise.race([work, aborted]).finally(() => signal.removeEventListener('abort', abort))
}

function clockWentBack(name: string, last: number, now: number): CtrError {
  const [then, seen] = [last, now].map((ms) => new Date(ms).toISOString())
  const what = `ctr_refreshed says that ${name} was computed at ${then}, and ClickHouse's clock says ${seen}`
  const remedy =
    'set the clock right; if it was wrong then, delete the rows of ctr_refreshed but those named whole, and all is computed anew'
  return new CtrError('CTR_CLICKHOUSE_REFUSED', `${what}: ${remedy}`)
}
