/**
 * Trouble of several kinds of work (rows, ledger) as one state for main: told when it begins or becomes one of another kind, once however
 * much of the work has it, and over when none has any. What ClickHouse says may differ from attempt to attempt (sizes, counts): trouble
 * with the same code of ClickHouse is of one kind, and so is any other whose words are the same but for numbers and how a connection broke.
 */

import { clickHouseCode } from '../clickhouse/connect.ts'
import type { CtrError } from '../errors.ts'

/** In which words it is told depends on the moment at which it broke. */
const BROKEN = /socket hang up|aborted|(?:(?:read|write) )?(?:ECONNRESET|EPIPE)/

/** Trouble as it begins or changes, and its end. */
export interface TroubleReports {
  trouble(error: CtrError): void
  recovered(): void
}

/** Work that fails by itself. */
export type Work = 'rows' | 'ledger'

export class Troubles {
  readonly #reports: TroubleReports
  readonly #troubled = new Map<Work, CtrError>()
  #told: string | undefined

  constructor(reports: TroubleReports) {
    this.#reports = reports
  }

  set(work: Work, problem: CtrError): void {
    // The newest is told.
    this.#troubled.delete(work)
    this.#troubled.set(work, problem)
    this.#tell()
  }

  clear(work: Work): void {
    if (this.#troubled.delete(work)) this.#tell()
  }

  #tell(): void {
    const problem = [...this.#troubled.values()].at(-1)
    const kind = problem === undefined ? undefined : kindOf(problem)
    if (kind === this.#told) return
    this.#told = kind
    if (problem === undefined) this.#reports.recovered()
    else this.#reports.trouble(problem)
  }
}

function kindOf(problem: CtrError): string {
  const code = clickHouseCode(problem)
  return code === 0 ? problem.message.replace(BROKEN, 'broken').replaceAll(/\d+/g, '') : `${problem.code} ${code}`
}
