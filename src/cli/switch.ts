/** `ctr schema switch`: which of several ctr databases the views read that people read. */
import { hostname, userInfo } from 'node:os'
import { whereOf } from '../clickhouse/connect.ts'
import { openEndpoint } from '../clickhouse/endpoint.ts'
import type { Config } from '../config/schema.ts'
import { CtrError } from '../errors.ts'
import type { Logger } from '../log.ts'
import { LIVE_DEFAULT, readSwitches, type SwitchWish, switchLive } from '../tables/live.ts'
import { formOf } from '../tables/objects.ts'
import { visible } from '../text.ts'
import type { SchemaOptions } from './options.ts'

const SHOWN_MAX = 10

/** Switches, or without a wish says what is read and what was; returns the exit code. Throws CtrError. */
export async function switchVerb(
  clickhouse: Config['clickhouse'],
  options: SchemaOptions,
  log: Logger,
  write: (text: string) => void,
): Promise<number> {
  const wish = wishOf(options)
  const { live = LIVE_DEFAULT } = options
  const json = options.format === 'json'
  const { endpoint, front } = await openEndpoint(clickhouse, log)
  try {
    if (wish === undefined) {
      const switches = await readSwitches(endpoint, live)
      if (json) write(`${JSON.stringify({ live, reads: switches[0]?.reads ?? null, switches: switches.map(plain) }, null, 2)}\n`)
      else if (switches.length === 0) write(`${live} is not there at ${whereOf(endpoint)}; begin with ctr schema switch --to DATABASE\n`)
      else
        write(
          switches
            .slice(0, SHOWN_MAX)
            .map((each, i) => `${i === 0 ? '→' : ' '} ${spell(each)}\n`)
            .join(''),
        )
      return 0
    }
    const by = `${userInfo().username}@${hostname()}`
    const { reads, before, views } = await switchLive(endpoint, { ...formOf(clickhouse), database: live }, wish, by)
    if (json) write(`${JSON.stringify({ live, reads, before: before ?? null, views }, null, 2)}\n`)
    else write(`${textOf(live, reads, before, views.length)}\n`)
    return 0
  } finally {
    front?.close()
  }
}

function wishOf({ to, back = false, settle = false }: SchemaOptions): SwitchWish | undefined {
  if (Number(to !== undefined) + Number(back) + Number(settle) > 1) {
    throw new CtrError('CTR_USAGE', '--to, --back and --settle exclude each other')
  }
  if (to !== undefined) return { to }
  return back ? 'back' : settle ? 'settle' : undefined
}

function plain({ at, ...rest }: Awaited<ReturnType<typeof readSwitches>>[number]) {
  return { ...rest, at: new Date(at).toISOString() }
}

function spell({ number, reads, by, at }: Awaited<ReturnType<typeof readSwitches>>[number]): string {
  return visible(`${number}  ${new Date(at).toISOString()}  ${reads}  by ${by}`)
}

function textOf(live: string, reads: string, before: string | undefined, views: number): string {
  const made = views === 0 ? '' : `; ${views} views were made anew`
  if (before === undefined) return `${live} reads ${reads}${made}`
  if (before === reads) return `${live} reads ${reads}, as before${made}`
  return `${live} reads ${reads} now, no longer ${before}${made}; ctr schema switch --live ${live} --back goes back`
}
