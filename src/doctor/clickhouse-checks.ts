/** The checks of ClickHouse. They read only: no table, row or setting is made. */
import { existsSync } from 'node:fs'
import { text } from 'node:stream/consumers'
import { clickHouseCode, whereOf } from '../clickhouse/connect.ts'
import { settingsFor } from '../clickhouse/settings.ts'
import { INSERT_SETTINGS } from '../sink/insert.ts'
import { planSchema, refuseConflicts } from '../tables/apply.ts'
import { checkSchema } from '../tables/check.ts'
import { grantsOf, type Role } from '../tables/grants.ts'
import { placementOf } from '../tables/objects.ts'
import { checkPlacement } from '../tables/placement.ts'
import type { Plan } from '../tables/plan.ts'
import { formatSpan, maskSecrets } from '../text.ts'
import { judgeGrants, judgePlan, judgeRoom, judgeVersion } from './clickhouse-judge.ts'
import type { ClickHouseSession } from './clickhouse-session.ts'
import { judgeClock } from './clock-judge.ts'
import { type Check, type Finding, ok, skipped, together, warning } from './finding.ts'
import { tryFolder } from './try-folder.ts'

/** ClickHouse's codes: a statement that it does not know, a right that is missing. */
const SYNTAX_ERROR = 62
const ACCESS_DENIED = 497

/** All of them, in order. */
export function clickHouseChecks(session: ClickHouseSession): Check[] {
  const { url, embedded = '' } = session.config
  const check = (name: string, look: () => Promise<Finding>): Check => ({ part: 'clickhouse', name, look: () => session.explained(look) })
  if (url === undefined && !existsSync(embedded)) return [check('embedded', () => makeable(embedded))]
  let planned: Promise<Plan> | undefined
  const plan = () => {
    planned ??= session.answering().then((endpoint) => planSchema(endpoint, session.form))
    return planned
  }
  const server = [
    check('version', async () => judgeVersion((await session.rows<{ version: string }>('SELECT version() AS version'))[0]?.version ?? '')),
    check('settings', () => settings(session)),
    check('tables', () => tables(session, plan)),
    check('clock', () => clock(session)),
  ]
  if (url === undefined) return [check('embedded', () => answers(session)), ...server]
  return [
    ...url.map((address) => check(`server ${maskSecrets(address)}`, () => answers(session, address))),
    ...server,
    check('placement', () => placement(session)),
    check('rights', () => rights(session, plan)),
    check('disks', () => disks(session)),
  ]
}

/** The first start makes the engine's directory. */
async function makeable(directory: string): Promise<Finding> {
  await tryFolder(directory, 'clickhouse.embedded')
  return ok(`there is nothing in ${directory} yet; the first start makes it`)
}

/** One address, or the embedded engine. */
async function answers(session: ClickHouseSession, url?: string): Promise<Finding> {
  const began = performance.now()
  const asked = url === undefined ? await session.endpoint() : await session.endpointAt(url)
  await session.ask(asked)
  return ok(`${whereOf(asked)} answers within ${formatSpan(performance.now() - began)}`)
}

async function settings(session: ClickHouseSession): Promise<Finding> {
  const { leftOut } = await session.with((client) => settingsFor(client, INSERT_SETTINGS))
  if (leftOut.length === 0) return ok('inserts can have every setting that they want')
  return warning(leftOut.join('; '), 'give the user a settings profile without these constraints')
}

async function tables(session: ClickHouseSession, plan: () => Promise<Plan>): Promise<Finding> {
  const endpoint = await session.answering()
  const { applySchema } = session.config
  const planned = await plan()
  refuseConflicts(endpoint, planned.conflicts)
  // Where a start changes nothing, it goes on with what it finds.
  if (planned.from > 0 && (!applySchema || planned.steps.length === 0)) await checkSchema(endpoint)
  return judgePlan(planned, applySchema)
}

async function clock(session: ClickHouseSession): Promise<Finding> {
  return session.with(async (client) => {
    const ask = async () => {
      const before = Date.now()
      const answer = await client.query({ query: 'SELECT toUnixTimestamp64Milli(now64(3)) AS now', format: 'JSONEachRow' })
      const [row] = await answer.json<{ now: string | number }>()
      return { there: Number(row?.now), before, after: Date.now() }
    }
    await ask() // connects
    return judgeClock(await ask(), "ClickHouse's clock", 'SELECT now64()')
  })
}

async function placement(session: ClickHouseSession): Promise<Finding> {
  const unseen = await checkPlacement(await session.answering(), placementOf(session.config))
  if (unseen.length === 0) return ok('the tables may stand there: no rows would scatter over several servers')
  const remedy = 'grant SELECT on it to have it looked at, or see to it that clickhouse.url leads to one server or names a cluster'
  return warning(`whether rows would scatter over several servers is not known whole: ${unseen.join(', ')} can't be seen`, remedy)
}

/** Those of a writer; of an owner too, where a start has to change tables. */
async function rights(session: ClickHouseSession, plan: () => Promise<Plan>): Promise<Finding> {
  const { username, applySchema } = session.config
  // Who may not look at the tables has no plan, and lacks the right to.
  const changes =
    applySchema &&
    (await plan().then(
      ({ steps }) => steps.length > 0,
      () => false,
    ))
  const roles: readonly Role[] = changes ? ['writer', 'owner'] : ['writer']
  return session.with(async (client) => {
    const granted = async (what: string) => {
      // This statement takes no FORMAT, which the client's own queries end with.
      const { stream } = await client.exec({ query: `CHECK GRANT ${what}`, clickhouse_settings: { default_format: 'TabSeparated' } })
      return (await text(stream)).trim() === '1'
    }
    try {
      const findings: Finding[] = []
      for (const role of roles) {
        const wanted = grantsOf(session.form, role).map(([right, on]) => `${right} ON ${on}`)
        const lacking: string[] = []
        for (const what of wanted) if (!(await granted(what))) lacking.push(what)
        findings.push(judgeGrants(lacking, role === 'owner' ? 'owner' : 'writer', username, wanted.length))
      }
      return together(findings)
    } catch (error) {
      if (clickHouseCode(error) !== SYNTAX_ERROR) throw error
      return skipped('this ClickHouse does not say what a user may do (CHECK GRANT); `ctr schema grants` prints what is needed')
    }
  })
}

async function disks(session: ClickHouseSession): Promise<Finding> {
  const query = "SELECT name, free_space AS free FROM system.disks WHERE type IN ('Local', 'local')"
  try {
    const found = await session.rows<{ name: string; free: string | number }>(query)
    if (found.length === 0) return ok('its disks are no local ones')
    const rooms = found.map(({ name, free }) => ({ place: `disk ${name} of ClickHouse`, freeBytes: Number(free) }))
    return judgeRoom(rooms, 'make room there, or let rows expire with clickhouse.retention')
  } catch (error) {
    if (clickHouseCode(error) !== ACCESS_DENIED) throw error
    return skipped('the user may not read system.disks, which a start does not need either')
  }
}
