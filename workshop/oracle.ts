/**
 * The naive twin of the engine: JSON.parse, Map and plain loops. It shares no code with the engine and is the judge of whole runs:
 * the same records must give the same rows and the same ledger, exactly. Slow (about 0.3 M events/s) and meant to be.
 *
 * What it decides, for one partition of one topic, in offset order:
 *   - an event is valid, or invalid for the first reason of REASONS (in that order) that applies;
 *   - a valid event is late when window end + allowed lateness <= largest event time before it in the same partition - out-of-orderness;
 *   - any other is counted in the window [start, end) of (tenant, product, task), task = partition number.
 * Idleness isn't modelled: the twin is right for input whose partitions don't go idle.
 */
import { createHash } from 'node:crypto'

/** Why an event is invalid; checked in this order. CORRUPT_BATCH is about record batches, never about a single record. */
export const REASONS = [
  'EMPTY',
  'NOT_UTF8',
  'NOT_JSON',
  'NOT_OBJECT',
  'PRODUCT',
  'USER',
  'TYPE',
  'TIME',
  'TIME_RANGE',
  'FUTURE',
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
  readonly outOfOrderness: number
  readonly allowedLateness: number
  readonly futureTolerance: number
  readonly revision: number
  readonly tenant: string
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

/** read = counted + late + the sum of invalid. */
export interface OracleLedger {
  read: number
  counted: number
  late: number
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
  | { readonly valid: false; readonly reason: OracleReason }

export const ORACLE_DEFAULTS: OracleOptions = {
  windowSize: 10_000,
  outOfOrderness: 5_000,
  allowedLateness: 5_000,
  futureTolerance: 60_000,
  revision: 0,
  tenant: 'default',
}

interface PartitionState {
  ledger: OracleLedger
  nextOffset: number
  maxTime: number | undefined
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
    const { windowSize, outOfOrderness, allowedLateness, futureTolerance, tenant } = this.#options
    const state = this.#partition(record)
    state.ledger.read++
    const verdict = judge(record.value, record.recordTimestamp, futureTolerance)
    if (!verdict.valid) {
      state.ledger.invalid[verdict.reason]++
      return
    }
    const windowStart = Math.floor(verdict.time / windowSize) * windowSize
    const windowEnd = windowStart + windowSize
    const late = state.maxTime !== undefined && windowEnd + allowedLateness <= state.maxTime - outOfOrderness
    if (state.maxTime === undefined || verdict.time > state.maxTime) state.maxTime = verdict.time
    if (late) {
      state.ledger.late++
      return
    }
    state.ledger.counted++
    const row = { tenant, product: verdict.product, windowStart, windowEnd, task: record.partition, impressions: 0, clicks: 0 }
    const key = rowKey(row)
    let count = this.#counts.get(key)
    if (count === undefined) {
      count = { row, impressions: 0, clicks: 0 }
      this.#counts.set(key, count)
    }
    if (verdict.click) count.clicks++
    else count.impressions++
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
      state = { ledger: { read: 0, counted: 0, late: 0, invalid }, nextOffset: 0, maxTime: undefined }
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
  const sum: OracleLedger = { read: 0, counted: 0, late: 0, invalid }
  for (const ledger of ledgers) {
    sum.read += ledger.read
    sum.counted += ledger.counted
    sum.late += ledger.late
    for (const reason of REASONS) sum.invalid[reason] += ledger.invalid[reason]
  }
  return sum
}

const IMPRESSIONS = ['impression', 'view', 'IMPRESSION', 'VIEW']
const CLICKS = ['click', 'CLICK']
const YEAR_10000 = 253_402_300_800_000
const PRODUCT_MAX_BYTES = 256

/** Decides about one record. `recordTimestamp` below 0 means that there is none to compare the event's time with. */
export function judge(value: Uint8Array | null, recordTimestamp: number, futureTolerance: number): Verdict {
  if (value === null || value.length === 0) return invalid('EMPTY')
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(value)
  } catch {
    return invalid('NOT_UTF8')
  }
  let event: unknown
  try {
    event = JSON.parse(text)
  } catch {
    return invalid('NOT_JSON')
  }
  if (typeof event !== 'object' || event === null || Array.isArray(event)) return invalid('NOT_OBJECT')
  const product = field(event, 'product_id', 'productId')
  if (typeof product !== 'string' || product === '' || !product.isWellFormed()) return invalid('PRODUCT')
  if (Buffer.byteLength(product, 'utf8') > PRODUCT_MAX_BYTES) return invalid('PRODUCT')
  const user = field(event, 'user_id', 'userId')
  if (typeof user !== 'string' || user === '') return invalid('USER')
  const type = field(event, 'event_type', 'eventType')
  if (typeof type !== 'string' || !(IMPRESSIONS.includes(type) || CLICKS.includes(type))) return invalid('TYPE')
  const time = parseTime(field(event, 'timestamp', 'timestamp'))
  if (time === undefined) return invalid('TIME')
  if (!(time > 0 && time < YEAR_10000)) return invalid('TIME_RANGE')
  if (recordTimestamp >= 0 && time > recordTimestamp + futureTolerance) return invalid('FUTURE')
  return { valid: true, product, click: CLICKS.includes(type), time }
}

function invalid(reason: OracleReason): Verdict {
  return { valid: false, reason }
}

/** The snake_case key wins as soon as it is there, even as null. */
function field(event: object, snake: string, camel: string): unknown {
  const fields = event as Record<string, unknown>
  if (Object.hasOwn(event, snake)) return fields[snake]
  return Object.hasOwn(event, camel) ? fields[camel] : undefined
}

/** ms since the epoch, not yet checked for range; undefined when it is none of the accepted forms. */
function parseTime(value: unknown): number | undefined {
  if (typeof value === 'number') return Number.isInteger(value) ? value : undefined
  if (typeof value !== 'string') return undefined
  if (/^[0-9]+$/.test(value)) return Number(value)
  const plain = /^(\d{4})-(\d{2})-(\d{2}) (\d{2}):(\d{2}):(\d{2})$/.exec(value)
  if (plain !== null) return calendar(plain.slice(1, 7).map(Number))
  const iso = /^(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2}):(\d{2})(?:\.(\d{1,9}))?(?:Z|([+-])(\d{2}):(\d{2}))$/.exec(value)
  if (iso === null) return undefined
  const whole = calendar(iso.slice(1, 7).map(Number))
  if (whole === undefined) return undefined
  const milliseconds = Number((iso[7] ?? '').padEnd(3, '0').slice(0, 3))
  const offsetHours = Number(iso[9] ?? 0)
  const offsetMinutes = Number(iso[10] ?? 0)
  if (offsetHours > 23 || offsetMinutes > 59) return undefined
  const offset = (offsetHours * 60 + offsetMinutes) * 60_000
  return whole + milliseconds - (iso[8] === '-' ? -offset : offset)
}

/** UTC; undefined when the date or the time of day doesn't exist (leap seconds don't). */
function calendar(parts: number[]): number | undefined {
  const [year, month, day, hour, minute, second] = parts as [number, number, number, number, number, number]
  const date = new Date(0)
  date.setUTCFullYear(year, month - 1, day)
  date.setUTCHours(hour, minute, second, 0)
  const same =
    date.getUTCFullYear() === year &&
    date.getUTCMonth() === month - 1 &&
    date.getUTCDate() === day &&
    date.getUTCHours() === hour &&
    date.getUTCMinutes() === minute &&
    date.getUTCSeconds() === second
  return same ? date.getTime() : undefined
}
