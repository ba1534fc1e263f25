/**
 * The naive twin of the engine: the self-test's plain reading of events, Map and loops. It shares no code with the engine and is the
 * judge of whole runs: the same records must give the same rows and the same ledger, exactly. Slow (about 0.3 M events/s) and meant to be.
 *
 * What it decides, for one partition of one topic, in offset order:
 *   - a record is ignored, or a valid event, or invalid for the first reason that applies;
 *   - a window [start, end) begins at each multiple of the slide (tumbling windows: of the size), plus the offset;
 *   - a valid event is too late for a window when its end + allowed lateness <= the partition's event time before it - out-of-orderness;
 *   - it is counted for (tenant, product, task), task = partition number, in each window that holds it and that it is not too late for;
 *     when there is none it is late, when some have been missed it is partly late;
 *   - a valid event, late or not, goes into a list of the partition's last 32 events, and then may move the partition's event time: to
 *     its own time, when it is later by maxJump at most; else to the earliest of those in the list that are later by more than maxJump,
 *     when these are more than three quarters of 32. While there is no event time, the earliest of the first 8 events is it.
 * Not modelled are idleness and the bound on windows far ahead: the twin is right for input whose partitions don't go idle, and have few.
 */
import { createHash } from 'node:crypto'
import {
  LEFT_OUT,
  PLAIN_EVENTS,
  type PlainEvent,
  type PlainEventRules,
  readPlainEvent,
  readPlainRecord,
} from '../src/selftest/plain-event.ts'

/**
 * Why an event is invalid. The twin reads JSON, so those from FRAME to NOT_PROTOBUF never come; the last two are about record batches and
 * never about a single record.
 */
export const REASONS = [
  'EMPTY',
  'TOO_LARGE',
  'NOT_UTF8',
  'NOT_JSON',
  'NOT_OBJECT',
  'FRAME',
  'SCHEMA_UNKNOWN',
  'SCHEMA_MISMATCH',
  'NOT_AVRO',
  'NOT_PROTOBUF',
  'PRODUCT',
  'USER',
  'TYPE',
  'TIME',
  'TIME_RANGE',
  'CLICK',
  'TOO_MANY',
  'TOO_OLD',
  'FUTURE',
  'BATCH_TOO_LARGE',
  'CORRUPT_BATCH',
] as const

export type OracleReason = (typeof REASONS)[number]

/** One Kafka record; times in ms since the epoch, -1 for a record without a timestamp. */
export interface OracleRecord {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly recordTimestamp: number
  readonly value: Uint8Array | null
}

/** Durations in ms. */
export interface OracleOptions {
  readonly windowSize: number
  /** Of sliding windows. */
  readonly windowSlide?: number | undefined
  readonly windowOffset?: number | undefined
  /** Where the one window of a time begins and ends, in place of the three before. */
  readonly windowOf?: ((time: number) => readonly [start: number, end: number]) | undefined
  readonly outOfOrderness: number
  readonly allowedLateness: number
  readonly futureTolerance: number
  /** Infinity: every event moves the time. */
  readonly maxJump: number
  /** ms since the epoch; events before it are invalid. */
  readonly oldest: number
  readonly revision: number
  readonly tenant: string
  /** Which records are events. */
  readonly events: PlainEventRules
}

/** The whole value of one window of one product in one task; windowStart and windowEnd in ms since the epoch. */
export interface OracleRow {
  readonly tenant: string
  readonly product: string
  readonly windowStart: number
  readonly windowEnd: number
  readonly task: number
  readonly impressions: number
  readonly clicks: number
  readonly ctr: number
  readonly version: number
}

/** read = counted + late + ignored + the sum of invalid. */
export interface OracleLedger {
  read: number
  counted: number
  /** Of the counted ones. */
  partlyLate: number
  late: number
  ignored: number
  readonly invalid: Record<OracleReason, number>
}

export interface OracleResult {
  /** Keyed by rowKey. */
  readonly rows: Map<string, OracleRow>
  /** Keyed by `topic/partition`. */
  readonly ledgers: Map<string, OracleLedger>
}

/** What a single record is worth. */
export type Verdict =
  | { readonly valid: true; readonly product: string; readonly click: boolean; readonly time: number }
  | { readonly valid: false; readonly reason: OracleReason | typeof LEFT_OUT }

export const ORACLE_DEFAULTS: OracleOptions = {
  windowSize: 10_000,
  outOfOrderness: 5_000,
  allowedLateness: 5_000,
  futureTolerance: 60_000,
  maxJump: 600_000,
  oldest: Date.UTC(2000, 0, 1),
  revision: 0,
  tenant: 'default',
  events: PLAIN_EVENTS,
}

