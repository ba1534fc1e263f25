/** What each thread of this process has used of the CPU, as Linux counts it; on other systems nothing is known of single threads. */
import { readdirSync, readFileSync } from 'node:fs'

/** CPU seconds since the start; threads of one name are one. */
export interface ThreadUse {
  readonly thread: string
  readonly cpuSeconds: number
}

const TASKS = '/proc/self/task'
/** The kernel's unit of these files, on every architecture that Node runs on. */
const TICKS_PER_SECOND = 100
/** utime and stime, counted from the state, which is the first field behind the name. */
const USER_TICKS = 11
const SYSTEM_TICKS = 12

/** Node's own threads are called by what they do; those without a name of ours are `node`. */
function nameOf(comm: string): string {
  if (comm === 'MainThread' || comm === 'node') return 'main'
  if (/^(?:V8Worker|DelayedTask|libuv|SignalInsp|inspector)/.test(comm)) return 'node'
  return /^worker/i.test(comm) ? 'worker' : comm
}

/** Empty where that can't be told. */
export function threadUse(): ThreadUse[] {
  const sums = new Map<string, number>()
  for (const id of threadIds()) {
    try {
      const stat = readFileSync(`${TASKS}/${id}/stat`, 'utf8')
      const end = stat.lastIndexOf(')')
      const name = nameOf(stat.slice(stat.indexOf('(') + 1, end))
      const fields = stat.slice(end + 2).split(' ')
      const ticks = Number(fields[USER_TICKS]) + Number(fields[SYSTEM_TICKS])
      sums.set(name, (sums.get(name) ?? 0) + ticks / TICKS_PER_SECOND)
    } catch {
      // It has ended meanwhile.
    }
  }
  return [...sums].map(([thread, cpuSeconds]) => ({ thread, cpuSeconds }))
}

function threadIds(): string[] {
  try {
    return readdirSync(TASKS)
  } catch {
    return []
  }
}
