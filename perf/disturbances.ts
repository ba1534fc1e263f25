/** Which disturbance the delay of a window belongs to. */
import { type Quantiles, quantiles, type Sample } from './emit-delay.ts'

/** Times since the epoch, ms. */
export interface Disturbance {
  readonly kind: string
  readonly from: number
  readonly to: number
}

/** What a window is, that was closed while nothing was disturbed. */
const UNDISTURBED = 'undisturbed'
/** A window that was closed just before may wait for it too. */
const BEFORE_MS = 1_000

/** Delays by kind, in the order in which kinds first came; `undisturbed` are the others. Kinds without a window are left out. */
export function delaysDuring(disturbances: readonly Disturbance[], samples: readonly Sample[]): Record<string, Quantiles> {
  const kinds = [UNDISTURBED, ...new Set(disturbances.map(({ kind }) => kind))]
  const byKind = Map.groupBy(samples, ({ closedAt }) => {
    return disturbances.find(({ from, to }) => closedAt >= from - BEFORE_MS && closedAt < to)?.kind ?? UNDISTURBED
  })
  return Object.fromEntries(
    kinds.flatMap((kind) => {
      const own = byKind.get(kind)
      return own === undefined ? [] : [[kind, quantiles(own.map(({ latencyMs }) => latencyMs))]]
    }),
  )
}
