/** An embedded engine with a user of few rights, or with a profile that forbids settings; opened on the same data as often as one likes. */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Grant } from '../src/tables/grants.ts'
import { attach, type TestClickHouse } from './clickhouse.ts'
import type { LimitedReport, LimitedStart } from './limited-engine.ts'

const ENTRY = fileURLToPath(new URL('./limited-engine.ts', import.meta.url))

/** What the user may; all when not given, and no limits. */
export interface Limits {
  readonly grants?: readonly Grant[]
  /** The inside of the profile: `<readonly>2</readonly>`. */
  readonly profile?: string
  /** Set for each request, as a profile would; the engine does not open data with views under a profile that forbids their settings. */
  readonly first?: string
}

/** Opens the engine of a directory; stop() closes it and leaves what it holds. */
export async function openLimited(directory: string, limits: Limits = {}): Promise<TestClickHouse> {
  const child = fork(ENTRY, { execArgv: ['--disable-warning=ExperimentalWarning'], stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
  child.send({ directory, users: usersXml(limits), first: limits.first } satisfies LimitedStart)
  const ended = once(child, 'exit')
  const [report] = (await Promise.race([once(child, 'message'), ended.then(() => [{ failure: 'it has ended' }])])) as [LimitedReport]
  const stop = async () => {
    if (child.connected) child.disconnect()
    await ended
  }
  if ('failure' in report) {
    await stop()
    throw new Error(`the limited engine does not start: ${report.failure}`)
  }
  const url = `http://127.0.0.1:${report.port}`
  return attach({ url, username: 'default', password: 'limited', database: 'ctr', requestTimeoutMs: 30_000, compression: false }, stop)
}

function usersXml({ grants, profile = '' }: Limits): string {
  const queries = grants?.map(([right, on]) => `<query>GRANT ${right} ON ${on}</query>`)
  // A user with no grants element may do everything.
  const granted =
    queries === undefined ? '' : `<grants>${queries.length === 0 ? '<query>GRANT NONE ON *.*</query>' : queries.join('')}</grants>`
  return `<clickhouse>
  <profiles><default>${profile}</default></profiles>
  <quotas><default/></quotas>
  <users><default>
    <password></password><networks><ip>::/0</ip></networks><profile>default</profile><quota>default</quota>${granted}
  </default></users>
</clickhouse>`
}