interface PartitionState {
  ledger: OracleLedger
  nextOffset: number
  readonly clock: PartitionClock
}

/** The event time of one partition. */
export class PartitionClock {
  time: number | undefined
  readonly #maxJump: number
  #last: number[] = []

  constructor(maxJump: number) {
    this.#maxJump = maxJump
  }

  /** Of the last events. */
  get earliest(): number | undefined {
    return this.#last.length === 0 ? undefined : Math.min(...this.#last)
  }

  /** A valid event, the next of the partition. */
  see(time: number): void {
    this.#last = [...this.#last, time].slice(-32)
    if (this.#maxJump === Number.POSITIVE_INFINITY) {
      this.time = Math.max(this.time ?? time, time)
    } else if (this.time === undefined) {
      if (this.#last.length === 8) this.time = Math.min(...this.#last)
    } else {
      const limit = this.time + this.#maxJump
      const ahead = this.#last.filter((one) => one > limit)
      if (time <= limit) this.time = Math.max(this.time, time)
      else if (ahead.length > 24) this.time = Math.min(...ahead)
    }
  }
}

/** Takes records one at a time; those of one partition in offset order, partitions in any interleaving. */
export class Oracle {
  readonly #options: OracleOptions
  readonly #partitions = new Map<string, PartitionState>()
  readonly #counts = new Map<string, { row: Omit<OracleRow, 'ctr' | 'version'>; impressions: number; clicks: number }>()

  constructor(options: Partial<OracleOptions> = {}) {
    this.#options = { ...ORACLE_DEFAULTS, ...options }
  }

  add(record: OracleRecord): void {
    const { futureTolerance, oldest, events } = this.#options
    const state = this.#partition(record)
    const before = state.clock.time
    for (const { verdict, isFirst } of judgeAll(record, events, futureTolerance, oldest)) {
      if (verdict.valid) {
        state.ledger.read++
        this.#count(record, verdict, state, before)
      } else if (isFirst) {
        state.ledger.read++
        if (verdict.reason === LEFT_OUT) state.ledger.ignored++
        else state.ledger.invalid[verdict.reason]++
      }
    }
  }

  /** `time`: that of the partition before the record. */
  #count(record: OracleRecord, verdict: Verdict & { valid: true }, state: PartitionState, time: number | undefined): void {
    const { outOfOrderness, allowedLateness, tenant } = this.#options
    let missed = 0
    let held = 0
    for (const [start, end] of this.#windowsOf(verdict.time)) {
      if (time !== undefined && end + allowedLateness <= time - outOfOrderness) missed++
      else held += this.#hold(tenant, verdict, start, end, record.partition)
    }
    state.clock.see(verdict.time)
    if (held === 0) state.ledger.late++
    else state.ledger.counted++
    if (held > 0 && missed > 0) state.ledger.partlyLate++
  }

