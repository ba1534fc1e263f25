/** How much of everything a load takes: a reckoning from measured figures, with the room that one needs. Pure functions. */
import type { CodecName } from '../batch/codec.ts'
import type { Config } from '../config/schema.ts'
import { commonDivisor, DAY, MINUTE, SECOND } from '../config/units.ts'
import { productCost } from '../products/product-budget.ts'
import { fixedBytes, USABLE } from '../run/memory-plan.ts'
import { CODEC_RATES, CPU_MICROSECONDS, LIVE, PRICES, ROW_BYTES_ON_DISK, SIZES } from './figures.ts'

/** What is to be planned for. */
export interface Load {
  /** Events per second, at their peak. */
  readonly rate: number
  /** Products that are seen within some minutes. */
  readonly products: number
  /** Of the calendar's windows the longest. */
  readonly windowMs: number
  /** Of sliding windows: from the start of one to that of the next. */
  readonly slideMs?: number | undefined
  readonly eventBytes: number
  readonly codec: CodecName
  /** Bytes of a product's id. */
  readonly idBytes: number
  /** Events of a product are in one partition; else each partition may have a row of it in each window. */
  readonly keyed: boolean
  /** For how long windows are kept, days. */
  readonly keptDays: number
  /** How many times the rate a process must be able to take, to come up with what it has missed. */
  readonly headroom: number
  /** What a process may be, at most, however much one could do. */
  readonly pods: number
  /** USD a month. */
  readonly prices: { readonly core: number; readonly gib: number; readonly diskGib: number }
}

/** What a load takes; bytes unless said otherwise. */
export interface CapacityPlan {
  readonly cpu: { readonly busyCores: number; readonly mainShare: number; readonly coresPerPod: number }
  readonly pods: { readonly needed: number; readonly planned: number }
  readonly partitions: { readonly atLeast: number; readonly advised: number }
  readonly memory: { readonly perPod: number; readonly fixed: number; readonly products: number; readonly windows: number }
  readonly network: { readonly eventsBitsPerSecond: number; readonly rowsBitsPerSecond: number }
  readonly clickhouse: {
    readonly rowsPerSecond: number
    readonly rowsPerDay: number
    readonly diskPerDay: number
    readonly disk: number
  }
  readonly cost: { readonly cores: number; readonly memory: number; readonly disk: number; readonly sum: number }
}

/** Of a worker (window/pane.ts): two counts and a total of 32 bits, in pages that are up to half empty. */
const CELL_BYTES = 24
/** Of running totals (window/running.ts): two doubles, in pages that are up to half empty. */
const RUNNING_BYTES = 32
/** A row on its way to ClickHouse with an id of some length (sink/row-binary.ts). */
const ROW_BYTES = 100
/** What main may be busy before more pods are needed. */
const MAIN_SHARE_MAX = 0.8
/** Partitions to a pod, so that they divide among twice as many pods and one pod's share is small. */
const PARTITIONS_PER_POD = 4
/** Parts that are being merged are there twice. */
const MERGE_ROOM = 2
const GIB = 1024 ** 3
const CORE_STEP = 0.5

/** What `load` takes of engines that are configured so. */
export function capacityOf(load: Load, config: Config): CapacityPlan {
  const cost = costOf(load)
  const mainBusy = (load.rate * load.headroom * cost.mainMicroseconds) / 1e6
  const needed = Math.max(1, Math.ceil(mainBusy / MAIN_SHARE_MAX))
  const pods = Math.max(needed, load.pods)
  const busyCores = (load.rate * cost.allMicroseconds) / 1e6
  const coresPerPod = Math.max(CORE_STEP, Math.ceil((busyCores * load.headroom) / pods / CORE_STEP) * CORE_STEP)
  const memory = memoryOf(load, config, pods)
  const partitions = { atLeast: pods, advised: pods * PARTITIONS_PER_POD }
  const clickhouse = rowsOf(load, partitions.advised)
  const prices = {
    cores: pods * coresPerPod * load.prices.core,
    memory: ((pods * memory.perPod) / GIB) * load.prices.gib,
    disk: (clickhouse.disk / GIB) * load.prices.diskGib,
  }
  return {
    cpu: { busyCores, mainShare: mainBusy / load.headroom / pods, coresPerPod },
    pods: { needed, planned: pods },
    partitions,
    memory,
    network: { eventsBitsPerSecond: load.rate * load.eventBytes * 8, rowsBitsPerSecond: clickhouse.rowsPerSecond * ROW_BYTES * 8 },
    clickhouse,
    cost: { ...prices, sum: prices.cores + prices.memory + prices.disk },
  }
}

