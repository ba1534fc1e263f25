/** What answers of a ClickHouse mean for an engine with this configuration. Nothing here asks anybody. */
import type { Plan } from '../tables/plan.ts'
import { formatBytes, formatCount } from '../text.ts'
import { type Finding, fault, ok, together, warning } from './finding.ts'

/** The oldest that the engine is tried with: year and month. */
const OLDEST = [24, 10] as const

/** Less room is a warning, and much less a fault. */
const ROOM_LOW_BYTES = 1024 ** 3
const ROOM_GONE_BYTES = 64 * 1024 ** 2
const STEPS_SHOWN = 3

/** What `SELECT version()` says. */
export function judgeVersion(version: string): Finding {
  const [year = 0, month = 0] = version.split('.').map(Number)
  const oldest = OLDEST.join('.')
  if (year > OLDEST[0] || (year === OLDEST[0] && month >= OLDEST[1])) return ok(`ClickHouse ${version}`)
  return fault(`ClickHouse ${version} is older than ${oldest}`, `update it to ${oldest} or newer`)
}

/** What is left to do to the tables, when nothing is in the way. `applies`: a start does it (clickhouse.applySchema). */
export function judgePlan({ from, to, steps }: Plan, applies: boolean): Finding {
  if (from > to) {
    return warning(`the tables are of version ${from}, and this engine knows ${to}; it leaves them as they are`, 'run the newer engine')
  }
  if (steps.length === 0) return ok(`the tables are as they should be, of version ${from}`)
  const parts = steps.flatMap((step) => step.parts)
  const names = parts.map(({ name }) => name)
  const more = names.length > STEPS_SHOWN ? `, and ${names.length - STEPS_SHOWN} more` : ''
  if (from === 0 && applies) return ok('there are no tables yet; the first start makes them')
  const remedy = 'look at `ctr schema plan`, then run `ctr schema apply`'
  if (from === 0) return fault('there are no tables, and clickhouse.applySchema is false', 'run `ctr schema apply` as a user who may')
  const rows = parts.reduce((sum, part) => sum + (part.rows ?? 0), 0)
  const bytes = parts.reduce((sum, part) => sum + (part.bytes ?? 0), 0)
  const moved = rows === 0 ? '' : `; ${formatCount(rows)} rows, ${formatBytes(bytes)} would be moved`
  const who = applies ? 'a start would change what differs:' : 'what differs is not changed yet:'
  return warning(`${who} ${names.slice(0, STEPS_SHOWN).join(', ')}${more}${moved}`, applies ? `${remedy} before it` : remedy)
}

/** Rights that are missing, as GRANT has them. */
export function judgeGrants(lacking: readonly string[], role: 'writer' | 'owner', user: string, count: number): Finding {
  if (lacking.length === 0) return ok(`${user} has all ${count} rights that \`ctr schema grants --for ${role}\` prints`)
  return fault(`${user} lacks ${lacking.join(', ')}`, `grant what \`ctr schema grants --for ${role}\` prints`)
}

/** Where something is kept, and what room there is; `inodes` undefined where the file system has no such bound. */
export interface Room {
  readonly place: string
  readonly freeBytes: number
  readonly inodes?: number | undefined
}

/** Room of each. */
export function judgeRoom(rooms: readonly Room[], remedy: string): Finding {
  return together(
    rooms.map(({ place, freeBytes, inodes }) => {
      const found = `${formatBytes(freeBytes)} free for ${place}`
      if (inodes === 0) return fault(`${place}: no more files can be made, though ${formatBytes(freeBytes)} are free`, remedy)
      if (freeBytes < ROOM_GONE_BYTES) return fault(found, remedy)
      return freeBytes < ROOM_LOW_BYTES ? warning(found, remedy) : ok(found)
    }),
  )
}
