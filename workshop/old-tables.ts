/** Databases of former versions of the tables, with rows in them, from the golden files. */
import { readFileSync } from 'node:fs'
import { identifier } from '../src/clickhouse/front-sql.ts'
import { repositoryPath } from './child.ts'
import type { TestClickHouse } from './clickhouse.ts'

/** The statements of a golden file (`v1.sql`), for a database. */
export function goldenStatements(file: string, database: string): string[] {
  const text = readFileSync(repositoryPath(`test/golden/tables/${file}`), 'utf8')
  // Comments stand on lines of their own, and only statements end with a semicolon at the end of a line.
  const statements = text.replaceAll(/^--.*\n/gm, '').split(/;\n/)
  return statements.map((sql) => sql.trim().replaceAll('`ctr`', identifier(database))).filter((sql) => sql !== '')
}

/** Makes a database as an engine of that version did; with the rows, unless told otherwise. */
export async function makeOldTables(
  clickhouse: Pick<TestClickHouse, 'command'>,
  database: string,
  version: number,
  rows = true,
): Promise<void> {
  const files = [`v${version}.sql`, ...(rows ? [`v${version}-rows.sql`] : [])]
  for (const statement of files.flatMap((file) => goldenStatements(file, database))) await clickhouse.command(statement)
}
