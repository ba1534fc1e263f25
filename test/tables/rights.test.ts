/**
 * What `ctr schema grants` prints, held against an engine that gives its user those rights and no other: they are enough, and each of them
 * is needed.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { connect, type Endpoint } from '../../src/clickhouse/connect.ts'
import { DAY } from '../../src/config/units.ts'
import { applySchema, diffSchema, planSchema } from '../../src/tables/apply.ts'
import { type Grant, grantsOf } from '../../src/tables/grants.ts'
import { InputBook } from '../../src/tables/inputs.ts'
import type { Form, View } from '../../src/tables/objects.ts'
import { OBJECTS } from '../../src/tables/schema.ts'
import type { TestClickHouse } from '../../workshop/clickhouse.ts'
import { startEngine } from '../../workshop/engine-process.ts'
import { openLimited } from '../../workshop/limited-clickhouse.ts'
import { callOf, computeRollUps, historyFromLongAgo, makeTables, plainForm, RETENTION } from '../../workshop/tables.ts'
import { drawn } from '../support/effort.ts'
import { startRun, until } from '../support/sink-run.ts'

const SLOW = { timeout: 180_000 }
const directory = mkdtempSync(join(tmpdir(), 'ctr-rights-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

const form = plainForm('ctr')
/** Of the one window that is written. */
const START = Date.now() - DAY

/** Does it to an engine whose user has these rights; all when undefined. */
async function having<T>(grants: readonly Grant[] | undefined, work: (clickhouse: TestClickHouse) => Promise<T>): Promise<T> {
  const clickhouse = await openLimited(directory, grants === undefined ? {} : { grants })
  try {
    return await work(clickhouse)
  } finally {
    await clickhouse.stop()
  }
}

/** The embedded engine grants these to everybody, whatever its configuration says; a server does not. */
const isGivenToAll = ([right, on]: Grant) => right === 'TABLE ENGINE' || on.startsWith('system.')

/** In all runs together each of them; an engine is started anew for each. */
const RIGHTS_DRAWN = { unit: 1, all: 4 }

/** Which of the rights can be left out without a complaint. */
async function superfluous(
  grants: readonly Grant[],
  complaintOf: (clickhouse: TestClickHouse, place: number) => Promise<string | undefined>,
) {
  const found: string[] = []
  for (const grant of drawn(
    grants.filter((one) => !isGivenToAll(one)),
    RIGHTS_DRAWN,
  )) {
    const place = grants.indexOf(grant)
    const complaint = await having(grants.toSpliced(place, 1), (clickhouse) => complaintOf(clickhouse, place))
    if (complaint === undefined) found.push(grant.join(' ON '))
  }
  return found
}

async function said(work: () => Promise<unknown>): Promise<string | undefined> {
  try {
    await work()
    return undefined
  } catch (error) {
    return String(error)
  }
}

const apply = (endpoint: Endpoint, to: Form) => applySchema(endpoint, to, { info: () => undefined }, new AbortController().signal)

beforeAll(() =>
  having(undefined, async ({ endpoint, command }) => {
    await makeTables(endpoint)
    await command(historyFromLongAgo('ctr'))
  }),
)

describe('the writer', () => {
  const writer = grantsOf(form, 'writer')

  /** Rows, ledger, inputs and roll-ups: what a pipeline and a replay do. What goes wrong first. */
  async function complaint({ endpoint }: TestClickHouse): Promise<string | undefined> {
    for (const applySchema of [false, true]) {
      const run = startRun(endpoint, { applySchema })
      try {
        await run.sink.ready
        await run.rows(0, [{ product: 'a', start: START, impressions: 3, clicks: 1 }])
        await run.barrier(0, 1)
        const totals = { first: 0, read: 1, counted: 1, late: 0, invalid: {} }
        let written = false
        const ledger = { topic: 'clicks', partition: 0, last: 0, totals, deadLettered: 0, maxEventTime: START }
        const window = { task: 0, start: START, end: START + 1000, events: 1 }
        run.sink.writeLedger([ledger], [window]).then(
          () => {
            written = true
          },
          () => undefined,
        )
        await until(() => run.messages.length > 0 || (written && run.barriers.includes(1)))
        if (run.messages.length > 0) return run.messages[0]
      } catch (error) {
        return String(error)
      } finally {
        await run.sink.stop()
      }
    }
    const client = connect(endpoint, endpoint.database)
    try {
      return await said(async () => {
        const book = new InputBook(client, 'default')
        await book.end((await book.claim(['june'])).map((run) => ({ ...run, bytes: 1, hash: 'h' })))
        await book.counted()
        await book.unnamed('files')
        for (const { reason } of (await computeRollUps(endpoint)).failed) throw new Error(reason)
      })
    } finally {
      await client.close()
    }
  }

  test('writes rows, ledger and inputs with its rights, whether or not it looks at the schema, and feeds follow', SLOW, async () => {
    expect(await having(writer, complaint)).toBeUndefined()
    const counts = await having(undefined, ({ rows }) =>
      rows(`SELECT (SELECT count() FROM ctr.ctr_results FINAL) AS results, (SELECT count() FROM ctr.ctr_ledger_hourly FINAL) AS hours`),
    )
    expect(counts).toEqual([{ results: 1, hours: 1 }])
  })

  test('replays a file as a process of its own', SLOW, async () => {
    const event = (i: number) => ({ product_id: 'p', user_id: 'u', event_type: 'view', timestamp: Date.now() - DAY + i * 1000 })
    const lines = Array.from({ length: 50 }, (_, i) => JSON.stringify(event(i)))
    const file = join(directory, 'events.jsonl')
    writeFileSync(file, `${lines.join('\n')}\n`)
    await having(writer, async ({ endpoint }) => {
      const { url, username, password, database } = endpoint
      const engine = startEngine(['replay', file], { config: { clickhouse: { url, username, password, database } } })
      expect([await engine.exit(), engine.complaints]).toEqual([0, []])
    })
  })

  test('could not leave out any of its rights', SLOW, async () => {
    expect(await superfluous(writer, complaint)).toEqual([])
  })

  test('is told what an owner must do when the tables are not as they should be, and starts when they are', SLOW, async () => {
    await having(undefined, ({ command }) => command('DROP VIEW ctr.ctr_latest'))
    const refusal = await having(writer, ({ endpoint }) => said(() => apply(endpoint, form)))
    expect(refusal).toMatch(
      /clickhouse\.username: ClickHouse at \S+ does not let default change the tables in ctr: ctr_latest is missing; /,
    )
    expect(refusal).toContain('run `ctr schema apply` as a user who has the rights that `ctr schema grants --for owner` prints')
    await having(undefined, ({ endpoint }) => makeTables(endpoint))
    expect(await having(writer, ({ endpoint }) => said(() => apply(endpoint, form)))).toBeUndefined()
  })

  test('is told that the database is missing', SLOW, async () => {
    const refusal = await having(grantsOf(plainForm('none'), 'writer'), ({ endpoint }) =>
      said(() => makeTables({ ...endpoint, database: 'none' })),
    )
    expect(refusal).toMatch(/change the tables in none: there is no database none; run `ctr schema apply`/)
  })
})

