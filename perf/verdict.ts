/** What the oracle makes of all that is in the topics, against what ClickHouse holds. */

import { formatCount } from '../src/text.ts'
import { ledgerFaults } from '../workshop/ledger-rows.ts'
import { TOPICS } from '../workshop/load.ts'
import { Oracle, type OracleOptions, type OracleRecord, sumLedgers } from '../workshop/oracle.ts'
import { readBack } from '../workshop/read-back.ts'
import { compareRows, type Difference, type Rows, readRows, sumOfWindows } from '../workshop/result-rows.ts'
import type { Stand } from '../workshop/stand.ts'

export interface Verdict {
  readonly records: number
  readonly counted: number
  readonly late: number
  readonly invalid: number
  /** Of the oracle. */
  readonly rows: Rows
  /** Events that ctr_windows holds; must be `counted`. */
  readonly sum: number
  readonly difference: Difference
  /** What is wrong with the ledger in ClickHouse; empty when it balances. */
  readonly ledger: readonly string[]
}

/** Reads the topics back with stock kafkajs. `also` is shown every record; `options` are what the engine was configured with. */
export async function judgeStand(
  stand: Stand,
  database: string,
  also: (record: OracleRecord) => void = () => {},
  options: Partial<OracleOptions> = {},
): Promise<Verdict> {
  const oracle = new Oracle(options)
  const records = await readBack(stand.brokers, TOPICS, (record) => {
    oracle.add(record)
    also(record)
  })
  const { rows, ledgers } = oracle.result()
  const ledger = sumLedgers(ledgers.values())
  return {
    records,
    counted: ledger.counted,
    late: ledger.late,
    invalid: Object.values(ledger.invalid).reduce((sum, count) => sum + count, 0),
    rows,
    sum: await sumOfWindows(stand.clickhouse, database),
    difference: compareRows(await readRows(stand.clickhouse, database), rows),
    ledger: await ledgerFaults(stand.clickhouse, ledgers, { database }),
  }
}

/** What is wrong, one line each; empty when all is right. */
export function faultsOf({ counted, sum, difference, ledger }: Verdict): string[] {
  const faults: string[] = [...ledger]
  if (difference.count > 0) faults.push(`${difference.count} rows differ from the oracle's`, ...difference.examples)
  if (sum !== counted) faults.push(`ctr_windows holds ${sum} events, the oracle counts ${counted}`)
  return faults
}

/** The same of a run whose load sent `sent` events, some of them late and some invalid on purpose. */
export function faultsOfMixedRun(verdict: Verdict, sent: number): string[] {
  const faults = faultsOf(verdict)
  if (verdict.records !== sent) faults.push(`${verdict.records} records in the topics, ${sent} were sent`)
  if (verdict.late === 0 || verdict.invalid === 0) faults.push('no late or no invalid events: the run proves too little')
  return faults
}

/** What reports keep of a verdict. */
export type VerdictFigures = Pick<Verdict, 'records' | 'counted' | 'late' | 'invalid'> & {
  readonly rows: number
  readonly rowsDiffering: number
}

/** For a report. */
export function figuresOf({ records, counted, late, invalid, rows, difference }: Verdict): VerdictFigures {
  return { records, counted, late, invalid, rows: rows.size, rowsDiffering: difference.count }
}

/** Lines of a table. */
export function figureLines({ records, counted, late, invalid, rows, rowsDiffering }: VerdictFigures): [name: string, figure: string][] {
  return [
    ['events', formatCount(records)],
    ['  counted', formatCount(counted)],
    ['  late', formatCount(late)],
    ['  invalid', formatCount(invalid)],
    ['rows', formatCount(rows)],
    ['  differing from the oracle', formatCount(rowsDiffering)],
  ]
}
