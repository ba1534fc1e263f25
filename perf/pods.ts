/** Processes of one consumer group under fixed names, as the pods of a StatefulSet: a new one takes the name of the one before it. */
import { type Engine, type EngineOptions, startEngine } from '../workshop/engine.ts'
import type { Stand } from '../workshop/stand.ts'
import { within } from './lives.ts'

/** The process has been given this share of the partitions. */
export interface Join {
  readonly at: number
  readonly partitions: number
  readonly gained: number
  readonly lost: number
}

/** The leader of a generation has dealt the tasks out to so many members. */
export interface Deal {
  readonly at: number
  readonly members: number
  readonly moved: number
}

export interface Pod {
  readonly name: string
  /** Of all its processes. */
  readonly joins: Join[]
  readonly deals: Deal[]
  /** Its newest process. */
  engine: Engine
}

const START_MAX_MS = 60_000

/** A pod and its first process. */
export function startPod(stand: Stand, name: string, options: EngineOptions): Pod {
  const heard = { joins: [], deals: [] }
  return { name, ...heard, engine: startProcess(stand, name, options, heard) }
}

/** The next process of the pod; the one before it has ended. */
export function startAgain(stand: Stand, pod: Pod, options: EngineOptions): void {
  pod.engine = startProcess(stand, pod.name, options, pod)
}

/** Resolves when the pod's process has joined the group; throws when it doesn't. */
export async function consuming({ name, engine }: Pod): Promise<void> {
  await within(START_MAX_MS, engine.consuming, `${name} does not get to counting`)
  if (engine.milestones.running === undefined) throw new Error(`${name} ended while it started`)
}

function startProcess(stand: Stand, name: string, options: EngineOptions, { joins, deals }: Pick<Pod, 'joins' | 'deals'>): Engine {
  const sets = [`kafka.clientId=${name}`, ...(options.sets ?? [])]
  return startEngine(stand, {
    ...options,
    sets,
    onLog: (line) => {
      options.onLog?.(line)
      if (!/^(?:joined|dealt) the/.test(line.msg ?? '')) return
      const { msg, partitions, gained, lost, members, moved } = line as unknown as Join & Deal & { readonly msg: string }
      if (msg.startsWith('joined')) joins.push({ at: Date.now(), partitions, gained, lost })
      else deals.push({ at: Date.now(), members, moved })
    },
  })
}
