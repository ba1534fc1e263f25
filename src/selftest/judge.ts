/** Compares what ClickHouse and the dead letters hold after a self-test with what the oracle says must be there. */
import { rowKey, type SelftestOracle } from './oracle.ts'

export interface Judged {
  /** Asks ClickHouse; `{tenant:String}` in the statement is the test's tenant. */
  readonly rows: <T>(sql: string) => AsyncIterable<T>
  readonly oracle: SelftestOracle
  readonly revision: number
  /** Windows that start before it, ms, carry the revision before. */
  readonly revisionFrom?: number | undefined
  readonly windowSize: number
}

/** Rows that are missing, too many, or differ in any column. */
export interface Comparison {
  readonly compared: number
  readonly differ: number
  /** The first few, in words. */
  readonly examples: readonly string[]
}

const EXAMPLES_MAX = 5
/** A row's version is revision * 2^40 + impressions + clicks. */
const VERSION_SHIFT = 2 ** 40

interface Counts {
  readonly impressions: number
  readonly clicks: number
  readonly ctr: number
}

interface ResultRow extends Counts {
  readonly product: string
  readonly start: number
  readonly end: number
  readonly task: number
  readonly version: number
}

/** Every row of ctr_results, in its newest version. */
export async function compareResults({ rows, oracle, revision, revisionFrom = 0, windowSize }: Judged): Promise<Comparison> {
  const compare = new RowComparison()
  const seen = new Set<string>()
  const sql = `SELECT product_id AS product, toUnixTimestamp64Milli(window_start) AS start, toUnixTimestamp64Milli(window_end) AS end,
      task, impressions, clicks, ctr, version FROM ctr_results FINAL WHERE tenant = {tenant:String}`
  for await (const row of rows<ResultRow>(sql)) {
    const key = rowKey(row.product, row.start, row.task)
    const wanted = oracle.rows.get(key)
    const twice = seen.has(key)
    seen.add(key)
    const own = row.start < revisionFrom ? revision - 1 : revision
    const version = wanted === undefined ? 0 : own * VERSION_SHIFT + wanted.impressions + wanted.clicks
    const same = wanted !== undefined && sameCounts(row, wanted) && row.version === version && row.end === row.start + windowSize
    compare.add(same && !twice, () => `ctr_results ${key}: ${inWords(row)}${twice ? ' once more' : ''}, ${inWords(wanted)} belongs there`)
  }
  for (const [key, wanted] of oracle.rows) if (!seen.has(key)) compare.add(false, () => `ctr_results ${key}: missing, ${inWords(wanted)}`)
  return compare.result
}

/** Every row of ctr_windows: the sums over the tasks. */
export async function compareWindows({ rows, oracle }: Judged): Promise<Comparison> {
  const wanted = new Map<string, { impressions: number; clicks: number }>()
  for (const { product, windowStart, impressions, clicks } of oracle.rows.values()) {
    const key = `${windowStart} ${product}`
    const sum = wanted.get(key)
    wanted.set(key, { impressions: impressions + (sum?.impressions ?? 0), clicks: clicks + (sum?.clicks ?? 0) })
  }
  const compare = new RowComparison()
  const sql = `SELECT product_id AS product, toUnixTimestamp64Milli(window_start) AS start, impressions, clicks, ctr
      FROM ctr_windows WHERE tenant = {tenant:String}`
  for await (const row of rows<ResultRow>(sql)) {
    const key = `${row.start} ${row.product}`
    const sum = wanted.get(key)
    wanted.delete(key)
    compare.add(sum !== undefined && sameCounts(row, sum), () => `ctr_windows ${key}: ${inWords(row)}, ${inWords(sum)} belongs there`)
  }
  for (const [key, sum] of wanted) compare.add(false, () => `ctr_windows ${key}: missing, ${inWords(sum)}`)
  return compare.result
}

interface LedgerRow {
  readonly topic: string
  readonly partition: number
  readonly read: number
  readonly counted: number
  readonly late: number
  readonly ignored: number
  readonly invalid: number
  readonly deadLettered: number
  readonly reasons: Readonly<Record<string, number>>
}

