/** Checkpoints in a store as a pipeline leaves them there, from plain descriptions. */
import { checkpointId, encodeManifest, type Manifest, manifestKey, objectKey, type TaskEntry } from '../../src/checkpoint/manifest.ts'
import { encodeTask } from '../../src/checkpoint/task-object.ts'
import type { ObjectStore } from '../../src/store/object-store.ts'
import { FACTS, type PlainCells, shardCopy } from './task-copies.ts'

const WINDOW_MS = 10_000

/** Cells by start of window. */
export type PlainWindows = Readonly<Record<number, PlainCells>>

export interface PlainTask {
  readonly position: number
  /** Open ones. */
  readonly windows: PlainWindows
  /** In the object still, but closed since it was written. */
  readonly closed?: PlainWindows
  /** An object written before, to refer to again. */
  readonly object?: TaskEntry['object']
}

export interface PlainCheckpoint {
  readonly at: number
  readonly group?: string
  readonly savepoint?: string
  readonly writer?: number
  readonly tasks: Readonly<Record<number, PlainTask>>
}

const eventsIn = (cells: PlainCells) => Object.values(cells).reduce((sum, [a, b]) => sum + a + b, 0)

/** Writes objects and manifest; gives the manifest. */
export async function keep(store: ObjectStore, { at, group = 'ctr', savepoint, writer = 0, tasks }: PlainCheckpoint): Promise<Manifest> {
  const id = checkpointId(at, `0000000${writer}`, 1)
  const name = `ctr-${writer}`
  const entries: TaskEntry[] = []
  for (const [number, plain] of Object.entries(tasks)) {
    const task = Number(number)
    const facts = factsOf(task, plain)
    const all = Object.entries({ ...plain.closed, ...plain.windows })
    let object = plain.object ?? null
    if (plain.object === undefined && all.length > 0) {
      const products = [...new Set(all.flatMap(([, cells]) => Object.keys(cells)))]
      const panes = all.map(([start, cells]) => {
        return { start: Number(start), end: Number(start) + WINDOW_MS, dirty: true, emitted: false, cells }
      })
      const encoded = encodeTask({ ...facts, rules: FACTS.rules, createdAt: at, writer: name }, [shardCopy(task, { products, panes })])
      const key = objectKey(group, task, id)
      await store.put(key, encoded.bytes)
      object = { key, bytes: encoded.bytes.length, crc32: encoded.crc32, cells: encoded.cells, products: encoded.products }
    }
    entries.push({ ...facts, object })
  }
  const common = { format: 1, id, group, createdAt: at, writer: name, rules: FACTS.rules } as const
  const manifest: Manifest = { ...common, savepoint: savepoint ?? null, tasks: entries }
  await store.put(manifestKey(manifest), encodeManifest(manifest))
  return manifest
}

function factsOf(task: number, { position, windows }: PlainTask) {
  const totals = { first: 0, read: position, counted: position, late: 0, invalid: {} }
  const open = Object.entries(windows).map(([start, cells], i) => {
    return {
      end: Number(start) + WINDOW_MS,
      offset: i,
      maxEventTime: null,
      events: eventsIn(cells),
      totals: { ...totals, read: i, counted: i },
    }
  })
  return {
    task,
    published: 1_700_000_000_000,
    partitions: [{ topic: 'clicks', partition: task, position, maxEventTime: 1_700_000_005_000, totals, windows: open }],
  }
}