/** µs of CPU per event. Live each event takes more than of a backlog, by rounds of fetches. */
function costOf({ products, eventBytes, codec }: Load): { mainMicroseconds: number; allMicroseconds: number } {
  const { mainFew, mainMany, allFew, allMany, few, many } = CPU_MICROSECONDS
  const between = (low: number, high: number, at: number) => low + (high - low) * share(few, many, at)
  const live = LIVE.cores / (LIVE.eventsPerSecond / 1e6) / between(allFew, allMany, LIVE.products)
  const factor = (sizeMicroseconds(eventBytes) / sizeMicroseconds(LIVE.eventBytes) / CODEC_RATES[codec]) * Math.max(1, live)
  return { mainMicroseconds: between(mainFew, mainMany, products) * factor, allMicroseconds: between(allFew, allMany, products) * factor }
}

/** How far `at` is from few to many, by its logarithm: caches are lost by and by. Beyond many it goes on growing. */
function share(few: number, many: number, at: number): number {
  return Math.max(0, Math.log(Math.max(1, at) / few) / Math.log(many / few))
}

/** µs per event of so many bytes, along the measured ones, and on as between the last two. */
function sizeMicroseconds(bytes: number): number {
  const points = SIZES.map(([size, megabytes]) => [size, size / megabytes] as const)
  const after = Math.max(
    1,
    points.findIndex(([size]) => size >= bytes) === -1 ? points.length - 1 : points.findIndex(([size]) => size >= bytes),
  )
  const [low, high] = [points[after - 1] ?? [0, 0], points[after] ?? [1, 1]]
  return Math.max(0.05, low[1] + ((high[1] - low[1]) * (bytes - low[0])) / (high[0] - low[0]))
}

function memoryOf({ products, windowMs, slideMs = windowMs, idBytes, keyed }: Load, config: Config, pods: number): CapacityPlan['memory'] {
  const fixed = fixedBytes(config).reduce((sum, [, bytes]) => sum + bytes, 0)
  const { outOfOrderness, allowedLateness, maxDrift } = config.time
  // Slices, which tumbling windows are themselves: those that may still be corrected, and those that partitions are apart; and of windows
  // that overlap those of a whole one, beside its running totals.
  const slice = commonDivisor(windowMs, slideMs)
  const open = Math.ceil((windowMs - slice + outOfOrderness + allowedLateness + maxDrift) / slice) + 2
  const perPod = keyed ? Math.ceil(products / pods) : products
  const cells = open * CELL_BYTES + (slideMs < windowMs ? RUNNING_BYTES : 0)
  const state = { products: perPod * productCost(idBytes), windows: perPod * cells }
  return { fixed, ...state, perPod: Math.ceil((fixed + state.products + state.windows) / USABLE) }
}

/** At most: each product is seen in each window, unless there are fewer events in one than products. */
function rowsOf({ rate, products, windowMs, slideMs = windowMs, keyed, keptDays }: Load, partitions: number): CapacityPlan['clickhouse'] {
  const eventsInWindow = (rate * windowMs) / SECOND
  const rowsInWindow = Math.min(eventsInWindow, products * (keyed ? 1 : partitions))
  const rowsPerSecond = rowsInWindow / (slideMs / SECOND)
  const rowsPerDay = rowsPerSecond * (DAY / SECOND)
  // Roll-ups hold none of windows that overlap.
  const rolledUp = slideMs < windowMs ? 0 : 1
  const minutesPerDay = windowMs < MINUTE ? Math.min((rate * DAY) / SECOND, products * (DAY / MINUTE)) : rowsPerDay
  const hoursPerDay = Math.min(minutesPerDay, products * 24)
  const { results, minutes, hours } = ROW_BYTES_ON_DISK
  const diskPerDay = (rowsPerDay * results + rolledUp * (minutesPerDay * minutes + hoursPerDay * hours)) * MERGE_ROOM
  // ctr_recent has the rows of two days again.
  const recent = rowsPerDay * results * MERGE_ROOM * Math.min(2, keptDays)
  return { rowsPerSecond, rowsPerDay, diskPerDay, disk: diskPerDay * keptDays + recent }
}

/** Prices where nothing else is said. */
export const USUAL_PRICES = { ...PRICES, diskGib: 0.1 }
