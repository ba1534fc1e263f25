/** Copies of a task as workers make them, from plain descriptions, and what a decoded task says in the same plain words. */
import type { ObjectFacts } from '../../src/checkpoint/manifest.ts'
import type { CorrectionsCopy, PaneCopy, ShardCopy } from '../../src/checkpoint/snapshot.ts'
import type { DecodedCells, DecodedTask } from '../../src/checkpoint/task-object-reader.ts'
import { KeyArena } from '../../src/products/key-arena.ts'
import { PAGE_COUNTS } from '../../src/window/cells.ts'

/** Impressions and clicks by product. */
export type PlainCells = Readonly<Record<string, readonly [number, number]>>

export interface PlainPane {
  readonly start: number
  readonly end: number
  readonly dirty: boolean
  readonly emitted: boolean
  readonly cells: PlainCells
  /** By how many windows they have missed. */
  readonly corrections?: Readonly<Record<string, PlainCells>>
}

/** What one worker holds: products by id (null: an id that names none), and panes. */
export interface PlainShard {
  readonly products: readonly (string | null)[]
  readonly panes: readonly PlainPane[]
  /** Of windows that overlap. */
  readonly emittedUpTo?: number
}

export const FACTS: ObjectFacts = {
  task: 3,
  published: 1_700_000_005_000,
  partitions: [
    {
      topic: 'clicks',
      partition: 3,
      position: 1234,
      maxEventTime: 1_700_000_010_000,
      totals: { first: 0, read: 1234, counted: 1200, late: 30, invalid: { EMPTY: 4 } },
      windows: [
        {
          end: 1_700_000_010_000,
          offset: 1000,
          maxEventTime: null,
          events: 200,
          totals: { first: 0, read: 1000, counted: 1000, late: 0, invalid: {} },
        },
      ],
    },
  ],
  rules: {
    windowType: 'tumbling',
    windowSize: 10_000,
    outOfOrderness: 5000,
    allowedLateness: 5000,
    topics: ['impressions', 'clicks'],
    tenant: 'default',
  },
  createdAt: 1_700_000_011_000,
  writer: 'ctr',
}

export function shardCopy(task: number, { products, panes, emittedUpTo }: PlainShard): ShardCopy {
  const arena = new KeyArena()
  const places = Int32Array.from(products, (product) => {
    const bytes = Buffer.from(product ?? '')
    return product === null ? -1 : arena.add(bytes, 0, bytes.length)
  })
  const copies = panes.map(({ start, end, dirty, emitted, cells, corrections }) => {
    const pairs = products.map((product) => (product === null ? undefined : cells[product]) ?? [0, 0])
    const { directory, counts } = pagesOf(pairs.flat())
    const total = pairs.flat().reduce((sum, count) => sum + count, 0)
    return { start, end, dirty, emitted, directory, counts, total, corrections: corrections && correctionsCopy(products, corrections) }
  })
  return { task, limit: products.length, places, arena: arena.bytes, panes: copies, emittedUpTo }
}

/** Entries as they may have come: the last first. */
function correctionsCopy(products: PlainShard['products'], corrections: Required<PlainPane>['corrections']): CorrectionsCopy {
  const entries = Object.entries(corrections).flatMap(([missed, cells]) =>
    Object.entries(cells).map(([product, pair]) => ({ id: products.indexOf(product), missed: Number(missed), pair })),
  )
  entries.reverse()
  return {
    ids: Int32Array.from(entries, ({ id }) => id),
    missed: Int32Array.from(entries, ({ missed }) => missed),
    counts: Float64Array.from(entries.flatMap(({ pair }) => pair)),
  }
}

/** Counts by code (id << 1 | click) as a pane has them: in pages, which are in another order than their ids, and none where all are 0. */
export function pagesOf(byCode: ArrayLike<number>): Pick<PaneCopy, 'directory' | 'counts'> {
  const length = Math.ceil(byCode.length / PAGE_COUNTS)
  const all = Float64Array.from({ length: length * PAGE_COUNTS }, (_, code) => byCode[code] ?? 0)
  const directory = new Int32Array(length)
  let pages = 1
  for (let place = length - 1; place >= 0; place--) {
    if (all.subarray(place * PAGE_COUNTS, (place + 1) * PAGE_COUNTS).some((count) => count !== 0)) directory[place] = pages++
  }
  const size = pages * PAGE_COUNTS
  const counts = all.some((count) => count > 0xffff_ffff) ? new Float64Array(size) : new Uint32Array(size)
  for (const [place, page] of directory.entries()) {
    if (page > 0) counts.set(all.subarray(place * PAGE_COUNTS, (place + 1) * PAGE_COUNTS), page * PAGE_COUNTS)
  }
  return { directory, counts }
}

/** The panes of a decoded task with its products spelled out, and cells by product. */
export function plainPanes({ products, panes }: DecodedTask) {
  const name = (i: number) => Buffer.from(products.bytes.subarray(products.starts[i], products.starts[i + 1])).toString()
  const cellsOf = ({ products, impressions, clicks }: DecodedCells) =>
    Object.fromEntries(Array.from(products, (product, i) => [name(product), [impressions[i], clicks[i]]]))
  return panes.map((pane) => ({
    start: pane.start,
    end: pane.end,
    dirty: pane.dirty,
    emitted: pane.emitted,
    total: pane.total,
    cells: cellsOf(pane),
    ...(pane.corrections && { corrections: Object.fromEntries(pane.corrections.map((each) => [each.missed, cellsOf(each)])) }),
  }))
}
