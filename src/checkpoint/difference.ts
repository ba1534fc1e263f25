/** Which open windows differ between two checkpoints, and in which products. */

import type { ObjectStore } from '../store/object-store.ts'
import type { SelectedTask, Selection } from './selection.ts'
import { openPanes, productOf, readObject } from './stored-task.ts'

/** Impressions and clicks. */
export type Counts = readonly [impressions: number, clicks: number]

/** A product whose counts differ; null where it has none. */
export interface ProductDifference {
  readonly product: string
  readonly a: Counts | null
  readonly b: Counts | null
}

/** A window of a task that is not the same in both; null where it isn't open. Times in ms. */
export interface WindowDifference {
  readonly task: number
  readonly start: number
  readonly end: number
  readonly a: Counts | null
  readonly b: Counts | null
  /** By id. */
  readonly products: readonly ProductDifference[]
}

interface Window {
  readonly start: number
  readonly end: number
  readonly sum: Counts
  readonly cells: ReadonlyMap<string, Counts>
}

/** Task by task, windows by time; one task is in memory at a time. Throws as readObject does. */
export async function* differences(store: ObjectStore, a: Selection, b: Selection): AsyncGenerator<WindowDifference> {
  const tasks = new Set([...a.tasks, ...b.tasks].map(({ entry }) => entry.task))
  for (const task of [...tasks].sort((x, y) => x - y)) {
    const [before, after] = [await windowsOf(store, a, task), await windowsOf(store, b, task)]
    for (const end of [...new Set([...before.keys(), ...after.keys()])].sort((x, y) => x - y)) {
      const [x, y] = [before.get(end), after.get(end)]
      const products = changed(x?.cells ?? new Map(), y?.cells ?? new Map())
      const start = x?.start ?? y?.start ?? end
      if (products.length > 0) yield { task, start, end, a: x?.sum ?? null, b: y?.sum ?? null, products }
    }
  }
}

async function windowsOf(store: ObjectStore, { tasks }: Selection, task: number): Promise<Map<number, Window>> {
  const windows = new Map<number, Window>()
  const selected: SelectedTask | undefined = tasks.find(({ entry }) => entry.task === task)
  if (selected === undefined || selected.entry.object === null) return windows
  const decoded = await readObject(store, selected.entry.object)
  for (const pane of openPanes(decoded, selected.entry)) {
    const cells = new Map<string, Counts>()
    let sum: Counts = [0, 0]
    for (const { products, impressions, clicks } of [pane, ...(pane.corrections ?? [])]) {
      for (const [i, product] of products.entries()) {
        const name = productOf(decoded, product)
        const counts: Counts = [impressions[i] ?? 0, clicks[i] ?? 0]
        cells.set(name, plus(cells.get(name) ?? [0, 0], counts))
        sum = plus(sum, counts)
      }
    }
    windows.set(pane.end, { start: pane.start, end: pane.end, sum, cells })
  }
  return windows
}

function plus(a: Counts, b: Counts): Counts {
  return [a[0] + b[0], a[1] + b[1]]
}

function changed(a: ReadonlyMap<string, Counts>, b: ReadonlyMap<string, Counts>): ProductDifference[] {
  const found: ProductDifference[] = []
  for (const product of new Set([...a.keys(), ...b.keys()])) {
    const [x, y] = [a.get(product) ?? null, b.get(product) ?? null]
    if (x?.[0] !== y?.[0] || x?.[1] !== y?.[1]) found.push({ product, a: x, b: y })
  }
  return found.sort((x, y) => (x.product < y.product ? -1 : 1))
}
