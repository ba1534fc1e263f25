/**
 * The work of the TypeScript peers: JSON.parse or another decoder, a Map of Maps, plain objects. It shares no code with the engine, has no
 * sink, no dead letters and no recovery, and still must come to the same rows: windows of 10 s, late when the window has been closed for
 * the allowed lateness by the clock of the event's own partition.
 */
import { writeFileSync } from 'node:fs'

const WINDOW_MS = 10_000
const OUT_OF_ORDERNESS_MS = 5_000
const ALLOWED_LATENESS_MS = 5_000

interface Count {
  impressions: number
  clicks: number
}

/** A window's products. */
type Window = Map<string, Count>

interface Row extends Count {
  readonly product: string
  readonly windowStart: number
  readonly windowEnd: number
  readonly task: number
}

/** Partition i of every topic. */
class Task {
  readonly rows: Row[] = []
  readonly #task: number
  readonly #windows = new Map<number, Window>()
  /** Largest event time of each topic's partition; all are there from the start, so that none is closed before every topic was seen. */
  readonly #times: Map<string, number>

  constructor(task: number, topics: readonly string[]) {
    this.#task = task
    this.#times = new Map(topics.map((topic) => [topic, Number.NEGATIVE_INFINITY]))
  }

  /** False when the event is late. */
  count(topic: string, product: string, click: boolean, time: number): boolean {
    const start = Math.floor(time / WINDOW_MS) * WINDOW_MS
    const latest = this.#times.get(topic) ?? Number.NEGATIVE_INFINITY
    const late = start + WINDOW_MS + ALLOWED_LATENESS_MS <= latest - OUT_OF_ORDERNESS_MS
    if (time > latest) this.#times.set(topic, time)
    if (late) return false
    let window = this.#windows.get(start)
    if (window === undefined) {
      window = new Map()
      this.#windows.set(start, window)
    }
    let count = window.get(product)
    if (count === undefined) {
      count = { impressions: 0, clicks: 0 }
      window.set(product, count)
    }
    if (click) count.clicks++
    else count.impressions++
    return true
  }

  closeWindows(watermark = Math.min(...this.#times.values()) - OUT_OF_ORDERNESS_MS): void {
    for (const [windowStart, window] of this.#windows) {
      const windowEnd = windowStart + WINDOW_MS
      if (windowEnd + ALLOWED_LATENESS_MS > watermark) continue
      for (const [product, count] of window) this.rows.push({ product, windowStart, windowEnd, task: this.#task, ...count })
      this.#windows.delete(windowStart)
    }
  }
}

/** All tasks, and what became of the records. */
export class MapWindows {
  events = 0
  late = 0
  invalid = 0
  readonly #topics: readonly string[]
  readonly #tasks = new Map<number, Task>()

  constructor(topics: readonly string[]) {
    this.#topics = topics
  }

  /** One record, decoded, those of a partition in offset order. */
  count(topic: string, partition: number, decoded: Decoded | undefined): void {
    this.events++
    const event = eventOf(decoded)
    if (event === undefined) this.invalid++
    else if (!this.#task(partition).count(topic, event.product, event.click, event.time)) this.late++
  }

  /** Closes what can be closed; to be called now and then. */
  closeWindows(partition: number): void {
    this.#task(partition).closeWindows()
  }

  /** Closes all windows and writes their rows, one JSON line each, to `file` when there is one. Returns how many there are. */
  finish(file: string | undefined): number {
    const rows = [...this.#tasks.values()].flatMap((task) => {
      task.closeWindows(Number.POSITIVE_INFINITY)
      return task.rows
    })
    if (file !== undefined) writeFileSync(file, rows.map((row) => `${JSON.stringify(row)}\n`).join(''))
    return rows.length
  }

  #task(partition: number): Task {
    let task = this.#tasks.get(partition)
    if (task === undefined) {
      task = new Task(partition, this.#topics)
      this.#tasks.set(partition, task)
    }
    return task
  }
}

/** What a decoder has made of a value. */
export type Decoded = { readonly [name: string]: unknown }

/** Undefined when it is no JSON. */
export function decodeJson(value: Buffer | null | undefined): Decoded | undefined {
  if (value === null || value === undefined) return undefined
  try {
    return JSON.parse(value.toString())
  } catch {
    return undefined
  }
}

function eventOf(decoded: Decoded | undefined): { product: string; click: boolean; time: number } | undefined {
  if (decoded === undefined) return undefined
  const product = decoded.product_id ?? decoded.productId
  const user = decoded.user_id ?? decoded.userId
  const type = decoded.event_type ?? decoded.eventType
  const time = decoded.timestamp
  if (typeof product !== 'string' || product === '' || typeof user !== 'string' || user === '') return undefined
  if (typeof time !== 'number' || !Number.isInteger(time) || time <= 0) return undefined
  if (type !== 'impression' && type !== 'view' && type !== 'click') return undefined
  return { product, click: type === 'click', time }
}
