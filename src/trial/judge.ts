/** What a case expects beside what became of it: pure functions. */
import type { CaseRecord, TrialCase } from './cases.ts'

/** A window of a product, all partitions together. Times in ms. */
export interface TrialRow {
  readonly product: string
  readonly start: number
  readonly end: number
  readonly impressions: number
  readonly clicks: number
}

/** What became of a case. */
export interface TrialOutcome {
  /** Of each record in its place: a term of the ledger, or why it is invalid. */
  readonly fates: readonly string[]
  readonly rows: readonly TrialRow[]
}

/** Terms that are told by their own name; a reason is of those that are invalid. */
const TERMS_TOLD = ['counted', 'late', 'ignored'] as const

/** Each thing that is not as the case expects, a line; none when it holds. */
export function problemsOf(expected: TrialCase, { fates, rows }: TrialOutcome): string[] {
  const isInvalid = (fate: string) => !TERMS_TOLD.some((term) => term === fate)
  const count = (holds: (fate: string) => boolean) => fates.filter(holds).length
  const differs = (what: string, want: number | undefined, got: number) => {
    return want === undefined || want === got ? [] : [`${what}: ${want} expected, ${got} found`]
  }
  const { invalid } = expected
  const byReason =
    typeof invalid === 'object'
      ? [...new Set([...Object.keys(invalid), ...fates.filter(isInvalid)])].flatMap((reason) => {
          return differs(
            `invalid by ${reason}`,
            (invalid as Record<string, number>)[reason] ?? 0,
            count((fate) => fate === reason),
          )
        })
      : differs('invalid', invalid, count(isInvalid))
  return [
    ...expected.events.flatMap((event, i) => fateProblem(event, i, fates[i] ?? 'not read', isInvalid)),
    ...TERMS_TOLD.flatMap((term) =>
      differs(
        term,
        expected[term],
        count((fate) => fate === term),
      ),
    ),
    ...byReason,
    ...(expected.rows === undefined ? [] : rowProblems(expected.rows, rows)),
  ]
}

function fateProblem({ is }: CaseRecord, i: number, fate: string, isInvalid: (fate: string) => boolean): string[] {
  if (is === undefined || is === fate || (is === 'invalid' && isInvalid(fate))) return []
  return [`events[${i}]: ${is} expected, ${fate} found`]
}

function rowProblems(wanted: NonNullable<TrialCase['rows']>, found: readonly TrialRow[]): string[] {
  const left = [...found]
  const problems: string[] = []
  for (const { product, window, end, impressions, clicks } of wanted) {
    const at = left.findIndex((row) => row.product === product && row.start === window && (end === undefined || row.end === end))
    const row = left[at]
    const name = `row of ${product} from ${iso(window)}`
    if (row === undefined) problems.push(`${name}: ${spell(impressions, clicks)} expected, no row found`)
    else if (row.impressions !== impressions || row.clicks !== clicks) {
      problems.push(`${name}: ${spell(impressions, clicks)} expected, ${spell(row.impressions, row.clicks)} found`)
    }
    if (row !== undefined) left.splice(at, 1)
  }
  return [
    ...problems,
    ...left.map(({ product, start, end, impressions, clicks }) => {
      return `row of ${product} from ${iso(start)} to ${iso(end)}: not expected, ${spell(impressions, clicks)} found`
    }),
  ]
}

function spell(impressions: number, clicks: number): string {
  return `${impressions} impressions and ${clicks} clicks`
}

function iso(ms: number): string {
  return new Date(ms).toISOString()
}
