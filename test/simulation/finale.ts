/**
 * What happens in the calm at the end of some seeds, and what must come of it. By then everything is read, so the outcome is one:
 *
 *   remade       a topic is deleted and made again under running pods: what was counted stays, the new one is read whole
 *   remade, killed   the same, and all pods die soon after it, twice: checkpoints have what was counted
 *   remade away  the same while no pod runs: the savepoints of the stop have what was counted
 *   gap          while no pod runs, records come and retention takes them: all before and all behind them is counted, the gap is told
 *
 * What comes then lies so far behind all events before that nothing of it is late for what was before.
 */
import { Random } from '../../src/load/random.ts'
import type { OracleRecord } from '../../workshop/oracle.ts'
import { laterBy, makeRecords } from '../support/records.ts'

export type FinaleKind = 'remade' | 'remade, killed' | 'remade away' | 'gap'

export interface Finale {
  readonly kind: FinaleKind
  readonly topic: string
  /** What comes, one list for each partition of the topic. Offsets begin anew, or behind the gap. */
  readonly lists: readonly (readonly OracleRecord[])[]
  /** Records that retention takes, of each partition. */
  readonly lost: number
}

/** Ids of topics, before they are made again and after. */
export const FIRST_ID = 'AAAAAAAAAAAAAAAAAAAAAQ'
export const REMADE_ID = 'AAAAAAAAAAAAAAAAAAAAAg'
/** Behind all that was before, and behind what a watermark may hold open. */
const LATER_MS = 90_000

/** Drawn apart from all else, so that seeds without a finale stay what they are. */
export function makeFinale(
  seed: number,
  tasks: number,
  before: readonly (readonly OracleRecord[])[],
  possible: { readonly killed: boolean; readonly away: boolean },
): Finale | undefined {
  const random = new Random(seed ^ 0x2545f491)
  if (!random.chance(0.6)) return undefined
  const away: readonly FinaleKind[] = possible.away ? ['remade away', 'gap'] : []
  const kinds: readonly FinaleKind[] = ['remade', ...(possible.killed ? (['remade, killed'] as const) : []), ...away]
  const kind = kinds[random.below(kinds.length)]!
  const topic = random.chance(0.5) ? 'impressions' : 'clicks'
  const last = Math.max(0, ...before.flat().map(({ recordTimestamp }) => recordTimestamp))
  const made = makeRecords({ seed: random.next() >>> 0, partitions: tasks, records: 20 + random.below(60), products: 5, stepMs: 100 })
  const lost = 1 + random.below(50)
  const lists = made
    .filter(([first]) => first?.topic === topic)
    .map((list) => {
      const { partition } = list[0]!
      const end = before.find(([first]) => first?.topic === topic && first.partition === partition)?.at(-1)?.offset ?? -1
      const shift = last + LATER_MS - list[0]!.recordTimestamp
      const from = kind === 'gap' ? end + 1 + lost : 0
      return list.map((record) => ({ ...laterBy(record, shift), offset: record.offset + from }))
    })
  return { kind, topic, lists, lost: kind === 'gap' ? lost : 0 }
}

/** The name that the ledger of a finale's topic has. */
export function laterName({ kind, topic }: Finale): string {
  return kind === 'gap' ? topic : `${topic}#${REMADE_ID}`
}
