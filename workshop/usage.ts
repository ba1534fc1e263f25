/**
 * What a process has used. As a module preloaded by `node --import` it writes that, at the process's exit, to the file that
 * CTR_BENCH_USAGE names: the process's own threads only, not its children (the embedded ClickHouse is one).
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { isMainThread } from 'node:worker_threads'

export interface Usage {
  /** User and system time of all its threads. */
  readonly cpuSeconds: number
  readonly peakRssBytes: number
}

const file = process.env.CTR_BENCH_USAGE
if (isMainThread && file) {
  process.once('exit', () => {
    const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage()
    const usage: Usage = { cpuSeconds: (userCPUTime + systemCPUTime) / 1e6, peakRssBytes: peakRssOf(process.pid) ?? maxRSS * 1024 }
    writeFileSync(file, JSON.stringify(usage))
  })
}

const TICKS_PER_SECOND = 100

/** User and system time of a process so far; undefined when it is gone, or where there is no /proc. */
export function cpuSecondsOf(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // After the name, which may hold spaces: state is field 3, utime and stime are 14 and 15.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND
  } catch {
    return undefined
  }
}

/** The most memory a process has had resident; undefined when it is gone, or where there is no /proc. */
export function peakRssOf(pid: number): number | undefined {
  try {
    const [, kibibytes] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
    return kibibytes === undefined ? undefined : Number(kibibytes) * 1024
  } catch {
    return undefined
  }
}