describe('the reader', () => {
  const reader = grantsOf(form, 'reader')
  const views = OBJECTS.filter((object): object is View => object.kind === 'view')

  async function complaint({ rows }: TestClickHouse): Promise<string | undefined> {
    return said(async () => {
      for (const view of views) await rows(`SELECT * FROM ctr.${callOf(view)} LIMIT 1`)
    })
  }

  test('reads every view with its rights, and could not leave out any', SLOW, async () => {
    expect(await having(reader, complaint)).toBeUndefined()
    expect(await superfluous(reader, complaint)).toEqual([])
  })

  test('can write nothing', SLOW, async () => {
    const writes = ['INSERT INTO ctr.ctr_results (tenant) VALUES (1)', 'DROP VIEW ctr.ctr_latest', 'TRUNCATE TABLE ctr.ctr_results']
    const refusals = await having(reader, ({ command }) => Promise.all(writes.map((sql) => said(() => command(sql)))))
    expect(refusals.map((refusal) => /Not enough privileges/.test(refusal ?? ''))).toEqual([true, true, true])
  })
})

describe('the owner', () => {
  /** Databases in which something of each kind differs. */
  const databases = grantsOf(form, 'owner').map((_, place) => `old${place}`)
  const wanted = (database: string): Form => ({ ...plainForm(database), retention: { ...RETENTION, results: 30 * DAY } })
  const DAMAGE = [
    'DROP VIEW db.ctr_ledger_hourly_feed',
    'DROP TABLE db.ctr_ledger_hourly',
    'ALTER TABLE db.ctr_results DROP INDEX inserted_at_range',
    'ALTER TABLE db.ctr_ledger DROP COLUMN ignored',
    'CREATE OR REPLACE VIEW db.ctr_latest AS SELECT 1',
    'CREATE VIEW db.ctr_hourly_refresh AS SELECT 1',
  ]

  async function complaint({ endpoint }: TestClickHouse, database: string): Promise<string | undefined> {
    const own = { ...endpoint, database }
    return said(async () => {
      await planSchema(own, wanted(database))
      await apply(own, wanted(database))
      expect((await diffSchema(own, wanted(database))).differences).toEqual([])
    })
  }

  test('makes and mends everything with its rights', SLOW, async () => {
    const grants = [...grantsOf(plainForm('fresh'), 'owner'), ...grantsOf(plainForm('old'), 'owner')]
    await having(undefined, async ({ endpoint, command }) => {
      await makeTables({ ...endpoint, database: 'old' })
      for (const sql of DAMAGE) await command(sql, 'old')
    })
    expect(await having(grants, (clickhouse) => complaint(clickhouse, 'fresh'))).toBeUndefined()
    expect(await having(grants, (clickhouse) => complaint(clickhouse, 'old'))).toBeUndefined()
  })

  test('could not leave out any of its rights', SLOW, async () => {
    const tried = drawn(
      [...databases.entries()].filter(([place]) => !isGivenToAll(grantsOf(form, 'owner')[place]!)),
      RIGHTS_DRAWN,
    )
    await having(undefined, async ({ endpoint, command }) => {
      for (const [, database] of tried) {
        await makeTables({ ...endpoint, database })
        for (const sql of DAMAGE) await command(sql, database)
      }
    })
    const found: string[] = []
    for (const [place, database] of tried) {
      const grants = [...grantsOf(plainForm(database), 'owner'), ...grantsOf(plainForm(`new${place}`), 'owner')]
      const [right, on] = grantsOf(form, 'owner')[place]!
      const left = grants.filter(([each, thing]) => each !== right || (thing !== on && !thing.endsWith('.*')))
      const mended = await having(left, async (clickhouse) => {
        return (await complaint(clickhouse, database)) ?? (await complaint(clickhouse, `new${place}`))
      })
      if (mended === undefined) found.push(`${right} ON ${on}`)
    }
    expect(found).toEqual([])
  })
})
