/** Spans of event time, and how many of them one statement takes: enough to be worth a statement, and no more than its memory is for. */

import { DAY } from '../config/units.ts'

/** From `fromMs` up to `toMs`; ms. */
export interface TimeSpan {
  readonly fromMs: number
  readonly toMs: number
}

/** Where the rows lie that a computation reads, and how it finds them. */
export interface Place {
  /** All of them are in ctr_recent. */
  readonly recent: boolean
  /** Changed rows are of so few products that they are looked up by those. */
  readonly few: boolean
}

/** A span in which something has changed. */
export interface Unit extends Place, TimeSpan {
  /** Changed rows. */
  readonly rows: number
  /** Products of changed rows, as far as they were counted. */
  readonly products: number
}

/** Spans that one statement computes. */
export interface Chunk extends Place {
  /** Ascending, none touches the next. */
  readonly spans: readonly TimeSpan[]
}

/** As many products can be told from more (uniqUpTo). */
export const UNIT_PRODUCTS_MAX = 100

/** ClickHouse may hold all of them, and as many groups, at once: some 200 bytes each. */
const CHUNK_ROWS_MAX = 500_000
const CHUNK_PRODUCTS_MAX = 1_000
/** Each is a condition of the statement. */
const CHUNK_SPANS_MAX = 100

/** In the order of the units, which ascend, by the place of their rows. */
export function chunksOf(units: readonly Unit[]): Chunk[] {
  return [true, false].flatMap((recent) => [...chunksAt(units, { recent, few: true }), ...chunksAt(units, { recent, few: false })])
}

function chunksAt(units: readonly Unit[], place: Place): Chunk[] {
  const chunks: { spans: TimeSpan[]; rows: number; products: number }[] = []
  for (const { recent, few, fromMs, toMs, rows, products } of units) {
    if (recent !== place.recent || few !== place.few) continue
    const chunk = chunks.at(-1)
    const last = chunk?.spans.at(-1)
    const joins = last?.toMs === fromMs
    const full = chunk === undefined || chunk.rows + rows > CHUNK_ROWS_MAX || (few && chunk.products + products > CHUNK_PRODUCTS_MAX)
    if (full || (chunk.spans.length === CHUNK_SPANS_MAX && !joins)) {
      chunks.push({ spans: [{ fromMs, toMs }], rows, products })
      continue
    }
    chunk.rows += rows
    chunk.products += products
    if (joins) chunk.spans.splice(-1, 1, { fromMs: last.fromMs, toMs })
    else chunk.spans.push({ fromMs, toMs })
  }
  return chunks.map(({ spans }) => ({ ...place, spans }))
}

/** That the time `column` lies in one of the spans, as SQL. */
export function within(column: string, spans: readonly TimeSpan[]): string {
  const one = ({ fromMs, toMs }: TimeSpan) => `${column} >= ${sqlInstant(fromMs)} AND ${column} < ${sqlInstant(toMs)}`
  return spans.length === 1 ? spans.map(one).join('') : `(${spans.map((span) => `(${one(span)})`).join(' OR ')})`
}

/** Up to here ClickHouse computes with days. */
const DAYS_END_MS = Date.UTC(2290, 0, 1)

/**
 * That the time `column`, by whose day a table is partitioned, lies on a day of one of the spans, between the first and the last. A list of
 * days is looked up; as many conditions would be tried one after the other, on each of thousands of partitions.
 */
export function onDaysOf(column: string, spans: readonly TimeSpan[]): string {
  const [fromMs, toMs] = [spans[0]?.fromMs ?? 0, spans.at(-1)?.toMs ?? 0]
  if (spans.length === 1 || toMs > DAYS_END_MS) return within(column, spans)
  const days = new Set<string>()
  for (const span of spans) {
    for (let ms = Math.floor(span.fromMs / DAY) * DAY; ms < span.toMs; ms += DAY)
      days.add(new Date(ms).toISOString().slice(0, 10).replaceAll('-', ''))
  }
  return `${within(column, [{ fromMs, toMs }])} AND toYYYYMMDD(${column}) IN (${[...days].join(', ')})`
}

/** An instant as a value of SQL. */
export function sqlInstant(ms: number): string {
  return `fromUnixTimestamp64Milli(${ms}, 'UTC')`
}