  #windowsOf(time: number): (readonly [start: number, end: number])[] {
    const { windowSize, windowSlide = windowSize, windowOffset = 0, windowOf } = this.#options
    if (windowOf !== undefined) return [windowOf(time)]
    const found: [number, number][] = []
    let start = Math.floor((time - windowOffset) / windowSlide) * windowSlide + windowOffset
    for (; start + windowSize > time; start -= windowSlide) found.push([start, start + windowSize])
    return found
  }

  #hold(tenant: string, event: Verdict & { valid: true }, windowStart: number, windowEnd: number, task: number): 1 {
    const row = { tenant, product: event.product, windowStart, windowEnd, task, impressions: 0, clicks: 0 }
    const key = rowKey(row)
    let count = this.#counts.get(key)
    if (count === undefined) {
      count = { row, impressions: 0, clicks: 0 }
      this.#counts.set(key, count)
    }
    if (event.click) count.clicks++
    else count.impressions++
    return 1
  }

  result(): OracleResult {
    const rows = new Map<string, OracleRow>()
    for (const [key, { row, impressions, clicks }] of this.#counts) {
      const ctr = impressions === 0 ? 0 : clicks / impressions
      const version = this.#options.revision * 2 ** 40 + impressions + clicks
      rows.set(key, { ...row, impressions, clicks, ctr, version })
    }
    const ledgers = new Map([...this.#partitions].map(([name, state]) => [name, state.ledger]))
    return { rows, ledgers }
  }

  #partition(record: OracleRecord): PartitionState {
    const name = `${record.topic}/${record.partition}`
    let state = this.#partitions.get(name)
    if (state === undefined) {
      const invalid = Object.fromEntries(REASONS.map((reason) => [reason, 0])) as Record<OracleReason, number>
      state = {
        ledger: { read: 0, counted: 0, partlyLate: 0, late: 0, ignored: 0, invalid },
        nextOffset: 0,
        clock: new PartitionClock(this.#options.maxJump),
      }
      this.#partitions.set(name, state)
    }
    if (record.offset < state.nextOffset) throw new Error(`${name}: offset ${record.offset} after ${state.nextOffset - 1}`)
    state.nextOffset = record.offset + 1
    return state
  }
}

/** The rows and ledgers of whole partitions, each a list of records in offset order. */
export function runOracle(partitions: Iterable<Iterable<OracleRecord>>, options: Partial<OracleOptions> = {}): OracleResult {
  const oracle = new Oracle(options)
  for (const records of partitions) for (const record of records) oracle.add(record)
  return oracle.result()
}

/** The key of a row, unambiguous for any product id. */
export function rowKey(row: Pick<OracleRow, 'tenant' | 'product' | 'windowStart' | 'windowEnd' | 'task'>): string {
  return JSON.stringify([row.tenant, row.product, row.windowStart, row.windowEnd, row.task])
}

/** One hash over all rows, whatever their order: equal hashes mean equal keys, counts, ratios and versions. */
export function rowsHash(rows: Iterable<OracleRow>): string {
  const lines: string[] = []
  for (const row of rows) lines.push(`${rowKey(row)} ${row.impressions} ${row.clicks} ${row.ctr} ${row.version}`)
  lines.sort()
  const hash = createHash('sha256')
  for (const line of lines) hash.update(line).update('\n')
  return hash.digest('hex')
}

/** The sum of several ledgers. */
export function sumLedgers(ledgers: Iterable<OracleLedger>): OracleLedger {
  const invalid = Object.fromEntries(REASONS.map((reason) => [reason, 0])) as Record<OracleReason, number>
  const sum: OracleLedger = { read: 0, counted: 0, partlyLate: 0, late: 0, ignored: 0, invalid }
  for (const ledger of ledgers) {
    sum.read += ledger.read
    sum.counted += ledger.counted
    sum.partlyLate += ledger.partlyLate
    sum.late += ledger.late
    sum.ignored += ledger.ignored
    for (const reason of REASONS) sum.invalid[reason] += ledger.invalid[reason]
  }
  return sum
}

/** Record timestamps before 2001 are none, or in seconds. */
const PLAUSIBLE = Date.UTC(2001, 0, 1)

/** Decides about one record. A `recordTimestamp` that is not plausible is none to compare the event's time with. */
export function judge(
  value: Uint8Array | null,
  recordTimestamp: number,
  futureTolerance: number,
  oldest = 0,
  events: PlainEventRules = PLAIN_EVENTS,
): Verdict {
  return judgeEvent(readPlainEvent(value, events, recordTimestamp), recordTimestamp, futureTolerance, oldest)
}

/** What a record is worth that may be several events: each of them, and whether it is the first of its element. */
export function judgeAll(
  { value, recordTimestamp }: Pick<OracleRecord, 'value' | 'recordTimestamp'>,
  rules: PlainEventRules,
  futureTolerance: number,
  oldest: number,
): { readonly verdict: Verdict; readonly isFirst: boolean }[] {
  const read = readPlainRecord(value, rules, recordTimestamp)
  if (typeof read === 'string') return [{ verdict: invalid(read as OracleReason | typeof LEFT_OUT), isFirst: true }]
  const all = read.flatMap((element) => {
    const events = typeof element === 'string' ? [element] : element
    return events.map((event, i) => ({ verdict: judgeEvent(event, recordTimestamp, futureTolerance, oldest), isFirst: i === 0 }))
  })
  // A time outside the elements that is none is a fault of the record.
  const ofTime = all.find(({ verdict }) => !verdict.valid && TIME_FAULTS.has(verdict.reason))
  const isShared = !rules.time.some((place) => place.includes('[]'))
  return isShared && ofTime !== undefined ? [{ ...ofTime, isFirst: true }] : all
}

const TIME_FAULTS: ReadonlySet<string> = new Set(['TIME_RANGE', 'TOO_OLD', 'FUTURE'])

function judgeEvent(event: PlainEvent | string, recordTimestamp: number, futureTolerance: number, oldest: number): Verdict {
  if (typeof event === 'string') return invalid(event as OracleReason | typeof LEFT_OUT)
  const { product, kind, time } = event
  if (time < oldest) return invalid('TOO_OLD')
  if (recordTimestamp >= PLAUSIBLE && time > recordTimestamp + futureTolerance) return invalid('FUTURE')
  return { valid: true, product, click: kind === 'clicks', time }
}

function invalid(reason: OracleReason | typeof LEFT_OUT): Verdict {
  return { valid: false, reason }
}
