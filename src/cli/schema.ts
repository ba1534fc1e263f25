/** `ctr schema`: what the tables and views in ClickHouse should be, what they differ in, what would be done about it, and doing it. */
import { openEndpoint } from '../clickhouse/endpoint.ts'
import { identifier } from '../clickhouse/front-sql.ts'
import { loadConfig } from '../config/load.ts'
import type { Config } from '../config/schema.ts'
import { CtrError } from '../errors.ts'
import { createLogger, type Logger } from '../log.ts'
import { applySchema, diffSchema, planSchema, type SchemaDifferences } from '../tables/apply.ts'
import { checkSchema } from '../tables/check.ts'
import { grantStatements, grantsOf, ROLES, type Role } from '../tables/grants.ts'
import { type Form, formOf, placementOf } from '../tables/objects.ts'
import { checkPlacement, tellUnseen } from '../tables/placement.ts'
import type { Plan } from '../tables/plan.ts'
import { databaseStatement, schemaStatements } from '../tables/render.ts'
import type { Part } from '../tables/steps.ts'
import { formatBytes, formatCount, maskSecrets } from '../text.ts'
import type { SchemaOptions } from './options.ts'
import { rollUpAll } from './roll-up.ts'
import { rollUpLines, tellingProgress } from './roll-up-at-end.ts'
import { switchVerb } from './switch.ts'

/** What `ctr schema` does. */
export type SchemaAction = 'print' | 'plan' | 'diff' | 'apply' | 'refresh' | 'grants' | 'switch'

/** What the roles do that `ctr schema grants` prints rights for. */
const ROLE_TEXTS: Readonly<Record<Role, string>> = {
  writer: 'ctr run and ctr replay, with tables as they should be',
  reader: 'whoever reads the views',
  owner: 'ctr schema apply, plan and diff',
}

/**
 * Writes the DDL or the outcome to `write`; returns the exit code: of diff 1 when something differs, of plan 1 when something is in the
 * way. Throws CtrError.
 */
export async function schemaVerb(
  action: SchemaAction,
  options: SchemaOptions,
  write: (text: string) => void = (text) => void process.stdout.write(text),
): Promise<number> {
  const config = loadConfig({ file: options.config, sets: options.set })
  const form = formOf(config.clickhouse, config.sink.history)
  if (action === 'print') {
    write(`${[databaseStatement(form), ...schemaStatements(form)].join(';\n\n')};\n`)
    return 0
  }
  if (action === 'grants') {
    write(grantsText(form, options.for === undefined ? ROLES : [options.for], options.user ?? config.clickhouse.username))
    return 0
  }
  const log = createLogger({ ...config.log, level: 'warn' })
  const where = `database ${form.database} at ${maskSecrets(config.clickhouse.url?.join(', ') ?? config.clickhouse.embedded ?? '')}`
  if (action === 'switch') return switchVerb(config.clickhouse, options, log, write)
  if (action === 'refresh') return refresh(config.clickhouse, log, where, write)
  const { endpoint, front } = await openEndpoint(config.clickhouse, log)
  const json = options.format === 'json'
  try {
    if (action === 'diff') {
      const found = await diffSchema(endpoint, form)
      write(json ? diffJson(form.database, found) : diffText(where, found))
      return found.differences.length === 0 && found.version <= found.knows ? 0 : 1
    }
    if (action === 'plan') {
      const plan = await planSchema(endpoint, form)
      write(json ? planJson(form.database, plan) : planText(where, plan))
      return plan.conflicts.length === 0 ? 0 : 1
    }
    const reports = { info: (text: string) => void process.stderr.write(`${maskSecrets(text)}\n`) }
    tellUnseen(await checkPlacement(endpoint, { ...placementOf(config.clickhouse), makesTables: true }), reports)
    await applySchema(endpoint, form, reports, new AbortController().signal)
    await checkSchema(endpoint)
    write(`the schema is in place in ${where}\n`)
    return 0
  } finally {
    front?.close()
  }
}

