/**
 * The naive twin of what is read: it keeps every row that was inserted, and answers each question by going through all of them. It knows
 * the rules and shares no code with the SQL:
 *
 *   - of rows of one key (tenant, product, window, task) the one of the highest version counts, of equals the one inserted last;
 *   - a task from INPUT_FIRST on is a run of an input: it counts while it is the highest number of its name that has ended;
 *   - of a window only rows of the highest revision among those that count are added up;
 *   - a window belongs to the period it starts in. Roll-ups and the last minutes are of windows without a name.
 */

/** The first number of a run of an input. */
export const INPUT_FIRST = 2 ** 30

/** A row of results; times in ms. */
export interface OracleResult {
  readonly tenant: string
  readonly product: string
  readonly start: number
  readonly end: number
  readonly task: number
  readonly impressions: number
  readonly clicks: number
  readonly revision: number
  readonly window: string
}

/** A run of an input. */
export interface OracleInput {
  readonly tenant: string
  readonly number: number
  readonly name: string
}

/** Counts of something, by whatever it is told apart by. */
export interface Counted {
  readonly tenant: string
  readonly product: string
  readonly start: number
  readonly end: number
  readonly window: string
  readonly impressions: number
  readonly clicks: number
}

/** Sums of now and before. */
export interface Beside {
  impressions: number
  clicks: number
  previous_impressions: number
  previous_clicks: number
}

interface Kept extends OracleResult {
  readonly at: number
}

export class ReadingOracle {
  readonly #rows: Kept[] = []
  readonly #ended: (OracleInput & { readonly at: number })[] = []

  /** `at` is the time of the insert by the clock of ClickHouse, as its rows have it. */
  insert(rows: readonly OracleResult[], at: number): void {
    for (const row of rows) this.#rows.push({ ...row, at })
  }

  end(input: OracleInput, at: number): void {
    this.#ended.push({ ...input, at })
  }

  /** Windows with something that counts. */
  windows(): Counted[] {
    return [
      ...grouped(
        this.#newest().filter((row) => this.#counts(row)),
        windowKey,
      ),
    ].map(([, rows]) => counted(rows))
  }

  /** Of each tenant, product and name of windows the one that ends last; of those that end at once the one that starts last. */
  latest(): Counted[] {
    const groups = grouped(this.windows(), ({ tenant, product, window }) => [tenant, product, window].join('\n'))
    return [...groups].map(([, windows]) => windows.toSorted((a, b) => b.end - a.end || b.start - a.start)[0]!)
  }

  /** Sums by tenant, period and, unless `total`, product, as `tenant product start`; without those that are 0 and 0. */
  periods(startOf: (ms: number) => number, total = false): Map<string, { impressions: number; clicks: number }> {
    const sums = new Map<string, { impressions: number; clicks: number }>()
    for (const { tenant, product, start, window, impressions, clicks } of this.windows()) {
      if (window !== '') continue
      const key = [tenant, ...(total ? [] : [product]), startOf(start)].join(' ')
      const sum = sums.get(key) ?? { impressions: 0, clicks: 0 }
      sums.set(key, { impressions: sum.impressions + impressions, clicks: sum.clicks + clicks })
    }
    for (const [key, { impressions, clicks }] of sums) if (impressions + clicks === 0) sums.delete(key)
    return sums
  }

  /** By `tenant product`: windows that start at `from` or later beside those between `before` and it. */
  last(before: number, from: number): Map<string, Beside> {
    const sums = new Map<string, Beside>()
    for (const { tenant, product, start, window, impressions, clicks } of this.windows()) {
      if (window !== '' || start < before) continue
      const key = `${tenant} ${product}`
      const sum = sums.get(key) ?? { impressions: 0, clicks: 0, previous_impressions: 0, previous_clicks: 0 }
      if (start >= from) {
        sum.impressions += impressions
        sum.clicks += clicks
      } else {
        sum.previous_impressions += impressions
        sum.previous_clicks += clicks
      }
      sums.set(key, sum)
    }
    return sums
  }

  /** Windows of which a row was inserted from `since` on and is the newest, or an input has ended; 0 and 0 where none counts. */
  changes(since: number): Counted[] {
    const names = new Set(this.#ended.filter(({ at }) => at >= since).map(({ tenant, name }) => `${tenant} ${name}`))
    const runs = new Set(this.#ended.filter(({ tenant, name }) => names.has(`${tenant} ${name}`)).map(({ number }) => number))
    const changed = [...grouped(this.#newest(), windowKey)].filter(([, rows]) => rows.some(({ at, task }) => at >= since || runs.has(task)))
    return changed.map(([, rows]) => {
      const counting = rows.filter((row) => this.#counts(row))
      return counting.length > 0 ? counted(counting) : { ...counted(rows), impressions: 0, clicks: 0 }
    })
  }

  #newest(): Kept[] {
    // Rows are in the order in which they were inserted: of equals the last one stays.
    const better = (a: Kept, b: Kept) => a.revision - b.revision || a.impressions + a.clicks - (b.impressions + b.clicks)
    const groups = grouped(this.#rows, (row) => `${windowKey(row)}\n${row.task}`)
    return [...groups].map(([, rows]) => rows.reduce((best, row) => (better(row, best) >= 0 ? row : best)))
  }

  #counts({ task }: Kept): boolean {
    if (task < INPUT_FIRST) return true
    const run = this.#ended.find(({ number }) => number === task)
    if (run === undefined) return false
    return !this.#ended.some(({ tenant, name, number }) => tenant === run.tenant && name === run.name && number > task)
  }
}

function windowKey({ tenant, product, start, end, window }: Pick<Counted, 'tenant' | 'product' | 'start' | 'end' | 'window'>): string {
  return [tenant, product, start, end, window].join('\n')
}

function counted(rows: readonly OracleResult[]): Counted {
  const { tenant, product, start, end, window } = rows[0]!
  const revision = Math.max(...rows.map((row) => row.revision))
  const highest = rows.filter((row) => row.revision === revision)
  const sum = (of: (row: OracleResult) => number) => highest.reduce((total, row) => total + of(row), 0)
  return { tenant, product, start, end, window, impressions: sum((row) => row.impressions), clicks: sum((row) => row.clicks) }
}

function grouped<T>(items: readonly T[], keyOf: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>()
  for (const item of items) {
    const key = keyOf(item)
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [item])
    else group.push(item)
  }
  return groups
}
