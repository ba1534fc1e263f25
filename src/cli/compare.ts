/** `ctr compare`: whether two databases hold the same windows. */
import { existsSync } from 'node:fs'
import { connect, type Endpoint, explainClickHouse, whereOf } from '../clickhouse/connect.ts'
import { openEndpoint } from '../clickhouse/endpoint.ts'
import { loadConfig } from '../config/load.ts'
import { HOUR } from '../config/units.ts'
import { CtrError } from '../errors.ts'
import { createLogger } from '../log.ts'
import { compareSides, extentOf, type RowDifference, type Side, type SidesCompared } from '../tables/compare.ts'
import type { TimeSpan } from '../tables/spans.ts'
import { formatCount, formatRatio, formatSpan, visible } from '../text.ts'
import type { CompareOptions } from './options.ts'
import { renderTable } from './table.ts'

/** A side, and what is to be closed when it is read. */
interface OpenSide extends Side {
  readonly where: string
  close(): void
}

/** Writes what it finds to `write`; returns the exit code: 1 when anything differs, or there is nothing to compare. Throws CtrError. */
export async function compareVerb(
  options: CompareOptions,
  write: (text: string) => void = (text) => void process.stdout.write(text),
): Promise<number> {
  const sides: OpenSide[] = []
  try {
    for (const [option, name] of [['--a', options.a] as const, ['--b', options.b] as const])
      sides.push(await openSide(option, name, options))
    const [a, b] = sides as [OpenSide, OpenSide]
    const span = await spanOf(a, b, options)
    const found = await compareSides(a, b, span)
    if (found.a.rows + found.b.rows === 0) throw nothing(span, 'neither side has a window')
    write(options.json === true ? jsonOf(a, b, span, found) : `${textOf(a, b, span, found).join('\n')}\n`)
    return isEqual(found) ? 0 : 1
  } finally {
    for (const side of sides) side.close()
  }
}

/** A file is a configuration; anything else a database at the ClickHouse of the verb's own configuration. */
async function openSide(option: string, name: string, { config: own, set }: CompareOptions): Promise<OpenSide> {
  const isFile = existsSync(name)
  if (!isFile && /[/.]/.test(name))
    throw new CtrError('CTR_USAGE', `${option} ${name}: there is no such file, and no database has such a name`)
  const config = loadConfig({ file: isFile ? name : own, sets: set })
  const clickhouse = isFile ? config.clickhouse : { ...config.clickhouse, database: name }
  const { endpoint, front } = await openEndpoint(clickhouse, createLogger({ ...config.log, level: 'warn' }))
  try {
    await checkDatabase(option, endpoint)
  } catch (error) {
    front?.close()
    throw error
  }
  const where = `${endpoint.database} at ${front === undefined ? whereOf(endpoint) : `the embedded ClickHouse in ${clickhouse.embedded}`}`
  return { endpoint, tenant: config.tenant, where, close: () => front?.close() }
}

/** A mistyped name must not look like an empty side. */
async function checkDatabase(option: string, endpoint: Endpoint): Promise<void> {
  const client = connect(endpoint, undefined)
  try {
    const query = "SELECT count() AS found FROM system.tables WHERE database = {database:String} AND name = 'ctr_windows'"
    const answer = await client.query({ query, query_params: { database: endpoint.database }, format: 'JSONEachRow' })
    const [row] = await answer.json<{ found: string | number }>()
    if (Number(row?.found) === 1) return
  } catch (error) {
    throw explainClickHouse(error, endpoint)
  } finally {
    await client.close()
  }
  const remedy = 'name a database that an engine writes to, or a configuration that does'
  throw new CtrError('CTR_USAGE', `${option}: ${whereOf(endpoint)} has no ctr_windows in a database ${endpoint.database}; ${remedy}`)
}

