/** What must come out: the oracle's rows, and its ledger of every prefix of every partition. */
import { reasonsDiffer } from '../../workshop/ledger-rows.ts'
import { judge, type OracleLedger, type OracleRecord, type OracleRow, runOracle } from '../../workshop/oracle.ts'
import { type Plan, REVISION, TENANT, TOPICS } from './plan.ts'

/** Totals of a prefix as the engine writes them. */
export interface PrefixTotals {
  readonly read: number
  readonly counted: number
  readonly late: number
  readonly invalid: Readonly<Record<string, number>>
  readonly maxEventTime: number | undefined
}

export interface Truth {
  readonly rows: ReadonlyMap<string, OracleRow>
  readonly ledgers: ReadonlyMap<string, OracleLedger>
  /** Everything below offset `next`. */
  prefix(topic: string, partition: number, next: number): PrefixTotals
  /** `topic/partition/offset`. */
  readonly invalid: ReadonlySet<string>
  /** First offset after the last record. */
  endOf(topic: string, partition: number): number
}

const NOTHING: PrefixTotals = { read: 0, counted: 0, late: 0, invalid: {}, maxEventTime: undefined }

export function truthOf({ lists, rules, tasks }: Plan): Truth {
  const { windowSize, outOfOrderness, allowedLateness, futureTolerance } = rules
  const { rows, ledgers } = runOracle(lists, {
    windowSize,
    outOfOrderness,
    allowedLateness,
    futureTolerance,
    revision: REVISION,
    tenant: TENANT,
  })
  const invalid = new Set<string>()
  const prefixes = new Map<string, { next: number; totals: PrefixTotals }[]>()
  for (const list of lists) {
    const [first] = list
    if (first !== undefined) prefixes.set(`${first.topic}/${first.partition}`, prefixesOf(list, rules, invalid))
  }
  for (const topic of TOPICS) {
    for (let task = 0; task < tasks; task++) if (!prefixes.has(`${topic}/${task}`)) prefixes.set(`${topic}/${task}`, [])
  }
  const prefix = (topic: string, partition: number, next: number) => {
    const all = prefixes.get(`${topic}/${partition}`) ?? []
    let low = 0
    let high = all.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (all[middle]!.next <= next) low = middle + 1
      else high = middle
    }
    return all[low - 1]?.totals ?? NOTHING
  }
  return { rows, ledgers, prefix, invalid, endOf: (topic, partition) => prefixes.get(`${topic}/${partition}`)?.at(-1)?.next ?? 0 }
}

function prefixesOf(list: readonly OracleRecord[], rules: Plan['rules'], invalid: Set<string>): { next: number; totals: PrefixTotals }[] {
  let totals = NOTHING
  return list.map((record) => {
    const { counted, late, maxEventTime } = totals
    const read = totals.read + 1
    const verdict = judge(record.value, record.recordTimestamp, rules.futureTolerance)
    if (!verdict.valid) {
      invalid.add(`${record.topic}/${record.partition}/${record.offset}`)
      const { reason } = verdict
      totals = { ...totals, read, invalid: { ...totals.invalid, [reason]: (totals.invalid[reason] ?? 0) + 1 } }
    } else {
      const end = verdict.time - (verdict.time % rules.windowSize) + rules.windowSize
      const isLate = maxEventTime !== undefined && end + rules.allowedLateness <= maxEventTime - rules.outOfOrderness
      totals = {
        read,
        counted: isLate ? counted : counted + 1,
        late: isLate ? late + 1 : late,
        invalid: totals.invalid,
        maxEventTime: Math.max(maxEventTime ?? verdict.time, verdict.time),
      }
    }
    return { next: record.offset + 1, totals }
  })
}

/** How the engine's totals differ from the truth, if they do. */
export function differenceOf(got: Omit<PrefixTotals, 'maxEventTime'>, want: PrefixTotals): string | undefined {
  const plain = ({ read, counted, late, invalid }: Omit<PrefixTotals, 'maxEventTime'>) => JSON.stringify([read, counted, late, invalid])
  const [a, b] = [plain(got), plain(want)]
  const same = got.read === want.read && got.counted === want.counted && got.late === want.late && !reasonsDiffer(got.invalid, want.invalid)
  return same ? undefined : `${a}, the truth is ${b} (read, counted, late, invalid)`
}
