/** What the command line hands to the verbs. */

import type { CodecName } from '../batch/codec.ts'
import type { StartWish } from '../checkpoint/decide.ts'
import type { TestOptions } from '../selftest/run.ts'

/** Options that every verb with a configuration takes. */
export interface ConfigOptions {
  /** Path of the YAML file. */
  readonly config?: string
  /** `key=value` texts that override it. */
  readonly set: readonly string[]
}

/** `ctr run`. */
export interface RunOptions extends ConfigOptions {
  /** Read up to the end offsets found at the start, emit every window, and end. */
  readonly untilEnd: boolean
  /** What to start from. */
  readonly wish: StartWish
}

/** `ctr replay`. */
export interface ReplayOptions extends ConfigOptions {
  /** Spread the lines over so many partitions; one per file when absent. */
  readonly partitions?: number
}

/** `ctr demo`. */
export interface DemoOptions extends ConfigOptions {
  /** Events per second. */
  readonly rate: number
  readonly products: number
  /** ms; without it until Ctrl-C. */
  readonly duration?: number
}

/** `ctr query`. */
export interface QueryOptions extends ConfigOptions {
  /** Any of ClickHouse's formats; a readable table when absent. */
  readonly format?: string
}

/** `ctr checkpoint` and `ctr savepoint`. */
export interface CheckpointOptions extends ConfigOptions {
  readonly json?: boolean
  /** Only savepoints. */
  readonly savepoints?: boolean
  /** Of the running pipeline to ask; http.host and http.port when absent. */
  readonly url?: string
}

/** `ctr checkpoint export`. */
export interface ExportOptions extends ConfigOptions {
  readonly format: 'json' | 'csv'
}

/** `ctr load`. */
export interface LoadOptions extends ConfigOptions {
  /** Comma-separated; instead of kafka.brokers. */
  readonly brokers?: string
  /** One of LOAD_PROFILES: rate and products, where they are not given themselves. */
  readonly profile?: string
  /** Events per second; 0 is as fast as it goes. */
  readonly rate?: number
  /** ms. */
  readonly duration?: number
  readonly count?: number
  readonly products?: number
  /** Per minute. */
  readonly newProducts: number
  readonly popularity: 'zipf' | 'uniform'
  /** Exponent of zipf. */
  readonly skew: number
  readonly users: number
  /** Of a topic that is created. */
  readonly partitions: number
  /** Comma-separated; instead of kafka.topics. */
  readonly topics?: string
  /** Shares, 0 to 1. */
  readonly clicks: number
  readonly late: number
  readonly invalid: number
  readonly duplicates: number
  /** ms. */
  readonly disorder: number
  readonly lateBy: number
  readonly keys: 'snake' | 'camel' | 'mixed'
  readonly userIds: 'number' | 'uuid' | 'email'
  readonly eventBytes: number
  readonly codec: CodecName
  readonly seed: number
  readonly batchBytes: number
  readonly threads?: number
  /** ms since the epoch. */
  readonly startTime?: number
}

/** `ctr selftest`. */
export interface SelftestOptions extends ConfigOptions, TestOptions {
  readonly json?: boolean
}
