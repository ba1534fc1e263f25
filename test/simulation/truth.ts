/** What must come out: the oracle's rows, and its ledger of every prefix of every partition. */
import { LEFT_OUT, PLAIN_EVENTS, type PlainEventRules } from '../../src/selftest/plain-event.ts'
import { reasonsDiffer } from '../../workshop/ledger-rows.ts'
import { judgeAll, type OracleLedger, type OracleRecord, type OracleRow, PartitionClock, runOracle } from '../../workshop/oracle.ts'
import { type Finale, laterName } from './finale.ts'
import { type Plan, REVISION, TENANT, TOPICS } from './plan.ts'

/** Totals of a prefix as the engine writes them. */
export interface PrefixTotals {
  readonly read: number
  readonly counted: number
  readonly late: number
  readonly invalid: Readonly<Record<string, number>>
  readonly maxEventTime: number | undefined
  /** As the ledger tells it. */
  readonly ledgerTime?: number | undefined
}

export interface Truth {
  readonly rows: ReadonlyMap<string, OracleRow>
  readonly ledgers: ReadonlyMap<string, OracleLedger>
  /** Everything below offset `next`. */
  prefix(topic: string, partition: number, next: number): PrefixTotals
  /** `topic/partition/offset`. */
  readonly invalid: ReadonlySet<string>
  /** `task/end` of windows that had an event when they lay further ahead of its partition than maxJump. */
  readonly farWindows: ReadonlySet<string>
  /** First offset after the last record. */
  endOf(topic: string, partition: number): number
}

const NOTHING: PrefixTotals = { read: 0, counted: 0, late: 0, invalid: {}, maxEventTime: undefined }

export function truthOf({ lists: before, rules, tasks, finale, mapping }: Plan): Truth {
  const events = mapping?.plain ?? PLAIN_EVENTS
  const lists = finale === undefined ? before : withFinale(before, finale)
  const { windowSize, windowSlide, outOfOrderness, allowedLateness, futureTolerance, maxJump, oldest } = rules
  const { rows, ledgers } = runOracle(lists, {
    windowSize,
    windowSlide,
    outOfOrderness,
    allowedLateness,
    futureTolerance,
    maxJump,
    oldest,
    revision: REVISION,
    tenant: TENANT,
    events,
  })
  const invalid = new Set<string>()
  const farWindows = new Set<string>()
  const prefixes = new Map<string, { next: number; totals: PrefixTotals }[]>()
  for (const list of lists) {
    const [first] = list
    if (first !== undefined) prefixes.set(`${first.topic}/${first.partition}`, prefixesOf(list, { ...rules, events }, invalid, farWindows))
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
  return {
    rows,
    ledgers,
    prefix,
    invalid,
    farWindows,
    endOf: (topic, partition) => prefixes.get(`${topic}/${partition}`)?.at(-1)?.next ?? 0,
  }
}

/** A topic that was made again is one more, by the name of its ledger; what comes behind a gap goes on. */
function withFinale(before: Plan['lists'], finale: Finale): OracleRecord[][] {
  const name = laterName(finale)
  const lists = before.map((list) => [...list])
  for (const list of finale.lists) {
    const later = list.map((record) => ({ ...record, topic: name }))
    const known = lists.find(([first]) => first?.topic === name && first.partition === list[0]!.partition)
    if (known === undefined) lists.push(later)
    else known.push(...later)
  }
  return lists
}

function prefixesOf(
  list: readonly OracleRecord[],
  rules: Plan['rules'] & { readonly events: PlainEventRules },
  invalid: Set<string>,
  farWindows: Set<string>,
): { next: number; totals: PrefixTotals }[] {
  let totals = NOTHING
  const clock = new PartitionClock(rules.maxJump)
  return list.map((record) => {
    // All events of a record are judged by what was before it.
    const { maxEventTime } = totals
    for (const { verdict, isFirst } of judgeAll(record, rules.events, rules.futureTolerance, rules.oldest)) {
      const { counted, late } = totals
      if (!verdict.valid) {
        if (!isFirst) continue
        const isIgnored = verdict.reason === LEFT_OUT
        if (!isIgnored) invalid.add(`${record.topic.replace(/#.*/, '')}/${record.partition}/${record.offset}`)
        // As the totals of the ledger have it.
        const reason = isIgnored ? 'ignored' : verdict.reason
        totals = { ...totals, read: totals.read + 1, invalid: { ...totals.invalid, [reason]: (totals.invalid[reason] ?? 0) + 1 } }
        continue
      }
      const ends = endsOf(verdict.time, rules)
      const isLate = maxEventTime !== undefined && Math.max(...ends) + rules.allowedLateness <= maxEventTime - rules.outOfOrderness
      // What is held for it begins at an edge of a window.
      const edge = lastEdge(verdict.time, rules)
      if (edge > (clock.time ?? 0) + rules.maxJump) for (const end of ends) farWindows.add(`${record.partition}/${end}`)
      clock.see(verdict.time)
      totals = {
        read: totals.read + 1,
        counted: isLate ? counted : counted + 1,
        late: isLate ? late + 1 : late,
        invalid: totals.invalid,
        maxEventTime: clock.time,
        ledgerTime: clock.time ?? clock.earliest,
      }
    }
    return { next: record.offset + 1, totals }
  })
}

/** Ends of the windows that hold a time. */
function endsOf(time: number, { windowSize, windowSlide = windowSize }: Plan['rules']): number[] {
  const ends: number[] = []
  for (let start = time - (time % windowSlide); start + windowSize > time; start -= windowSlide) ends.push(start + windowSize)
  return ends
}

/** The last instant at or before a time at which a window could begin or end: a multiple of what divides size and slide. */
function lastEdge(time: number, { windowSize, windowSlide = windowSize }: Plan['rules']): number {
  let unit = Math.min(windowSize, windowSlide)
  while (windowSize % unit !== 0 || windowSlide % unit !== 0) unit--
  return time - (time % unit)
}

/** How the engine's totals differ from the truth, if they do. */
export function differenceOf(got: Omit<PrefixTotals, 'maxEventTime'>, want: PrefixTotals): string | undefined {
  const plain = ({ read, counted, late, invalid }: Omit<PrefixTotals, 'maxEventTime'>) => JSON.stringify([read, counted, late, invalid])
  const [a, b] = [plain(got), plain(want)]
  const same = got.read === want.read && got.counted === want.counted && got.late === want.late && !reasonsDiffer(got.invalid, want.invalid)
  return same ? undefined : `${a}, the truth is ${b} (read, counted, late, invalid)`
}
