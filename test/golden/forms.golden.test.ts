/**
 * The DDL of each form, as `ctr schema print` writes it. Whoever changes a table changes these files with it (`vitest -u`) and sees in them
 * what every kind of ClickHouse gets. The embedded engine's parser, which is the servers', reads every statement: for those of clusters, of
 * which it can run only parts, that is what is known here.
 */
import { expect, test } from 'vitest'
import { literal } from '../../src/clickhouse/front-sql.ts'
import { configSchema } from '../../src/config/schema.ts'
import { formOf } from '../../src/tables/objects.ts'
import { databaseStatement, schemaStatements } from '../../src/tables/render.ts'
import { sharedClickHouse } from '../support/shared-clickhouse.ts'

const clickhouse = await sharedClickHouse()

const FORMS = {
  embedded: {},
  // Of ClickHouse Cloud too, which makes replicated tables of plain ones.
  server: { url: 'http://h:1' },
  cluster: { url: 'http://a:1,http://b:1', cluster: 'main' },
}

function statementsOf(clickhouseSection: object): string[] {
  const form = formOf(configSchema.parse({ clickhouse: clickhouseSection }).clickhouse)
  return [databaseStatement(form), ...schemaStatements(form)]
}

test.each(Object.entries(FORMS))('the DDL of the form %s is what it was', async (name, section) => {
  await expect(`${statementsOf(section).join(';\n\n')};\n`).toMatchFileSnapshot(`forms/${name}.sql`)
})

test.each(Object.entries(FORMS))(
  'every statement of the form %s is one to the parser, and stays the same when it writes it',
  async (_, section) => {
    for (const statement of statementsOf(section)) {
      const once = await clickhouse.rows<{ sql: string }>(`SELECT formatQuerySingleLine(${literal(statement)}) AS sql`)
      const twice = await clickhouse.rows<{ sql: string }>(`SELECT formatQuerySingleLine(${literal(once[0]!.sql)}) AS sql`)
      expect(twice).toEqual(once)
    }
  },
)

test('a server is told no engine for the database, which is its own to choose, and plain engines for tables', () => {
  const [database = '', ...tables] = statementsOf(FORMS.server)
  expect(database).not.toContain('ENGINE')
  for (const engine of tables.join('\n').matchAll(/ENGINE = (\w+)/g)) expect(engine[1]).toBe('ReplacingMergeTree')
})

test('in a cluster every statement is for all servers, every table replicated, and no query reads over shards what lies on one', () => {
  for (const statement of statementsOf(FORMS.cluster)) {
    expect(statement).toContain(' ON CLUSTER `main`')
    for (const engine of statement.matchAll(/^ENGINE = (\w+)/gm))
      expect(engine[1]).toMatch(/^(?:ReplicatedReplacingMergeTree|Distributed)$/)
    if (/_local ON CLUSTER|MATERIALIZED VIEW/.test(statement))
      expect(statement).not.toMatch(/(?:FROM|TO) `ctr`\.ctr_(?:results|windows|latest)\b(?!_)/)
  }
})
