/** What V8's `--trace-gc-nvp` says of the collections of a process, and what its threads have allocated by that. */
import { quantile } from '../workshop/report.ts'

/** One collection. Times in ms, of the isolate's own clock. */
export interface Collection {
  readonly isolate: string
  /** When it was over. */
  readonly at: number
  readonly full: boolean
  readonly pauseMs: number
  /** Bytes of objects. */
  readonly before: number
  readonly after: number
}

/** Of the preload: `at` is when the last of the thread's first collections was over, ms since the epoch. */
export interface NamedThread {
  readonly thread: number
  readonly name: string
  readonly at: number
}

/** How full the heap of a thread was at `at`, ms since the epoch; `external` is memory outside of it, such as buffers. */
export interface HeapSample {
  readonly thread: number
  readonly at: number
  readonly used: number
  readonly external: number
}

/** From which moment to which other, ms since the epoch. */
export interface Span {
  readonly from: number
  readonly to: number
}

export interface ThreadGarbage {
  readonly name: string
  /** What lies between its first and its last sample of the span. */
  readonly seconds: number
  readonly allocatedBytes: number
  readonly collections: number
  readonly fullCollections: number
  readonly pausesMs: readonly number[]
  /** Bytes of its external memory: the least and the most of the samples. */
  readonly external: readonly [least: number, most: number]
}

/** Full collections that follow each other this closely were asked for. */
const ASKED_FOR_BYTES_MAX = 64 * 1024

/** The collections of process `pid` in what it has printed. Throws when a line of the trace can't be read. */
export function readTrace(text: string, pid: number): Collection[] {
  const found: Collection[] = []
  for (const line of text.split('\n')) {
    const [, of, isolate, at] = /^\[(\d+):(\S+)\] +(\d+) ms: pause=/.exec(line) ?? []
    if (isolate === undefined || Number(of) !== pid) continue
    const value = (name: string) => Number(new RegExp(` ${name}=(\\d+(?:\\.\\d+)?)(?: |$)`).exec(line)?.[1] ?? Number.NaN)
    const [, kind] = / gc=(\S+) /.exec(line) ?? []
    const collection = {
      isolate,
      at: Number(at),
      full: kind !== 's',
      pauseMs: Number(/ pause=([\d.]+) /.exec(line)?.[1]),
      before: value('start_object_size'),
      after: value('end_object_size'),
    }
    const numbers = [collection.pauseMs, collection.before, collection.after]
    if (kind === undefined || numbers.some(Number.isNaN)) throw new Error(`a line of the trace can't be read: ${line.slice(0, 120)}…`)
    found.push(collection)
  }
  return found
}

/** Which isolate is which thread: that of thread k began with k + 1 full collections in a row. Times become ms since the epoch. */
export function byThread(trace: readonly Collection[], threads: readonly NamedThread[]): Map<number, Collection[]> {
  const isolates = Map.groupBy(trace, ({ isolate }) => isolate)
  const found = new Map<number, Collection[]>()
  for (const collections of isolates.values()) {
    const asked = collections.filter(({ full, before }, i) => {
      const last = collections[i - 1]
      return full && last?.full === true && before - last.after < ASKED_FOR_BYTES_MAX
    })
    const named = threads.find(({ thread }) => thread === asked.length)
    const last = asked.at(-1) ?? collections.find(({ full }) => full)
    if (named === undefined || last === undefined || found.has(named.thread)) throw new Error("the trace's isolates can't be told apart")
    const offset = named.at - last.at
    found.set(
      named.thread,
      collections.map((one) => ({ ...one, at: one.at + offset })),
    )
  }
  if (found.size !== threads.length) throw new Error(`${threads.length} threads were started, the trace is of ${found.size}`)
  return found
}

/** What a thread did within the span: the heap's growth between two samples, and what the collections in between have freed. */
export function garbageOf(
  { thread, name }: NamedThread,
  collections: readonly Collection[],
  samples: readonly HeapSample[],
  { from, to }: Span,
): ThreadGarbage {
  const own = samples.filter((sample) => sample.thread === thread && sample.at >= from && sample.at <= to)
  const first = own[0]
  const last = own.at(-1)
  if (first === undefined || last === undefined || first === last) throw new Error(`the run is too short to say what ${name} allocates`)
  const between = collections.filter(({ at }) => at > first.at && at <= last.at)
  const freed = between.reduce((sum, { before, after }) => sum + before - after, 0)
  const external = own.map((sample) => sample.external)
  return {
    name,
    seconds: (last.at - first.at) / 1000,
    allocatedBytes: last.used - first.used + freed,
    collections: between.length,
    fullCollections: between.filter(({ full }) => full).length,
    pausesMs: between.map(({ pauseMs }) => pauseMs),
    external: [Math.min(...external), Math.max(...external)],
  }
}

/** Of the pauses; 0 of none. */
export function pauseQuantile(pausesMs: readonly number[], share: number): number {
  return pausesMs.length === 0 ? 0 : quantile(pausesMs, share)
}
