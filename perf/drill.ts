/** What drills share: their load, and how they are judged and told. */
import { existsSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { formatCount } from '../src/text.ts'
import { conclude, place, table } from '../workshop/report.ts'
import type { Stand } from '../workshop/stand.ts'
import { quantiles } from './emit-delay.ts'
import { judgeDelays } from './judge-delays.ts'
import { type Blow, faultsOfRecoveries, inTime, recoveriesOf } from './recoveries.ts'
import type { Watch } from './watch.ts'

/** Partitions of each topic. */
export const DRILL_TASKS = 4
/** Disorder is less than the out-of-orderness: no window changes once it is written, so it is complete when it is first there. */
export const DRILL_LOAD = { seed: 1, products: 1000, disorderMs: 2_000 }
const OUT_OF_ORDERNESS_MS = 5_000

/** Everything that was kept is gone, as if somebody had deleted it. */
export function emptyStore({ folder }: Stand): void {
  const store = join(folder, 'checkpoints')
  for (const name of existsSync(store) ? readdirSync(store) : []) rmSync(join(store, name), { recursive: true, force: true, maxRetries: 3 })
}

/** What ran; sizes in ms. */
interface DrillRun {
  readonly database: string
  readonly windowSize: number
  readonly watch: Watch
  readonly sent: number
  readonly blows: readonly Blow[]
}

interface Telling {
  /** What a blow is called. */
  readonly title: string
  readonly options: { readonly json: string }
  /** Recoveries that were measured otherwise. */
  readonly more?: readonly { readonly kind: string; readonly seconds: number }[]
  /** What is wrong already. */
  readonly faults?: readonly string[]
  /** To begin again with. */
  readonly seed?: number
}

/** Holds rows against the oracle's and recoveries against their bounds, prints the report, and gives the exit code. */
export async function concludeDrill(stand: Stand, run: DrillRun, telling: Telling): Promise<number> {
  const { blows, sent } = run
  const { verdict, delays, faults } = await judgeDelays(stand, { ...run, outOfOrderness: OUT_OF_ORDERNESS_MS })
  const more = (telling.more ?? []).map((one) => ({ ...one, at: Number.NaN }))
  const recoveries = [...recoveriesOf(blows, delays.samples, DRILL_TASKS), ...more]
  const share = inTime(delays)
  faults.push(...(telling.faults ?? []), ...faultsOfRecoveries(recoveries, share))
  const meanSeconds = recoveries.reduce((sum, { seconds }) => sum + seconds, 0) / recoveries.length
  const report = {
    place: place(),
    options: telling.options,
    seed: telling.seed,
    events: sent,
    rows: verdict.rows.size,
    rowsDiffering: verdict.difference.count,
    windows: delays.samples.length + delays.unseen,
    shareInTime: share,
    delayMs: quantiles(delays.samples.map(({ latencyMs }) => latencyMs)),
    meanSeconds,
    recoveries,
    faults,
  }
  const lines = [...recoveries.map(({ kind, seconds }) => [kind, seconds.toFixed(1)]), ['mean (MTTR)', meanSeconds.toFixed(1)]]
  const inTimeText = `${(share * 100).toFixed(2)} % readable within 60 s of it, p99 ${report.delayMs.p99.toFixed(0)} ms`
  const text = [
    `${formatCount(sent)} events; ${formatCount(report.rows)} rows, ${report.rowsDiffering} differ from the oracle's (RPO)`,
    `${formatCount(report.windows)} windows closed, ${inTimeText}`,
    ...(telling.seed === undefined ? [] : [`the same again: --seed ${telling.seed}`]),
    '',
    table([telling.title, 'results are there again after, s (RTO)'], lines),
  ].join('\n')
  return conclude(report, text, telling.options.json)
}