async function refresh(clickhouse: Config['clickhouse'], log: Logger, where: string, write: (text: string) => void): Promise<number> {
  const { signal } = new AbortController()
  const compute = (told: (step: string) => void) => rollUpAll(clickhouse, log, signal, told)
  const outcome = await tellingProgress(compute, (text) => void process.stderr.write(`${text}\n`))
  const lines = rollUpLines(outcome)
  if (outcome.failed.length > 0) throw new CtrError('CTR_CLICKHOUSE_REFUSED', `${where}: ${lines.join('; ')}`)
  write(`roll-ups and newest windows are up to date in ${where}\n${lines.map((line) => `${line}\n`).join('')}`)
  return 0
}

function grantsText(form: Form, roles: readonly Role[], user: string): string {
  return roles
    .map((role) => {
      const statements = grantStatements(grantsOf(form, role), identifier(user))
      return `-- ${role}: ${ROLE_TEXTS[role]}\n${statements.map((statement) => `${statement};\n`).join('')}`
    })
    .join('\n')
}

function diffText(where: string, { version, knows, differences }: SchemaDifferences): string {
  if (version > knows) return `${where} is of version ${version}, newer than ${knows}, which is what this engine knows\n`
  if (differences.length === 0) return `${where} is as it should be, of version ${version}\n`
  return `${where}:\n${differences.map(({ object, what }) => `  ${object.name} ${what}\n`).join('')}`
}

function diffJson(database: string, { version, knows, differences }: SchemaDifferences): string {
  const all = differences.map(({ object, what, statements }) => ({ object: object.name, what, statements }))
  return `${JSON.stringify({ database, version, knows, differences: all }, null, 2)}\n`
}

function planJson(database: string, { from, to, steps, conflicts }: Plan): string {
  const all = steps.map(({ step: { name, what }, parts }) => {
    return {
      name,
      what,
      parts: parts.map((part) => ({ name: part.name, rows: part.rows, bytes: part.bytes, statements: part.statements })),
    }
  })
  const inTheWay = conflicts.map(({ object, what }) => ({ object: object.name, what }))
  return `${JSON.stringify({ database, from, to, steps: all, conflicts: inTheWay }, null, 2)}\n`
}

/** Each step with its statements, as comments and SQL. */
function planText(where: string, { from, to, steps, conflicts }: Plan): string {
  const lines = [`-- ${where}, ${versionsText(from, to)}`]
  const moved = sizeText(steps.flatMap(({ parts }) => parts))
  if (moved !== '') lines.push(`-- rows to be moved: ${moved}`)
  if (steps.length === 0 && conflicts.length === 0) lines.push('-- nothing to do')
  for (const { step, parts } of steps) {
    lines.push('', `-- ${step.what} (${step.name})`)
    for (const part of parts) {
      const size = sizeText([part])
      lines.push(`-- ${part.name}${size === '' ? '' : `: ${size}`}`, ...part.statements.map((statement) => `${statement};`))
    }
  }
  for (const { object, what } of conflicts) lines.push('', `-- in the way, and not mended by this: ${object.name} ${what}`)
  return `${lines.join('\n')}\n`
}

function versionsText(from: number, to: number): string {
  if (from > to) return `of version ${from}, newer than ${to}, which is what this engine knows; it would be left as it is`
  if (from === to) return `of version ${to}`
  return from === 0 ? `without tables; version ${to} would be made` : `from version ${from} to ${to}`
}

function sizeText(parts: readonly Part[]): string {
  const rows = parts.reduce((sum, part) => sum + (part.rows ?? 0), 0)
  const bytes = parts.reduce((sum, part) => sum + (part.bytes ?? 0), 0)
  return rows === 0 ? '' : `${formatCount(rows)} rows, ${formatBytes(bytes)}`
}
