/** Main's side of the data: what it owns, what comes in, and what it tells the workers; put together for the pipeline. */
import { ProductBudget, type StateLimits } from '../products/product-budget.ts'
import { Rings } from '../ring/rings.ts'
import type { Closings } from '../window/closings.ts'
import { Broadcasts } from './broadcasts.ts'
import { Deliveries, type DeliveriesOptions } from './deliveries.ts'
import { OwnedTasks } from './owned-tasks.ts'
import { StateBound } from './state-bound.ts'
import { Upkeep, type UpkeepOptions } from './upkeep.ts'

export interface InflowOptions extends DeliveriesOptions, Omit<UpkeepOptions, 'bound'> {
  readonly source: DeliveriesOptions['source'] & UpkeepOptions['source']
  /** Of products and windows in memory; none when not given. */
  readonly stateLimits?: StateLimits | undefined
  /** What windows take by the counters of the workers, bytes. */
  readonly paneBytes?: () => number
  /** Where it is noted when windows were closed; nowhere when not given. */
  readonly closings?: Closings | undefined
  /** Resolves when a worker's ring may have room again. */
  readonly ringRoom: (ring: number) => Promise<void>
}

/** The parts, each with its own header. */
export interface Inflow {
  readonly owned: OwnedTasks
  readonly broadcasts: Broadcasts
  readonly upkeep: Upkeep
  /** The source's handler. */
  readonly deliveries: Deliveries
}

/** Nothing comes in before the source is started with `deliveries`. */
export function createInflow(options: InflowOptions): Inflow {
  const { rules, writers, ringRoom, clock } = options
  const bound = new StateBound(new ProductBudget(options.stateLimits), options.paneBytes ?? (() => 0), options.degradations)
  const owned = new OwnedTasks(rules, writers.length, bound.budget)
  const broadcasts = new Broadcasts(new Rings(writers), ringRoom, clock, options.closings)
  const upkeep = new Upkeep({ ...options, bound }, owned, broadcasts)
  const deliveries = new Deliveries(options, owned, broadcasts, upkeep)
  return { owned, broadcasts, upkeep, deliveries }
}
