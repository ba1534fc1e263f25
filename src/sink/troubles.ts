/**
 * Trouble of several lanes (rows, ledger) as one state for main: told when it begins or becomes one of another kind, once whatever the
 * number of lanes it is in, and over when no lane has any. What ClickHouse says may differ from attempt to attempt (sizes, counts): trouble
 * with the same code of ClickHouse is of one kind, and so is any other whose words are the same but for numbers.
 */

import { clickHouseCode } from '../clickhouse/connect.ts'
import type { CtrError } from '../errors.ts'

/** Trouble as it begins or changes, and its end. */
export interface TroubleReports {
  trouble(error: CtrError): void
  recovered(): void
}

/** Work that fails by itself. */
export type Lane = 'rows' | 'ledger'

export class Troubles {
  readonly #reports: TroubleReports
  readonly #lanes = new Map<Lane, CtrError>()
  #told: string | undefined

  constructor(reports: TroubleReports) {
    this.#reports = reports
  }

  set(lane: Lane, problem: CtrError): void {
    // The newest is told.
    this.#lanes.delete(lane)
    this.#lanes.set(lane, problem)
    this.#tell()
  }

  clear(lane: Lane): void {
    if (this.#lanes.delete(lane)) this.#tell()
  }

  #tell(): void {
    const problem = [...this.#lanes.values()].at(-1)
    const kind = problem === undefined ? undefined : kindOf(problem)
    if (kind === this.#told) return
    this.#told = kind
    if (problem === undefined) this.#reports.recovered()
    else this.#reports.trouble(problem)
  }
}

function kindOf(problem: CtrError): string {
  const code = clickHouseCode(problem)
  return code === 0 ? problem.message.replaceAll(/\d+/g, '') : `${problem.code} ${code}`
}
