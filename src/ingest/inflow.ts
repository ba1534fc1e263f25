/** Main's side of the data: what it owns, what comes in, and what it tells the workers; put together for the pipeline. */
import { Rings } from '../ring/rings.ts'
import { Broadcasts } from './broadcasts.ts'
import { Deliveries, type DeliveriesOptions } from './deliveries.ts'
import { OwnedTasks } from './owned-tasks.ts'
import { Upkeep, type UpkeepOptions } from './upkeep.ts'

export interface InflowOptions extends DeliveriesOptions, UpkeepOptions {
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
  const owned = new OwnedTasks(rules, writers.length)
  const broadcasts = new Broadcasts(new Rings(writers), ringRoom, clock)
  const upkeep = new Upkeep(options, owned, broadcasts)
  const deliveries = new Deliveries(options, owned, broadcasts, upkeep)
  return { owned, broadcasts, upkeep, deliveries }
}
