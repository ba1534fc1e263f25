/**
 * What the rows must be, worked out the plain way: JSON.parse, a Map, one record after the other. It is the judge of `ctr selftest`, so it
 * takes no code from the engine; the tests hold it against a second one.
 *
 * Of each partition, in offset order: a record is invalid, for the first reason that applies; or late, when its window's end and the
 * allowed lateness lie at or below the largest event time before it in the partition, less the out-of-orderness; or it is counted, in
 * the window of its product in the task of its partition's number. Right for partitions that don't go idle.
 */

/** Durations in ms. */
export interface OracleRules {
  readonly windowSize: number
  readonly outOfOrderness: number
  readonly allowedLateness: number
  readonly futureTolerance: number
}

/** One Kafka record; the time in ms since the epoch. */
export interface PlainRecord {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly time: number
  readonly value: Uint8Array | null
}

/** What must be in one row of ctr_results; the window's start in ms. */
export interface WantedRow {
  readonly product: string
  readonly windowStart: number
  readonly task: number
  impressions: number
  clicks: number
}

/** read = counted + late + the sum of `invalid`, by reason. */
export interface WantedLedger {
  read: number
  counted: number
  late: number
  readonly invalid: Map<string, number>
  maxEventTime: number
}

const KINDS: ReadonlyMap<unknown, 'impressions' | 'clicks'> = new Map([
  ['impression', 'impressions'],
  ['IMPRESSION', 'impressions'],
  ['view', 'impressions'],
  ['VIEW', 'impressions'],
  ['click', 'clicks'],
  ['CLICK', 'clicks'],
] as const)

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const PRODUCT_BYTES_MAX = 256
const YEAR_10000 = Date.UTC(10_000, 0, 1)

/** Takes the records of each partition in offset order, partitions in any order. */
export class SelftestOracle {
  /** By `rowKey`. */
  readonly rows = new Map<string, WantedRow>()
  /** By `topic/partition`. */
  readonly ledgers = new Map<string, WantedLedger>()
  /** `topic/partition/offset` of each. */
  readonly invalid = new Set<string>()
  readonly #rules: OracleRules

  constructor(rules: OracleRules) {
    this.#rules = rules
  }

  add({ topic, partition, offset, time, value }: PlainRecord): void {
    const { windowSize, outOfOrderness, allowedLateness, futureTolerance } = this.#rules
    const ledger = this.#ledger(`${topic}/${partition}`)
    ledger.read++
    const event = readEvent(value, time + futureTolerance)
    if (typeof event === 'string') {
      ledger.invalid.set(event, (ledger.invalid.get(event) ?? 0) + 1)
      this.invalid.add(`${topic}/${partition}/${offset}`)
      return
    }
    const windowStart = event.time - (event.time % windowSize)
    const late = windowStart + windowSize + allowedLateness <= ledger.maxEventTime - outOfOrderness
    ledger.maxEventTime = Math.max(ledger.maxEventTime, event.time)
    if (late) {
      ledger.late++
      return
    }
    ledger.counted++
    const key = rowKey(event.product, windowStart, partition)
    const row = this.rows.get(key)
    if (row === undefined) {
      const fresh = { product: event.product, windowStart, task: partition, impressions: 0, clicks: 0 }
      fresh[event.kind] = 1
      this.rows.set(key, fresh)
    } else row[event.kind]++
  }

  /** All partitions together. */
  get total(): { read: number; counted: number; late: number; invalid: number } {
    const total = { read: 0, counted: 0, late: 0, invalid: this.invalid.size }
    for (const { read, counted, late } of this.ledgers.values()) {
      total.read += read
      total.counted += counted
      total.late += late
    }
    return total
  }

  #ledger(name: string): WantedLedger {
    let ledger = this.ledgers.get(name)
    if (ledger === undefined) {
      ledger = { read: 0, counted: 0, late: 0, invalid: new Map(), maxEventTime: Number.NEGATIVE_INFINITY }
      this.ledgers.set(name, ledger)
    }
    return ledger
  }
}

/** One row of a product, a window (its start, ms) and a task. Text of a length that is known comes last, so no two keys are the same. */
export function rowKey(product: string, windowStart: number, task: number): string {
  return `${task} ${windowStart} ${product}`
}

/** An event, or the reason why it is none. `latest`: the latest time that it may have, ms. */
export function readEvent(
  value: Uint8Array | null,
  latest: number,
): { readonly product: string; readonly kind: 'impressions' | 'clicks'; readonly time: number } | string {
  if (value === null || value.length === 0) return 'EMPTY'
  let text: string
  try {
    text = UTF8.decode(value)
  } catch {
    return 'NOT_UTF8'
  }
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch {
    return 'NOT_JSON'
  }
  if (parsed === null || typeof parsed !== 'object' || Array.isArray(parsed)) return 'NOT_OBJECT'
  const fields = parsed as Readonly<Record<string, unknown>>
  const own = (key: string) => (Object.hasOwn(fields, key) ? fields[key] : undefined)
  const either = (snake: string, camel: string) => (Object.hasOwn(fields, snake) ? fields[snake] : own(camel))

  const product = either('product_id', 'productId')
  if (typeof product !== 'string' || product.length === 0 || !product.isWellFormed()) return 'PRODUCT'
  if (new TextEncoder().encode(product).length > PRODUCT_BYTES_MAX) return 'PRODUCT'
  const user = either('user_id', 'userId')
  if (typeof user !== 'string' || user.length === 0) return 'USER'
  const kind = KINDS.get(either('event_type', 'eventType'))
  if (kind === undefined) return 'TYPE'
  const time = timeOf(own('timestamp'))
  if (time === undefined) return 'TIME'
  if (time <= 0 || time >= YEAR_10000) return 'TIME_RANGE'
  return time > latest ? 'FUTURE' : { product, kind, time }
}

/** ms since the epoch, of whatever range; undefined when it isn't written in one of the forms that count. */
function timeOf(written: unknown): number | undefined {
  if (typeof written === 'number') return Number.isInteger(written) ? written : undefined
  if (typeof written !== 'string') return undefined
  if (/^[0-9]+$/.test(written)) return Number(written)
  const form = /^(\d{4}-\d{2}-\d{2})([ T])(\d{2}:\d{2}:\d{2})(?:\.(\d{1,9}))?(?:(Z)|([+-])(\d{2}):(\d{2}))?$/.exec(written)
  if (form === null) return undefined
  const [, date = '', between, clock = '', fraction, z, sign, hours = '00', minutes = '00'] = form
  const zoned = z !== undefined || sign !== undefined
  // A plain date and time is UTC and has whole seconds; an instant says its zone.
  if (between === ' ' ? zoned || fraction !== undefined : !zoned) return undefined
  if (Number(hours) > 23 || Number(minutes) > 59) return undefined
  const whole = `${date}T${clock}`
  const utc = Date.parse(`${whole}Z`)
  // What doesn't exist (a 30th of February, a 24th hour) becomes another time, or none.
  if (Number.isNaN(utc) || new Date(utc).toISOString().slice(0, whole.length) !== whole) return undefined
  const offset = (Number(hours) * 60 + Number(minutes)) * 60_000 * (sign === '-' ? -1 : 1)
  return utc + Number((fraction ?? '').padEnd(3, '0').slice(0, 3)) - offset
}
