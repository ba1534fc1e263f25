/**
 * What a process may take of memory, as a sum that is known before it starts: what is fixed by the configuration, and what is left for
 * products and windows. In a container the sum must fit: a process that the kernel kills tells nobody why, and is killed again after every
 * restart. On a machine of its own it is only what products and windows are bounded by.
 */
import { availableParallelism, totalmem } from 'node:os'
import { LIMITS } from '../config/limits.ts'
import { needsRegistry } from '../config/registry-rules.ts'
import type { Config } from '../config/schema.ts'
import { formatSize } from '../config/units.ts'
import { CtrError } from '../errors.ts'
import { productCost, type StateLimits } from '../products/product-budget.ts'

const MIB = 1024 * 1024
/** Node, the code, and the heap of main. */
const PROCESS_BYTES = 128 * MIB
/** The heap of a worker, of the sink's thread, of the checkpoints' and of the HTTP server's, which has the history. */
const THREAD_BYTES = 16 * MIB
/** See worker/pool.ts. */
const ROW_RING_BYTES = 4 * MIB
/** A response is being read, one is worked on, and one waits (kafka/frame-pool.ts). */
const FRAMES = 3
const FRAME_BYTES = 16 * MIB
/** Two batches are being filled and sent; what a row takes with an id of some length. */
const ROW_BYTES = 160
/** See output/output-queue.ts; what is being sent is there twice. */
const LETTERS_BYTES = 16 * MIB
/** zstd keeps what it decompressed last, beside what comes out. */
const UNPACKED_COPIES = 2
/** Of what is there. The rest is for the collector, which comes later than memory is free. */
export const USABLE = 0.9
/** Less than this for products and windows is no start. */
export const STATE_MIN_BYTES = 32 * MIB
/** Bytes of an id, when so many are asked for. */
const USUAL_ID_BYTES = 16

/** Bytes there are; `limit` is the container's, undefined without one. */
export interface Memory {
  readonly total: number
  readonly limit: number | undefined
}

/** Of this process. */
function memoryHere(): Memory {
  const total = totalmem()
  const limit = process.constrainedMemory()
  return { total, limit: limit > 0 && limit < total ? limit : undefined }
}

/** What the kernel, or the machine, lets this process take; bytes. */
export function memoryLimitBytes(): number {
  const { limit, total } = memoryHere()
  return limit ?? total
}

/** One worker keeps up with main on two cores; more cores are shared out to workers, leaving one to main and one to the sink and the OS. */
const AUTO_WORKERS_MAX = 4

/** How many workers the configuration asks for on this machine. */
export function workersOf({ engine }: Pick<Config, 'engine'>, cores = availableParallelism()): number {
  return engine.workers === 'auto' ? Math.max(1, Math.min(AUTO_WORKERS_MAX, cores - 2)) : engine.workers
}

/**
 * What products and windows may take. Throws CTR_CONFIG, with the sum, when a container has no room for what the configuration asks.
 */
export function stateLimits(config: Config, workers = workersOf(config), memory = memoryHere()): StateLimits {
  const fixed = fixedBytes(config, workers)
  const sum = fixed.reduce((total, [, bytes]) => total + bytes, 0)
  const usable = Math.floor((memory.limit ?? memory.total) * USABLE)
  const { maxProducts } = config.state
  const wanted = maxProducts === 'auto' ? STATE_MIN_BYTES : Math.max(STATE_MIN_BYTES, maxProducts * productCost(USUAL_ID_BYTES))
  if (memory.limit !== undefined && sum + wanted > usable) {
    const products = maxProducts === 'auto' ? 'products and windows, at least' : `products and windows (state.maxProducts ${maxProducts})`
    const items = [...fixed, [products, wanted] as const].map(([name, bytes]) => `  ${mib(bytes).padStart(9)}  ${name}`)
    const needed = `needs ${mib(sum + wanted)}, and ${mib(usable)} of the container's ${mib(memory.limit)} can be used`
    const remedy = 'give the container more memory, or lower what is listed'
    throw new CtrError('CTR_CONFIG', [`the configuration ${needed}: ${remedy}`, ...items].join('\n'))
  }
  return { maxProducts: maxProducts === 'auto' ? Number.POSITIVE_INFINITY : maxProducts, maxBytes: Math.max(STATE_MIN_BYTES, usable - sum) }
}

/** What does not depend on the data, with the keys it follows from. */
export function fixedBytes(config: Config, workers = workersOf(config)): (readonly [name: string, bytes: number])[] {
  const { kafka, engine, clickhouse, checkpoint, late, schemaRegistry } = config
  const threads = workers + 2 + (checkpoint.storage === 'none' ? 0 : 1)
  return [
    ['process', PROCESS_BYTES],
    [`${threads} threads (engine.workers)`, threads * THREAD_BYTES],
    ['rings (engine.workers, engine.ringBytes)', workers * (powerOfTwo(engine.ringBytes) + ROW_RING_BYTES)],
    ['fetches (kafka.fetchBytesPerPartition)', FRAMES * Math.max(FRAME_BYTES, kafka.fetchBytesPerPartition)],
    ['decompression (kafka.maxBatchBytes)', UNPACKED_COPIES * kafka.maxBatchBytes],
    ['inserts (clickhouse.batchRows)', 2 * Math.min(clickhouse.batchRows * ROW_BYTES, LIMITS.batchRowsMaxBytes)],
    ['dead letters', LETTERS_BYTES],
    ...(kafka.topics.some(needsRegistry) ? [['schemas (schemaRegistry.cache.maxBytes)', schemaRegistry.cache.maxBytes] as const] : []),
    ...(late.topic === undefined && late.file === undefined ? [] : [['late events (late)', LETTERS_BYTES] as const]),
  ]
}

function powerOfTwo(bytes: number): number {
  return 2 ** Math.ceil(Math.log2(bytes))
}

function mib(bytes: number): string {
  return formatSize(Math.ceil(bytes / MIB) * MIB)
}
