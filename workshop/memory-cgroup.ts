/**
 * A memory cgroup of one's own, of version 1 or 2 as the machine has it, for a process that must get along with so much. It takes root, and
 * a /sys/fs/cgroup that may be written to; nothing else bounds resident memory: a limit on address space (ulimit) stops Node at its start.
 */
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { sleep } from '../src/clock.ts'

/** The group, until it is removed. */
export interface MemoryCgroup {
  /** A command that runs another one in it, for ChildOptions. */
  readonly under: readonly string[]
  /** The most it has held, page cache included. */
  peakBytes(): number
  /** Processes that the kernel has killed in it for want of memory. */
  kills(): number
  remove(): Promise<void>
}

const ROOT = '/sys/fs/cgroup'
const REMOVE_TRIES = 50

/** Throws an Error that says what is missing when there can be none. */
export function memoryCgroup(name: string, limitBytes: number): MemoryCgroup {
  const first = existsSync(join(ROOT, 'memory/memory.limit_in_bytes'))
  const folder = join(ROOT, first ? 'memory' : '', `ctr-${process.pid}-${name}`)
  const file = (of: string) => join(folder, of)
  try {
    if (!first) writeFileSync(join(ROOT, 'cgroup.subtree_control'), '+memory')
    mkdirSync(folder)
    writeFileSync(file(first ? 'memory.limit_in_bytes' : 'memory.max'), String(limitBytes))
  } catch (cause) {
    throw new Error(`no memory cgroup can be made (${String(cause)}): run as root, where ${ROOT} may be written to`, { cause })
  }
  const count = (of: string, line: RegExp) => Number(line.exec(readFileSync(file(of), 'utf8'))?.[1] ?? 0)
  return {
    under: ['sh', '-c', `echo $$ > ${file('cgroup.procs')} && exec "$@"`, 'sh'],
    peakBytes: () => count(first ? 'memory.max_usage_in_bytes' : 'memory.peak', /(\d+)/),
    kills: () => count(first ? 'memory.oom_control' : 'memory.events', /oom_kill (\d+)/),
    async remove() {
      for (let left = REMOVE_TRIES; existsSync(folder); left--) {
        try {
          rmdirSync(folder)
        } catch (error) {
          if (left === 0) throw error
          await sleep(100) // its processes have ended, and are not yet gone
        }
      }
    },
  }
}