/** Of records before the marks that a start went by, the reasons are one: EARLIER. No reason may have too many, nor all too few. */
function reasonsDiffer(got: Readonly<Record<string, number>>, want: ReadonlyMap<string, number>): boolean {
  let missing = 0
  for (const [reason, count] of want) {
    const here = got[reason] ?? 0
    if (here > count) return true
    missing += count - here
  }
  const strange = Object.keys(got).some((reason) => reason !== 'EARLIER' && !want.has(reason))
  return strange || missing !== (got.EARLIER ?? 0)
}

/** What is wrong with the ledger in ClickHouse, one line each. */
export async function judgeLedger({ rows, oracle }: Judged): Promise<string[]> {
  const faults: string[] = []
  const found = new Map<string, LedgerRow>()
  const sql = `SELECT topic, partition, read, counted, late, ignored, invalid, dead_lettered AS deadLettered, invalid_by_reason AS reasons
      FROM ctr_ledger FINAL WHERE tenant = {tenant:String} AND first_offset = 0
      ORDER BY last_offset DESC LIMIT 1 BY topic, partition`
  for await (const row of rows<LedgerRow>(sql)) found.set(`${row.topic}/${row.partition}`, row)
  const spell = ({ read, counted, late, ignored, invalid, deadLettered }: Omit<LedgerRow, 'topic' | 'partition' | 'reasons'>) =>
    `read ${read}, counted ${counted}, late ${late}, ignored ${ignored}, invalid ${invalid}, dead-lettered ${deadLettered}`
  for (const [name, { invalid, ...ledger }] of oracle.ledgers) {
    const row = found.get(name)
    const bad = [...invalid.values()].reduce((sum, count) => sum + count, 0)
    const want = spell({ ...ledger, invalid: bad, deadLettered: bad })
    const got = row && spell(row)
    if (got !== want) faults.push(`ctr_ledger ${name}: ${got ?? 'nothing'}; ${want} belongs there`)
    if (row !== undefined && reasonsDiffer(row.reasons, invalid))
      faults.push(`ctr_ledger ${name}: other reasons than ${JSON.stringify(Object.fromEntries(invalid))}`)
  }
  const balance = `SELECT countIf(NOT balanced) AS unbalanced, sum(window_events) AS windows, sum(result_events) AS results
      FROM ctr_reconciliation WHERE tenant = {tenant:String}`
  const { inRows } = oracle
  for await (const row of rows<{ unbalanced: number; windows: number; results: number }>(balance)) {
    if (row.unbalanced > 0) faults.push(`ctr_reconciliation: ${row.unbalanced} minutes do not balance`)
    if (row.windows !== inRows || row.results !== inRows) {
      faults.push(`ctr_reconciliation: ${row.windows} events counted into windows and ${row.results} in rows; ${inRows} belong there`)
    }
  }
  return faults
}

/** Every invalid record must be among the dead letters, and nothing else. */
export function judgeLetters(oracle: SelftestOracle, { records, rows }: { records: ReadonlySet<string>; rows: number }): string[] {
  const faults: string[] = []
  const missing = [...oracle.invalid].filter((record) => !records.has(record))
  const strange = [...records].filter((record) => !oracle.invalid.has(record))
  if (missing.length > 0) faults.push(`dead letters: ${missing.length} invalid records have none, such as ${missing[0]}`)
  if (strange.length > 0) faults.push(`dead letters: ${strange.length} of records that are valid, such as ${strange[0]}`)
  if (rows > 0) faults.push(`dead letters: ${rows} of rows that ClickHouse refused`)
  return faults
}

class RowComparison {
  #compared = 0
  #differ = 0
  readonly #examples: string[] = []

  add(same: boolean, example: () => string): void {
    this.#compared++
    if (same) return
    if (this.#differ++ < EXAMPLES_MAX) this.#examples.push(example())
  }

  get result(): Comparison {
    return { compared: this.#compared, differ: this.#differ, examples: this.#examples }
  }
}

function sameCounts(row: Counts, { impressions, clicks }: { readonly impressions: number; readonly clicks: number }): boolean {
  return row.impressions === impressions && row.clicks === clicks && row.ctr === (impressions === 0 ? 0 : clicks / impressions)
}

function inWords(counts: { readonly impressions: number; readonly clicks: number } | undefined): string {
  return counts === undefined ? 'nothing' : `${counts.impressions} impressions and ${counts.clicks} clicks`
}
