/** The lists of `ctr top`: what their columns show, and what they are sorted by. */
import type { ApiAnswer } from '../server/api-schemas.ts'
import { formatCount, formatRatio, formatSpan } from '../text.ts'
import type { TopList } from './top-keys.ts'

/** Answers of the API, as far as they have come. */
export interface TopAnswers {
  readonly state: ApiAnswer<'state'> | undefined
  readonly history: ApiAnswer<'history'> | undefined
  readonly partitions: ApiAnswer<'partitions'> | undefined
  readonly products: ApiAnswer<'products'> | undefined
  readonly letters: ApiAnswer<'deadLetters'> | undefined
}

/** A row: what is shown of it, and what it is sorted by; null is not known. */
export interface TopRow {
  readonly cells: readonly string[]
  readonly keys: readonly (number | string | null)[]
  /** It stands out. */
  readonly marked: boolean
}

/** A list as it is to be shown. */
export interface TopTable {
  /** The first is the name of the rows, and gets what room is left; others stand at the right. */
  readonly heads: readonly string[]
  readonly rows: readonly TopRow[]
  /** Instead of no rows. */
  readonly empty: string
}

const UNKNOWN = '-'
const HOLDS_MIN_SECONDS = 5
const RING_FULL_SHARE = 0.8

type Maybe = number | null
const count = (value: Maybe) => (value === null ? UNKNOWN : formatCount(value))
const ratio = (value: Maybe) => (value === null ? UNKNOWN : formatRatio(value))
const span = (value: Maybe) => (value === null ? UNKNOWN : value < 0 ? `-${formatSpan(-value * 1000)}` : formatSpan(value * 1000))

/** The rows of a list that hold the words of `filter`, sorted by a column; further columns begin again from the first. */
export function topTable(answers: TopAnswers, list: TopList, filter: string, sort: number, down: boolean): TopTable & { sorted: number } {
  const table = TABLES[list](answers)
  const sorted = ((sort % table.heads.length) + table.heads.length) % table.heads.length
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean)
  const found = table.rows.filter(({ cells }) => words.every((word) => cells.join(' ').toLowerCase().includes(word)))
  // Sorted by nothing that was chosen, the order is that of the answer.
  return { ...table, rows: sort === 0 && down ? found : found.toSorted((a, b) => compare(a.keys[sorted], b.keys[sorted], down)), sorted }
}

function compare(a: TopRow['keys'][number] | undefined, b: TopRow['keys'][number] | undefined, down: boolean): number {
  if (a == null || b == null) return Number(a == null) - Number(b == null)
  const order = typeof a === 'number' && typeof b === 'number' ? a - b : String(a).localeCompare(String(b), 'en', { numeric: true })
  return down ? -order : order
}

const TABLES: Readonly<Record<TopList, (answers: TopAnswers) => TopTable>> = {
  partitions: ({ partitions }) => ({
    heads: ['partition', 'lag', 'behind', 'watermark', 'rec/s', 'holds', 'is'],
    rows: partitions === undefined ? [] : partitionRows(partitions),
    empty: partitions === undefined ? 'not asked yet' : 'this process has no partitions',
  }),
  products: ({ products }) => ({
    heads: ['product', 'impr.', 'clicks', 'CTR', 'from', 'to', 'change'],
    rows: products?.products.map(productRow) ?? [],
    empty: products?.shown === 'hide' ? 'ui.products is hide' : products === undefined ? 'not asked yet' : 'none in the last hour',
  }),
  letters: ({ letters }) => ({
    heads: ['reason', 'records', 'not kept'],
    rows: letters?.reasons.filter(({ records }) => records > 0).map(letterRow) ?? [],
    empty: letters === undefined ? 'not asked yet' : 'no record was invalid',
  }),
  threads: ({ state }) => ({
    heads: ['thread', 'busy', 'CPU s', 'ring', 'events'],
    rows: state === undefined ? [] : threadRows(state),
    empty: 'not known yet',
  }),
}

/** Those first that hold their tasks, then those with the most lag. */
function partitionRows({ partitions, tasks, at }: ApiAnswer<'partitions'>): TopRow[] {
  const holds = new Map(tasks.flatMap(({ heldBy }) => (heldBy === null ? [] : [[`${heldBy.topic}/${heldBy.partition}`, heldBy.bySeconds]])))
  const rows = partitions.map((each) => {
    const name = `${each.topic}/${each.partition}`
    const heldSeconds = (holds.get(name) as Maybe | undefined) ?? 0
    const watermark = each.watermark === null ? null : (Date.parse(at) - Date.parse(each.watermark)) / 1000
    const marked = heldSeconds >= HOLDS_MIN_SECONDS
    const is = marked ? 'HOLDS' : each.paused ? 'paused' : each.ended ? 'ended' : each.idle ? 'idle' : ''
    const { lagRecords, behindSeconds, recordsPerSecond } = each
    return {
      keys: [name, lagRecords, behindSeconds, watermark, recordsPerSecond, heldSeconds, is],
      cells: [
        name,
        count(lagRecords),
        span(behindSeconds),
        span(watermark),
        count(recordsPerSecond),
        heldSeconds === 0 ? '' : span(heldSeconds),
        is,
      ],
      marked,
      first: marked ? heldSeconds : 0,
    }
  })
  return rows.toSorted((a, b) => b.first - a.first || Number(b.keys[1] ?? -1) - Number(a.keys[1] ?? -1))
}

function productRow({ productId, impressions, clicks, ctr, lowCtr, highCtr, changed }: ApiAnswer<'products'>['products'][number]): TopRow {
  const change = changed === null ? '' : changed === 'up' ? '▲ up' : '▼ down'
  return {
    keys: [productId, impressions, clicks, ctr, lowCtr, highCtr, change],
    cells: [productId, count(impressions), count(clicks), ratio(ctr), ratio(lowCtr), ratio(highCtr), change],
    marked: false,
  }
}

function letterRow({ reason, records, leftOutRecords }: ApiAnswer<'deadLetters'>['reasons'][number]): TopRow {
  return { keys: [reason, records, leftOutRecords], cells: [reason, count(records), count(leftOutRecords)], marked: false }
}

/** Threads of one kind are one; of the workers each has a ring. */
function threadRows({ cost, workers }: ApiAnswer<'state'>): TopRow[] {
  const threads = cost.threads.map(({ thread, coresUsed, cpuSeconds }) => ({
    keys: [thread, coresUsed, cpuSeconds, null, null],
    cells: [thread, ratio(coresUsed), count(cpuSeconds), '', ''],
    marked: false,
  }))
  const rings = workers.map(({ worker, ringFillShare, events }) => ({
    keys: [`worker ${worker}`, null, null, ringFillShare, events],
    cells: [`worker ${worker}`, '', '', ratio(ringFillShare), count(events)],
    marked: ringFillShare >= RING_FULL_SHARE,
  }))
  return [...threads, ...rings]
}
