/** Whether this process is the one that a shell has in front: only that one may read keys and change how the terminal behaves. */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

/** Who asks from behind without it is stopped by the system. */
export function inForeground(): boolean {
  if (process.platform === 'win32') return true
  const [group, front] = process.platform === 'linux' ? groupsOfLinux(readFileSync('/proc/self/stat', 'utf8')) : groupsOfPs()
  return front === group || front === NO_TERMINAL
}

/** Of a process whose terminal is no shell's. */
const NO_TERMINAL = -1

/** Its group, and the group in front, from the text of /proc/PID/stat: behind the name in parentheses, which may hold anything. */
export function groupsOfLinux(stat: string): [group: number, front: number] {
  const [, , group, , , front] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return [Number(group), Number(front)]
}

function groupsOfPs(): [group: number, front: number] {
  const { stdout } = spawnSync('ps', ['-o', 'pgid=,tpgid=', '-p', String(process.pid)], { encoding: 'utf8' })
  const [group = Number.NaN, front = Number.NaN] = (stdout ?? '').trim().split(/\s+/).map(Number)
  return [group, front === 0 ? NO_TERMINAL : front]
}