/** What is asked for; else the last hour up to the newest window of the side that is behind, without that window: it may still change. */
async function spanOf(a: Side, b: Side, { from, to }: CompareOptions): Promise<TimeSpan> {
  if (from !== undefined && to !== undefined) return { fromMs: from, toMs: to }
  const [extentA, extentB] = await Promise.all([extentOf(a), extentOf(b)])
  if (extentA === undefined || extentB === undefined) {
    const empty = [...(extentA === undefined ? ['--a'] : []), ...(extentB === undefined ? ['--b'] : [])].join(' and ')
    throw new CtrError('CTR_INPUT', `${empty}: no window of this tenant is there; name another with --tenant, or let its engine run first`)
  }
  const toMs = to ?? Math.min(extentA.toMs, extentB.toMs)
  const span = { fromMs: from ?? Math.max(toMs - HOUR, Math.min(extentA.fromMs, extentB.fromMs)), toMs }
  if (span.fromMs >= span.toMs) throw nothing(span, 'no window lies between')
  return span
}

function nothing({ fromMs, toMs }: TimeSpan, what: string): CtrError {
  const remedy = 'name another time with --from and --to, or another tenant with --tenant'
  return new CtrError('CTR_INPUT', `--from ${iso(fromMs)} --to ${iso(toMs)}: ${what}, so there is nothing to compare; ${remedy}`)
}

function isEqual({ onlyA, onlyB, different }: SidesCompared): boolean {
  return onlyA + onlyB + different === 0
}

const iso = (ms: number) => new Date(ms).toISOString()

function jsonOf(a: OpenSide, b: OpenSide, { fromMs, toMs }: TimeSpan, found: SidesCompared): string {
  const side = ({ endpoint, tenant }: OpenSide, sums: SidesCompared['a']) => ({ database: endpoint.database, tenant, ...sums })
  const row = ({ start, end, ...rest }: RowDifference) => ({
    ...rest,
    start: iso(start),
    end: iso(end),
    a: rest.a ?? null,
    b: rest.b ?? null,
  })
  const { onlyA, onlyB, different, largest, examples } = found
  const facts = {
    equal: isEqual(found),
    from: iso(fromMs),
    to: iso(toMs),
    a: side(a, found.a),
    b: side(b, found.b),
    rows: { onlyA, onlyB, different },
    largest: largest === undefined ? null : row(largest),
    examples: examples.map(row),
  }
  return `${JSON.stringify(facts, null, 2)}\n`
}

function textOf(a: OpenSide, b: OpenSide, { fromMs, toMs }: TimeSpan, found: SidesCompared): string[] {
  const lines = (['rows', 'impressions', 'clicks'] as const).map((name) => {
    const difference = found.b[name] - found.a[name]
    return [name, formatCount(found.a[name]), formatCount(found.b[name]), `${difference > 0 ? '+' : ''}${signed(difference)}`]
  })
  const ctr = ({ impressions, clicks }: SidesCompared['a']) => (impressions === 0 ? '' : formatRatio(clicks / impressions))
  const columns = [{ name: '' }, { name: 'a', right: true }, { name: 'b', right: true }, { name: 'b − a', right: true }]
  const { onlyA, onlyB, different, largest, examples } = found
  const counts = `${formatCount(onlyA)} rows only in a, ${formatCount(onlyB)} only in b, ${formatCount(different)} with other counts`
  const told =
    largest === undefined
      ? []
      : [`largest difference: ${spellRow(largest)}`, 'the first ones:', ...examples.map((each) => `  ${spellRow(each)}`)]
  return [
    `a  ${visible(a.where)}, tenant ${visible(a.tenant)}`,
    `b  ${visible(b.where)}, tenant ${visible(b.tenant)}`,
    `windows that start from ${iso(fromMs)} to ${iso(toMs)} (${formatSpan(toMs - fromMs)})`,
    '',
    ...renderTable(columns, [...lines, ['CTR', ctr(found.a), ctr(found.b), '']]),
    '',
    ...(isEqual(found) ? [] : [counts, ...told, '']),
    isEqual(found) ? 'equal: every window of every product' : 'different',
  ]
}

function signed(value: number): string {
  return value < 0 ? `-${formatCount(-value)}` : formatCount(value)
}

function spellRow({ product, window, start, end, a, b }: RowDifference): string {
  const side = (counts: RowDifference['a']) =>
    counts === undefined ? 'no row' : `${formatCount(counts.impressions)} impressions, ${formatCount(counts.clicks)} clicks`
  const name = window === '' ? '' : ` of ${visible(window)}`
  return `${visible(product)}${name}, ${iso(start)} to ${iso(end)}: a ${side(a)}; b ${side(b)}`
}
