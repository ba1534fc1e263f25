/** The doctor at real ClickHouses: without tables, with tables as they should be and not, and with users of few rights. */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { loadConfig } from '../../src/config/load.ts'
import { SECOND } from '../../src/config/units.ts'
import { diagnose } from '../../src/doctor/doctor.ts'
import type { CheckOutcome } from '../../src/doctor/examine.ts'
import { createLogger } from '../../src/log.ts'
import { grantsOf } from '../../src/tables/grants.ts'
import { startEmbedded, type TestClickHouse } from '../../workshop/clickhouse.ts'
import { clickHouseError, startProxy } from '../../workshop/clickhouse-proxy.ts'
import { type Limits, openLimited } from '../../workshop/limited-clickhouse.ts'
import { makeTables, plainForm } from '../../workshop/tables.ts'

const log = createLogger({ level: 'silent', pretty: false })
const directory = mkdtempSync(join(tmpdir(), 'ctr-doctor-clickhouse-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

async function look(...sets: string[]): Promise<Readonly<Record<string, CheckOutcome>>> {
  const { outcomes } = await diagnose(loadConfig({ sets, env: {} }), { timeoutMs: 20 * SECOND, parts: ['clickhouse'], log })
  return Object.fromEntries(outcomes.map((outcome) => [outcome.name, outcome]))
}

async function having(limits: Limits, work: (clickhouse: TestClickHouse, see: typeof look) => Promise<void>): Promise<void> {
  const clickhouse = await openLimited(directory, limits)
  const { url, password } = clickhouse.endpoint
  try {
    await work(clickhouse, (...sets) => look(`clickhouse.url=${url}`, `clickhouse.password=${password}`, ...sets))
  } finally {
    await clickhouse.stop()
  }
}

const verdicts = (findings: Readonly<Record<string, CheckOutcome>>) => Object.values(findings).map(({ verdict }) => verdict)

test('of a server: tables that are missing, right, changed, and in the way; a wrong password', { timeout: 60_000 }, async () => {
  await having({}, async (clickhouse, see) => {
    const none = await see()
    expect(verdicts(none)).toEqual(verdicts(none).map(() => 'ok'))
    expect(none.tables?.found).toContain('the first start makes them')
    expect((await see('clickhouse.applySchema=false')).tables).toMatchObject({
      verdict: 'fault',
      remedy: expect.stringContaining('schema apply'),
    })
    expect(await clickhouse.rows("SELECT name FROM system.databases WHERE name = 'ctr'")).toEqual([])

    await makeTables(clickhouse.endpoint)
    const sound = await see()
    expect(verdicts(sound)).toEqual(verdicts(sound).map(() => 'ok'))
    expect(sound.tables?.found).toContain('as they should be')
    expect(sound.rights?.found).not.toContain('owner')

    await clickhouse.command('DROP VIEW ctr.ctr_windows')
    expect((await see()).tables).toMatchObject({ verdict: 'warning', found: expect.stringContaining('ctr_windows is missing') })
    expect((await see()).rights?.found).toContain('--for owner')
    await clickhouse.command('CREATE TABLE ctr.ctr_windows (a Int8) ENGINE = MergeTree ORDER BY a')
    expect((await see()).tables).toMatchObject({
      verdict: 'fault',
      code: 'CTR_CLICKHOUSE_REFUSED',
      found: expect.stringContaining('ctr_windows'),
    })
    await clickhouse.command('DROP TABLE ctr.ctr_windows')
    await makeTables(clickhouse.endpoint)
  })
})

test('of a user: the rights that are missing, by name', { timeout: 60_000 }, async () => {
  const grants = grantsOf(plainForm('ctr'), 'writer')
  await having({ grants }, async (_, see) => {
    const found = await see()
    expect(verdicts(found)).toEqual(verdicts(found).map(() => 'ok'))
  })
  const without = grants.filter(([right, on]) => right !== 'OPTIMIZE' && !on.endsWith('.ctr_ledger'))
  await having({ grants: without }, async (_, see) => {
    const { rights } = await see()
    expect(rights).toMatchObject({ verdict: 'fault', remedy: 'grant what `ctr schema grants --for writer` prints' })
    expect(
      rights?.found
        .match(/lacks (.*)$/)?.[1]
        ?.split(', ')
        .toSorted(),
    ).toEqual(
      grants
        .filter((grant) => !without.includes(grant))
        .map(([right, on]) => `${right} ON ${on}`)
        .toSorted(),
    )
  })
})

test('a proxy that swallows what ClickHouse says of a statement, or refuses the user, is one fault in the words of a start', async () => {
  await having({}, async ({ endpoint }) => {
    const proxy = await startProxy(endpoint.url)
    proxy.concerned = /^/
    const see = () => look(`clickhouse.url=${proxy.url}`, `clickhouse.password=${endpoint.password}`)
    try {
      proxy.fault = { kind: 'drop-headers' }
      const [server, ...others] = Object.values(await see())
      expect(server).toMatchObject({ verdict: 'fault', found: expect.stringContaining('X-ClickHouse-Summary') })
      expect(others.map(({ found }) => found)).toEqual(others.map(() => 'no ClickHouse answers'))
      proxy.fault = clickHouseError(516, 'AUTHENTICATION_FAILED')
      expect(Object.values(await see())[0]).toMatchObject({ verdict: 'fault', code: 'CTR_CLICKHOUSE_AUTH', remedy: 'check both' })
    } finally {
      await proxy.close()
    }
  })
})

test('an embedded engine that runs is looked at through its front, and one that is not there is not made', async () => {
  const clickhouse = await startEmbedded()
  try {
    const found = await look(`clickhouse.embedded=${clickhouse.directory}`)
    expect(Object.values(found).map(({ name, verdict }) => [name, verdict])).toEqual(
      ['embedded', 'version', 'settings', 'tables', 'clock'].map((name) => [name, 'ok']),
    )
  } finally {
    await clickhouse.stop()
  }
  const nowhere = join(directory, 'not', 'there')
  expect(await look(`clickhouse.embedded=${nowhere}`)).toMatchObject({ embedded: { verdict: 'ok' } })
  expect(existsSync(join(directory, 'not'))).toBe(false)
  const file = join(directory, 'file')
  writeFileSync(file, '')
  expect(await look(`clickhouse.embedded=${join(file, 'below')}`)).toMatchObject({
    embedded: { verdict: 'fault', found: expect.stringContaining('clickhouse.embedded'), remedy: 'choose another path or grant access' },
  })
})
