/** What the oracle makes of all that is in the topics, against what ClickHouse holds. */

import { TOPICS } from '../bench/support/load.ts'
import { readBack } from '../bench/support/read-back.ts'
import { compareRows, type Difference, type Rows, readRows, sumOfWindows } from '../bench/support/rows.ts'
import type { Stand } from '../bench/support/stand.ts'
import { ledgerFaults } from '../test/support/ledger-rows.ts'
import { Oracle, type OracleOptions, type OracleRecord, sumLedgers } from '../test/support/oracle.ts'

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
