/** Reads the .cpuprofile files that `node --cpu-prof` writes, one per thread: which functions a thread spent its time in. */
import { fileURLToPath } from 'node:url'

/** As V8 writes it; times in µs. */
export interface CpuProfile {
  readonly nodes: readonly { readonly id: number; readonly callFrame: CallFrame }[]
  readonly samples: readonly number[]
  readonly timeDeltas: readonly number[]
}

interface CallFrame {
  readonly functionName: string
  readonly url: string
  /** Counted from 0. */
  readonly lineNumber: number
}

export interface ThreadProfile {
  readonly thread: string
  /** All that was sampled, idling included. */
  readonly seconds: number
  /** The most expensive first. */
  readonly functions: readonly { readonly name: string; readonly place: string; readonly seconds: number }[]
}

/** Which thread runs what: by a file of which only that thread runs functions. */
const THREADS: readonly (readonly [file: string, thread: string])[] = [
  ['src/run/pipeline.ts', 'main'],
  ['src/worker/worker.ts', 'worker'],
  ['src/sink/sink-thread.ts', 'sink'],
  ['src/checkpoint/checkpoint-thread.ts', 'checkpoint'],
]

/** Self time by function. `root` is the repository's folder, with a slash at its end; `number` names a thread not known otherwise. */
export function readProfile({ nodes, samples, timeDeltas }: CpuProfile, root: string, number: string): ThreadProfile {
  const frames = new Map(nodes.map(({ id, callFrame }) => [id, callFrame]))
  const byPlace = new Map<string, { name: string; place: string; seconds: number }>()
  let seconds = 0
  samples.forEach((id, i) => {
    const frame = frames.get(id)
    const time = Math.max(0, timeDeltas[i] ?? 0) / 1e6
    if (frame === undefined) return
    const name = frame.functionName || '(anonymous)'
    const place = placeOf(frame, root)
    const one = byPlace.get(`${name} ${place}`) ?? { name, place, seconds: 0 }
    one.seconds += time
    seconds += time
    byPlace.set(`${name} ${place}`, one)
  })
  const files = new Set(nodes.map(({ callFrame }) => placeOf(callFrame, root).replace(/:\d+$/, '')))
  const known = THREADS.find(([file]) => files.has(file))?.[1]
  const functions = [...byPlace.values()].sort((a, b) => b.seconds - a.seconds)
  return { thread: known === undefined ? `thread ${number}` : `${known} (thread ${number})`, seconds, functions }
}

/** file:line, relative to the repository or to node_modules; empty for what is no function of a file. */
function placeOf({ url, lineNumber }: CallFrame, root: string): string {
  if (url === '') return ''
  const path = url.startsWith('file:') ? fileURLToPath(url) : url
  const packages = path.lastIndexOf('node_modules/')
  const short = packages >= 0 ? path.slice(packages) : path.startsWith(root) ? path.slice(root.length) : path
  return `${short}:${lineNumber + 1}`
}
