/** A naive twin of what readers see: keeps every row that was inserted, and computes views from all of them anew. */
import { INPUTS_FROM } from '../../src/tables/counting.ts'

/** A row of ctr_results; times in ms. */
export interface ModelRow {
  readonly tenant: string
  readonly product: string
  readonly start: number
  readonly end: number
  readonly task: number
  readonly revision: number
  readonly impressions: number
  readonly clicks: number
}

/** A run of an input. */
export interface ModelInput {
  readonly tenant: string
  readonly number: number
  readonly name: string
  readonly ended: boolean
}

/** Counts by key, as `tenant product start`. */
export type Counts = Record<string, string>

export class ResultsModel {
  /** The newest of each key. */
  readonly #rows = new Map<string, ModelRow>()
  readonly #inputs = new Map<number, ModelInput>()

  insert(rows: readonly ModelRow[]): void {
    for (const row of rows) {
      const key = [row.tenant, row.product, row.start, row.end, row.task].join(' ')
      const known = this.#rows.get(key)
      if (known === undefined || versionOf(row) >= versionOf(known)) this.#rows.set(key, row)
    }
  }

  input(input: ModelInput): void {
    this.#inputs.set(input.number, input)
  }

  get rows(): ModelRow[] {
    return [...this.#rows.values()]
  }

  get inputs(): ModelInput[] {
    return [...this.#inputs.values()]
  }

  /** Windows that count: of each the highest revision, its tasks added up. */
  windows(): ModelRow[] {
    const windows = new Map<string, ModelRow>()
    for (const row of this.#rows.values()) {
      if (!this.#counts(row.task)) continue
      const key = [row.tenant, row.product, row.start, row.end].join(' ')
      const known = windows.get(key)
      if (known === undefined || row.revision > known.revision) windows.set(key, row)
      else if (row.revision === known.revision)
        windows.set(key, { ...known, impressions: known.impressions + row.impressions, clicks: known.clicks + row.clicks })
    }
    return [...windows.values()]
  }

  /** Periods with counts; `start` gives that of an instant. */
  periods(start: (ms: number) => number): Counts {
    return sums(this.windows().map((row) => [`${row.tenant} ${row.product} ${start(row.start)}`, row]))
  }

  totals(start: (ms: number) => number): Counts {
    return sums(this.windows().map((row) => [`${row.tenant} ${start(row.start)}`, row]))
  }

  latest(): Counts {
    const newest = new Map<string, ModelRow>()
    for (const row of this.windows()) {
      const key = `${row.tenant} ${row.product}`
      const known = newest.get(key)
      if (known === undefined || row.end > known.end || (row.end === known.end && row.start > known.start)) newest.set(key, row)
    }
    return Object.fromEntries(
      [...newest].map(([key, { start, end, impressions, clicks }]) => [`${key} ${start} ${end}`, `${impressions} ${clicks}`]),
    )
  }

  /** Of an input the last run that has ended counts. */
  #counts(task: number): boolean {
    if (task < INPUTS_FROM) return true
    const input = this.#inputs.get(task)
    if (input === undefined || !input.ended) return false
    const same = this.inputs.filter(({ tenant, name, ended }) => ended && tenant === input.tenant && name === input.name)
    return same.every(({ number }) => number <= task)
  }
}

/** As the tables have it. */
export function versionOf({ revision, impressions, clicks }: ModelRow): number {
  return revision * 2 ** 40 + impressions + clicks
}

function sums(rows: readonly (readonly [key: string, row: ModelRow])[]): Counts {
  const all = new Map<string, [impressions: number, clicks: number]>()
  for (const [key, { impressions, clicks }] of rows) {
    const [i, c] = all.get(key) ?? [0, 0]
    all.set(key, [i + impressions, c + clicks])
  }
  return Object.fromEntries([...all].filter(([, [i, c]]) => i + c > 0).map(([key, counts]) => [key, counts.join(' ')]))
}
